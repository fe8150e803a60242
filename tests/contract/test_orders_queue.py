"""Who gets what is in stock: the same on every store, whichever orders are looked at, and whoever wrote them."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import simplejson

from daper.core.models import Finding, Scope
from daper.core.partition import Partition
from daper.domains.orders import rules
from daper.domains.orders.allotment import allotted
from daper.domains.orders.domain import OrdersDomain
from daper.domains.orders.json_keeping import JsonKeeping
from daper.domains.orders.models import Order, StockRow
from daper.domains.orders.sql_keeping import SqlKeeping, in_file, on_server
from daper.domains.orders.world import World
from daper.ports import OpenScan, Record
from daper.ports.store import OWN, StoreAbout
from daper.stores.sql.sqlite_database import SqliteDatabase
from tests.orders_on_server import with_tables
from tests.postgresql import PostgresqlServer

TODAY = datetime(2025, 6, 28, tzinfo=UTC)
Raw = dict[str, object]
STATUSES = (
    *("processing", "Processing", "pending-inventory", "new", "completed", "on-hold", "in-transit", "voided"),
    *("restock-ordered", "pending-payment", "refund_requested", None),
)
SHELVES = (0, -7, 3, 20, 60, 10_000, None)
STATES = ("ordered", "Ordered", "delivered", "cancelled", "partially-delivered", "", None)


def shop(seed: int, size: int) -> tuple[list[Raw], list[Raw]]:
    draw = random.Random(seed)
    items = [f"I-{n}" for n in range(6)]
    orders: list[Raw] = []
    for n in range(size):
        lines = [
            {"item_id": draw.choice(items), "quantity": draw.choice((1, 2, 3, 8, Decimal("0.1"), Decimal("1.5")))}
            for _ in range(draw.randrange(0, 4))
        ]
        date = TODAY - timedelta(hours=draw.randrange(200))
        written = draw.choice(
            (f"{date:%Y-%m-%d}", f"{date:%Y-%m-%dT%H:%M:%SZ}", f"{date:%Y-%m-%dT%H:%M:%S+02:00}", None)
        )
        restocks = [
            {"item_id": draw.choice(items), "quantity": draw.choice((1, 5)), "state": draw.choice(STATES)}
            | draw.choice(({}, {"taken": 1}))
            for _ in range(draw.choice((0, 0, 0, 1, 2)))
        ]
        order: Raw = {"order_id": f"O-{draw.randrange(10**6)}-{n}", "status": draw.choice(STATUSES), "items": lines}
        order |= {"order_date": written} | ({"restocks": restocks} if draw.random() < 0.8 else {})
        orders.append(order)
    rows: list[Raw] = [
        {
            "item_id": item,
            "current_stock": draw.choice((0, -7, 3, 20, 60, 10_000, None)),
            "supplier_contact": "s@x.example",
        }
        for item in items
    ]
    return orders, rows


@pytest.fixture(params=["json", "sqlite", "postgresql"])
def keeping(
    request: pytest.FixtureRequest, tmp_path: Path, postgresql: PostgresqlServer
) -> Iterator[JsonKeeping | SqlKeeping]:
    if request.param == "json":
        yield JsonKeeping(tmp_path / "shop")
    elif request.param == "sqlite":
        yield in_file(tmp_path / "shop" / "orders.db")
    else:
        yield on_server(with_tables(postgresql))


def domain_of(keeping: JsonKeeping | SqlKeeping, orders: list[Raw], rows: list[Raw], folder: Path) -> OrdersDomain:
    texts = {
        "orders.json": simplejson.dumps({"orders": orders}, use_decimal=True),
        "inventory.json": simplejson.dumps({"inventory": rows}, use_decimal=True),
    }
    keeping.install(texts, about=StoreAbout(dataset=OWN))
    return OrdersDomain(folder=folder, approvers=("a@x.example",), dataset="hogwarts", keepings=lambda _: keeping)


def by_definition(orders: list[Raw], rows: list[Raw]) -> set[tuple[str, str, str]]:
    """What the rules find with all orders before them."""
    typed = {str(raw["order_id"]): Order.model_validate(raw) for raw in orders}
    stock = {str(raw["item_id"]): StockRow.model_validate(raw) for raw in rows}
    world = World(orders=typed, stock=stock, versions={}, ahead=allotted(typed.values()))
    return told(rules.detect(world, TODAY))


def told(findings: Sequence[Finding]) -> set[tuple[str, str, str]]:
    return {
        (each.record_id, each.issue, " ".join(each.evidence)) for each in findings if each.kind == "inventory-short"
    }


async def looked(domain: OrdersDomain, scope: Scope) -> set[tuple[str, str, str]]:
    assert isinstance(domain, OpenScan)
    found: set[tuple[str, str, str]] = set()
    page = None
    while True:
        part = await domain.scan_open(scope, page)
        found |= told(domain.detect(part.records, TODAY))
        page = part.next_page
        if page is None:
            return found


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in (2, 3))])
async def test_pages_scopes_partitions_and_single_orders_all_find_the_same(
    keeping: JsonKeeping | SqlKeeping, tmp_path: Path, seed: int
) -> None:
    orders, rows = shop(seed, 1200)
    domain = domain_of(keeping, orders, rows, tmp_path / "shop")
    expected = by_definition(orders, rows)
    assert len(expected) > 100
    assert await looked(domain, Scope()) == expected
    parts = [await looked(domain, Scope(partition=Partition(number=n, of=3))) for n in (1, 2, 3)]
    assert set[tuple[str, str, str]]().union(*parts) == expected
    some = {str(raw["order_id"]) for raw in orders[::7]}
    records: tuple[Record, ...] = await domain.context(sorted(some))
    assert told(domain.detect(records, TODAY)) == {each for each in expected if each[0] in some}
    processing = {str(raw["order_id"]) for raw in orders if raw["status"] in ("processing", "Processing")}
    found = await looked(domain, Scope(status="processing"))
    assert found == {each for each in expected if each[0] in processing}


@pytest.mark.parametrize("keeping", ["sqlite", "postgresql"], indirect=True)
async def test_an_earlier_order_that_is_closed_by_hand_makes_room_for_the_later_one(
    keeping: JsonKeeping | SqlKeeping, tmp_path: Path
) -> None:
    """By a statement; a file is edited as a whole."""
    orders: list[Raw] = [
        {"order_id": name, "status": "processing", "order_date": date, "items": [{"item_id": "S", "quantity": 8}]}
        for name, date in (("later", "2025-06-27"), ("earlier", "2025-06-26"))
    ]
    domain = domain_of(keeping, orders, [{"item_id": "S", "current_stock": 10}], tmp_path / "shop")
    assert {each[0] for each in await looked(domain, Scope())} == {"later"}
    assert isinstance(keeping, SqlKeeping)
    [database] = keeping.databases()
    text_of = "CAST(data AS TEXT)" if isinstance(database, SqliteDatabase) else "data::text"
    kept = "%s" if "AS TEXT" in text_of else "(%s)::json"
    changed = kept % f"replace({text_of}, 'processing', 'cancelled')"
    with database.transaction() as db:
        db.exec_driver_sql(f"UPDATE daper_orders SET data = {changed} WHERE order_id = 'earlier'")  # noqa: S608 - names of ours
    assert await looked(domain, Scope()) == set()


@pytest.mark.parametrize(
    ("ordered", "kept", "how"),
    [
        ("CAFE\u0301-1", "CAF\u00c9-1", "stored in another way"),
        ("caf\u00e9-1", "CAF\u00c9-1", "upper and lower case"),
        ("IPHONE-12", "iPhone-12", "upper and lower case"),
        ("MUG 1", "MUG1", "blanks differ"),
        ("mug_1", "MUG-1", "only look the same"),
    ],
)
async def test_an_id_that_only_looks_like_one_of_the_inventory_is_told_with_it_and_not_held(
    keeping: JsonKeeping | SqlKeeping, tmp_path: Path, ordered: str, kept: str, how: str
) -> None:
    orders: list[Raw] = [
        {"order_id": "A", "status": "processing", "items": [{"item_id": ordered, "quantity": 1}]},
        {"order_id": "B", "status": "processing", "items": [{"item_id": "nothing like it", "quantity": 1}]},
    ]
    domain = domain_of(keeping, orders, [{"item_id": kept, "current_stock": 9}], tmp_path / "shop")
    for records in ((await domain.scan(Scope())).records, await domain.context(["A", "B"])):
        findings = domain.detect(records, TODAY)
        assert [(each.record_id, each.kind) for each in findings] == [("A", "unknown-item"), ("B", "unknown-item")]
        plan = domain.propose(findings, records)
        assert [(each.record_id, each.tool) for each in plan.proposals] == [("B", "hold_order")]
        reason = plan.for_person[findings[0].fingerprint]
        assert f"the inventory has {kept!r}" in reason
        assert how in reason
