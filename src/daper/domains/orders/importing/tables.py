"""A CSV file row by row: its separator and its header found, and nothing of it held but the row."""

import csv
from collections.abc import Iterator, Sequence
from typing import Final, TextIO

from daper.domains.orders.importing.intake import NotReadable
from daper.domains.orders.importing.mapped import Entry

_SEPARATORS: Final = ",;\t|"
_LONGEST_FIELD: Final = 4 * 1024 * 1024


class Table:
    """The rows of a file; `header` is known at once. Raises NotReadable, also on the way, for what is no CSV."""

    def __init__(self, file: TextIO) -> None:
        csv.field_size_limit(_LONGEST_FIELD)
        first = file.readline(_LONGEST_FIELD)
        file.seek(0)
        separator = max(_SEPARATORS, key=first.count)
        self._reader = csv.reader(file, delimiter=separator, strict=True)
        self.header: Sequence[str] = [name.strip().removeprefix("\ufeff") for name in self._next() or ()]
        twice = {name for name in self.header if name and self.header.count(name) > 1}
        if not any(self.header):
            raise NotReadable("has no header: its first line must name the columns")
        if twice:
            raise NotReadable(f"names a column twice: {sorted(twice)[0]!r}")

    def entries(self) -> Iterator[Entry]:
        """Every row that is not empty. A row with too few fields has nothing in the others."""
        width = len(self.header)
        while (row := self._next()) is not None:
            if not any(row):
                continue
            place = f"line {self._reader.line_num}"
            if len(row) > width:
                raise NotReadable(f"{place} has {len(row)} fields, and the header names {width} columns")
            yield Entry(place=place, data=dict(zip(self.header, [*row, *[""] * (width - len(row))], strict=True)))

    def _next(self) -> list[str] | None:
        try:
            return next(self._reader, None)
        except csv.Error as error:
            raise NotReadable(f"is no CSV: line {self._reader.line_num}: {error}") from None
        except UnicodeDecodeError:
            line = self._reader.line_num + 1 if hasattr(self, "_reader") else 1
            raise NotReadable(f"is not UTF-8 text, in or near line {line}; save it as UTF-8") from None
