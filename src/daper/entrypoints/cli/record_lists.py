"""Draws records with their problems: a table where there is room, blocks on a narrow terminal, lines in a pipe."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from daper.core.models import Finding
from daper.core.text import visible
from daper.entrypoints.cli.output import say, table
from daper.service.selection import RecordLine

_HEADINGS = ("record", "about", "status", "problems")
_WIDE = 130  # columns: below, the sentences would be a few words wide
_LONGEST = 24  # of what is lined up on a narrow terminal
_INDENT = 4


def draw_records(screen: Console, lines: Sequence[RecordLine]) -> None:
    """Each record with its problems; in a pipe with their kinds only, one line for each record."""
    if not screen.is_terminal:
        table(screen, _HEADINGS, [(*_head(line), kinds_of(line.problems)) for line in lines])
    elif screen.width >= _WIDE:
        _draw_table(screen, lines)
    else:
        _draw_blocks(screen, lines)


def kinds_of(problems: Sequence[Finding]) -> str:
    """The kinds of these problems."""
    return "; ".join(problem.kind for problem in problems) or "-"


def _head(line: RecordLine) -> tuple[str, str, str]:
    return line.head.record_id, line.head.title, line.head.status


def _sentences(line: RecordLine) -> list[Text]:
    told = [Text.assemble((visible(each.kind), "bold"), ": ", visible(each.issue)) for each in line.problems]
    return told or [Text("-")]


def _draw_table(screen: Console, lines: Sequence[RecordLine]) -> None:
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for heading, ratio in zip(_HEADINGS, (2, 3, 2, 8), strict=True):
        drawn.add_column(heading, overflow="fold", ratio=ratio)
    for line in lines:
        drawn.add_row(*(Text(visible(cell)) for cell in _head(line)), Text("\n").join(_sentences(line)))
    screen.print(drawn)


def _draw_blocks(screen: Console, lines: Sequence[RecordLine]) -> None:
    shown = [[visible(cell) for cell in _head(line)] for line in lines]
    widths = [min(_LONGEST, max((cell_len(row[column]) for row in shown), default=0)) for column in (0, 2)]
    for line, (record, about, status) in zip(lines, shown, strict=True):
        known = f"{_padded(record, widths[0])}  {_padded(status, widths[1])}  "
        what = Text(about)
        what.truncate(max(_LONGEST, screen.width - cell_len(known)), overflow="ellipsis")
        say(screen, known + what.plain)
        for sentence in _sentences(line) if line.problems else ():
            screen.print(Padding(sentence, (0, 0, 0, _INDENT)))


def _padded(text: str, width: int) -> str:
    return text + " " * max(0, width - cell_len(text))
