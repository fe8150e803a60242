"""A document as one HTML file that a mail can carry: tables, inline styles, nothing that runs or is fetched. Pure."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import assert_never

from daper.core.links import parted, runs
from daper.documents.blocks import (
    LONGEST_COMMAND,
    LONGEST_ID,
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
from daper.documents.legibility import legible, right_to_left

# Colours are given only where they are legible on white and on black; the rest is the reader's own.
_LINES = "border-collapse:collapse;border-color:#9998;table-layout:fixed;overflow-wrap:anywhere"
_FULL = f'<table width="100%" cellpadding="6" cellspacing="0" border="1" frame="hsides" rules="rows" style="{_LINES}">'
_PLAIN = '<table width="100%" cellpadding="4" cellspacing="0" border="0" role="presentation">'
_BODY = "margin:0;padding:12px;font:15px/1.45 -apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif"
_STYLE = ":root{color-scheme:light dark}td,th{vertical-align:top;text-align:left}code{font-size:.9em}"
_NUMBERS_IN_A_ROW = 4
_NOTHING = "-"
_APART = "<wbr>"


def to_html(document: Document) -> str:
    """The whole document. Text from records, people and models is shown as text, whatever it looks like."""
    named = Span(document.repair_id, longest=LONGEST_ID)
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escape(document.title)} {escape(legible(named))}</title>",
            f"<style>{_STYLE}</style></head>",
            f'<body style="{_BODY}"><div style="max-width:760px;margin:0 auto">',
            f'<h1 style="font-size:22px;margin:0 0 4px">{_plain(document.title)}</h1>',
            f'<p style="margin:0 0 12px;overflow-wrap:anywhere">{_span(named)}</p>',
            f'<p style="font-size:17px;margin:0 0 8px">{_line(document.summary)}</p>',
            f'<p style="margin:0 0 12px">{_line(document.state)}</p>',
            *_block(document.about),
            *(part for section in document.sections for part in _section(section.title, section.blocks)),
            "</div></body></html>\n",
        ]
    )


def _section(title: str, blocks: Sequence[Block]) -> Iterable[str]:
    yield f'<h2 style="font-size:18px;margin:24px 0 8px">{_plain(title)}</h2>'
    for block in blocks:
        yield from _block(block)


def _block(block: Block) -> Iterable[str]:
    match block:
        case Paragraph(line):
            return [f"<p>{_line(line)}</p>"]
        case Facts(rows):
            return _table((), (28, 72), ((_line(name), _cell(known)) for name, known in rows))
        case Numbers(numbers):
            return _numbers(numbers)
        case Bars(title, bars):
            return _bars(title, bars)
        case CheckList(items):
            return [
                _PLAIN,
                *(f'<tr><td width="20">&#9744;</td><td>{_line(item)}</td></tr>' for item in items),
                "</table>",
            ]
        case Commands() | Copied():
            return _to_copy(block)
        case Table(_, parts, rows):
            header, widths = [part.title for part in parts], [part.width for part in parts]
            return _table(header, widths, ([_part(part) for part in block.narrow(row)] for row in rows))
        case _:
            assert_never(block)


def _to_copy(block: Commands | Copied) -> Iterable[str]:
    if isinstance(block, Commands):
        return [f"<p>{_command(words)}</p>" for words in block.commands]
    shown = "\n".join(_plain(legible(Span(line, longest=LONGEST_PROSE))) for line in block.lines)
    return [f'<pre style="white-space:pre-wrap;overflow-wrap:anywhere">{shown}</pre>']


def _table(header: Sequence[str], widths: Sequence[int], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield _FULL
    yield "<colgroup>" + "".join(f'<col width="{width}%">' for width in widths) + "</colgroup>"
    if header:
        yield (
            '<thead align="left"><tr>'
            + "".join(f'<th scope="col">{_plain(title)}</th>' for title in header)
            + "</tr></thead>"
        )
    yield '<tbody valign="top">'
    for row in rows:
        yield "<tr>" + "".join(f"<td>{cell or _NOTHING}</td>" for cell in row) + "</tr>"
    yield "</tbody></table>"


def _numbers(numbers: Sequence[tuple[str, int]]) -> Iterable[str]:
    yield _PLAIN
    for first in range(0, len(numbers), _NUMBERS_IN_A_ROW):
        cells = (
            f'<td width="25%"><b style="font-size:20px">{number}</b><br>{_plain(name)}</td>'
            for name, number in numbers[first : first + _NUMBERS_IN_A_ROW]
        )
        yield "<tr>" + "".join(cells) + "</tr>"
    yield "</table>"


def _bars(title: str, bars: Sequence[tuple[str, int]]) -> Iterable[str]:
    most = max(number for _, number in bars)
    yield f'<p style="margin:12px 0 4px"><b>{_plain(title)}</b></p>'
    yield _PLAIN
    for name, number in bars:
        share = max(2, round(100 * number / most))
        rest = "<td>&nbsp;</td>" if share < 100 else ""
        yield (
            f'<tr><td width="45%">{_plain(name)}</td><td width="10%" align="right"><b>{number}</b></td><td>'
            '<table width="100%" cellpadding="0" cellspacing="0" border="0" role="presentation"'
            ' style="line-height:14px">'
            f'<tr><td width="{share}%" bgcolor="#4a7fb5">&nbsp;</td>{rest}</tr></table></td></tr>'
        )
    yield "</table>"


def _part(cells: Sequence[tuple[str, Cell]]) -> str:
    return "<br>".join(_cell(cell, label) for label, cell in cells)


def _cell(cell: Cell, label: str = "") -> str:
    before = " ".join(_plain(word) for word in (label and f"{label}:", cell.before) if word)
    if before:
        before += "<br>" if len(cell.lines) > 1 else " "
    after = f"<br>{_plain(cell.after)}" if cell.after else ""
    return before + "<br>".join(map(_line, cell.lines)) + after


def _command(words: Sequence[str]) -> str:
    """A copied command stays one command: a backslash ends each line but the last."""
    shown = (_plain(legible(Span(word, longest=LONGEST_COMMAND))) for word in words)
    return "<code>" + " \\<br>&nbsp;&nbsp;".join(shown) + "</code>"


def _line(line: Line) -> str:
    """Text beside text is one to a reader: together they may be a link, where neither is."""
    said = ""
    for before, span in zip((None, *line), line, strict=False):
        beside = before is not None and before.style is span.style is Style.TEXT
        said += (_APART if beside and before and _glued(before, span) else "") + _span(span)
    return said


def _glued(before: Span, after: Span) -> bool:
    return not (before.text[-1:].isspace() or after.text[:1].isspace())


def _span(span: Span) -> str:
    shown = legible(span)
    apart = ' dir="auto"' if right_to_left(shown) else ""
    match span.style:
        case Style.TEXT:
            return f"<bdi>{_plain(shown)}</bdi>" if apart else _plain(shown)
        case Style.CODE:
            return f"<code{apart}>{_plain(shown)}</code>"
        case Style.ADDRESS:
            return escape(shown)
        case _:
            assert_never(span.style)


def _plain(shown: str) -> str:
    """Text as text, in which no reader finds a link: where one would be, the text may be broken between lines."""
    return "".join(_APART.join(map(escape, parted(run))) if live else escape(run) for run, live in runs(shown))
