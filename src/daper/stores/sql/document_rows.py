"""The records of a store of documents, as one transaction sees them."""

from collections.abc import Collection as Values
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from sqlalchemy import Connection, RowMapping, Select, Text, bindparam, func, literal_column, or_, select, text, update
from sqlalchemy.sql.elements import ColumnElement

from daper.core.digests import digest
from daper.core.errors import StoreChanged, StoreDamaged
from daper.ports.store import StoreAbout
from daper.stores import jsontext
from daper.stores.jsonreading import examine
from daper.stores.sql.document_search import Bounds, Found, TextSearch
from daper.stores.sql.document_tables import Collection

_AT_ONCE = 500  # values in one statement
_IDS = "ids"

Where = Mapping[str, Values[str | None]]
"""What is looked for: field → the values that it may have; None stands for a field that is not there."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One record. `raw` may be changed in place within a change. `version`: no other content ever had it."""

    position: int
    raw: dict[str, object]
    version: str


@dataclass(frozen=True, kw_only=True)
class _Loaded:
    """A record as a change read it, with what says whether it is still so."""

    row: Row
    text: str
    number: int


class DocumentRows:
    """The records of one moment. Raises StoreDamaged for one that is no JSON object."""

    def __init__(self, db: Connection, collections: Mapping[str, Collection], *, about: StoreAbout, named: str) -> None:
        self._db = db
        self._collections = collections
        self._about = about
        self._named = named

    @property
    def collections(self) -> Mapping[str, Collection]:
        """What there is, by name."""
        return self._collections

    def about(self) -> StoreAbout:
        """What the store says of itself."""
        return self._about

    def find(self, collection: str, ids: Iterable[str]) -> dict[str, Row]:
        """The records with these ids, those that are there, in the order of the collection."""
        known = self._collections[collection]
        found = [
            loaded
            for some in _batches(sorted(filter(can_be_asked, set(ids))))
            for loaded in self._loaded(known, _with_ids(known), {_IDS: some})
        ]
        return {_id_of(each.row, known): each.row for each in sorted(found, key=lambda each: each.row.position)}

    def one(self, collection: str, record_id: str) -> Row | None:
        """The record with this id, or None; within a change, nobody else changes it until the end."""
        return self.find(collection, [record_id]).get(record_id)

    def page(self, collection: str, *, after: int = 0, limit: int, where: Where | None = None) -> Sequence[Row]:
        """At most `limit` records that are like that, in their order, from the first behind a position on."""
        known = self._collections[collection]
        query = _rows(known).where(known.table.c.position > after, *_conditions(known, where))
        return [each.row for each in self._loaded(known, query.order_by(known.table.c.position).limit(limit))]

    def window(self, collection: str, bounds: Bounds, *, where: Where | None = None) -> Sequence[Row]:
        """The records within these bounds that are like that, in their order."""
        known = self._collections[collection]
        place = known.table.c.position
        query = _rows(known).where(*bounds.conditions(place), *_conditions(known, where))
        query = query.order_by(place.desc() if bounds.backwards else place).limit(bounds.limit)
        found = [each.row for each in self._loaded(known, query.offset(bounds.skip) if bounds.skip else query)]
        return found[::-1] if bounds.backwards else found

    def search(self, collection: str, text: str, bounds: Bounds, *, where: Where | None = None) -> Found:
        """The places of records within these bounds that have a text in their id or their words, and are like that."""
        known = self._collections[collection]
        return TextSearch(self._db, known, text, _conditions(known, where)).found(bounds)

    def at(self, collection: str, positions: Iterable[int]) -> Sequence[Row]:
        """The records at these places, in their order."""
        known = self._collections[collection]
        query = _rows(known).where(known.table.c.position.in_(sorted(positions))).order_by(known.table.c.position)
        return [each.row for each in self._loaded(known, query)]

    def count(self, collection: str, *, where: Where | None = None) -> int:
        """How many records are like that."""
        known = self._collections[collection]
        query = select(func.count()).select_from(known.table).where(*_conditions(known, where))
        return int(self._db.execute(query).scalar_one())

    def beside(self, query: Select[*tuple[Any, ...]]) -> Sequence[RowMapping]:
        """What the database keeps beside the records, and makes from them by itself, as they were when this began."""
        return self._db.execute(query).mappings().all()

    def expression(self, *, sqlite: str, postgresql: str) -> ColumnElement[str]:
        """What of this is for the database that this is."""
        return literal_column(postgresql if self._db.dialect.name == "postgresql" else sqlite, Text)

    def values(self, collection: str, field: str) -> tuple[str | None, ...]:
        """Every value that a searched field has, each once: by its index, without looking at each record."""
        known = self._collections[collection]
        quote = self._db.dialect.identifier_preparer.quote
        name, of = quote(field), quote(known.table_name)
        found = self._db.execute(
            text(
                f"WITH RECURSIVE each_one(value) AS (SELECT min({name}) FROM {of} UNION ALL"  # noqa: S608 - names of ours
                f" SELECT (SELECT min({name}) FROM {of} WHERE {name} > value) FROM each_one WHERE value IS NOT NULL)"
                " SELECT value FROM each_one WHERE value IS NOT NULL"
            )
        ).scalars()
        missing = select(known.table.c.position).where(known.table.c[field].is_(None)).limit(1)
        return (*found, *([None] if self._db.execute(missing).first() else ()))

    def _loaded(
        self, collection: Collection, query: Select[tuple[object, ...]], values: Mapping[str, object] | None = None
    ) -> Iterator[_Loaded]:
        for found in self._db.execute(query, values or {}).mappings():
            position, written = int(found["position"]), str(found["data"])
            value, flaws = examine(written.encode())
            if flaws or not isinstance(value, dict):
                why = flaws[0].why if flaws else "it is no JSON object"
                raise StoreDamaged(
                    f"{self._named}, row {position} of {collection.table_name}: {why}; nothing was changed. Correct it "
                    "there"
                )
            # An object of JSON has only string keys.
            raw, number = cast("dict[str, object]", value), int(found["version"])
            if not isinstance(raw.get(collection.key), str):
                raise StoreDamaged(
                    f"{self._named}, row {position} of {collection.table_name}: its {collection.key} is no text; "
                    "nothing was changed. Correct it there"
                )
            row = Row(position=position, raw=raw, version=_version(number, written))
            yield _Loaded(row=row, text=written, number=number)


