"""A document as Markdown that record text cannot break out of. Pure."""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import assert_never

from daper.core.text import markdown, markdown_code, visible
from daper.documents.blocks import (
    LONGEST_COMMAND,
    LONGEST_PROSE,
    Bars,
    Block,
    Cell,
    CheckList,
    Commands,
    Copied,
    Document,
    Facts,
    Line,
    Numbers,
    Paragraph,
    Span,
    Style,
    Table,
)

_NOTHING = "-"
_LONGEST_BAR = 20


def to_markdown(document: Document) -> str:
    """The whole document. Text from records, people and models is shown as text, whatever it looks like."""
    lines = [
        f"# {document.title} {markdown_code(document.repair_id)}",
        "",
        f"**Summary:** {_line(document.summary)}",
        "",
        f"**Phase:** {_line(document.state)}",
        "",
        *_block(document.about),
    ]
    for section in document.sections:
        lines += [f"## {markdown(section.title)}", ""]
        for block in section.blocks:
            lines += _block(block)
    return "\n".join(lines).rstrip() + "\n"


def _block(block: Block) -> list[str]:
    match block:
        case Paragraph(line):
            return [_line(line), ""]
        case Facts(rows):
            return _table(("fact", "value"), ((_line(name), _cell(known)) for name, known in rows))
        case Numbers(numbers):
            return _table([name for name, _ in numbers], [[str(number) for _, number in numbers]])
        case Bars(title, bars):
            return _bars(title, bars)
        case CheckList(items):
            return [*(f"- [ ] {_line(item)}" for item in items), ""]
        case Commands() | Copied():
            return _to_copy(block)
        case Table(columns, _, rows):
            return _table([column.title for column in columns], ([_cell(cell) for cell in row] for row in rows))
        case _:
            assert_never(block)


def _to_copy(block: Commands | Copied) -> list[str]:
    if isinstance(block, Commands):
        return [f"- {markdown_code(' '.join(words), longest=LONGEST_COMMAND)}" for words in block.commands] + [""]
    shown = [visible(line, longest=LONGEST_PROSE) for line in block.lines]
    fence = "`" * (1 + max([2, *(len(run) for line in shown for run in re.findall("`+", line))]))
    return [f"{fence}text", *shown, fence, ""]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(cell or _NOTHING for cell in row) + " |" for row in rows]
    return ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header), *lines, ""]


def _bars(title: str, bars: Sequence[tuple[str, int]]) -> list[str]:
    most = max(number for _, number in bars)
    return _table(
        (title, "number", "of all"),
        ((name, str(number), "█" * max(1, round(_LONGEST_BAR * number / most))) for name, number in bars),
    )


def _cell(cell: Cell) -> str:
    shown = "; ".join(_line(line) for line in cell.lines)
    return " ".join(part for part in (cell.before, shown, cell.after) if part)


def _line(line: Line) -> str:
    """Text beside text is one: together they may be what neither is."""
    said = ""
    for style, spans in groupby(line, key=lambda span: span.style):
        for part in _parts(style, list(spans)):
            apart = " " if said.endswith("`") and part.startswith("`") else ""
            said += apart + part
    return said


def _parts(style: Style, spans: Sequence[Span]) -> Iterable[str]:
    match style:
        case Style.TEXT:
            shown = "".join(visible(span.text, longest=span.longest) for span in spans)
            return [markdown(shown, longest=len(shown))]
        case Style.CODE | Style.ADDRESS:
            return [markdown_code(span.text, longest=span.longest) for span in spans]
        case _:
            assert_never(style)
