"""Somebody's own database: transactions in which what was seen stays as it was seen, and what its errors mean."""

import os
import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.pool import NullPool

from daper.core.errors import ActionFailed, DaperError, StoreBusy, StoreError, StoreUnavailable
from daper.core.text import folded
from daper.stores.poolers import heed_poolers, without_transactions
from daper.stores.pools import Pools
from daper.stores.rows import mysql, reasons
from daper.stores.rows.address import MYSQL, POSTGRESQL, SQLITE, DatabaseAddress

FOLDED: Final = "daper_folded"
"""What SQLite calls a text whose case does not count; others have one of their own."""
CONNECT_SECONDS: Final = 10
_CONNECTIONS: Final = 8  # of one process, to one database, by one role: others use it too
_POOL_SECONDS: Final = 10.0

# Classes and codes of SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
_OTHERS_FIRST: Final = ("40001", "40P01", "55P03", "57014", "25P03", "25P04")
_AWAY: Final = ("08", "57P", "53", "58", "XX001", "25006")
_REFUSED: Final = ("22", "23", "P0", "44", "54")
_SQLITE_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_SQLITE_REFUSED: Final = frozenset({sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH})
_SQLITE_AWAY: Final = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})

_NO_TABLE: Final = "42P01"  # undefined_table
_POOLS: Final = Pools()


class NoTable(StoreError):
    """A table that is needed is not there."""


