"""Records as documents in tables, changed together with their ledger and outbox, in SQLite or PostgreSQL."""

from collections.abc import Collection as Values
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice, zip_longest
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, literal, select, update

from daper.clock import new_id, utc_now
from daper.core.commands import CommandLine
from daper.core.errors import ActionFailed, StoreDamaged, UserError
from daper.core.models import StoreInfo
from daper.core.text import visible
from daper.ports.store import LedgerRow, Message, MessageNote, Noted, StoreAbout
from daper.stores import jsontext
from daper.stores.numbering import numbered
from daper.stores.sql import outbox
from daper.stores.sql.document_rows import ChangingRows, DocumentRows
from daper.stores.sql.document_tables import Collection
from daper.stores.sql.document_words import many_at_once
from daper.stores.sql.engine import Database
from daper.stores.sql.records_schema import BACKUP, FRAMES, LEDGER, STORES

BACKED_UP = ("store", "number", "collection", "position", "at", "data")
_BATCH = 1000  # rows that are written at once
# Made once: for each effect that is dear.
_ABOUT = select(STORES.c.about).where(STORES.c.name == bindparam("store"))
_ROW = select(LEDGER.c.row).where(LEDGER.c.store == bindparam("store"), LEDGER.c.key == bindparam("key"))
_NEW_ROW = insert(LEDGER)


class Backup(NamedTuple):
    """Whether anything was replaced, and the number in `daper_backup` of what was there before, if anything was."""

    changed: bool
    number: int | None


