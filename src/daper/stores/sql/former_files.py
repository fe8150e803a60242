"""The SQLite files that former versions kept, one for each kind of thing: their rows go where those are kept now."""

import os
import sqlite3
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Table

from daper.core.errors import StoreBusy, StoreDamaged, StoreError
from daper.core.system_errors import optional
from daper.stores.locks import open_folder
from daper.stores.sql.engine import BUSY_SECONDS
from daper.stores.sql.sqlite_file import store_error
from daper.stores.sql.state_schema import ANSWERS, CALLS, CLAIMS, HOLDS, REJECTIONS, TRIES, UNSETTLED
from daper.stores.sql.upserts import add_missing

_ROWS_AT_ONCE: Final = 1_000


@dataclass(frozen=True, kw_only=True)
class _FormerTable:
    """A table as the last of the former versions had it. `since`: the first version that did.

    `later`: columns that came with a version, and what the rows before it are given.
    """

    table: Table
    since: int = 1
    later: Mapping[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])


@dataclass(frozen=True, kw_only=True)
class _FormerFile:
    """What a file is called in messages, its last version, and its tables."""

    what: str
    version: int
    tables: Mapping[str, _FormerTable]


FORMER: Final[Mapping[str, _FormerFile]] = {
    "memory.db": _FormerFile(
        what="memory",
        version=3,
        tables={
            "claims": _FormerTable(table=CLAIMS, later={"held_by": (3, "")}),
            "rejections": _FormerTable(table=REJECTIONS),
            "tries": _FormerTable(table=TRIES, later={"came_to": (2, "no-help")}),
            "unsettled": _FormerTable(table=UNSETTLED),
            "holds": _FormerTable(table=HOLDS, since=3),
        },
    ),
    "spending.db": _FormerFile(what="spending ledger", version=1, tables={"calls": _FormerTable(table=CALLS)}),
    "answers.db": _FormerFile(what="answers", version=1, tables={"answers": _FormerTable(table=ANSWERS)}),
}


@contextmanager
def opened(path: Path) -> Generator[sqlite3.Connection]:
    """A former file, which nobody else reads or writes meanwhile.

    Raises StoreBusy where somebody does, StoreDamaged, StoreError for one that a newer version wrote.
    """
    former = FORMER[path.name]
    named = f"{former.what} {str(path)!r}"
    try:
        _refuse_no_file(path, named)
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)) as db:
            db.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
            _refuse_unfit(db, former, named)
            # What is in its write-ahead log belongs into the file, before that gets another name.
            if db.execute("PRAGMA journal_mode = DELETE").fetchone()[0] != "delete":
                raise StoreBusy(f"{named} is in use by an older daper; stop that, and try again")
            db.execute("BEGIN EXCLUSIVE")
            yield db
    except (sqlite3.Error, OSError) as error:
        raise store_error(error, named, BUSY_SECONDS, path=path) from error


def look_over(path: Path) -> None:
    """Raises as `opened` for a former file that could not be taken in. Changes nothing."""
    named = f"{FORMER[path.name].what} {str(path)!r}"
    try:
        _refuse_no_file(path, named)
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=1)) as db:
            db.execute("PRAGMA query_only = ON")
            _refuse_unfit(db, FORMER[path.name], named)
    except (sqlite3.Error, OSError) as error:
        raise store_error(error, named, 1, path=path) from error


def take_in(former: sqlite3.Connection, name: str, db: Connection) -> None:
    """Write the rows of a former file to where those are kept now; what is there already stays as it is there."""
    version = _version(former)
    for old, now in FORMER[name].tables.items():
        if now.since <= version:
            for rows in _rows(former, version, old, now):
                add_missing(db, now.table, rows)


def move_away(path: Path) -> Path:
    """Give a file that was taken in another name, beside it; it is kept until somebody removes it. Raises OSError."""
    away, number = path.with_name(f"{path.name}.taken-in"), 1
    while os.path.lexists(away):
        number += 1
        away = path.with_name(f"{path.name}.taken-in-{number}")
    path.rename(away)
    folder = open_folder(path.parent)
    try:
        with optional():
            os.fsync(folder)
    finally:
        os.close(folder)
    return away


def _refuse_no_file(path: Path, named: str) -> None:
    if not path.is_file():
        raise StoreDamaged(f"{named} is no file; move it away")


def _refuse_unfit(db: sqlite3.Connection, former: _FormerFile, named: str) -> None:
    version = _version(db)
    if version > former.version:
        raise StoreError(f"{named} has version {version}: a newer daper wrote it; use that one, or move it away")
    found = [str(row[0]) for row in db.execute("PRAGMA quick_check(1)")]
    if found != ["ok"]:
        raise StoreDamaged(f"{named} is damaged ({'; '.join(found)[:200]}); restore it, or move it away")
    there = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    wanted = {name for name, table in former.tables.items() if version and table.since <= version}
    if not wanted <= there or (there and not version):
        lost = ", ".join(sorted(wanted - there)) or "no version"
        raise StoreDamaged(f"{named} is damaged: it lacks {lost}; restore it, or move it away")


def _rows(
    former: sqlite3.Connection, version: int, name: str, table: _FormerTable
) -> Iterator[list[Mapping[str, Any]]]:
    """In the order of writing, where they have one."""
    given = {column: value for column, (since, value) in table.later.items() if version < since}
    columns = [each.name for each in table.table.columns if each.name not in given and each.name != "sequence"]
    order = " ORDER BY rowid" if "sequence" in table.table.columns else ""
    found = former.execute(f"SELECT {', '.join(columns)} FROM {name}{order}")  # noqa: S608 - constants
    while rows := found.fetchmany(_ROWS_AT_ONCE):
        yield [dict(zip(columns, row, strict=True)) | given for row in rows]


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
