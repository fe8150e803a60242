"use strict";
// A form with data-passkey asks the passkey that its person has before it is sent; the attribute says what is signed.
// data-passkey-new makes one. Only a button with data-without-passkey sends the form without.
(() => {
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const withId = (each) => ({ ...each, id: bytes(each.id) });

  async function asked(url) {
    const answer = await fetch(url, { headers: { accept: "application/json" }, credentials: "same-origin" });
    if (!answer.ok || !(answer.headers.get("content-type") || "").includes("json")) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      throw new Error(page.querySelector("[role=alert]:not([hidden])")?.textContent.trim() || "the console did not answer; load the page again");
    }
    return answer.json();
  }

  function put(form, name, value) {
    let input = form.elements.namedItem(name);
    if (!input) {
      input = document.createElement("input");
      input.type = "hidden";
      input.name = name;
      form.append(input);
    }
    input.value = value;
  }

  async function sign(form) {
    const { options, challenge } = await asked(`/passkeys/challenge?plan=${encodeURIComponent(form.dataset.passkey)}`);
    const made = await navigator.credentials.get({
      publicKey: { ...options, challenge: bytes(options.challenge), allowCredentials: options.allowCredentials.map(withId) },
    });
    const said = made.response;
    put(form, "passkey_challenge", challenge);
    put(form, "passkey", JSON.stringify({
      id: made.id, rawId: text(made.rawId), type: made.type,
      response: {
        authenticatorData: text(said.authenticatorData), clientDataJSON: text(said.clientDataJSON), signature: text(said.signature),
        userHandle: said.userHandle ? text(said.userHandle) : null,
      },
    }));
  }

  async function make(form) {
    const { options, challenge } = await asked("/passkeys/new");
    const made = await navigator.credentials.create({
      publicKey: {
        ...options, challenge: bytes(options.challenge), user: withId(options.user),
        excludeCredentials: (options.excludeCredentials || []).map(withId),
      },
    });
    put(form, "new_challenge", challenge);
    put(form, "new", JSON.stringify({
      id: made.id, rawId: text(made.rawId), type: made.type,
      response: { attestationObject: text(made.response.attestationObject), clientDataJSON: text(made.response.clientDataJSON) },
    }));
  }

  function tell(form, error) {
    let said = form.querySelector("[data-passkey-said]");
    if (!said) {
      said = document.createElement("p");
      said.dataset.passkeySaid = "";
      said.className = "said";
      said.setAttribute("role", "alert");
      form.prepend(said);
    }
    said.textContent = error.name === "NotAllowedError" ? "Your passkey did not sign: it was cancelled, or took too long. Nothing was sent." : `Nothing was sent: ${error.message}`;
  }

  document.addEventListener("submit", async (event) => {
    const form = event.target, button = event.submitter;
    const signs = "passkey" in form.dataset, makes = "passkeyNew" in form.dataset;
    if (!(signs || makes) || form.dataset.passkeyDone || button?.hasAttribute("data-without-passkey")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (form.getAttribute("aria-busy") === "true") return;
    form.setAttribute("aria-busy", "true");
    try {
      if (makes) await make(form);
      if (signs) await sign(form);
      form.dataset.passkeyDone = "1";
      form.requestSubmit(button);
    } catch (error) {
      tell(form, error);
    } finally {
      form.removeAttribute("aria-busy");
      delete form.dataset.passkeyDone;
    }
  }, true);
})();