class DocumentStore:
    """The collections of one domain, `name`, in a database: `orders/ORD-1` is the record ORD-1 of collection `orders`.

    Safe to use from many threads, processes and machines. Methods block, and raise what those of a database do.
    """

    def __init__(self, database: Database, *, name: str, collections: Sequence[Collection]) -> None:
        self.database = database
        self._name = name
        self._collections = {collection.name: collection for collection in collections}
        self._id = ""

    @property
    def collections(self) -> Mapping[str, Collection]:
        """What it keeps."""
        return self._collections

    def info(self) -> StoreInfo:
        """Which store this is. Raises StoreDamaged for a copy of one that may still be there."""
        about = self.about()
        return StoreInfo(
            store_id=about.store_id, place=self.database.named, as_of=about.as_of, counterparty=about.counterparty
        )

    def about(self) -> StoreAbout:
        """What it says of itself; a file that was moved remembers its new place. Raises StoreDamaged for a copy."""
        with self.database.reading() as db:
            about, here = self._about(db), self.database.whereabouts(db)
        if here and about.folder != here:  # where this role may not look where it is, nobody can tell
            if self.database.is_elsewhere(about.folder, lambda there: self._store_id_in(there) == about.store_id):
                raise self._copy(about)
            with self.database.transaction() as db:
                about = self._remember(db, about)
        return about

    def dataset(self) -> str | None:
        """Which data set the records are of; None where there are none yet."""
        with self.database.reading() as db:
            known = self.known(db)
        return None if known is None else known.dataset

    def adopt(self) -> StoreAbout:
        """Give a copy an id of its own; ledger and outbox stay. One that is no copy keeps its id."""
        with self.database.transaction() as db:
            about = self._about(db)
            if about.folder == self.database.whereabouts(db):
                return about
            self._id = ""
            return self._remember(db, about.model_copy(update={"store_id": new_id()}))

    @contextmanager
    def change(self) -> Generator["DocumentChange"]:
        """A change: all of it at the end of the block, or nothing if that raises."""
        with self.database.transaction() as db:
            about = self._about(db)
            rows = ChangingRows(db, self._collections, about=about, named=self.database.named)
            yield DocumentChange(db, rows, self.database, self._name)
            rows.write()

    @contextmanager
    def reading(self) -> Generator[DocumentRows]:
        """The records as they are together at one moment."""
        with self.database.reading() as db:
            yield DocumentRows(db, self._collections, about=self._about(db), named=self.database.named)

    def outbox(self) -> tuple[Message, ...]:
        """Every message ever sent, in the order of sending."""
        with self.database.reading() as db:
            return tuple(numbered(map(outbox.message_of, db.execute(outbox.messages_in(self._name)))))

    def messages_of(self, key: str) -> tuple[Message, ...]:
        """The messages that one key wrote, in the order of sending."""
        with self.database.reading() as db:
            return tuple(outbox.of_key(db, self._name, key))

    def note_message(self, note: MessageNote) -> Noted:
        """Note what became of a message, if it is still in an expected state. Raises NotFound for one that is none."""
        with self.database.transaction() as db:
            self._about(db)
            return outbox.note(db, self._name, note)

    def refuse_copy(self) -> None:
        """Raises StoreDamaged for a copy of a store that may still be there; nothing where there are no records yet."""
        if self.dataset() is not None:
            self.about()

    def install(self, records: Mapping[str, Iterable[Mapping[str, object]]], *, about: StoreAbout) -> bool:
        """Bring the records of a new store, under a fresh id. False, and nothing done, if it is one already."""
        with self.database.transaction() as db:
            self.database.alone(db, f"{self._name}: all records")  # else two would bring them twice
            if self.known(db) is not None:
                return False
            self._bring(db, records)
            self.write_about(db, self.about_with_id(about, None))
        self.tidy()
        return True

    def replace(
        self,
        records: Mapping[str, Iterable[Mapping[str, object]]],
        *,
        about: StoreAbout,
        only: Values[str] | None = None,
    ) -> Backup:
        """Replace all records; the store's id, ledger and outbox stay, and a backup. The same records change nothing.

        `only`: the data sets that may be replaced. Raises UserError for records of another data set, StoreDamaged for a
        copy that has not been adopted: it would keep the id of the original.
        """
        self.refuse_copy()
        with self.database.transaction() as db:
            self.database.alone(db, f"{self._name}: all records")  # else two would bring them twice
            known = self.known(db)
            if only is not None and known is not None and known.dataset not in only:
                raise UserError(
                    f"the records in {self.database.named} are your own. Say --yes to have them replaced; a backup of "
                    f"them is kept in its table {BACKUP.name}"
                )
            fresh = {name: [*rows] for name, rows in records.items()}
            if known is not None and self._says(known, about) and self._has(db, fresh):
                return Backup(changed=False, number=None)
            number = None if known is None else self.back_up(db)
            self._bring(db, fresh)
            self.write_about(db, self.about_with_id(about, known))
        self.tidy()
        return Backup(changed=True, number=number)

    def tidy(self) -> None:
        """Let the database see to tables whose rows were all brought anew."""
        self.database.tidy(collection.table_name for collection in self._collections.values())

    def holds(self, records: Mapping[str, Iterable[Mapping[str, object]]], *, about: StoreAbout) -> bool:
        """Whether these very records are in the store, and it says the same of them."""
        with self.database.reading() as db:
            known = self.known(db)
            return known is not None and self._says(known, about) and self._has(db, records)

    @property
    def name(self) -> str:
        """Of the domain."""
        return self._name

    def about_with_id(self, about: StoreAbout, former: StoreAbout | None) -> StoreAbout:
        """The same, with the id that the store has, or a new one."""
        return about.model_copy(update={"store_id": former.store_id if former else new_id()})

    def known(self, db: Connection) -> StoreAbout | None:
        """What it says of itself; None where there are no records yet."""
        written = db.execute(_ABOUT, {"store": self._name}).scalar()
        return None if written is None else StoreAbout.model_validate_json(written)

    def _about(self, db: Connection) -> StoreAbout:
        """Raises StoreDamaged where another store has come to be there since this one was opened."""
        known = self.known(db)
        if known is None:
            raise StoreDamaged(
                f"{self.database.named} has no {self._name}; to have the shipped records: ",
                CommandLine("records", "reset"),
            )
        self._id = self._id or known.store_id
        if known.store_id != self._id:
            raise StoreDamaged(
                f"{self.database.named} is another store than the one that was opened here: it was replaced. Nothing "
                "was changed; bring it back, or start the worker again to go on with this one"
            )
        return known

    def _store_id_in(self, db: Connection) -> str:
        known = self.known(db)
        return known.store_id if known else ""

    def _copy(self, about: StoreAbout) -> StoreDamaged:
        return StoreDamaged(
            f"{self.database.named} is a copy of {about.folder!r}: both have the store id {about.store_id!r}, so that "
            "a plan for one could run in the other. Nothing was changed. To give this copy an id of its own, with its "
            "ledger and outbox kept: ",
            CommandLine("records", "adopt"),
            "; or go on with the original",
        )

    def _remember(self, db: Connection, about: StoreAbout) -> StoreAbout:
        self.write_about(db, about)
        return self._about(db)

    def write_about(self, db: Connection, about: StoreAbout) -> None:
        """Let it say that of itself, and that it is here."""
        written = about.model_copy(update={"folder": self.database.whereabouts(db)})
        values = {"store_id": written.store_id, "about": written.model_dump_json()}
        if db.execute(update(STORES).where(STORES.c.name == self._name).values(values)).rowcount == 0:
            db.execute(insert(STORES).values(name=self._name, **values))

    def _bring(self, db: Connection, records: Mapping[str, Iterable[Mapping[str, object]]]) -> None:
        db.execute(delete(FRAMES).where(FRAMES.c.store == self._name))
        with many_at_once(db, [*self._collections.values()]):
            for name, collection in self._collections.items():
                db.execute(delete(collection.table))
                for part in _batches(records.get(name, ())):
                    db.execute(insert(collection.table), [{"data": jsontext.compact(record)} for record in part])

    def _says(self, known: StoreAbout, about: StoreAbout) -> bool:
        return known.model_copy(update={"store_id": "", "folder": ""}) == about

    def _has(self, db: Connection, records: Mapping[str, Iterable[Mapping[str, object]]]) -> bool:
        for name, collection in self._collections.items():
            query = select(collection.table.c.data).order_by(collection.table.c.position)
            with db.execute(query.execution_options(yield_per=_BATCH)) as found:
                wanted = (jsontext.compact(record) for record in records.get(name, ()))
                if any(one != other for one, other in zip_longest(map(str, found.scalars()), wanted)):
                    return False
        return True

    def back_up(self, db: Connection) -> int:
        """Keep all records as they are, under the number that it gives back."""
        newest = db.execute(select(func.max(BACKUP.c.number)).where(BACKUP.c.store == self._name)).scalar()
        number, at = int(newest or 0) + 1, _written(utc_now())
        for name, collection in self._collections.items():
            rows = select(
                literal(self._name), literal(number), literal(name), collection.table.c.position, literal(at),
                collection.table.c.data,
            )  # fmt: skip
            db.execute(insert(BACKUP).from_select(BACKED_UP, rows))
        # At the place of none: what stood around them.
        frames = select(
            FRAMES.c.store, literal(number), FRAMES.c.collection, literal(0), literal(at), FRAMES.c.frame
        ).where(FRAMES.c.store == self._name)
        db.execute(insert(BACKUP).from_select(BACKED_UP, frames))
        return number


