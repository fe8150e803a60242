// Whatever a page may not do because of a text on it; a line each.
(origin) => {
  const found = [];
  const led = "a[href], form[action], img[src], script[src], link[href]";
  for (const each of document.querySelectorAll(led)) {
    const where = new URL(each.getAttribute("href") ?? each.getAttribute("action") ?? each.getAttribute("src"), location.href);
    if (where.origin !== origin && !each.matches("a[rel~=noreferrer]")) found.push(`leads elsewhere: ${each.outerHTML.slice(0, 200)}`);
  }
  const doing = "script:not([src]), style, base, iframe, object, embed, [style], [onload], [onerror]";
  for (const each of document.querySelectorAll(doing)) found.push(`runs or styles: ${each.outerHTML.slice(0, 200)}`);
  const unseen = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u202a-\u202e\u2060-\u2069\ufeff]|[\u{e0000}-\u{e007f}]/u;
  const hidden = document.body.innerText.match(unseen);
  if (hidden) found.push(`hidden: U+${hidden[0].codePointAt(0).toString(16)}`);
  if (document.documentElement.scrollWidth > innerWidth) found.push("wider than the page");
  return found;
}
