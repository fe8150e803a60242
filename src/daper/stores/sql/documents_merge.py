"""Records of a store of documents brought up to date, row by row: what is the same keeps its version."""

from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import Connection, bindparam, func, insert, literal, select, update

from daper.clock import utc_now
from daper.core.text import visible
from daper.ports.store import LedgerRow, StoreAbout
from daper.stores import jsontext
from daper.stores.sql.document_rows import DocumentRows, Row
from daper.stores.sql.documents import BACKED_UP, DocumentStore
from daper.stores.sql.records_schema import BACKUP, FRAMES, LEDGER

_AT_ONCE: Final = 500

KnownT = TypeVar("KnownT", bound="KnownDocuments")


class KnownDocuments:
    """What is in the tables as one transaction sees them, and what the ledger has of it."""

    def __init__(self, db: Connection, store: DocumentStore, about: StoreAbout) -> None:
        self._db = db
        self._store = store
        self._rows = DocumentRows(db, store.collections, about=about, named=store.database.named)

    def count(self, collection: str) -> int:
        """How many rows there are."""
        return self._rows.count(collection)

    def rows(self, collection: str, ids: Collection[str]) -> dict[str, dict[str, object]]:
        """By their ids."""
        return {each: row.raw for each, row in self._rows.find(collection, ids).items()}

    def touch(self) -> None:
        """By a statement that asks for nothing."""
        self._db.execute(select(1))

    def deeds(self, record_ids: Collection[str]) -> dict[str, list[LedgerRow]]:
        """By the index of the ledger."""
        found: dict[str, list[LedgerRow]] = {}
        wanted = sorted({visible(each, longest=500) for each in record_ids})
        for start in range(0, len(wanted), _AT_ONCE):
            query = select(LEDGER.c.row).where(
                LEDGER.c.store == self._store.name, LEDGER.c.record_id.in_(wanted[start : start + _AT_ONCE])
            )
            for written in self._db.execute(query).scalars():
                row = LedgerRow.model_validate_json(written)
                if row.record_id in record_ids:
                    found.setdefault(row.record_id, []).append(row)
        return found


class MergingDocuments(KnownDocuments):
    """Tables that are brought up to date within a transaction."""

    def __init__(self, db: Connection, store: DocumentStore, about: StoreAbout) -> None:
        super().__init__(db, store, about)
        self._found: dict[str, dict[str, Row]] = {}
        self._number: int | None = None

    @property
    def backup(self) -> str | None:
        """A number in the table of backups; it has the rows that were changed, as they were."""
        place = self._store.database.named
        return None if self._number is None else f"backup {self._number} in the table {BACKUP.name} of {place}"

    def rows(self, collection: str, ids: Collection[str]) -> dict[str, dict[str, object]]:
        """By their ids; where they are is remembered for `put`, until others are asked for."""
        self._found[collection] = self._rows.find(collection, ids)
        return {each: row.raw for each, row in self._found[collection].items()}

    def put(
        self, collection: str, changed: Mapping[str, dict[str, object]], fresh: Sequence[dict[str, object]]
    ) -> None:
        """Those that were changed last were asked for last."""
        table = self._store.collections[collection].table
        places = {each: self._found[collection][each].position for each in changed}
        if places:
            self._back_up(collection, [*places.values()])
            change = update(table).where(table.c.position == bindparam("here")).values(data=bindparam("fresh"))
            self._db.execute(
                change, [{"here": places[each], "fresh": jsontext.compact(raw)} for each, raw in changed.items()]
            )
        if fresh:
            self._db.execute(insert(table), [{"data": jsontext.compact(raw)} for raw in fresh])

    def put_extra(self, collection: str, extra: dict[str, object]) -> None:
        """In the frame of the collection, if it has one."""
        here = (FRAMES.c.store == self._store.name, FRAMES.c.collection == collection)
        written = self._db.execute(select(FRAMES.c.frame).where(*here)).scalar()
        if written is not None:
            known = jsontext.parse(str(written).encode(), path=Path(self._store.database.named) / FRAMES.name)
            frame = jsontext.compact(known | {name: value for name, value in extra.items() if name != collection})
            self._db.execute(update(FRAMES).where(*here).values(frame=frame))

    def _back_up(self, collection: str, places: Sequence[int]) -> None:
        table = self._store.collections[collection].table
        if self._number is None:
            newest = self._db.execute(select(func.max(BACKUP.c.number)).where(BACKUP.c.store == self._store.name))
            self._number = int(newest.scalar() or 0) + 1
        at = utc_now().isoformat(timespec="seconds")
        rows = select(
            literal(self._store.name), literal(self._number), literal(collection), table.c.position, literal(at),
            table.c.data,
        ).where(table.c.position.in_(places))  # fmt: skip
        self._db.execute(insert(BACKUP).from_select(BACKED_UP, rows))


@contextmanager
def known_documents(store: DocumentStore, known: type[KnownT]) -> Generator[KnownT]:
    """What is in the tables, as of one moment."""
    about = store.about()
    with store.database.reading() as db:
        yield known(db, store, about)


@contextmanager
def merging_documents(store: DocumentStore) -> Generator[MergingDocuments]:
    """Bring the tables up to date, in one transaction; until its end nobody else changes a record or the ledger."""
    about = store.about()
    with store.database.transaction() as db:
        store.database.alone(db, f"{store.name}: all records")
        if db.dialect.name == "postgresql":
            # Whoever acts has the row of a record before that of the ledger; what is read below must stay so.
            for _, collection in sorted(store.collections.items()):  # in which order they do too
                db.exec_driver_sql(f"LOCK TABLE {collection.table_name} IN EXCLUSIVE MODE")
        yield MergingDocuments(db, store, about)
