"""A database in one SQLite file: made and upgraded by whoever opens it first."""

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event, text
from sqlalchemy.exc import DBAPIError

from daper.core.errors import ActionFailed, DaperError, StoreDamaged, StoreError
from daper.stores.locks import alone
from daper.stores.sql.condition import Condition, judged
from daper.stores.sql.engine import BUSY_SECONDS, VERSIONS, Branch, Database, create, revisions_in, tables_in, wanted
from daper.stores.sql.sqlite_file import identity, refuse_replaced, store_error

# What is wrong with the statement and not with the file.
_REFUSED: Final = frozenset({sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH})


class SqliteDatabase(Database):
    """The tables of some branches in the file at `path`; `what` is what messages call it. The first use makes it.

    Only one transaction writes at a time, so that `alone` has nothing to do.
    """

    dialect = "sqlite"

    def __init__(self, path: Path, branches: Sequence[Branch], *, what: str) -> None:
        self.path = path
        self._what = what
        self._branches = {branch.name: branch for branch in branches}
        self._busy_seconds = BUSY_SECONDS
        self._connections = _Connections(path)
        self._ready: tuple[int, int] | None = None  # which file was found to have all tables

    @property
    def named(self) -> str:
        """Its kind and its path."""
        return f"{self._what} {str(self.path)!r}"

    @property
    def branches(self) -> Mapping[str, Branch]:
        """The tables that it is to have."""
        return self._branches

    def extended(self, branches: Iterable[Branch]) -> "SqliteDatabase":
        """As of a database."""
        return SqliteDatabase(self.path, (*self._branches.values(), *branches), what=self._what)

    @contextmanager
    def transaction(self, *, busy_seconds: float = BUSY_SECONDS) -> Generator[Connection]:
        """As of a database. Raises StoreChanged when somebody removed or replaced the file meanwhile."""
        with self._errors(busy_seconds):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            before = identity(self.path)
            self._make_ready(before)
            with self._connection(busy_seconds) as db:
                opened = identity(self.path)
                if before is not None:  # else it is the one that was just made
                    refuse_replaced(self.path, before, self._what)
                db.exec_driver_sql("BEGIN IMMEDIATE")
                with _whole(db):
                    self._refuse_another_schema(revisions_in(db))
                    yield db
                    refuse_replaced(self.path, opened, self._what)

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """As of a database."""
        with self._errors(BUSY_SECONDS):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._make_ready(identity(self.path))
            with self._connection(BUSY_SECONDS) as db, _only_reading(db), _whole(db):
                db.exec_driver_sql("BEGIN")
                self._refuse_another_schema(revisions_in(db))
                yield db

    def alone(self, db: Connection, what: str) -> None:
        """Nothing: whoever writes is alone."""

    def is_there(self) -> bool:
        """Whether there is anything by that name."""
        with self._errors(BUSY_SECONDS):
            return identity(self.path) is not None

    def look_over(self) -> bool:
        """Whether the file is there; and it is sound then. Changes nothing."""
        with self._errors(1):
            if not os.path.lexists(self.path):
                return False
            if not self.path.is_file():
                raise StoreDamaged(f"{self.named} is no file; move it away, and a new one is made")
            with self._connection(1) as db, _only_reading(db):
                self._refuse_unsound(db)
        return True

    def revisions(self) -> frozenset[str]:
        """What its tables say; none where there is no file, or none of ours in it."""
        with self._errors(BUSY_SECONDS):
            if identity(self.path) is None:
                return frozenset()
            with self._connection(BUSY_SECONDS) as db:
                return revisions_in(db) if VERSIONS.name in tables_in(db) else frozenset()

    def tables(self) -> frozenset[str]:
        """All that are in the file; none where there is no file."""
        with self._errors(BUSY_SECONDS):
            if identity(self.path) is None:
                return frozenset()
            with self._connection(BUSY_SECONDS) as db:
                return tables_in(db)

    def version(self) -> str:
        """Of the library; a file has none."""
        return f"SQLite {sqlite3.sqlite_version}"

    def whereabouts(self, db: Connection) -> str:
        """Its path, without links."""
        return str(self.path.resolve()).encode("utf-8", "backslashreplace").decode()

    def is_elsewhere(self, whereabouts: str, same: Callable[[Connection], bool]) -> bool:
        """Whether the file at that path is another one that says it is the same store, or that says nothing."""
        there = Path(whereabouts)
        try:
            if not whereabouts or not there.exists() or there.samefile(self.path):
                return False
            with SqliteDatabase(there, tuple(self._branches.values()), what=self._what).reading() as db:
                return same(db)
        except (OSError, DaperError):
            return True

    def tidy(self, tables: Iterable[str]) -> None:
        """Nothing: it counts rows by an index as it is."""

    @contextmanager
    def migrating(self) -> Generator[Connection]:
        """As of a database; one transaction."""
        with self._errors(BUSY_SECONDS):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with alone(self._lock), self._changing() as db:
                yield db

    @contextmanager
    def _changing(self) -> Generator[Connection]:
        """A transaction of whoever holds the lock."""
        with self._connection(self._busy_seconds) as db:
            db.exec_driver_sql("PRAGMA journal_mode = WAL")
            db.exec_driver_sql("BEGIN IMMEDIATE")
            with _whole(db):
                yield db

    @property
    def _lock(self) -> Path:
        return self.path.with_name(f"{self.path.name}.lock")

    def _make_ready(self, known: tuple[int, int] | None) -> None:
        """Make the tables of a file that has none, and upgrade older ones."""
        if known is not None:
            if known == self._ready:
                return
            with self._connection(self._busy_seconds) as db:
                if _has_versions(db) and revisions_in(db) >= wanted(self._branches):
                    self._ready = known
                    return
        # Two processes that switch one file to WAL at once get "locked" without any waiting, so they queue here.
        with alone(self._lock), self._connection(self._busy_seconds) as db:
            db.exec_driver_sql("PRAGMA journal_mode = WAL")
            db.exec_driver_sql("BEGIN IMMEDIATE")
            with _whole(db):
                if tables_in(db):
                    from daper.stores.sql.upgrading import upgrade_within  # Alembic, which few starts need

                    upgrade_within(db, self)
                else:
                    create(db, self._branches)

    def _refuse_another_schema(self, there: frozenset[str]) -> None:
        judged(self.named, self._branches, there).refuse()

    def _refuse_unsound(self, db: Connection) -> None:
        found = [str(row[0]) for row in db.exec_driver_sql("PRAGMA quick_check(1)")]
        if found != ["ok"]:
            raise StoreDamaged(
                f"{self.named} is damaged ({'; '.join(found)[:200]}); move it away, and a new one is made"
            )
        if not _has_versions(db):
            raise StoreDamaged(
                f"{self.named} is damaged: it has no {VERSIONS.name}; move it away, and a new one is made"
            )
        state = judged(self.named, self._branches, revisions_in(db), tables_in(db))
        if state.condition is not Condition.BEHIND:  # which the next use mends
            state.refuse()

    @contextmanager
    def _connection(self, busy_seconds: float) -> Generator[Connection]:
        with self._connections.one() as db:
            db.exec_driver_sql(f"PRAGMA busy_timeout = {int(busy_seconds * 1000)}")
            yield db

    @contextmanager
    def _errors(self, busy_seconds: float) -> Generator[None]:
        try:
            yield
        except DBAPIError as error:
            cause = error.orig
            if not isinstance(cause, sqlite3.Error):
                raise
            raise self._error(cause, busy_seconds) from error
        except (sqlite3.Error, OSError) as error:
            raise self._error(error, busy_seconds) from error

    def _error(self, error: sqlite3.Error | OSError, busy_seconds: float) -> Exception:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _REFUSED:
            return ActionFailed(f"{self.named} refuses it, and nothing was changed: {error}")
        found: StoreError = store_error(error, self.named, busy_seconds, path=self.path)
        return found


