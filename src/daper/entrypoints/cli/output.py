"""What the CLI prints with: text that stays text, and one JSON document."""

import json
import signal
import sys
from typing import NoReturn

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

from daper.core.text import visible
from daper.entrypoints.cli.exits import Interrupted, mute

_LONGEST_LINE = 2000


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

    It is not broken at the width of the terminal, which does that itself: a command or digest can be copied whole.
    """
    screen.print(Text(visible(line, longest=_LONGEST_LINE), style=style), soft_wrap=True)


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


def json_text(document: BaseModel | dict[str, object]) -> str:
    """The document as it is printed."""
    value = document.model_dump(mode="json") if isinstance(document, BaseModel) else document
    return json.dumps(value, indent=2, ensure_ascii=True, default=str) + "\n"


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
