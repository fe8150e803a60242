"""What the CLI prints with: text that stays text, and one JSON document."""

import json
import sys

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

from daper.core.text import visible

_LONGEST_LINE = 2000


def console() -> Console:
    """The console on stdout; colours and motion only on a terminal."""
    return Console(highlight=False, emoji=False, markup=False)


def say(screen: Console, line: str, *, style: str = "") -> None:
    """Print one line in which nothing is hidden and nothing is markup."""
    screen.print(Text(visible(line, longest=_LONGEST_LINE), style=style), soft_wrap=not screen.is_terminal)


def table(screen: Console, headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print rows: a table on a terminal, tab-separated lines in a pipe."""
    if not screen.is_terminal:
        for row in [headings, *rows]:
            say(screen, "\t".join(visible(cell) for cell in row).replace("\t", "  "))
        return
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        drawn.add_column(heading, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(visible(cell)) for cell in row))
    screen.print(drawn)


def print_json(document: BaseModel | dict[str, object]) -> None:
    """Print exactly one JSON document on stdout. Escapes keep control characters harmless."""
    value = document.model_dump(mode="json") if isinstance(document, BaseModel) else document
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=True, default=str) + "\n")