class ChangingRows(DocumentRows):
    """The records as a change sees them: each is read once, and what is changed in one is written by `write`."""

    def __init__(self, db: Connection, collections: Mapping[str, Collection], *, about: StoreAbout, named: str) -> None:
        super().__init__(db, collections, about=about, named=named)
        self._read: dict[tuple[str, str], _Loaded | None] = {}
        self._locked: set[tuple[str, str]] = set()

    def find(self, collection: str, ids: Iterable[str]) -> dict[str, Row]:
        """The same rows each time, with what was changed in them."""
        wanted = sorted(set(ids))
        self._load(collection, [each for each in wanted if (collection, each) not in self._read], locking=False)
        found = [loaded.row for each in wanted if (loaded := self._read[collection, each]) is not None]
        known = self._collections[collection]
        return {_id_of(row, known): row for row in sorted(found, key=lambda row: row.position)}

    def one(self, collection: str, record_id: str) -> Row | None:
        """The record with this id, or None; nobody else changes it until the end."""
        loaded = self._held(collection, record_id)
        return None if loaded is None else loaded.row

    def version(self, collection: str, record_id: str) -> str | None:
        """The version that a record has, with all that was changed; nobody else changes it until the end."""
        self.write()
        loaded = self._held(collection, record_id)
        return None if loaded is None else loaded.row.version

    def _held(self, collection: str, record_id: str) -> _Loaded | None:
        if (collection, record_id) not in self._read:
            self._load(collection, [record_id], locking=True)
        loaded = self._read[collection, record_id]
        if (collection, record_id) not in self._locked:
            self._lock(self._collections[collection], record_id, loaded)
        return loaded

    def write(self) -> None:
        """Write what was changed. Raises StoreChanged where somebody else has changed that very record meanwhile."""
        for (name, record_id), loaded in self._read.items():
            if loaded is not None and (fresh := jsontext.compact(loaded.row.raw)) != loaded.text:
                if (name, record_id) not in self._locked:
                    self._lock(self._collections[name], record_id, loaded)
                self._read[name, record_id] = self._written(self._collections[name], loaded, fresh)

    def _written(self, collection: Collection, loaded: _Loaded, fresh: str) -> _Loaded:
        table = collection.table
        here = (table.c.position == loaded.row.position, table.c.version == loaded.number)
        change = update(table).where(*here).values(data=fresh)
        if self._db.dialect.name == "postgresql":
            number = self._db.execute(change.returning(table.c.version)).scalar()
        else:  # its trigger runs after what a statement returns
            done = self._db.execute(change).rowcount == 1
            number = self._db.execute(select(table.c.version).where(here[0])).scalar() if done else None
        if number is None:
            raise StoreChanged(f"{self._named}: somebody changed the same record meanwhile; nothing was changed")
        row = Row(position=loaded.row.position, raw=loaded.row.raw, version=_version(int(number), fresh))
        return _Loaded(row=row, text=fresh, number=int(number))

    def _lock(self, collection: Collection, record_id: str, loaded: _Loaded | None) -> None:
        if can_be_asked(record_id):
            query = _with_ids(collection, locking=True)
            found = self._db.execute(query, {_IDS: [record_id]}).mappings().first()
        else:
            found = None
        now = None if found is None else _version(int(found["version"]), str(found["data"]))
        if now != (None if loaded is None else loaded.row.version):
            raise StoreChanged(f"{self._named}: somebody changed the same record meanwhile; nothing was changed")
        self._locked.add((collection.name, record_id))

    def _load(self, name: str, ids: Sequence[str], *, locking: bool) -> None:
        collection = self._collections[name]
        for some in _batches(ids):
            self._read |= {(name, each): None for each in some}
            asked = [each for each in some if can_be_asked(each)]
            if locking:
                self._locked |= {(name, each) for each in some}
            for loaded in self._loaded(collection, _with_ids(collection, locking=locking), {_IDS: asked}):
                # As it would be written, so that only a change of content counts as one.
                same = jsontext.compact(loaded.row.raw)
                self._read[name, _id_of(loaded.row, collection)] = _Loaded(
                    row=loaded.row, text=same, number=loaded.number
                )


