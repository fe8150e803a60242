"""Whether record text, or a model's, does anything on a page: each function tells what; none means it is all text."""

import json
import re
import unicodedata
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from daper.adapters.reports.plan_report import plan_report
from daper.adapters.reports.repair_report import repair_report
from daper.core.models import Plan
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.core.text import visible
from daper.core.views import whole_plans
from daper.documents.html import to_html
from daper.documents.markdown import to_markdown
from daper.entrypoints.cli.story import Story
from daper.workflows.details import details

_LONGEST_LINE: Final = 2000  # of the command line
_JOINERS: Final = "\u200c\u200d"  # of scripts that need them
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_INLINE: Final = frozenset(
    {"strong_open", "strong_close", "text", "code_inline", "inline", "text_special", "softbreak"}
)
_BLOCKS: Final = frozenset(
    f"{name}_{side}"
    for name in ("heading", "paragraph", "bullet_list", "list_item", "table", "thead", "tbody", "tr", "th", "td")
    for side in ("open", "close")
)
_CODE: Final = re.compile(r"(?<!\\)`[^`\n]*`")
# Readers make links of bare addresses.
_ADDRESS: Final = re.compile(r"(?<!\\)://|www\.\w", re.IGNORECASE)
_TAGS: Final = frozenset(
    {
        *("html", "head", "meta", "title", "style", "body", "div", "h1", "h2", "p", "b", "br", "wbr", "code", "bdi"),
        *("table", "colgroup", "col", "thead", "tbody", "tr", "th", "td"),
    }
)
_ATTRIBUTES: Final = frozenset(
    {
        *("lang", "charset", "name", "content", "style", "width", "cellpadding", "cellspacing", "border", "frame"),
        *("rules", "role", "scope", "align", "valign", "bgcolor", "dir"),
    }
)
_ALWAYS_FIT: Final = 10  # actions
# What a line of ours begins with, which says what a program did or a person decided.
_OURS: Final = ("Decided by ", "Workflow completed with result: ", "Report Summary: ", "Repair planning is complete. ")


def report_faults(result: RepairResult) -> Iterator[str]:
    """In the report and in the plan, as Markdown and as HTML."""
    for name, document in (
        ("report", repair_report(result)),
        ("plan", plan_report(result, whole_plans(result))),
    ):
        yield from (f"{name}, Markdown: {fault}" for fault in markdown_faults(to_markdown(document)))
        yield from (f"{name}, HTML: {fault}" for fault in html_faults(to_html(document)))


def story_faults(result: RepairResult) -> Iterator[str]:
    """In the lines of the command line: none that passes for one of ours, nothing hidden."""
    lines = [visible(line, longest=_LONGEST_LINE) for line in Story().end(result)]
    yield from (f"story: {fault}" for line in lines for fault in _hidden(line))
    told = {start: sum(line.startswith(start) for line in lines) for start in _OURS}
    if told != {
        "Decided by ": len(result.decisions),
        "Workflow completed with result: ": 1,
        "Report Summary: ": 1,
        "Repair planning is complete. ": min(1, len(result.plans)),
    }:
        yield f"story: lines that pass for ours: {told}"


def details_faults(plan: Plan, message: str) -> Iterator[str]:
    """In the details that the Temporal UI shows; what is to be pasted there decides on what stands first alone.

    Of a long plan the first actions fit there, and only these are decided on.
    """
    shown = details(Phase.PENDING_APPROVAL, plan, message)
    text, _, after = shown.partition("```json\n")
    pasted, _, left_alone = after.partition("\n```")
    yield from (f"details: {fault}" for part in (text, left_alone) for fault in markdown_faults(part))
    answer = json.loads(pasted)
    main = [(action.id, "approve") for action in plan.actions if not action.instead_of]
    fit = len(main) if len(main) <= _ALWAYS_FIT else len(answer["verdicts"])
    if list(answer["verdicts"].items()) != main[:fit] or set(answer) != {"plan_digest", "by", "door", "verdicts"}:
        yield f"details: what is to be pasted is {answer}"


def markdown_faults(text: str) -> Iterator[str]:
    """Links, pictures, HTML, code, quotes and whatever else is no markup of ours; what is hidden."""
    tokens = [token.type for token in _tokens(text)]
    yield from (f"a {name}" for name in sorted({*tokens} - _INLINE - _BLOCKS))
    yield from (f"an address: {found[0]}" for found in _ADDRESS.finditer(_CODE.sub("", text)))
    yield from _hidden(text)


def html_faults(page: str) -> Iterator[str]:
    """Tags and attributes that are none of ours, and what is hidden."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    yield from (f"a tag: {tag}" for tag in sorted(reader.tags - _TAGS))
    yield from (f"an attribute: {name}" for name in sorted(reader.attributes - _ATTRIBUTES))
    yield from (f"an address in an attribute: {value}" for value in reader.values if "://" in value or "url(" in value)
    yield from (f"a comment or declaration: {each}" for each in reader.others)
    yield from _hidden(page)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.values: list[str] = []
        self.others: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.values += [value or "" for _, value in attrs]

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    def unknown_decl(self, data: str) -> None:
        self.others.append(data)


def _tokens(text: str) -> list[Token]:
    found = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)
    return [inner for token in found for inner in (token, *(token.children or ()))]


def _hidden(text: str) -> Iterator[str]:
    plain = text.replace("\n", "")
    if plain.isascii() and plain.isprintable():
        return
    found = {char for char in plain if unicodedata.category(char) in _HIDDEN and char not in _JOINERS}
    yield from (f"a hidden U+{ord(char):04X}" for char in sorted(found))
