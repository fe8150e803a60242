"""The rows of an import between reading and writing: in a file without a name, so that memory holds a page of them."""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC
from decimal import Decimal
from typing import Final, NamedTuple, cast

import simplejson

from daper.domains.orders.allotment import turn
from daper.domains.orders.fields import Number, number
from daper.domains.orders.lookalikes import look
from daper.domains.orders.models import Order
from daper.domains.orders.world import ORDERS, STOCK, Raw
from daper.stores import jsontext

JUDGED: Final = "judged"
"""The collection of the orders that the store has once all is imported, as they are then."""

PAGE: Final = 500
_AT_ONCE: Final = 500


class Spooled(NamedTuple):
    """A row as it waits: where in its file it stood, and for each of its lines the same."""

    position: int
    place: str
    raw: Raw
    lines: Sequence[str]


class Spool:
    """Rows by collection, in the order in which they came; each also by its id. One thread at a time."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", check_same_thread=False, isolation_level=None)  # a file that nobody else sees
        self._db.execute("PRAGMA cache_size = -8192")
        for name in (ORDERS, STOCK, JUDGED):
            self._db.execute(
                f"CREATE TABLE {name}"
                " (position INTEGER PRIMARY KEY, id TEXT, look TEXT, place TEXT, data TEXT, lines TEXT)"
            )
            self._db.execute(f"CREATE INDEX {name}_by_id ON {name} (id)")
            self._db.execute(f"CREATE INDEX {name}_by_look ON {name} (look, id)")
        self._db.execute("CREATE TABLE claims (at TEXT, order_id TEXT, item TEXT, claim TEXT)")
        self._db.execute("CREATE TABLE ahead (order_id TEXT, item TEXT, quantity TEXT)")
        self._db.execute("CREATE TABLE taken (item TEXT PRIMARY KEY, quantity TEXT)")
        self._db.execute("BEGIN")
        self.extras: dict[str, Raw] = {}
        """By collection what stood around the list of its rows; nothing where there is no such document."""

    def add(self, collection: str, record_id: object, raw: Raw, *, place: str = "", lines: Sequence[str] = ()) -> None:
        """Put a row behind the others."""
        key = record_id if isinstance(record_id, str) else None
        sayable = None if key is None else _sayable(key)
        like = None if sayable is None else look(sayable)
        row = (sayable, like, place, jsontext.compact(raw), simplejson.dumps(lines) if lines else "")
        self._db.execute(f"INSERT INTO {collection} (id, look, place, data, lines) VALUES (?, ?, ?, ?, ?)", row)  # noqa: S608 - names of ours

    def put(self, collection: str, row: Spooled) -> None:
        """A row instead of the one in its place."""
        change = f"UPDATE {collection} SET data = ?, lines = ? WHERE position = ?"  # noqa: S608 - names of ours
        self._db.execute(change, (jsontext.compact(row.raw), simplejson.dumps(row.lines), row.position))

    def first(self, collection: str, record_id: str) -> Spooled | None:
        """The first row with this id."""
        query = f"SELECT position, place, data, lines FROM {collection} WHERE id = ? ORDER BY position LIMIT 1"  # noqa: S608 - names of ours
        found = self._db.execute(query, (_sayable(record_id),)).fetchone()
        return None if found is None else _spooled(found)

    def pages(self, collection: str) -> Iterator[list[Spooled]]:
        """All of them, a page at a time; rows that are put meanwhile are seen as they are then."""
        query = (
            f"SELECT position, place, data, lines FROM {collection} WHERE position > ? ORDER BY position LIMIT {PAGE}"  # noqa: S608 - names of ours
        )
        after = 0
        while page := [_spooled(found) for found in self._db.execute(query, (after,))]:
            after = page[-1].position
            yield page

    def find(self, collection: str, ids: Collection[str]) -> dict[str, Raw]:
        """The rows with these ids, those that there are."""
        found: dict[str, Raw] = {}
        wanted = sorted(map(_sayable, ids))
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            query = f"SELECT id, data FROM {collection} WHERE id IN ({','.join('?' * len(some))})"  # noqa: S608 - names of ours
            found |= {str(key): _parsed(data) for key, data in self._db.execute(query, some)}
        return found

    def ids(self, collection: str, ids: Collection[str]) -> frozenset[str]:
        """Those of these ids that there are."""
        found: set[str] = set()
        wanted = {_sayable(each): each for each in ids}
        keys = sorted(wanted)
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            query = f"SELECT id FROM {collection} WHERE id IN ({','.join('?' * len(some))})"  # noqa: S608 - names of ours
            found |= {wanted[str(key)] for (key,) in self._db.execute(query, some)}
        return frozenset(found)

    def twice(self, collection: str, most: int) -> Iterator[tuple[str, str, str]]:
        """Ids that are there again: the id, where it is, and where it was first."""
        query = (
            f"SELECT r.id, r.place, f.place FROM {collection} r JOIN (SELECT id, min(position) AS first"  # noqa: S608 - names of ours
            f" FROM {collection} WHERE id IS NOT NULL GROUP BY id HAVING count(*) > 1) g"
            " ON g.id = r.id AND r.position > g.first"
            f" JOIN {collection} f ON f.position = g.first ORDER BY r.position LIMIT ?"
        )
        yield from self._db.execute(query, (most,))

    def alike(self, collection: str, most: int) -> Iterator[tuple[str, str, str]]:
        """Ids that look like an earlier one: the id, where it is, and where the other one is."""
        query = (
            f"SELECT r.id, r.place, f.place FROM {collection} r JOIN (SELECT look, min(position) AS first"  # noqa: S608 - names of ours
            f" FROM {collection} WHERE look IS NOT NULL GROUP BY look HAVING count(DISTINCT id) > 1) g"
            " ON g.look = r.look"
            f" JOIN {collection} f ON f.position = g.first AND f.id <> r.id ORDER BY r.position LIMIT ?"
        )
        yield from self._db.execute(query, (most,))

    def take(self, item_id: str, quantity: Decimal) -> None:
        """Note that an order has so many of an item."""
        key = _sayable(item_id)
        self._db.execute(
            "INSERT INTO taken VALUES (?, ?) ON CONFLICT (item) DO UPDATE SET quantity = excluded.quantity",
            (key, str(self.taken(item_id) + quantity)),
        )

    def taken(self, item_id: str) -> Decimal:
        """How many of an item orders have."""
        found = self._db.execute("SELECT quantity FROM taken WHERE item = ?", (_sayable(item_id),)).fetchone()
        return Decimal(found[0]) if found else Decimal(0)

    def claim(self, order: Order) -> None:
        """Note what an open order takes from the stock."""
        at, order_id = turn(order)
        rows = (
            (at.astimezone(UTC).isoformat(), _sayable(order_id), _sayable(item), str(order.claim(item)))
            for item in order.quantities
        )
        self._db.executemany("INSERT INTO claims VALUES (?, ?, ?, ?)", rows)

    def forget_claims(self) -> None:
        """As if no order had claimed anything."""
        self._db.execute("DELETE FROM claims")
        self._db.execute("DELETE FROM ahead")

    def allot(self) -> None:
        """Find out what earlier orders take of each item, once all have claimed theirs."""
        taken: dict[str, Decimal] = {}
        ahead: list[tuple[str, str, str]] = []
        self._db.execute("CREATE INDEX IF NOT EXISTS claims_by_turn ON claims (at, order_id)")
        for order_id, item, claim in self._db.execute("SELECT order_id, item, claim FROM claims ORDER BY at, order_id"):
            if before := taken.get(item):
                ahead.append((order_id, item, str(before)))
            taken[item] = taken.get(item, Decimal(0)) + Decimal(claim)
            if len(ahead) >= PAGE:
                self._db.executemany("INSERT INTO ahead VALUES (?, ?, ?)", ahead)
                ahead.clear()
        self._db.executemany("INSERT INTO ahead VALUES (?, ?, ?)", ahead)
        self._db.execute("CREATE INDEX IF NOT EXISTS ahead_by_order ON ahead (order_id)")

    def ahead(self, order_ids: Collection[str]) -> dict[str, dict[str, Number]]:
        """By order and item how many of it earlier orders take."""
        found: dict[str, dict[str, Number]] = {}
        wanted = sorted(map(_sayable, order_ids))
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            query = f"SELECT order_id, item, quantity FROM ahead WHERE order_id IN ({','.join('?' * len(some))})"  # noqa: S608 - names of ours
            for order_id, item, quantity in self._db.execute(query, some):
                found.setdefault(order_id, {})[item] = number(Decimal(quantity))
        return found

    def count(self, collection: str) -> int:
        """How many rows there are."""
        return int(self._db.execute(f"SELECT count(*) FROM {collection}").fetchone()[0])  # noqa: S608 - names of ours

    def close(self) -> None:
        """Nothing is left of it."""
        self._db.close()


def _sayable(key: str) -> str:
    """SQLite takes no half of a surrogate pair; an id with one is refused later, by its place."""
    return key.encode("utf-8", "backslashreplace").decode()


def _spooled(found: tuple[int, str, str, str]) -> Spooled:
    position, place, data, lines = found
    return Spooled(int(position), place, _parsed(data), cast("list[str]", simplejson.loads(lines)) if lines else [])


def _parsed(data: str) -> Raw:
    # What `add` wrote: an object.
    return cast("Raw", simplejson.loads(data, use_decimal=True))
