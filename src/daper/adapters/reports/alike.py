"""Rows of a table of which the same is to be said, as one: a report is as long as what there is to say. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from daper.core.decisions import ids_in_words
from daper.documents.blocks import Cell, Line, Style
from daper.documents.cells import code, in_a_row, text

ACTION_IDS: Final = "actions"
"""A column of ids of actions: all of them are named."""

RECORDS: Final = "records"
"""A column of records: the first are named, and how many more there are."""

EVERY_RECORD: Final = "every record"
"""A column of records: all of them are named."""

BECAME: Final = "became"
"""A column with what became of actions: their ids say nothing of that, and are left out."""

EACH: Final = "each"
"""A column in which each has its own, which only a table with all rows shows."""

Row = tuple[Cell, ...]
_WORTH_A_ROW: Final = 10
_NAMED: Final = 5
_ACTION_ID: Final = re.compile(r"[A-Za-z]{1,3}[0-9]{1,9}")


def together(rows: Iterable[Row], own: Mapping[int, str], *, whole: bool = False) -> list[Row]:
    """The rows, and of ten or more that are the same but for the columns of their `own` one, where the first was.

    `own`: by place, what a column has. `whole`: every row, as it is.
    """
    every = list(rows)
    if whole:
        return every
    same: dict[Row, list[Row]] = {}
    for row in every:
        same.setdefault(_without(row, own), []).append(row)
    made, told = list[Row](), set[Row]()
    for row in every:
        shared = _without(row, own)
        if len(alike := same[shared]) < _WORTH_A_ROW:
            made.append(row)
        elif shared not in told:
            told.add(shared)
            made.append(tuple(_merged(alike, place, own.get(place, ""), shared[place]) for place in range(len(row))))
    return made


def _without(row: Row, own: Mapping[int, str]) -> Row:
    """What a row has in common with others."""
    return tuple(_shared(cell, own.get(place, "")) for place, cell in enumerate(row))


def _shared(cell: Cell, kind: str) -> Cell:
    if kind == BECAME:
        return replace(cell, lines=tuple(map(_without_ids, cell.lines)))
    return Cell() if kind else cell


def _without_ids(line: Line) -> Line:
    left = [span for span in line if not (span.style is Style.CODE and _ACTION_ID.fullmatch(span.text))]
    if left and len(left) < len(line):
        left[0] = replace(left[0], text=left[0].text.lstrip())
    return tuple(span for span in left if span.text)


def _merged(rows: list[Row], place: int, kind: str, shared: Cell) -> Cell:
    cells = [row[place] for row in rows]
    if kind in {"", BECAME} or len(set(cells)) == 1:
        return shared if kind in {"", BECAME} else cells[0]
    first = dict.fromkeys(line for cell in cells for line in cell.lines)
    if kind == EVERY_RECORD:
        return Cell((in_a_row(first, between=", "),))
    if kind == ACTION_IDS:
        return Cell((code(ids_in_words(span.text for line in first for span in line)),))
    if kind == EACH:
        return Cell((text("each has its own"),))
    more = text(f" and {len(first) - _NAMED:,} more") if len(first) > _NAMED else ()
    return Cell(((*text(f"{len(first):,} records: "), *in_a_row(list(first)[:_NAMED], between=", "), *more),))