def _version(number: int, written: str) -> str:
    """The number alone would do where every writer raises it; a trigger can be turned off."""
    return f"{number}-{digest(written)[:16]}"


def _rows(collection: Collection) -> Select[tuple[object, ...]]:
    """What a row is made of; what the database made from it is only searched."""
    return select(*(collection.table.c[name] for name in ("position", "data", "version")))


@cache
def _with_ids(collection: Collection, *, locking: bool = False) -> Select[tuple[object, ...]]:
    """The rows with these ids, in their order: no two that lock wait for each other. Made once, which is dear."""
    key = collection.table.c[collection.key]
    query = _rows(collection).where(key.in_(bindparam(_IDS, expanding=True))).order_by(key)
    return query.with_for_update() if locking else query


def can_be_asked(record_id: str) -> bool:
    """Whether a database takes it as a text: no NUL, no half of a surrogate pair. No record is found by another one."""
    return "\0" not in record_id and not any("\ud800" <= char <= "\udfff" for char in record_id)


def _id_of(row: Row, collection: Collection) -> str:
    return str(row.raw.get(collection.key))


def _batches(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]


def _conditions(collection: Collection, where: Where | None) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    for field, values in (where or {}).items():
        column = collection.table.c[field]
        some = column.in_(sorted(value for value in values if value is not None))
        found.append(or_(some, column.is_(None)) if None in values else some)
    return found
