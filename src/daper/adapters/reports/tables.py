"""Markdown that record text cannot break out of: cells, tables and lists. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import JsonValue

from daper.core.digests import canonical
from daper.core.text import markdown, markdown_code

NOTHING = "-"
MOST_ITEMS = 12


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table, or none if it has no rows. Cells must be safe already; an empty one shows a dash."""
    lines = ["| " + " | ".join(cell or NOTHING for cell in row) + " |" for row in rows]
    if not lines:
        return []
    return ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header), *lines, ""]


def section(title: str, body: Sequence[str], *, otherwise: str = "") -> list[str]:
    """A heading and what is below it; without a body the sentence `otherwise`, or nothing at all."""
    if not body and not otherwise:
        return []
    return [f"## {title}", "", *(body or [otherwise, ""])]


def prose(text: str, *, longest: int = 2000) -> str:
    """What a person or a model wrote, as one paragraph: its line breaks are spaces. Never put it first on a line."""
    return markdown(" ".join(text.splitlines()), longest=longest)


def listed(items: Sequence[str]) -> str:
    """Safe items in one cell, without the empty ones; what is over the cap is counted."""
    some = [item for item in items if item]
    shown = "; ".join(some[:MOST_ITEMS])
    return shown if len(some) <= MOST_ITEMS else f"{shown}; and {len(some) - MOST_ITEMS} more"


def code(text: object) -> str:
    """A code span, or nothing for an empty text."""
    return markdown_code(text) if str(text) else ""


def value(of: JsonValue) -> str:
    """A value of a record or an argument, as a code span."""
    return markdown_code(of if isinstance(of, str) else canonical(of))


def settings(arguments: Mapping[str, JsonValue]) -> str:
    """Arguments and their values in one cell."""
    return listed([f"{markdown(name)} = {value(given)}" for name, given in arguments.items()])


def moment(at: datetime) -> str:
    """A point in time, to the second, with its zone."""
    return f"{at:%Y-%m-%d %H:%M:%S} {at.tzname() or ''}".rstrip()


def took(span: timedelta) -> str:
    """A span of time: `0.412 s`, or `12:00:03` from a minute on."""
    if span < timedelta(minutes=1):
        return f"{span.total_seconds():.3f} s"
    return str(timedelta(seconds=round(span.total_seconds())))


def score(confidence: float) -> str:
    """A confidence score with two digits."""
    return f"{confidence:.2f}"
