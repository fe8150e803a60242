"""Records in tables of one SQLite file, changed together with ledger and outbox."""

import sqlite3
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

from daper.clock import new_id
from daper.core.digests import content_version, digest
from daper.core.errors import ActionFailed, NotFound, StoreDamaged
from daper.core.models import StoreInfo
from daper.ports.domain import Record
from daper.ports.store import LedgerRow, Message, MessageNote, Noted
from daper.stores.numbering import numbered
from daper.stores.sql.sqlite_file import identity, refuse_replaced, store_error

_OURS = (
    "CREATE TABLE IF NOT EXISTS daper_store (id TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS daper_ledger (key TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS daper_outbox (sequence INTEGER PRIMARY KEY AUTOINCREMENT, message TEXT NOT NULL)",
)
_PARTING = frozenset({sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH, sqlite3.SQLITE_PRAGMA})
# What is wrong with the statement and not with the file.
_REFUSED = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_AUTH})


class SqliteStore:
    """The tables of one file: `tables` gives for each of ours the column with its id. `tickets/T1` is the row `T1`.

    `schema` is run whenever a process first opens the file, so it says IF NOT EXISTS. A version is a digest of the row,
    because people change it with tools of their own. Safe to use from many threads and processes; methods block for at
    most `lock_wait` plus the work itself, and may raise StoreBusy, StoreDamaged and StoreError.
    """

    def __init__(
        self,
        path: Path,
        *,
        tables: Mapping[str, str],
        schema: Sequence[str] = (),
        lock_wait: timedelta = timedelta(seconds=10),
    ) -> None:
        self._path = path
        self._tables = dict(tables)
        self._schema = tuple(schema)
        self._wait = lock_wait.total_seconds()
        self._opening = threading.Lock()
        self._ready = False
        self._id: str | None = None

    def info(self) -> StoreInfo:
        """Which store this is. A copy, or one that was moved, is another store: no plan of here may run there."""
        with self.reading() as db:
            self._refuse_another(db)
            kept = self._id
        here = str(self._path.resolve())
        return StoreInfo(store_id=digest(f"{kept} {here}")[:32], place=str(self._path))

    @contextmanager
    def change(self) -> Generator["SqliteChange"]:
        """A change: all of it at the end of the block, or nothing if that raises. Others wait meanwhile.

        Raises ActionFailed for a statement that SQLite refuses.
        """
        with self._connection() as db:
            opened = identity(self._path)
            db.execute("BEGIN IMMEDIATE")
            self._refuse_another(db)
            with db:
                # A commit in the middle would part an effect from its ledger row.
                db.set_authorizer(_within_a_transaction(db))
                try:
                    yield SqliteChange(db, self._tables)
                    _still_in_it(db)
                    refuse_replaced(self._path, opened, "the store")
                finally:
                    db.set_authorizer(None)

    @contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        """The tables as they are together at one moment; nothing can be written to them."""
        with self._connection() as db:
            db.execute("PRAGMA query_only = ON")
            db.execute("BEGIN")
            db.set_authorizer(_within_a_transaction(db))
            try:
                yield db
            finally:
                db.set_authorizer(None)
                db.rollback()

    def outbox(self) -> tuple[Message, ...]:
        """Every message ever sent, in the order of sending."""
        with self.reading() as db:
            return tuple(_messages(db))

    def messages_of(self, key: str) -> tuple[Message, ...]:
        """The messages that one key wrote, in the order of sending."""
        with self.reading() as db:
            return tuple(_messages(db, key=key))

    def note_message(self, note: MessageNote) -> Noted:
        """Note what became of a message, if it is still in an expected state. Raises NotFound for one that is none."""
        with self.change() as change:
            return change.note(note)

    @contextmanager
    def _connection(self) -> Generator[sqlite3.Connection]:
        try:
            if not self._ready:
                self._make_ready()
            with closing(self._connect()) as db:
                yield db
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in _REFUSED:
                raise ActionFailed(f"{str(self._path)!r} refuses it, and nothing was changed: {error}") from error
            raise store_error(error, f"the store {str(self._path)!r}", self._wait, path=self._path) from error
        except OSError as error:
            raise store_error(error, f"the store {str(self._path)!r}", self._wait, path=self._path) from error

    def _connect(self, *, make: bool = False) -> sqlite3.Connection:
        # A file that went away must not come back empty. A statement that is prepared already is not looked at again by
        # the authorizer, so none is kept.
        where = f"{self._path.resolve().as_uri()}?mode={'rwc' if make else 'rw'}"
        db = sqlite3.connect(where, uri=True, timeout=self._wait, isolation_level=None, cached_statements=0)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA synchronous = EXTRA")  # FULL does not sync the folder, in which a rollback journal lies
        db.execute("PRAGMA foreign_keys = ON")
        return db

    def _refuse_another(self, db: sqlite3.Connection) -> None:
        """Raises StoreDamaged where another file has come to lie at the path since it was opened."""
        kept = _kept_id(db)
        if self._id is None:
            self._id = kept
        if kept is None or kept != self._id:
            raise StoreDamaged(
                f"{str(self._path)!r} is another store than the one that was opened here: it was replaced, or emptied. "
                "Nothing was changed; bring it back, or start the worker again to go on with this one"
            )

    def _make_ready(self) -> None:
        with self._opening:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._connect(make=True)) as db:
                db.execute("BEGIN IMMEDIATE")
                with db:
                    for statement in (*_OURS, *self._schema):
                        db.execute(statement)
                    if db.execute("SELECT 1 FROM daper_store").fetchone() is None:
                        db.execute("INSERT INTO daper_store VALUES (?)", (new_id(),))
            self._ready = True


