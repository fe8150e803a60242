"""What axe-core has against a page as it stands, and what our own rules have: its size, and what may be touched."""

from functools import cache
from typing import Any, Final

from playwright.async_api import Page

from tests.clients.node import entry

# What WCAG 2.2 AA asks for, and what axe's makers count as good practice beside it.
_TAGS: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_TARGET: Final = 44  # px, on a phone
_RUN: Final = """async (tags) => {
  const found = await axe.run(document, { runOnly: { type: "tag", values: tags }, resultTypes: ["violations"] });
  return found.violations.flatMap(rule => rule.nodes.map(node =>
    `${rule.id}: ${node.target.join(" ")}: ${(node.any[0] || node.all[0] || node.none[0]).message}`));
}"""
_TOO_WIDE: Final = """() => {
  const all = document.documentElement, wide = innerWidth;
  if (all.scrollWidth <= wide) return [];
  return [...document.body.querySelectorAll("*")].filter(each => each.getBoundingClientRect().right > wide + 1)
    .map(each => `wider than the page: ${each.tagName} ${each.className} ${each.textContent.slice(0, 40)}`);
}"""
_TOUCHED: Final = (
    "button, .button, select, summary, .pages-nav a, label:has(> input), "
    "input:not([type=checkbox], [type=radio], [type=hidden])"
)
_TOO_SMALL: Final = """([touched, least]) => [...document.querySelectorAll(touched)]
  .filter(each => each.checkVisibility({ visibilityProperty: true }) && !each.closest(".hidden"))
  .map(each => [each, each.getBoundingClientRect()])
  .filter(([, box]) => box.width > 0 && (box.height < least - .5 || box.width < least - .5))
  .map(([each, box]) => `smaller than a finger: ${each.tagName} ${each.className} `
    + `${each.textContent.trim().slice(0, 40)} ${Math.round(box.width)}x${Math.round(box.height)}`)"""


@cache
def _axe() -> str:
    return entry("axe-core/axe.min.js").read_text(encoding="utf-8")


async def objections(page: Page) -> list[str]:
    """All that is to be said against this page, a line each."""
    await page.evaluate(_axe())  # by the debugger's door, which the policy of the page does not close
    found: list[Any] = [*await page.evaluate(_RUN, list(_TAGS)), *await page.evaluate(_TOO_WIDE)]
    size = page.viewport_size
    if size is not None and size["width"] < 500:
        found += await page.evaluate(_TOO_SMALL, [_TOUCHED, _TARGET])
    return [str(line) for line in found]
