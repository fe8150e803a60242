"use strict";

// Moments in the reader's own zone; the exact UTC stays in the title.
const inZone = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
function localize(root) {
  for (const element of root.querySelectorAll("time[datetime]:not([data-local])")) {
    const at = new Date(element.getAttribute("datetime"));
    if (!Number.isNaN(at.valueOf())) {
      element.textContent = inZone.format(at);
      element.dataset.local = "";
    }
  }
}

// What is kept in this browser; one that keeps nothing is used all the same.
const kept = {
  get(key) { try { return localStorage.getItem(key); } catch { return null; } },
  set(key, value) { try { localStorage.setItem(key, value); } catch { /* it keeps nothing */ } },
  drop(key) { try { localStorage.removeItem(key); } catch { /* it keeps nothing */ } },
  keys() { try { return Object.keys(localStorage); } catch { return []; } },
};

// A form that decides: its draft survives a reload, by the plan and the person; and it is sent once.
const DRAFT = "daper draft ";
const DRAFT_LASTS_MS = 14 * 24 * 3600 * 1000;

function controls(form) {
  return [...form.elements].filter((each) => each.name && each.type !== "hidden" && each.tagName !== "BUTTON");
}
function isChanged(control) {
  if (control.type === "radio" || control.type === "checkbox") return control.checked !== control.defaultChecked;
  if (control.tagName === "SELECT") return [...control.options].some((each) => each.selected !== each.defaultSelected);
  return control.value !== control.defaultValue;
}
// `data-entered`: the page came back with what was filled in.
function isFilledIn(form) { return form.dataset.entered !== undefined || controls(form).some(isChanged); }

function readDraft(form) {
  const said = {};
  for (const each of controls(form)) {
    // What is dangerous is named anew each time.
    if (!isChanged(each) || each.name.startsWith("named.")) continue;
    if (each.type === "radio") { if (each.checked) said[each.name] = each.value; } else said[each.name] = each.value;
  }
  return said;
}
function keepDraft(form) {
  const said = readDraft(form), key = DRAFT + form.dataset.draft;
  if (Object.keys(said).length) kept.set(key, JSON.stringify({ at: Date.now(), said })); else kept.drop(key);
  tally(form);
}
function restoreDraft(form) {
  let draft = null;
  try { draft = JSON.parse(kept.get(DRAFT + form.dataset.draft)); } catch { /* it is none */ }
  if (!draft || typeof draft.said !== "object" || isFilledIn(form)) return;
  let restored = 0;
  for (const each of controls(form)) {
    if (!Object.hasOwn(draft.said, each.name)) continue;
    const value = draft.said[each.name];
    if (each.type === "radio") each.checked = each.value === value; else each.value = value;
    restored += isChanged(each);
  }
  if (restored) tellDraft(form, new Date(draft.at));
}
function tellDraft(form, at) {
  const told = form.querySelector("#draft");
  if (!told) return;
  const forget = document.createElement("button");
  forget.type = "button";
  forget.textContent = "Forget them";
  forget.addEventListener("click", () => {
    form.reset();
    keepDraft(form);
    told.hidden = true;
    form.querySelector("[data-item]")?.focus();
  });
  told.replaceChildren(`Your choices of ${inZone.format(at)} are here again; nothing is sent yet. `, forget);
  told.hidden = false;
}
function forgetDrafts() {
  for (const key of kept.keys()) {
    if (!key.startsWith(DRAFT)) continue;
    let at = 0;
    try { at = JSON.parse(kept.get(key)).at; } catch { /* it is none of ours any more */ }
    if (!(Date.now() - at < DRAFT_LASTS_MS)) kept.drop(key);
  }
  // What was decided needs none.
  for (const plan of document.querySelectorAll("[data-decided]")) kept.drop(DRAFT + plan.dataset.decided);
}
function tally(form) {
  const told = form.querySelector("#tally");
  if (!told) return;
  const of = (value) => form.querySelectorAll(`input[type=radio][value="${value}"]:checked`).length;
  const said = `${of("approve")} approved, ${of("reject")} rejected, ${of("")} left.`;
  if (told.textContent !== said) told.textContent = said;
  // Nothing invites to decide before something is chosen.
  form.querySelector("#send")?.classList.toggle("primary", of("approve") + of("reject") > 0);
}
function drafts(root) {
  for (const form of root.querySelectorAll("form[data-draft]:not([data-known])")) {
    form.dataset.known = "";
    restoreDraft(form);
    tally(form);
    form.addEventListener("input", () => keepDraft(form));
    for (const choices of form.querySelectorAll(".group-choices")) choices.hidden = false;
    form.addEventListener("click", (event) => {
      const choose = event.target.closest("button[data-choose]");
      if (!choose) return;
      for (const each of choose.closest(".group").querySelectorAll("input[type=radio]")) each.checked = each.value === choose.dataset.choose;
      keepDraft(form);
    });
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent !== undefined) event.preventDefault();
      form.dataset.sent = "";
    });
  }
}
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// What was shown is not what waits any more: whoever has filled in nothing sees it at once, and nobody loses anything.
let looking = false;
function seeChanges() {
  if (looking) return;
  const changed = document.querySelector("#changed [data-changed]"), page = document.querySelector("#repair");
  const form = document.querySelector("form[data-draft]");
  if (!changed || !page || (form && (isFilledIn(form) || form.contains(document.activeElement)))) return;
  looking = true;
  const loaded = htmx.ajax("GET", location.pathname, { target: "#repair", select: "#repair", swap: "outerHTML" });
  Promise.resolve(loaded).finally(() => { looking = false; });
}

