"""Some of the rows of a query, from any of them on, or those with a text: by their key, and never by counting off."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BindParameter, bindparam, text
from sqlglot import exp

from daper.core.text import folded
from daper.stores.rows.address import MYSQL, SQLITE
from daper.stores.rows.engine import FOLDED
from daper.stores.rows.statements import IDS, Sql, page_start, quoted, rendered

AFTER: Final = "daper_after"
BEFORE: Final = "daper_before"
SKIP: Final = "daper_skip"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A piece of what is searched that a row has; any other piece is a text."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which rows. `search`: a part of one of `texts`, whatever its case; each text is made of pieces.

    `status`: what the column `status_column` has; None where any will do.
    """

    search: str = ""
    texts: Sequence[Sequence[Column | str]] = ()
    status: str | None = None
    status_column: str = ""


class Windows:
    """Statements over a query whose rows have that key, in that kind of database; `among`: only those with `IDS`."""

    def __init__(self, query: exp.Query, key: str, kind: str, wanted: Wanted, *, among: bool = False) -> None:
        self._kind = kind
        self._key = f"daper_r.{quoted(key, kind)}"
        self._values: dict[str, object] = {}
        conditions = [*self._status(wanted), *self._search(wanted)]
        written, values = rendered(query, kind)
        self._values |= values
        self._from = f"({written}) AS daper_r"
        self._start, self._select = page_start(query, key, kind)
        self._where = [*([f"{self._key} IN :{IDS}"] if among else []), *conditions]
        self._parameters: list[BindParameter[Any]] = [bindparam(IDS, expanding=True)] if among else []

    def page(self, *, most: int, after: bool, before: bool) -> Sql:
        """At most so many behind `AFTER` and in front of `BEFORE`, where those are given; backwards from that."""
        bounds = [*([f"{self._key} > :{AFTER}"] if after else []), *([f"{self._key} < :{BEFORE}"] if before else [])]
        order = f"ORDER BY {self._key} {'DESC' if before else 'ASC'} LIMIT {most:d}"
        return self._sql(f"{self._start}{self._select} * FROM {self._from}{self._all(bounds)} {order}")

    def skipped(self, *, after: bool) -> Sql:
        """The key of the last of the first `SKIP` rows, behind `AFTER` where that is given."""
        bounds = [f"{self._key} > :{AFTER}"] if after else []
        order = f"ORDER BY {self._key} LIMIT :{SKIP}"
        first = f"{self._select} {self._key} AS daper_k FROM {self._from}{self._all(bounds)} {order}"
        return self._sql(f"{self._start}SELECT daper_k FROM ({first}) AS daper_s ORDER BY daper_k DESC LIMIT 1")  # noqa: S608 - as above

    def counted(self) -> Sql:
        """How many rows there are."""
        return self._sql(f"SELECT count(*) FROM {self._from}{self._all([])}")  # noqa: S608 - as above

    def keys(self, *, most: int) -> Sql:
        """The keys of the first rows, at most so many, as `daper_k`."""
        return self._sql(
            f"{self._start}{self._select} {self._key} AS daper_k FROM {self._from}{self._all([])}"
            f" ORDER BY {self._key} LIMIT {most:d}"
        )

    def _sql(self, written: str) -> Sql:
        return Sql(written=text(written).bindparams(*self._parameters), values=dict(self._values))

    def _all(self, bounds: Sequence[str]) -> str:
        conditions = [*self._where, *bounds]
        return f" WHERE {' AND '.join(conditions)}" if conditions else ""

    def _status(self, wanted: Wanted) -> list[str]:
        if wanted.status is None:
            return []
        if not wanted.status_column:
            return ["1 = 0"]
        name = self._value(self._folded(wanted.status.strip()))
        return [f"{self._fold(f'trim({self._text(Column(name=wanted.status_column))})')} = :{name}"]

    def _search(self, wanted: Wanted) -> list[str]:
        if not wanted.search:
            return []
        name = self._value(self._folded(wanted.search))
        parts = [self._fold(self._joined(pieces)) for pieces in wanted.texts]
        found = [
            f"instr({part}, :{name}) > 0" if self._kind == SQLITE else f"position(:{name} IN {part}) > 0"
            for part in parts
        ]
        return [f"({' OR '.join(found)})"]

    def _joined(self, pieces: Sequence[Column | str]) -> str:
        parts = [self._text(piece) for piece in pieces]
        return (
            parts[0]
            if len(parts) == 1
            else f"concat({', '.join(parts)})"
            if self._kind != SQLITE
            else " || ".join(parts)
        )

    def _text(self, piece: Column | str) -> str:
        kind = "CHAR" if self._kind == MYSQL else "TEXT"
        if isinstance(piece, str):
            return f"CAST(:{self._value(piece)} AS {kind})"
        nothing = self._value("(nothing)")
        return f"coalesce(CAST(daper_r.{quoted(piece.name, self._kind)} AS {kind}), :{nothing})"

    # Any: a value of a statement.
    def _value(self, value: Any) -> str:
        name = f"daper_w{len(self._values)}"
        self._values[name] = value
        return name

    def _fold(self, sql: str) -> str:
        return f"{FOLDED}({sql})" if self._kind == SQLITE else f"lower({sql})"

    def _folded(self, value: str) -> str:
        return folded(value) if self._kind == SQLITE else value.lower()
