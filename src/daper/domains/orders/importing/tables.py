"""A CSV file row by row: its separator and its header found, and nothing of it held but the row."""

import csv
import re
from collections.abc import Iterator, Sequence
from typing import Final, TextIO

from daper.domains.orders.importing.intake import NotReadable
from daper.domains.orders.importing.mapped import Entry

_SEPARATORS: Final = ",;\t|"
_SAYS_SEPARATOR: Final = re.compile(r"\ufeff?sep=(.)\r?\n?", re.IGNORECASE)  # for Excel, before the header
_LONGEST_FIELD: Final = 4 * 1024 * 1024


class Table:
    """The rows of a file; `header` is known at once. Raises NotReadable, also on the way, for what is no CSV."""

    def __init__(self, file: TextIO) -> None:
        csv.field_size_limit(_LONGEST_FIELD)
        first = _first_line(file)
        said = _SAYS_SEPARATOR.fullmatch(first)
        separator = said[1] if said else max(_SEPARATORS, key=first.count)
        self._before = 1 if said else 0
        if not said:
            file.seek(0)
        self._reader = csv.reader(file, delimiter=separator, strict=True)
        self.header: Sequence[str] = [name.strip().removeprefix("\ufeff") for name in self._next() or ()]
        self.twice = frozenset(name for name in self.header if name and self.header.count(name) > 1)
        """Columns that nobody can tell apart."""
        if not any(self.header):
            raise NotReadable("has no header: its first line must name the columns")

    def entries(self) -> Iterator[Entry]:
        """Every row that is not empty. A row with too few fields has nothing in the others."""
        width = len(self.header)
        while (row := self._next()) is not None:
            if not any(row):
                continue
            place = f"line {self._line()}"
            if len(row) > width:
                raise NotReadable(f"{place} has {len(row)} fields, and the header names {width} columns")
            yield Entry(place=place, data=dict(zip(self.header, [*row, *[""] * (width - len(row))], strict=True)))

    def _next(self) -> list[str] | None:
        try:
            return next(self._reader, None)
        except csv.Error as error:
            raise NotReadable(f"is no CSV: line {self._line()}: {error}") from None
        except UnicodeDecodeError:
            raise NotReadable(f"is not UTF-8 text, in or near line {self._line() + 1}; save it as UTF-8") from None

    def _line(self) -> int:
        return self._reader.line_num + self._before


def _first_line(file: TextIO) -> str:
    try:
        return file.readline(_LONGEST_FIELD)
    except UnicodeDecodeError as error:
        if error.object[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise NotReadable("is not UTF-8 text but UTF-16; save it as UTF-8") from None
        raise NotReadable("is not UTF-8 text, in or near line 1; save it as UTF-8") from None
