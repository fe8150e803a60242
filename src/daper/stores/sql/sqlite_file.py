"""One SQLite file that many threads and processes open: made ready once, changed in whole transactions."""

import os
import re
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from daper.core import system_errors
from daper.core.errors import StoreBusy, StoreChanged, StoreDamaged, StoreError
from daper.core.system_errors import Trouble, trouble
from daper.stores.locks import alone

BUSY_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class SqliteFile:
    """A file at `path` with the tables of `schema`; `what` is what messages call it. The first transaction makes it.

    `upgrades`: what makes a file of version 1 one of version 2, that one of version 3, and so on; the first transaction
    does it too.
    """

    path: Path
    what: str
    schema: Sequence[str]
    upgrades: Sequence[Sequence[str]] = ()

    @property
    def version(self) -> int:
        """Of the file as `schema` makes it."""
        return 1 + len(self.upgrades)

    @contextmanager
    def transaction(self, *, busy_seconds: float = BUSY_SECONDS) -> Generator[sqlite3.Connection]:
        """A connection that alone may write until the block ends; an error in the block leaves nothing of it.

        Raises StoreBusy when others hold the file for `busy_seconds`, StoreChanged when somebody removed or replaced it
        meanwhile, StoreUnavailable when the disk refuses for now (all retryable), StoreDamaged or StoreError.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            before = identity(self.path)
            with closing(sqlite3.connect(self.path, timeout=busy_seconds, isolation_level=None)) as db:
                self._make_ready(db)
                opened = identity(self.path)
                if before is not None:  # else it is the one that was just made
                    refuse_replaced(self.path, before, self.what)
                db.execute("PRAGMA synchronous = FULL")
                db.execute("BEGIN IMMEDIATE")
                with db:
                    yield db
                    refuse_replaced(self.path, opened, self.what)
        except (sqlite3.Error, OSError) as error:
            raise store_error(error, f"{self.what} {str(self.path)!r}", busy_seconds, path=self.path) from error

    def is_there(self) -> bool:
        """Whether there is anything by that name. Raises a StoreError where nobody can tell, as `transaction`."""
        try:
            return identity(self.path) is not None
        except OSError as error:
            raise store_error(error, f"{self.what} {str(self.path)!r}", BUSY_SECONDS, path=self.path) from error

    def look_over(self) -> bool:
        """Whether the file is there; and it is sound then. Changes nothing.

        Raises StoreBusy when others hold it, StoreDamaged or StoreError: what is wrong, and the way out.
        """
        named = f"{self.what} {str(self.path)!r}"
        if not os.path.lexists(self.path):
            return False
        try:
            if not self.path.is_file():
                raise StoreDamaged(f"{named} is no file; move it away, and a new one is made")
            with closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=rw", uri=True, timeout=1)) as db:
                self._refuse_unsound(db, named)
        except (sqlite3.Error, OSError) as error:
            raise store_error(error, named, 1, path=self.path) from error
        return True

    def _refuse_unsound(self, db: sqlite3.Connection, named: str) -> None:
        db.execute("PRAGMA query_only = ON")
        if (version := _version(db)) > self.version:
            raise StoreError(f"{named} has version {version}: a newer daper wrote it; use that one")
        found = [str(row[0]) for row in db.execute("PRAGMA quick_check(1)")]
        if found != ["ok"]:
            raise StoreDamaged(f"{named} is damaged ({'; '.join(found)[:200]}); move it away, and a new one is made")
        there = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        wanted = set(re.findall(r"CREATE TABLE (\w+)", " ".join(self.schema)))
        if version == self.version and not wanted <= there:
            lost = ", ".join(sorted(wanted - there))
            raise StoreDamaged(f"{named} is damaged: it has no {lost}; move it away, and a new one is made")

    def _make_ready(self, db: sqlite3.Connection) -> None:
        if _version(db) == self.version:
            return
        # Two processes that switch one file to WAL at once get "locked" without any waiting, so they queue here.
        with alone(self.path.with_name(f"{self.path.name}.lock")):
            if (version := _version(db)) > self.version:
                raise StoreError(
                    f"{self.what} {str(self.path)!r} has version {version}: a newer daper wrote it; use that one"
                )
            if version == 0:
                db.execute("PRAGMA journal_mode = WAL")
            if version < self.version:
                upgrades = [statement for upgrade in self.upgrades[version - 1 :] for statement in upgrade]
                db.execute("BEGIN IMMEDIATE")
                with db:
                    for statement in upgrades if version else self.schema:
                        db.execute(statement)
                    db.execute(f"PRAGMA user_version = {self.version}")


def identity(path: Path) -> tuple[int, int] | None:
    """Which file a path names now; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def refuse_replaced(path: Path, opened: tuple[int, int] | None, what: str) -> None:
    """Raises StoreChanged where the path names another file than when it was opened: what is written would be lost."""
    if opened is None or identity(path) != opened:
        raise StoreChanged(f"{what} {str(path)!r} was removed or replaced meanwhile; nothing was written. Try again")


def store_error(error: Exception, named: str, busy_seconds: float, *, path: Path) -> StoreError:
    """What an error of SQLite or of the disk means for the file at `path`, and what to do about it."""
    found = system_errors.store_error(error, named, path=path)
    if isinstance(found, StoreBusy):
        return StoreBusy(f"{named} has been busy for {busy_seconds:.0f} s; try again")
    if trouble(error, path) is Trouble.DAMAGED:
        return StoreDamaged(f"{named} is no database ({error}); move it away, and a new one is made")
    return found


def time_text(at: datetime) -> str:
    """UTC, always of one length, so that texts compare as times do; a time without a zone counts as UTC."""
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="microseconds")


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
