"""A connection to a declared database by its plain driver: statements, rows a few at a time, and transactions."""

import sqlite3
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
import pymysql
import pymysql.cursors

from daper.stores.rows.address import MYSQL, POSTGRESQL, SQLITE

_AT_ONCE: Final = 500
_BEGIN: Final = {
    SQLITE: ("BEGIN IMMEDIATE",),
    POSTGRESQL: ("BEGIN ISOLATION LEVEL SERIALIZABLE",),
    MYSQL: ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "START TRANSACTION"),
}


class BareRows:
    """One connection that stays open until the end of a block. Values stand in a statement as `?`."""

    def __init__(self, kind: str, url: str) -> None:
        self.kind = kind
        self._db = _connected(kind, url)

    def __enter__(self) -> "BareRows":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._db.close()

    def run(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """All rows that a statement gives."""
        cursor = self._db.cursor()
        cursor.execute(self._written(statement), values)
        return list(cursor.fetchall()) if cursor.description else []

    def rows(self, statement: str) -> Iterator[tuple[object, ...]]:
        """The rows of a statement, of which 500 at a time are here."""
        if self.kind == POSTGRESQL:
            self.run("BEGIN")
            cursor = self._db.cursor("bare")
        else:
            cursor = self._db.cursor(pymysql.cursors.SSCursor) if self.kind == MYSQL else self._db.cursor()
        cursor.execute(self._written(statement))
        while part := cursor.fetchmany(_AT_ONCE):
            yield from part
        cursor.close()
        if self.kind == POSTGRESQL:
            self.run("COMMIT")

    def begin(self) -> None:
        """Begin a transaction as daper's changes are."""
        for statement in _BEGIN[self.kind]:
            self.run(statement)

    def _written(self, statement: str) -> str:
        return statement if self.kind == SQLITE else statement.replace("%", "%%").replace("?", "%s")


# Any: three drivers, of which one has no types.
def _connected(kind: str, url: str) -> Any:
    parts = urlsplit(url)
    if kind == SQLITE:
        db = sqlite3.connect(parts.path[1:], isolation_level=None, timeout=60)
        db.execute("PRAGMA synchronous = EXTRA")
        return db
    if kind == POSTGRESQL:
        return psycopg.connect(url, autocommit=True)
    return pymysql.connect(
        host=parts.hostname or "",
        port=parts.port or 0,
        user=parts.username,
        password=parts.password or "",
        database=parts.path[1:],
        autocommit=True,
        charset="utf8mb4",
    )
