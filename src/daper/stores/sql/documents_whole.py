"""All that a store of documents holds, read as a whole, and replaced as a whole."""

from collections import Counter
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, delete, insert, select, update

from daper.core.errors import ActionFailed
from daper.ports.copying import RawRow
from daper.ports.store import LedgerRow, Message, MessageNote, Noted, StoreAbout
from daper.stores import jsontext
from daper.stores.numbering import numbered
from daper.stores.sql import outbox
from daper.stores.sql.document_rows import DocumentRows
from daper.stores.sql.document_tables import Collection as Table
from daper.stores.sql.document_words import many_at_once
from daper.stores.sql.documents import DocumentStore, ledger_values
from daper.stores.sql.records_schema import BACKUP, FRAMES, LEDGER

_PAGE: Final = 500


class DocumentsWhole:
    """A store of documents. Neither reading nor replacing holds more of it in memory than a page."""

    derived = ()

    def __init__(self, store: DocumentStore) -> None:
        self._store = store

    @property
    def place(self) -> str:
        """The database."""
        return self._store.database.named

    @contextmanager
    def contents(self) -> Generator["DocumentsContents | None"]:
        """What is in the tables as of one moment; None where there are none, or no records."""
        database = self._store.database
        if database.dialect == "sqlite" and not database.is_there():
            yield None  # which a look would make
            return
        self._store.refuse_copy()
        with database.reading() as db:
            known = self._store.known(db)
            yield None if known is None else DocumentsContents(db, self._store, known)

    @contextmanager
    def intake(self) -> Generator["DocumentsIntake"]:
        """Replace all that is in the tables, in one transaction."""
        self._store.refuse_copy()
        with self._store.database.transaction() as db:
            self._store.database.alone(db, f"{self._store.name}: all records")
            former = self._store.known(db)
            number = None if former is None else self._store.back_up(db)
            where = None if number is None else f"backup {number} in the table {BACKUP.name} of {self.place}"
            intake = DocumentsIntake(db, self._store, former, backup=where)
            with many_at_once(db, [*self._store.collections.values()]):
                yield intake
            self._store.write_about(db, intake.about())
        self._store.tidy()


class DocumentsContents:
    """The tables as one transaction sees them."""

    def __init__(self, db: Connection, store: DocumentStore, about: StoreAbout) -> None:
        self._db = db
        self._store = store
        self._about = about
        self._rows = DocumentRows(db, store.collections, about=about, named=store.database.named)

    def about(self) -> StoreAbout:
        """What the store says of itself."""
        return self._about

    def collections(self) -> Sequence[str]:
        """In the order in which they were named."""
        return tuple(self._store.collections)

    def pages(self, collection: str) -> Iterator[list[RawRow]]:
        """In the order of the table."""
        after = 0
        while rows := self._rows.page(collection, after=after, limit=_PAGE):
            after = rows[-1].position
            yield [row.raw for row in rows]

    def extras(self) -> Mapping[str, RawRow]:
        """As they came with the records; where none did, a document with nothing else."""
        query = select(FRAMES.c.collection, FRAMES.c.frame).where(FRAMES.c.store == self._store.name)
        written = {str(name): str(text) for name, text in self._db.execute(query)}
        place = self._store.database.named
        return {
            name: jsontext.parse(written[name].encode(), path=Path(place) / FRAMES.name)
            if name in written
            else {name: []}
            for name in self._store.collections
        }

    def ledger_rows(self) -> Iterator[LedgerRow]:
        """In the order of their keys."""
        query = select(LEDGER.c.key, LEDGER.c.row).where(LEDGER.c.store == self._store.name).order_by(LEDGER.c.key)
        last = ""
        while part := self._db.execute(query.where(LEDGER.c.key > last).limit(_PAGE)).all():
            last = str(part[-1].key)
            yield from (LedgerRow.model_validate_json(written) for _, written in part)

    def messages(self) -> Iterator[Message]:
        """In the order of sending."""
        last, seen = 0, Counter[str]()
        while part := self._db.execute(outbox.messages_in(self._store.name, after=last).limit(_PAGE)).all():
            for message in map(outbox.message_of, part):
                seen[message.key] += 1
                last = message.sequence
                yield message.model_copy(update={"number": seen[message.key]})

    def rows_of(self, keys: Collection[str]) -> Mapping[str, LedgerRow]:
        """Those that there are."""
        query = select(LEDGER.c.key, LEDGER.c.row).where(LEDGER.c.store == self._store.name)
        found = self._db.execute(query.where(LEDGER.c.key.in_(sorted(keys))))
        return {str(key): LedgerRow.model_validate_json(written) for key, written in found}

    def messages_of(self, keys: Collection[str]) -> Mapping[str, Sequence[Message]]:
        """Those that there are, in the order of sending."""
        found: dict[str, list[Message]] = {}
        rows = self._db.execute(outbox.messages_in(self._store.name, keys=keys))
        for message in numbered(map(outbox.message_of, rows)):
            found.setdefault(message.key, []).append(message)
        return found


class DocumentsIntake(DocumentsContents):
    """Tables that are being filled within a transaction."""

    def __init__(self, db: Connection, store: DocumentStore, former: StoreAbout | None, *, backup: str | None) -> None:
        super().__init__(db, store, former or StoreAbout(dataset=""))
        self.former = former
        self.backup = backup

    def put_documents(self, about: StoreAbout, extras: Mapping[str, RawRow]) -> None:
        """Empty the tables; the id stays what it was, or is a new one."""
        self._about = self._store.about_with_id(about, self.former)
        self._db.execute(delete(FRAMES).where(FRAMES.c.store == self._store.name))
        for name, collection in self._store.collections.items():
            self._db.execute(delete(collection.table))
            frame = jsontext.compact(extras.get(name, {name: []}))
            self._db.execute(insert(FRAMES).values(store=self._store.name, collection=name, frame=frame))

    def put_records(self, collection: str, rows: Sequence[RawRow]) -> None:
        """Behind those that are there."""
        if rows:
            table: Table = self._store.collections[collection]
            self._db.execute(insert(table.table), [{"data": jsontext.compact(row)} for row in rows])

    def put_ledger_row(self, row: LedgerRow) -> None:
        """In the place of one that is only begun, if there is one."""
        here = (LEDGER.c.store == self._store.name, LEDGER.c.key == row.key)
        known = self.rows_of([row.key]).get(row.key)
        if known is not None and known.kind != "begun":
            raise ActionFailed(f"the ledger has a row of key {row.key!r} already; nothing was changed")
        values = ledger_values(row)
        if known is None:
            self._db.execute(insert(LEDGER).values(store=self._store.name, key=row.key, **values))
        else:
            self._db.execute(update(LEDGER).where(*here).values(values))

    def put_message(self, message: Message) -> None:
        """Under the next number."""
        outbox.put(self._db, self._store.name, message)

    def note_message(self, note: MessageNote) -> Noted:
        """In its row."""
        return outbox.note(self._db, self._store.name, note)
