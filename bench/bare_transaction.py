"""What one effect costs without daper: the same statements in one transaction, by the plain driver, on the same tables.

They write rows of a store `bare`, and change an order that no repair touches.
"""

import json
import sqlite3
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from typing import Final, Protocol, cast

import psycopg

from bench.places import POSTGRESQL, SQLITE, Place

_ORDER: Final = "SELECT position, {data}, version, order_id, status FROM daper_orders WHERE order_id = %s"
_STOCK: Final = "SELECT position, {data}, version, item_id FROM daper_inventory WHERE item_id IN (%s, %s, %s)"
_LOCKED: Final = " ORDER BY item_id FOR UPDATE"


class Database(Protocol):
    """A connection of either driver, as far as it matters here."""

    def execute(self, statement: str, values: tuple[object, ...] = (), /) -> "Rows":
        """Run a statement."""
        ...


class Rows(Protocol):
    """What it found."""

    def fetchall(self) -> list[tuple[object, ...]]:
        """All of it."""
        ...


class BareTransaction:
    """Transactions on one connection that stays open, each with rows as long as those of an effect."""

    def __init__(self, db: Database, *, server: bool) -> None:
        self._db = db
        self._server = server
        self._number = 0
        [[self._row]] = self._all("SELECT row FROM daper_ledger LIMIT 1")
        [[self._message]] = self._all("SELECT message FROM daper_outbox LIMIT 1")

    def run(self, order_id: str) -> float:
        """Seconds that one takes, until it is on the disk."""
        self._number += 1
        key, began = f"bare-{self._number}", time.perf_counter()
        self._all("BEGIN" if self._server else "BEGIN IMMEDIATE")
        if self._server:
            self._all("SELECT pg_advisory_xact_lock(hashtextextended(%s, 7403))", key)
        self._all("SELECT about FROM daper_store WHERE name = %s", "orders")
        self._all("SELECT row FROM daper_ledger WHERE store = %s AND key = %s", "bare", key)
        [[position, data, version, *_]] = self._all(_ORDER + (" FOR UPDATE" if self._server else ""), order_id)
        order = cast("dict[str, object]", json.loads(str(data)))
        items = [line["item_id"] for line in cast("list[dict[str, object]]", order["items"])]
        self._all(_STOCK + (_LOCKED if self._server else ""), *items)
        fresh = json.dumps({**order, "notes": key}, separators=(",", ":"))
        self._all("UPDATE daper_orders SET data = %s WHERE position = %s AND version = %s", fresh, position, version)
        self._all("SELECT version FROM daper_orders WHERE position = %s", position)
        self._all("INSERT INTO daper_ledger VALUES (%s, %s, %s, %s)", "bare", key, order_id, self._row)
        self._all("INSERT INTO daper_outbox (store, key, message) VALUES (%s, %s, %s)", "bare", key, self._message)
        self._all("COMMIT")
        return time.perf_counter() - began

    def _all(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        if self._server:
            done = cast(
                "psycopg.Cursor[tuple[object, ...]]", self._db.execute(statement.format(data="data::text"), values)
            )
            return done.fetchall() if done.description else []
        return self._db.execute(statement.replace("%s", "?").format(data="data"), values).fetchall()


@contextmanager
def open_bare_transaction(place: Place) -> Generator[BareTransaction]:
    """On the database of a place, in which there has been an effect."""
    if place.store == SQLITE:
        with closing(sqlite3.connect(place.file, timeout=60, isolation_level=None)) as db:
            db.execute("PRAGMA synchronous = EXTRA")
            yield BareTransaction(cast("Database", db), server=False)
        return
    assert place.store == POSTGRESQL, place.store
    with psycopg.connect(place.url, autocommit=True) as connection:
        yield BareTransaction(cast("Database", connection), server=True)
