"""Records in tables of one SQLite file, changed together with ledger and outbox."""

import sqlite3
import threading
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

from daper.clock import new_id
from daper.core.digests import content_version, digest
from daper.core.errors import ActionFailed
from daper.core.models import StoreInfo
from daper.ports.domain import Record
from daper.ports.store import LedgerRow, Message
from daper.stores.sql.sqlite_file import store_error

_OURS = (
    "CREATE TABLE IF NOT EXISTS daper_store (id TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS daper_ledger (key TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS daper_outbox (sequence INTEGER PRIMARY KEY AUTOINCREMENT, message TEXT NOT NULL)",
)
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

    def info(self) -> StoreInfo:
        """Which store this is. A copy, or one that was moved, is another store: no plan of here may run there."""
        with self.reading() as db:
            (kept,) = db.execute("SELECT id FROM daper_store").fetchone()
        here = str(self._path.resolve())
        return StoreInfo(store_id=digest(f"{kept} {here}")[:32], place=str(self._path))

    @contextmanager
    def change(self) -> Generator["SqliteChange"]:
        """A change: all of it at the end of the block, or nothing if that raises. Others wait meanwhile.

        Raises ActionFailed for a statement that SQLite refuses.
        """
        with self._connection() as db:
            db.execute("BEGIN IMMEDIATE")
            with db:
                # A commit in the middle would part an effect from its ledger row.
                db.set_authorizer(_no_transactions)
                try:
                    yield SqliteChange(db, self._tables)
                finally:
                    db.set_authorizer(None)

    @contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        """The tables as they are together at one moment; what is written to them is dropped."""
        with self._connection() as db:
            db.execute("BEGIN")
            try:
                yield db
            finally:
                db.rollback()

    def outbox(self) -> tuple[Message, ...]:
        """Every message ever sent, in the order of sending."""
        with self.reading() as db:
            found = db.execute("SELECT sequence, message FROM daper_outbox ORDER BY sequence").fetchall()
        return tuple(
            Message.model_validate_json(text).model_copy(update={"sequence": sequence}) for sequence, text in found
        )

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
            raise store_error(error, f"the store {str(self._path)!r}", self._wait) from error
        except OSError as error:
            raise store_error(error, f"the store {str(self._path)!r}", self._wait) from error

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=self._wait, isolation_level=None)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA synchronous = FULL")
        return db

    def _make_ready(self) -> None:
        with self._opening:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._connect()) as db:
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


def records_of(
    db: sqlite3.Connection, table: str, key: str, record_ids: Iterable[str] | None = None
) -> tuple[Record, ...]:
    """Rows of a table as records, by the column with their id: those named, or all, in the order of their ids."""
    select = f'SELECT * FROM "{table}"'  # noqa: S608 - both names are the domain's own, not a record's
    if record_ids is None:
        rows = db.execute(f'{select} ORDER BY "{key}"').fetchall()
    else:
        rows = [row for each in record_ids for row in db.execute(f'{select} WHERE "{key}" = ?', (each,))]
    return tuple(_record(table, key, dict(row)) for row in rows)


def _record(table: str, key: str, data: dict[str, object]) -> Record:
    record_id = str(data[key])
    version = content_version({name: _counted(value) for name, value in data.items()})
    return Record(ref=f"{table}/{record_id}", record_id=record_id, version=version, data=data)


def _counted(value: object) -> object:
    """A value as a version counts it: bytes and endless numbers, which JSON has not, are no text either."""
    return {type(value).__name__: repr(value)} if isinstance(value, bytes | float) else value


def _no_transactions(action: int, *_: object) -> int:
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_TRANSACTION else sqlite3.SQLITE_OK