class SqliteChange:
    """A change in the making: the connection, and in the same transaction ledger and outbox."""

    def __init__(self, db: sqlite3.Connection, tables: Mapping[str, str]) -> None:
        self._db = db
        self._tables = tables

    @property
    def records(self) -> sqlite3.Connection:
        """The connection; it can neither commit nor roll back."""
        return self._db

    def version(self, ref: str) -> str | None:
        """The version that a row has now, this change included; None for one that is not there."""
        table, _, record_id = ref.partition("/")
        if table not in self._tables:
            return None
        found = records_of(self._db, table, self._tables[table], [record_id])
        return found[0].version if found else None

    def row(self, key: str) -> LedgerRow | None:
        """The ledger row of a key: written by this change, or before."""
        found = self._db.execute("SELECT row FROM daper_ledger WHERE key = ?", (key,)).fetchone()
        return None if found is None else LedgerRow.model_validate_json(found[0])

    def write_row(self, row: LedgerRow) -> None:
        """Record what happened for a key. Raises ActionFailed for a key that has a row, unless that is `begun`."""
        known = self.row(row.key)
        if known is not None and known.kind != "begun":
            raise ActionFailed(f"the ledger has a row of key {row.key!r} already; nothing was changed")
        self._db.execute("INSERT OR REPLACE INTO daper_ledger VALUES (?, ?)", (row.key, row.model_dump_json()))

    def send(self, message: Message) -> None:
        """Put a message into the outbox, under the next number of the sending order."""
        self._db.execute("INSERT INTO daper_outbox (message) VALUES (?)", (message.model_dump_json(),))

    def note(self, note: MessageNote) -> Noted:
        """Note what became of a message, if it is still in an expected state. Raises NotFound for one that is none."""
        found = next((each for each in _messages(self._db, key=note.key) if each.number == note.number), None)
        if found is None:
            raise NotFound(f"the outbox has no message {note.key}-{note.number}")
        if not note.fits(found):
            return Noted(message=found, changed=False)
        noted = note.on(found)
        written = (noted.model_dump_json(), found.sequence)
        self._db.execute("UPDATE daper_outbox SET message = ? WHERE sequence = ?", written)
        return Noted(message=noted, changed=True)


def _messages(db: sqlite3.Connection, *, key: str | None = None) -> list[Message]:
    """All messages, or those of one key, in the order of sending."""
    where = "" if key is None else "WHERE json_extract(message, '$.key') = ?"
    query = f"SELECT sequence, message FROM daper_outbox {where} ORDER BY sequence"  # noqa: S608 - words of ours
    found = db.execute(query, () if key is None else (key,)).fetchall()
    return numbered(
        Message.model_validate_json(text).model_copy(update={"sequence": sequence}) for sequence, text in found
    )


def records_of(
    db: sqlite3.Connection, table: str, key: str, record_ids: Iterable[str] | None = None
) -> tuple[Record, ...]:
    """Rows of a table as records, by the column with their id: those named, or all, in the order of their ids."""
    select = f'SELECT * FROM "{table}"'  # noqa: S608 - both names are the domain's own, not a record's
    if record_ids is None:
        found = [_record(table, key, dict(row)) for row in db.execute(f'{select} ORDER BY "{key}"')]
        _refuse_doubles(found)
        return tuple(found)
    return tuple(record for each in record_ids for record in _named(db, select, table, key, each))


def _named(db: sqlite3.Connection, select: str, table: str, key: str, record_id: str) -> list[Record]:
    """The row with an id, if it is there: by the column's own comparison, and where that knows none, by its text."""
    rows = db.execute(f'{select} WHERE "{key}" = ?', (record_id,)).fetchall()
    if not rows and record_id:  # a column without a type holds numbers that no text equals
        rows = db.execute(f'{select} WHERE CAST("{key}" AS TEXT) = ?', (record_id,)).fetchall()
    found = [_record(table, key, dict(row)) for row in rows]
    _refuse_doubles(found, asked=record_id)
    return found


def _refuse_doubles(records: Sequence[Record], *, asked: str = "") -> None:
    """Raises StoreDamaged for rows of one id: a change of one would be a change of all."""
    seen: set[str] = set()
    for record in records:
        if record.ref in seen or (asked and len(records) > 1):
            raise StoreDamaged(f"several rows are {record.ref!r}; nothing was changed. Give each an id of its own")
        seen.add(record.ref)


def _record(table: str, key: str, data: dict[str, object]) -> Record:
    record_id = str(data[key])
    version = content_version({name: _counted(value) for name, value in data.items()})
    return Record(ref=f"{table}/{record_id}", record_id=record_id, version=version, data=data)


def _counted(value: object) -> object:
    """A value as a version counts it: bytes and endless numbers, which JSON has not, are no text either."""
    return {type(value).__name__: repr(value)} if isinstance(value, bytes | float) else value


def _within_a_transaction(db: sqlite3.Connection) -> Callable[..., int]:
    """Refuses what ends a transaction or leaves its file, and everything once SQLite has ended it by itself."""

    def allowed(action: int, *_: object) -> int:
        return sqlite3.SQLITE_OK if action not in _PARTING and db.in_transaction else sqlite3.SQLITE_DENY

    return allowed


def _still_in_it(db: sqlite3.Connection) -> None:
    if not db.in_transaction:  # ON CONFLICT ROLLBACK and RAISE(ROLLBACK) ask nobody
        raise ActionFailed("SQLite has rolled the change back; nothing was changed")


def _kept_id(db: sqlite3.Connection) -> str | None:
    try:
        row = db.execute("SELECT id FROM daper_store").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:  # there is no such table
            return None
        raise
    return None if row is None else str(row[0])
