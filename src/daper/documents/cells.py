"""Lines and cells, made from the values that a document shows. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import JsonValue

from daper.core.digests import canonical
from daper.core.lines import FieldLine, Piece, Voice, in_lines
from daper.documents.blocks import (
    LONGEST_CODE,
    LONGEST_PROSE,
    LONGEST_TEXT,
    Block,
    Cell,
    Facts,
    Line,
    Paragraph,
    Section,
    Span,
    Style,
)

MOST_ITEMS = 12
EMPTY = Cell()


def text(words: object, *, longest: int = LONGEST_TEXT) -> Line:
    """Text, or no line for an empty one."""
    return (Span(str(words), longest=longest),) if str(words) else ()


def prose(words: str) -> Line:
    """What a person or a model wrote, as one paragraph: its line breaks are spaces."""
    return text(" ".join(words.splitlines()), longest=LONGEST_PROSE)


def code(words: object) -> Line:
    """An id, a status, an amount; or no line for an empty one."""
    return (Span(str(words), Style.CODE, LONGEST_CODE),) if str(words) else ()


def value(of: JsonValue, *, longest: int = LONGEST_CODE) -> Line:
    """A value of a record or an argument, as code; an empty one is shown too."""
    return (Span(of if isinstance(of, str) else canonical(of), Style.CODE, longest),)


def in_full(of: JsonValue) -> Line:
    """A value in full, as plans show it: of a text of some lines each by itself, with a sign of ours between."""
    return in_a_row(map(_piece, in_lines(of)), between="")


def worded(field: FieldLine, *, named: bool = False) -> Line:
    """What a field of an action or a plan says; `named`: after what it is called."""
    said = in_a_row(map(_piece, field.pieces), between="")
    return (*text(field.label), *text(": "), *said) if named else said


def _piece(piece: Piece) -> Line:
    match piece.voice:
        case Voice.OURS:
            return text(piece.text)
        case Voice.VALUE:
            return value(piece.value, longest=LONGEST_PROSE)
        case Voice.TEXT:
            return prose(piece.text)


def cell(line: Line) -> Cell:
    """A cell of one line."""
    return Cell((line,)) if line else EMPTY


def listed(lines: Iterable[Line], *, before: str = "", after: str = "") -> Cell:
    """Some lines in one cell, without the empty ones; what is over the cap is counted."""
    some = uncut(lines, before=before, after=after)
    if len(some.lines) <= MOST_ITEMS:
        return some
    more = text(f"and {len(some.lines) - MOST_ITEMS} more")
    return Cell((*some.lines[:MOST_ITEMS], more), before, after)


def uncut(lines: Iterable[Line], *, before: str = "", after: str = "") -> Cell:
    """All lines in one cell, without the empty ones."""
    some = tuple(line for line in lines if line)
    return Cell(some, before, after) if some else EMPTY


def in_a_row(lines: Iterable[Line], *, between: str = "; ") -> Line:
    """Some lines as one."""
    apart = text(between)
    return tuple(span for line in lines for span in (*apart, *line))[len(apart) :]


def settings(arguments: Mapping[str, JsonValue], *, after: str = "") -> Cell:
    """Arguments and their values in one cell."""
    return listed(((*text(f"{name}"), *text(" = "), *in_full(given)) for name, given in arguments.items()), after=after)


def facts(rows: Sequence[tuple[str, Cell]]) -> Facts:
    """Facts, without those of which nothing is known."""
    return Facts(tuple((text(name), known) for name, known in rows if known.lines))


def section(title: str, *blocks: Block | None, otherwise: str = "") -> tuple[Section, ...]:
    """A section; with nothing in it, the sentence `otherwise`; without that, none at all."""
    some = tuple(block for block in blocks if block is not None)
    if not some and otherwise:
        some = (Paragraph(text(otherwise)),)
    return (Section(title, some),) if some else ()


def moment(at: datetime) -> str:
    """A point in time, to the second, with its zone."""
    return f"{at:%Y-%m-%d %H:%M:%S} {at.tzname() or ''}".rstrip()


def took(span: timedelta) -> str:
    """A span of time: `0.412 s`, or `12:00:03` from a minute on."""
    if span < timedelta(minutes=1):
        return f"{span.total_seconds():.3f} s"
    return str(timedelta(seconds=round(span.total_seconds())))


def score(confidence: float) -> str:
    """How sure somebody is of a finding or a whole plan, with two digits; that of an action has its own line."""
    return f"{confidence:.2f}"