class _Connections:
    """Some connections to the file at a path, kept open while it is the same file: the last one to close waits for the
    disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._switching = threading.Lock()
        self._engine: Engine | None = None
        self._of: tuple[int, int] | None = None
        _all.add(self)

    @contextmanager
    def one(self) -> Generator[Connection]:
        """A connection to the file that is there now."""
        engine, of = self._engine_now()
        try:
            with engine.connect() as db:
                yield db
        finally:
            if identity(self._path) != of:  # it may have been opened on either
                engine.dispose()

    def forget(self) -> None:
        """After a fork: they are the parent's. They stay open, for closing one would end the parent's locks."""
        if self._engine is not None:
            _of_parents.append(self._engine)
        self._engine, self._switching = None, threading.Lock()

    def _engine_now(self) -> tuple[Engine, tuple[int, int] | None]:
        now = identity(self._path)
        with self._switching:
            if self._engine is None or self._of != now or now is None:
                self._engine, self._of = _engine(self._path), now
                weakref.finalize(self, self._engine.dispose)
            return self._engine, now


_all: Final = weakref.WeakSet[_Connections]()
_of_parents: Final[list[Engine]] = []


def _engine(path: Path) -> Engine:
    engine = create_engine(
        "sqlite://",
        creator=partial(_connect, path),
        poolclass=QueuePool,
        pool_size=2,
        max_overflow=-1,
        pool_reset_on_return=None,
    )

    @event.listens_for(engine, "begin")
    def no_begin(db: Connection) -> None:  # pyright: ignore[reportUnusedFunction] - by the decorator
        """Ours begin by themselves, in the way that each needs."""

    return engine


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA synchronous = EXTRA")  # FULL does not sync the folder, in which a rollback journal lies
    return db


def _after_fork() -> None:
    for each in _all:
        each.forget()


os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def _only_reading(db: Connection) -> Generator[None]:
    db.exec_driver_sql("PRAGMA query_only = ON")
    try:
        yield
    finally:
        db.exec_driver_sql("PRAGMA query_only = OFF")


@contextmanager
def _whole(db: Connection) -> Generator[None]:
    """The transaction that was begun on the driver: committed at the end, or rolled back."""
    try:
        yield
    except BaseException:
        db.connection.rollback()  # nothing where SQLite has rolled back by itself
        raise
    db.exec_driver_sql("COMMIT")


def _has_versions(db: Connection) -> bool:
    found = db.execute(
        text("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = :name"), {"name": VERSIONS.name}
    )
    return found.first() is not None
