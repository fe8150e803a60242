"""Finds records by a text in them, without reading the records: by its trigrams, or by going through their words."""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Protocol

from sqlalchemy import (
    BigInteger,
    Connection,
    Select,
    Text,
    column,
    func,
    literal_column,
    or_,
    select,
    table,
    true,
)
from sqlalchemy import text as sql
from sqlalchemy.sql.elements import ColumnElement

from daper.core.text import folded, shown
from daper.stores.sql.document_tables import Collection
from daper.stores.sql.document_words import LONGEST_PLAIN, TRIGRAMS, has_trigrams, joined, plain

_AT_ONCE: Final = 2000
_FEW: Final = 10_000  # places that are held here; of more, the database counts and sorts them
_TRIGRAM: Final = 3

_Places = Select[int]
# Any: the columns that a collection has.
_Judged = Select[*tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True)
class Found:
    """The places of some records that have a text, in their order, and how many have it in all."""

    positions: tuple[int, ...]
    total: int


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Behind one position, or in front of another: then the last ones there. `skip`: so many of them are left out."""

    limit: int
    after: int | None = None
    before: int | None = None
    skip: int = 0

    @property
    def backwards(self) -> bool:
        """Whether they are looked for from the end on."""
        return self.before is not None

    def holds(self, position: int) -> bool:
        """Whether a position is within."""
        return (self.after is None or position > self.after) and (self.before is None or position < self.before)

    def conditions(self, position: ColumnElement[int]) -> list[ColumnElement[bool]]:
        """The same for a statement."""
        found = [] if self.after is None else [position > self.after]
        return found if self.before is None else [*found, position < self.before]

    def first(self, positions: Iterator[int] | Sequence[int]) -> list[int]:
        """Those within that are looked for, and those before them that are left out."""
        some = heapq.nlargest if self.backwards else heapq.nsmallest
        return some(self.skip + self.limit, filter(self.holds, positions))


class TextSearch:
    """What has a text in its key or its words. A database folds the case of ASCII only; we look at all other names.

    `where`: further conditions on the records.
    """

    def __init__(
        self,
        db: Connection,
        collection: Collection,
        text: str,
        where: Sequence[ColumnElement[bool]],
    ) -> None:
        self._db = db
        self._text = folded(text)
        if db.dialect.name == "postgresql":
            self._words: _Words = _PostgresqlWords(collection, self._text, where)
        else:
            self._words = _SqliteWords(db, collection, self._text, where)

    def found(self, bounds: Bounds) -> Found:
        """Those within, and how many there are in all."""
        odd, few = [*self._odd()], self._few()
        if few is not None:
            first, total = bounds.first([*odd, *few]), len(odd) + len(few)
        else:
            many, counted = self._many(bounds)
            first, total = bounds.first([*bounds.first(odd), *many]), len(odd) + counted
        return Found(positions=tuple(sorted(first[bounds.skip :])), total=total)

    def _odd(self) -> Iterator[int]:
        """The places of those that have it and are not plain."""
        with self._db.execute(self._words.odd().execution_options(yield_per=_AT_ONCE)) as rows:
            for row in rows:
                position, key, *words = tuple(row)
                texts = (str(key or ""), *(shown(word) for word in words if word is not None))
                if any(self._text in folded(each) for each in texts):
                    yield int(position)

    def _few(self) -> list[int] | None:
        """The places of all that are plain, where these are few; None where they are many, or not to be found so."""
        if not self._may_be_plain:
            return []
        query = self._words.few() if len(self._text) >= _TRIGRAM else None
        if query is None:
            return None
        positions = self._db.execute(query.limit(_FEW + 1)).scalars().all()
        return [*positions] if len(positions) <= _FEW else None

    @property
    def _may_be_plain(self) -> bool:
        return self._text.isascii() and self._text.isprintable() and len(self._text) <= LONGEST_PLAIN

    def _many(self, bounds: Bounds) -> tuple[list[int], int]:
        """The first places of what is plain, and how many there are: by one way through the words."""
        every = self._words.all().cte("found").prefix_with("MATERIALIZED", dialect="postgresql")
        place = every.c.position
        counted = select(func.count().label("total")).select_from(every).subquery()
        page = select(place).where(*bounds.conditions(place)).order_by(place.desc() if bounds.backwards else place)
        some = page.limit(bounds.skip + bounds.limit).subquery()
        rows = self._db.execute(select(counted.c.total, some.c.position).outerjoin_from(counted, some, true())).all()
        return [int(position) for _, position in rows if position is not None], int(rows[0].total)


class _Words(Protocol):
    """The statements of a database; `few` and `all` are of plain rows that have the text, `odd` of all that are not."""

    def few(self) -> _Places | None: ...
    def all(self) -> _Places: ...
    def odd(self) -> _Judged: ...


class _PostgresqlWords:
    def __init__(self, collection: Collection, text: str, where: Sequence[ColumnElement[bool]]) -> None:
        self._table = collection.table
        self._text = text
        self._where = where
        self._columns = [self._table.c[name] for name in (collection.key, *collection.words)]
        self._plain = plain(collection, postgresql=True)
        self._joined = joined(collection)

    def few(self) -> _Places | None:
        """By the index of trigrams."""
        wanted = sql(f"{TRIGRAMS}({self._joined}) @> {TRIGRAMS}(CAST(:wanted AS TEXT))").bindparams(wanted=self._text)
        return self.all().where(wanted)

    def all(self) -> _Places:
        """By the index of words, as the server sees fit."""
        has = literal_column(self._joined, Text).contains(self._text, autoescape=True)
        return select(self._table.c.position).where(sql(self._plain), has, *self._where)

    def odd(self) -> _Judged:
        """By their index."""
        return select(self._table.c.position, *self._columns).where(sql(f"NOT ({self._plain})"), *self._where)


class _SqliteWords:
    def __init__(
        self,
        db: Connection,
        collection: Collection,
        text: str,
        where: Sequence[ColumnElement[bool]],
    ) -> None:
        names = (collection.key, *collection.words)
        columns = [column(name, Text) for name in names]
        self._words = table(collection.words_name, column("position", BigInteger), *columns)
        self._names = names
        self._collection = collection
        self._text = text
        self._where = where
        self._db = db

    def few(self) -> _Places | None:
        """By the table of trigrams; where only few records are like that, among these."""
        if self._where and len(self._db.execute(self._like.limit(_FEW + 1)).all()) <= _FEW:
            return self._plain.where(self._words.c.position.in_(self._like))
        if not has_trigrams(self._db, self._collection):
            return None
        found = table(self._collection.trigrams, column("rowid", BigInteger))
        phrase = '"' + self._text.replace('"', '""') + '"'
        matches = sql(f"{self._collection.trigrams} MATCH :phrase").bindparams(phrase=phrase)
        return select(found.c.rowid.label("position")).where(matches, *self._within(found.c.rowid))

    def all(self) -> _Places:
        """Through the table of words; the records that are like that are looked up together, by their own index."""
        if not self._where:
            return self._plain
        return self._plain.where(self._words.c.position.in_(self._like))

    def odd(self) -> _Judged:
        """By their index."""
        columns = (self._words.c[name] for name in self._names)
        place = self._words.c.position
        return select(place, *columns).where(sql("NOT plain"), *self._within(place))

    @property
    def _plain(self) -> _Places:
        has = (self._words.c[name].contains(self._text, autoescape=True) for name in self._names)
        return select(self._words.c.position).where(sql("plain"), or_(*has))

    @cached_property
    def _like(self) -> _Places:
        return select(self._collection.table.c.position).where(*self._where)

    def _within(self, position: ColumnElement[int]) -> list[ColumnElement[bool]]:
        """That the record at a place is like that."""
        records = self._collection.table
        like = select(records.c.position).where(records.c.position == position, *self._where)
        return [like.exists()] if self._where else []
