"""One SQLite file that many threads and processes open: made ready once, changed in whole transactions."""

import fcntl
import os
import re
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from daper.core.errors import StoreBusy, StoreDamaged, StoreError

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

        Raises StoreBusy (retryable) when others hold the file for `busy_seconds`, StoreDamaged or StoreError.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=busy_seconds, isolation_level=None)) as db:
                self._make_ready(db)
                db.execute("PRAGMA synchronous = FULL")
                db.execute("BEGIN IMMEDIATE")
                with db:
                    yield db
        except (sqlite3.Error, OSError) as error:
            raise store_error(error, f"{self.what} {str(self.path)!r}", busy_seconds) from error

    def look_over(self) -> bool:
        """Whether the file is there; and it is sound then. Changes nothing.

        Raises StoreBusy when others hold it, StoreDamaged or StoreError: what is wrong, and the way out.
        """
        named = f"{self.what} {str(self.path)!r}"
        if not os.path.lexists(self.path):
            return False
        if not self.path.is_file():
            raise StoreDamaged(f"{named} is no file; move it away, and a new one is made")
        try:
            with closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=rw", uri=True, timeout=1)) as db:
                self._refuse_unsound(db, named)
        except (sqlite3.Error, OSError) as error:
            raise store_error(error, named, 1) from error
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
        with open(f"{self.path}.lock", "a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
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


def store_error(error: Exception, named: str, busy_seconds: float) -> StoreError:
    """What an error of SQLite or of the disk means for a file, and what to do about it."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if isinstance(code, int) else None
    if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreBusy(f"{named} has been busy for {busy_seconds:.0f} s; try again")
    if primary in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
        return StoreDamaged(f"{named} is no database ({error}); move it away, and a new one is made")
    return StoreError(f"{named} cannot be used: {error}; check the folder, its rights and the disk's space")


def time_text(at: datetime) -> str:
    """UTC, always of one length, so that texts compare as times do; a time without a zone counts as UTC."""
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="microseconds")


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