class RowsDatabase:
    """One database by one role. Safe to use from many threads; methods block, a statement for `timeout` at most.

    All raise StoreBusy (others have what is needed, or it took too long; retryable), StoreUnavailable (away, full;
    retryable), ActionFailed (it refuses what was to be written) and StoreError. None of these names a password.
    """

    def __init__(self, address: DatabaseAddress, *, timeout: timedelta) -> None:
        self.address = address
        self._timeout = timeout.total_seconds()

    @property
    def named(self) -> str:
        """What messages call it."""
        return self.address.named

    @property
    def kind(self) -> str:
        """Which database it is: `postgresql`, `mysql` or `sqlite`."""
        return self.address.kind

    @contextmanager
    def changing(self, *, behind: str = "") -> Generator[Connection]:
        """A transaction in which nobody else's writes come between what is read and what is written.

        All of it at the end of the block, or nothing if that raises: SERIALIZABLE, and of SQLite BEGIN IMMEDIATE.
        Those that name the same table to be `behind` come one after another, where that is a table of PostgreSQL: else
        each of many at once would make the others fail. Raises NoTable where it is not there. Changes of daper's in one
        database of MySQL come one after another, whatever they name.
        """
        with self._errors(), self._connected() as free:
            db = free.execution_options(isolation_level="SERIALIZABLE") if self.kind == POSTGRESQL else free
            try:
                with db.begin():
                    self._begin_change(db, behind)
                    yield db
            finally:
                if self.kind == MYSQL:
                    mysql.end_change(db)

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """A connection that sees one moment throughout, and can write nothing, whatever its role may do."""
        with self._errors(), self._connected() as free:
            db = free.execution_options(isolation_level="REPEATABLE READ") if self.kind == POSTGRESQL else free
            with db.begin():
                if self.kind == POSTGRESQL:
                    self._bound(db)
                    db.exec_driver_sql("SET TRANSACTION READ ONLY")
                elif self.kind == MYSQL:
                    mysql.begin_reading(db)
                else:
                    db.exec_driver_sql("PRAGMA query_only = ON")
                    db.exec_driver_sql("BEGIN")
                yield db

    @contextmanager
    def _connected(self) -> Generator[Connection]:
        try:
            free = self._engine.connect()
        except (OSError, TypeError, ValueError) as error:  # of a driver that cannot use what stands in the address
            told = reasons.of_options(error, self.address)
            raise StoreUnavailable(f"{self.named} cannot be used now: {told}") from None
        with free:
            yield free

    def _bound(self, db: Connection) -> None:
        """Let no statement of PostgreSQL and no wait for others take longer than it may."""
        for name in ("statement_timeout", "lock_timeout"):
            db.exec_driver_sql(f"SET LOCAL {name} = {int(self._timeout * 1000)}")

    def _begin_change(self, db: Connection, behind: str) -> None:
        if self.kind == POSTGRESQL:
            self._bound(db)
            if behind:
                # Before any other statement: the first query decides what the transaction sees.
                self._lock(db, behind)
        elif self.kind == MYSQL:
            mysql.begin_change(db, self._timeout)
        else:
            db.exec_driver_sql("BEGIN IMMEDIATE")

    def _lock(self, db: Connection, table: str) -> None:
        try:
            db.exec_driver_sql(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
        except ProgrammingError as error:
            if getattr(error.orig, "sqlstate", None) == _NO_TABLE:
                raise NoTable(f"{self.named} has no table {table}") from None
            raise

    @property
    def _engine(self) -> Engine:
        """One pool for a process, an address and a limit of time."""
        key = (self.address.url.render_as_string(hide_password=False), self._timeout)
        return _POOLS.one(key, lambda: _ENGINES[self.kind](self.address, self._timeout))

    @contextmanager
    def _errors(self) -> Generator[None]:
        try:
            yield
        except NoConnection:
            raise StoreBusy(f"{self.named}: no connection was free for {_POOL_SECONDS:.0f} s; try again") from None
        except DBAPIError as error:
            # Not `from error`: what the driver says may name the user, and a cause is kept in histories.
            raise self._error(error) from None
        except SQLAlchemyError as error:
            raise StoreError(f"{self.named} cannot be used: {reasons.first_line(error)}") from None

    def _error(self, error: DBAPIError) -> DaperError:
        cause = error.orig
        why = reasons.told_by(error)
        if self.kind == POSTGRESQL and (way_out := without_transactions(why)):
            return StoreError(f"{self.named} cannot be used: {why}; {way_out} ({self.address.variable})")
        judge = _JUDGES[self.kind]
        kind = judge(cause) if cause is not None else StoreError
        if kind is StoreBusy:
            return StoreBusy(f"{self.named}: others change the same, or it took too long; try again ({why})")
        if kind is StoreUnavailable or error.connection_invalidated:
            return StoreUnavailable(f"{self.named} cannot be used now: {reasons.away(cause or error, self.address)}")
        if kind is ActionFailed:
            return ActionFailed(f"{self.named} refuses it, and nothing was changed: {why}")
        return StoreError(f"{self.named} cannot be used: {reasons.refused(cause or error, self.address)}")


def _state_of_postgresql(error: BaseException) -> type[DaperError]:
    state = getattr(error, "sqlstate", None)
    if state is None:
        return StoreUnavailable  # of the driver itself: nobody was reached, or let in
    if state.startswith(_OTHERS_FIRST):
        return StoreBusy
    if state.startswith(_AWAY):
        return StoreUnavailable
    return ActionFailed if state.startswith(_REFUSED) else StoreError


def _code_of_sqlite(error: BaseException) -> type[DaperError]:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in _SQLITE_BUSY:
        return StoreBusy
    if code in _SQLITE_AWAY:
        return StoreUnavailable
    return ActionFailed if code in _SQLITE_REFUSED else StoreError


_JUDGES: Final[dict[str, Callable[[BaseException], type[DaperError]]]] = {
    POSTGRESQL: _state_of_postgresql,
    MYSQL: mysql.meaning,
    SQLITE: _code_of_sqlite,
}


def _postgresql(address: DatabaseAddress, _: float) -> Engine:
    # Any: what a driver takes.
    waits: dict[str, Any] = {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "daper",
        "tcp_user_timeout": 30_000,
    }
    engine = create_engine(
        address.url,
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=_POOL_SECONDS,
        pool_pre_ping=True,
        connect_args=waits,
    )
    heed_poolers(engine)
    return engine


def _mysql(address: DatabaseAddress, timeout: float) -> Engine:
    return mysql.mysql(address, timeout, connections=_CONNECTIONS, patience=_POOL_SECONDS, connect=CONNECT_SECONDS)


def _sqlite(address: DatabaseAddress, timeout: float) -> Engine:
    """A file that is there: one that went away must not come back empty."""
    path = os.path.abspath(address.url.database or "")

    def connect() -> sqlite3.Connection:
        db = sqlite3.connect(f"file:{_quoted(path)}?mode=rw", uri=True, timeout=timeout, isolation_level=None)
        db.create_function(FOLDED, 1, _folded, deterministic=True)
        db.execute("PRAGMA synchronous = EXTRA")
        db.execute("PRAGMA foreign_keys = ON")
        return db

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def no_begin(db: Connection) -> None:  # pyright: ignore[reportUnusedFunction] - by the decorator
        """Ours begin by themselves, in the way that each needs."""

    @event.listens_for(engine, "commit")
    def commit(db: Connection) -> None:  # pyright: ignore[reportUnusedFunction] - by the decorator
        """What was begun by itself is committed by itself."""
        driver = db.connection.driver_connection
        if isinstance(driver, sqlite3.Connection) and driver.in_transaction:
            driver.execute("COMMIT")

    return engine


_ENGINES: Final[dict[str, Callable[[DatabaseAddress, float], Engine]]] = {
    POSTGRESQL: _postgresql,
    MYSQL: _mysql,
    SQLITE: _sqlite,
}


def _folded(value: object) -> str:
    return folded("" if value is None else str(value))


def _quoted(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def disconnect() -> None:
    """Close the connections of this process that nobody uses now; the next use opens new ones."""
    _POOLS.close()