class DocumentChange:
    """A change in the making: records, and in the same transaction ledger and outbox."""

    def __init__(self, db: Connection, rows: ChangingRows, database: Database, store: str) -> None:
        self._db = db
        self._rows = rows
        self._database = database
        self._store = store
        self._known: dict[str, LedgerRow | None] = {}  # nobody else writes these until the end

    @property
    def records(self) -> ChangingRows:
        """The records as this change sees them."""
        return self._rows

    def version(self, ref: str) -> str | None:
        """The version that a record has now, this change included; nobody else changes it until the end."""
        name, _, record_id = ref.partition("/")
        return None if name not in self._rows.collections else self._rows.version(name, record_id)

    def row(self, key: str) -> LedgerRow | None:
        """The ledger row of a key: written by this change, or before. Others that ask for it wait for this change."""
        if key not in self._known:
            self._database.alone(self._db, f"{self._store} {key}")
            found = self._db.execute(_ROW, {"store": self._store, "key": key}).scalar()
            self._known[key] = None if found is None else LedgerRow.model_validate_json(found)
        return self._known[key]

    def write_row(self, row: LedgerRow) -> None:
        """Record what happened for a key. Raises ActionFailed for a key that has a row, unless that is `begun`."""
        known = self.row(row.key)
        if known is not None and known.kind != "begun":
            raise ActionFailed(f"the ledger has a row of key {row.key!r} already; nothing was changed")
        values = ledger_values(row)
        if known is None:
            self._db.execute(_NEW_ROW, {"store": self._store, "key": row.key, **values})
        else:
            here = (LEDGER.c.store == self._store, LEDGER.c.key == row.key)
            self._db.execute(update(LEDGER).where(*here).values(values))
        self._known[row.key] = row

    def send(self, message: Message) -> None:
        """Put a message into the outbox, under the next number of the sending order."""
        outbox.put(self._db, self._store, message)


def ledger_values(row: LedgerRow) -> dict[str, str]:
    """What is written of a row beside its key. The id is whole in the row; an index takes no NUL, and no page of it."""
    return {"record_id": visible(row.record_id, longest=500), "row": row.model_dump_json()}


def _batches(records: Iterable[Mapping[str, object]]) -> Iterator[Sequence[Mapping[str, object]]]:
    left = iter(records)
    while part := [*islice(left, _BATCH)]:
        yield part


def _written(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