// Whether an open page still hears from the console: it says so where it does not.
const hearing = {
  back() { this.tell("away", false); },
  lost(status) { status === 401 ? this.signedOut() : this.tell("away", true); },
  signedOut() {
    document.querySelector("#live")?.remove();
    this.tell("away", false);
    this.tell("signed-out", true);
  },
  tell(id, on) {
    const told = document.getElementById(id);
    if (told) told.hidden = !on;
  },
};
document.addEventListener("htmx:sse:after:connection", () => hearing.back());
document.addEventListener("htmx:sse:error", (event) => hearing.lost(event.detail?.status));
// What begins to listen is asked for once by htmx; whether it was refused or never came there, it is asked for again.
const LISTEN_AGAIN_MS = 5000;
function listenAgain(event) {
  const live = event.target;
  if (live.id !== "live" || event.detail?.ctx?.sourceElement !== live) return;
  hearing.lost(event.detail.ctx.response?.status);
  setTimeout(() => {
    if (live.isConnected && !live._htmx?.sse) htmx.ajax("GET", live.getAttribute("hx-sse:connect"), { source: live });
  }, LISTEN_AGAIN_MS);
}
document.addEventListener("htmx:error", listenAgain);
document.addEventListener("htmx:response:error", listenAgain);
document.addEventListener("signed-out", () => hearing.signedOut());

// Keys, on every page that has items: j and k go from one to the next; another key does what an item, or else the page,
// has for it.
const KEYS = "daper keys";
const writes = (element) => element.closest("textarea, select, [contenteditable], input:not([type=radio], [type=checkbox])");

function keysAreOn() { return kept.get(KEYS) !== "off"; }
function current() { return document.activeElement?.closest("[data-item]"); }
function step(by) {
  const items = [...document.querySelectorAll("[data-item]")].filter((each) => each.checkVisibility());
  const place = items.indexOf(current());
  const next = items[place < 0 ? (by > 0 ? 0 : items.length - 1) : place + by];
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest" });
  return Boolean(next);
}
function press(key) {
  const item = current();
  const found = item?.querySelector(`[data-key="${key}"]`) ?? document.querySelector(`[data-key="${key}"]:not([data-item] *)`);
  if (!found) return false;
  const control = found.matches("input, select, textarea, button, a") ? found : found.querySelector("input, select, textarea");
  if (!control) return false;
  if (control.type === "radio" || control.type === "checkbox") {
    control.click();
    item?.focus({ preventScroll: true });
  } else if (control.tagName === "A") {
    control.click();
  } else {
    control.focus();
    if (control.select) control.select();
  }
  return true;
}
function showKeys() {
  const list = document.querySelector("#keys");
  if (!list) return false;
  list.open = !list.open;
  if (list.open) list.querySelector("summary").focus();
  return true;
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || !(event.target instanceof Element)) return;
  if (event.key === "Escape" && writes(event.target)) {
    (current() ?? document.querySelector("main")).focus();
    return;
  }
  if (writes(event.target) || (!keysAreOn() && event.key !== "?")) return;
  const does = { j: () => step(1), k: () => step(-1), "?": showKeys };
  const done = does[event.key] ? does[event.key]() : /^[a-z]$/.test(event.key) && press(event.key);
  if (done) event.preventDefault();
});
function keys(root) {
  for (const list of root.querySelectorAll("#keys[hidden]")) {
    list.hidden = false;
    const on = list.querySelector("#keys-on");
    if (!on) continue;
    on.checked = keysAreOn();
    on.addEventListener("change", () => (on.checked ? kept.drop(KEYS) : kept.set(KEYS, "off")));
  }
}

function begin() {
  localize(document);
  forgetDrafts();
  drafts(document);
  keys(document);
  seeChanges();
}
begin();
document.addEventListener("htmx:after:swap", begin);
