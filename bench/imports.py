"""`daper records import` of ever more orders: rows in a second and memory, beside a bare reader and writer of the rows.

Each import is a command of its own: a first one of two JSON files, one that brings a tenth of them up to date, and a
first one of a CSV file that a mapping reads.
"""

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.shop_exports import SHOPIFY_COLUMNS

from bench.big_shop import BigShop
from bench.commands import DAPER, environment
from bench.figures import Table, mb, ratio
from bench.measurement import Measurement
from bench.places import NAMES, POSTGRESQL, STORES, Place, open_places
from daper.domains.orders.world import ORDERS, STOCK
from daper.stores import jsontext

_PROBLEMS: Final = 100
_CHANGED_EVERY: Final = 10
_WAYS: Final = ("two JSON files", "the same, a tenth changed", "CSV by a mapping")


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many orders, the fewest first."""

    orders: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Files:
    """What is imported."""

    orders: Path
    changed: Path
    table: Path
    stock: Path

    def words(self, way: str) -> tuple[str, ...]:
        """The words of the command for one of the ways."""
        orders = {_WAYS[0]: self.orders, _WAYS[1]: self.changed, _WAYS[2]: self.table}[way]
        mapping = ("--mapping", "shopify") if way == _WAYS[2] else ()
        return ("records", "import", str(orders), str(self.stock), *mapping, "--yes")


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a command took, and the most memory that it had."""

    seconds: float
    most: int


def written(folder: Path, orders: int) -> Files:
    """The files of a shop, a row at a time."""
    folder.mkdir()
    shop = BigShop(orders=orders, problems=min(_PROBLEMS, orders))
    files = Files(**{name: folder / f"{name}.{'csv' if name == 'table' else 'json'}" for name in _NAMES})
    with (
        files.orders.open("wb") as plain,
        files.changed.open("wb") as changed,
        files.table.open("w", encoding="utf-8", newline="") as text,
    ):
        table = csv.DictWriter(text, SHOPIFY_COLUMNS, restval="")
        table.writeheader()
        for number, order in enumerate(shop.rows()[ORDERS]):
            before = b",\n" if number else b"[\n"
            plain.write(before + jsontext.compact(order).encode())
            other = {**order, "notes": "come to the back door"} if number % _CHANGED_EVERY == 0 else order
            changed.write(before + jsontext.compact(other).encode())
            table.writerow(_as_exported(order))
        plain.write(b"]")
        changed.write(b"]")
    files.stock.write_text(json.dumps([_plain(row) for row in shop.rows()[STOCK]]), "utf-8")
    return files


_NAMES: Final = ("orders", "changed", "table", "stock")


def _plain(row: Mapping[str, object]) -> dict[str, object]:
    return {name: float(str(value)) if name == "unit_cost" else value for name, value in row.items()}


def _as_exported(order: Mapping[str, object]) -> dict[str, object]:
    return {
        "Name": order["order_id"],
        "Email": "luna@owls.example",
        "Financial Status": "paid",
        "Fulfillment Status": "fulfilled",
        "Currency": "GBP",
        "Subtotal": "25.00",
        "Total": "25.00",
        "Created at": "2026-11-20 16:20:00 +0100",
        "Lineitem quantity": "2",
        "Lineitem name": "Article",
        "Lineitem price": "12.50",
        "Lineitem sku": "GDS-0001",
        "Billing Name": order["customer_name"],
    }


def run(command: Sequence[str], *, env: Mapping[str, str]) -> Ran:
    """A command to its end, which has to be a good one."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds, process.returncode = time.perf_counter() - began, os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Ran(seconds=seconds, most=used.ru_maxrss * 1024)


def imported(place: Place, files: Files) -> dict[str, Ran]:
    """Every way, one after another; the last one takes the place of all that is there."""
    env = {**environment(place.home), "DAPER_HOME": str(place.home), **place.environ}
    place.home.mkdir(parents=True)
    if place.store == POSTGRESQL:
        run([DAPER, "db", "upgrade"], env=env)
    run([DAPER, "records", "list", "--first", "1"], env=env)
    first, second, table = _WAYS
    return {
        first: run([DAPER, *files.words(first)], env=env),
        second: run([DAPER, *files.words(second)], env=env),
        table: run([DAPER, *files.words(table), "--replace"], env=env),
    }


def bare(files: Files, env: Mapping[str, str]) -> Ran:
    """All rows read as a whole, and written to a SQLite file as they are."""
    began = time.perf_counter()
    command = [sys.executable, "-c", _BARE, str(files.orders), str(files.orders.with_suffix(".db"))]
    ran = subprocess.run(command, env=dict(env), check=True, stdin=subprocess.DEVNULL, capture_output=True)
    # What the system says of so small a process has in it what this one had when it was begun.
    return Ran(seconds=time.perf_counter() - began, most=int(ran.stdout) * 1024)


_BARE: Final = """
import json, sqlite3, sys
rows = json.load(open(sys.argv[1], "rb"))
db = sqlite3.connect(sys.argv[2])
db.execute("CREATE TABLE orders (id TEXT PRIMARY KEY, data TEXT)")
db.executemany("INSERT INTO orders VALUES (?, ?)", ((row["order_id"], json.dumps(row)) for row in rows))
db.commit()
[most] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(most)
"""


async def measure(root: Path, size: Size) -> AsyncGenerator[Table]:
    """Every store, from the fewest orders on."""
    fewest, most = min(size.orders), max(size.orders)
    files = {orders: written(root / f"files-{orders}", orders) for orders in (fewest, most)}
    beside = {orders: bare(files[orders], environment(root)) for orders in files}
    with open_places(root, STORES) as places:
        rows = [_row("bare", beside, fewest, most)]
        for store in STORES:
            ran = {orders: imported(places.new(store), files[orders]) for orders in files}
            rows += [
                _row(f"{NAMES[store]}: {way}", {orders: ran[orders][way] for orders in files}, fewest, most)
                for way in _WAYS
            ]
        yield Table(
            about=f"From {fewest:,} to {most:,} orders, with an inventory of 1,000 items; the start of the command is "
            "in all of it. Bare: a program that holds all of the JSON, and writes each row to SQLite unseen.",
            columns=(
                "store: files",
                "rows a second, of few",
                "of many",
                "of that of few",
                "most memory, of few",
                "of many",
                "of that of few",
            ),
            rows=tuple(rows),
        )


def _row(name: str, ran: Mapping[int, Ran], fewest: int, most: int) -> tuple[str, ...]:
    speeds = {orders: orders / ran[orders].seconds for orders in (fewest, most)}
    return (
        name,
        f"{speeds[fewest]:,.0f}",
        f"{speeds[most]:,.0f}",
        ratio(speeds[most], speeds[fewest]),
        mb(ran[fewest].most),
        mb(ran[most].most),
        ratio(ran[most].most, ran[fewest].most),
    )


if __name__ == "__main__":
    Measurement(
        about=__doc__ or "",
        measure=measure,
        whole=Size(orders=(10_000, 100_000)),
        quick=Size(orders=(100, 500)),
    ).main()
