"""What the CLI prints with: text that stays text, and one JSON document."""

import re
import signal
import sys
from typing import NoReturn

from pydantic import BaseModel
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from daper.core.text import visible
from daper.documents.json_text import json_text
from daper.entrypoints.cli.exits import Interrupted, mute

_LONGEST_LINE = 4000  # an argument and what a person makes of it, whole
_ITEM = re.compile(r" *- (?=\S)")
_COMMAND = "daper "
_GOES_ON = 3
_NARROWEST = 20


class _Screen(Console):
    """A console whose reader may go away: what was opened is closed, and nothing is said about it."""

    def on_broken_pipe(self) -> NoReturn:
        _nobody_reads()


def console(*, width: int | None = None) -> Console:
    """The console on stdout; colours and motion only on a terminal.

    `width`: how wide it may be; what is no terminal is as wide as that.
    """
    screen = _Screen(highlight=False, emoji=False, markup=False)
    if width is not None:
        screen.width = min(width, screen.width) if screen.is_terminal else width
    return screen


def say(screen: Console, line: str, *, style: str = "") -> None:
    """Print one line in which nothing is hidden and nothing is markup.

    On a terminal no word is broken: an item of a list goes on below where its words began, another line somewhat to the
    right. What has a command and is no item is left to the terminal, which breaks it where it likes: a command can be
    copied whole.
    """
    shown = visible(line, longest=_LONGEST_LINE)
    item = _ITEM.match(shown) if screen.is_terminal else None
    parts = [shown]
    if item:
        parts = _hanging(screen, shown, begins=item.end(), indent=item.end())
    elif screen.is_terminal and _COMMAND not in shown:
        # What goes on stands where no line of ours begins: record text there passes for none.
        parts = _hanging(screen, shown, begins=0, indent=len(shown) - len(shown.lstrip(" ")) + _GOES_ON)
    screen.print(Text("\n".join(parts), style=style), soft_wrap=True)


def _hanging(screen: Console, item: str, *, begins: int, indent: int) -> list[str]:
    width = max(screen.width, indent + _NARROWEST)
    lines, line = list[str](), item[:begins]
    for number, word in enumerate(item[begins:].split(" ")):
        if number and cell_len(line) + 1 + cell_len(word) > width:
            lines.append(line)
            line = " " * indent + word
        else:
            line += f" {word}" if number else word
    return [*lines, line]


def table(screen: Console, headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print rows: a table on a terminal, tab-separated lines in a pipe."""
    if not screen.is_terminal:
        for row in [headings, *rows]:
            print_text("\t".join(visible(cell) for cell in row) + "\n")
        return
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        drawn.add_column(heading, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(visible(cell)) for cell in row))
    screen.print(drawn)


def print_json(document: BaseModel | dict[str, object]) -> None:
    """Print exactly one JSON document on stdout. Escapes keep control characters harmless."""
    print_text(json_text(document))


def print_bytes(data: bytes) -> None:
    """Send data as it is to whoever reads stdout, which is no terminal."""
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    except BrokenPipeError:
        _nobody_reads()


def print_text(text: str) -> None:
    """Print text as it is; only for what was made harmless before."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _nobody_reads()


def _nobody_reads() -> NoReturn:
    mute()
    raise Interrupted(signal.SIGPIPE)
