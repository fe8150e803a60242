"use strict";
// The inbox goes on by itself: how many wait stands in the title; the list is drawn anew where nobody is at work in it,
// and else says that it is old. Hidden pages do not listen.
(() => {
  const inbox = () => document.querySelector("#inbox");
  const boxes = (within = document) => [...within.querySelectorAll("input[type=checkbox][name=repair]")];
  const ticked = () => boxes().filter((each) => each.checked).length;
  let stream = null;

  function isAtWork() {
    const form = document.querySelector("#decide");
    const comment = document.querySelector("#comment");
    return ticked() > 0 || Boolean(comment?.value) || Boolean(form?.contains(document.activeElement)) || Boolean(form?.querySelector("details[open]"));
  }
  function tally() {
    const told = document.querySelector("#ticked");
    const said = ticked() === 0 ? "Decides on the repairs that are ticked." : `${ticked()} of ${boxes().length} ticked.`;
    if (told && told.textContent !== said) told.textContent = said;
    for (const button of document.querySelectorAll("#decide button[name=verdict]")) {
      button.dataset.words ??= button.textContent;
      button.textContent = ticked() ? button.dataset.words.replace("ticked", ticked().toLocaleString()) : button.dataset.words;
    }
  }
  function title(count) {
    document.title = `${count ? `(${count.toLocaleString()}) ` : ""}Inbox - daper`;
  }
  function draw() {
    return htmx.ajax("GET", location.pathname + location.search, { target: "#inbox", select: "#inbox", swap: "outerHTML" });
  }
  function hear(event) {
    const { count, mark } = JSON.parse(event.data);
    title(count);
    if (inbox()?.dataset.mark === mark) return;
    if (!isAtWork()) { draw(); return; }
    const told = document.querySelector("#news");
    if (!told) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Show it";
    button.addEventListener("click", draw);
    const said = document.createElement("p");
    said.className = "alert";
    said.append(`What waits has changed since you looked: ${count.toLocaleString()} now. What you ticked stays until you do. `, button);
    told.replaceChildren(said);
  }
  function listen() {
    const shown = inbox();
    if (document.hidden || stream || !shown) return;
    stream = new EventSource(`/inbox/events?mark=${encodeURIComponent(shown.dataset.mark)}`);
    stream.addEventListener("message", hear);
    stream.addEventListener("open", () => hearing.back());
    stream.addEventListener("error", lose);
    stream.addEventListener("signed-out", () => { rest(); hearing.signedOut(); });
  }
  // A browser asks again by itself, but where it was refused.
  async function lose() {
    hearing.lost();
    if (stream?.readyState !== EventSource.CLOSED) return;
    rest();
    const answer = await fetch(location.href, { method: "HEAD", redirect: "manual" }).catch(() => null);
    if (answer?.type === "opaqueredirect") hearing.signedOut(); else setTimeout(listen, 5000);
  }
  function rest() {
    stream?.close();
    stream = null;
  }
  document.addEventListener("visibilitychange", () => (document.hidden ? rest() : listen()));
  addEventListener("pagehide", rest);
  addEventListener("pageshow", () => { listen(); tally(); });
  document.addEventListener("change", tally);
  document.addEventListener("htmx:after:swap", tally);
  document.addEventListener("click", (event) => {
    const all = event.target instanceof Element && event.target.closest("a.tick-all");
    if (!all || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const mine = boxes(all.closest(".waiting-group"));
    const on = mine.some((each) => !each.checked);
    for (const each of mine) each.checked = on;
    tally();
  });
  listen();
  tally();
})();
