"""Any of the records are shown, and found by a text, in every kind of store, without reading the others."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from daper.clock import utc_now
from daper.core.models import Scope
from daper.domains.orders import shipped
from daper.domains.orders.domain import OrdersDomain, open_domain
from daper.domains.orders.importing.draft import ABOUT
from daper.domains.orders.sql_keeping import BRANCHES, SqlKeeping
from daper.ports import Browsable, Window
from daper.service.records import RecordsService
from daper.service.selection import RecordFilter
from daper.stores.sql.document_rows import DocumentRows
from daper.stores.sql.engine import Branch
from daper.stores.sql.sqlite_database import SqliteDatabase
from daper.stores.sql.upgrading import upgrade
from tests.orders_on_server import with_tables

KINDS = ("json", "sqlite", "postgresql")
NAMES = (
    "Ada Lovelace",
    "ÄRGER Müller",
    "\uff26\uff55\uff4c\uff4c Width",
    "\u202eHidden",
    "100% _cotton_",
    "ada byron",
    "x" * 400,
    "Zoë",
)
NOW = utc_now()


def orders(names: tuple[str, ...] = NAMES) -> dict[str, Any]:
    given = json.loads(shipped.texts("hogwarts")["orders.json"])
    (one, *_), closed = given["orders"], ("Shipped", "Payment Denied")
    made = [
        {**one, "order_id": f"ORD-{at:03}", "customer_name": name, "status": closed[at % 2]}
        for at, name in enumerate(names)
    ]
    return {**given, "orders": made}


def contents(names: tuple[str, ...] = NAMES) -> Mapping[str, bytes]:
    texts = shipped.texts("hogwarts")
    return {"orders.json": json.dumps(orders(names)).encode(), "inventory.json": texts["inventory.json"].encode()}


@pytest.fixture(params=KINDS)
def domain(request: pytest.FixtureRequest, tmp_path: Path) -> OrdersDomain:
    """A shop with these customers."""
    url = ""
    if request.param == "postgresql":
        url = with_tables(request.getfixturevalue("postgresql"))
    options = {"approvers": "a@b.c", "dataset": "hogwarts", "store": request.param, "database_url": url}
    opened = open_domain(tmp_path, options)
    opened._kept.keeping.install(shipped.texts("hogwarts"), about=shipped.about("hogwarts"))  # pyright: ignore[reportPrivateUsage]
    opened._kept.keeping.replace(contents(), about=ABOUT, only=None)  # pyright: ignore[reportPrivateUsage]
    return opened


async def ids(domain: Browsable, window: Window, scope: Scope | None = None) -> list[str]:
    view = await domain.browse(scope or Scope(), window)
    return [record.record_id for record in view.records if record.ref.startswith("orders/")]


async def test_pages_go_on_from_any_record_and_back(domain: OrdersDomain) -> None:
    first = await domain.browse(Scope(), Window(most=3))
    assert (first.total, first.earlier, first.later) == (len(NAMES), False, True)
    assert await ids(domain, Window(most=3)) == ["ORD-000", "ORD-001", "ORD-002"]
    assert await ids(domain, Window(most=3, after="ORD-002")) == ["ORD-003", "ORD-004", "ORD-005"]
    assert await ids(domain, Window(most=3, before="ORD-006")) == ["ORD-003", "ORD-004", "ORD-005"]
    assert await ids(domain, Window(most=9, skip=6)) == ["ORD-006", "ORD-007"]
    last = await domain.browse(Scope(), Window(most=3, after="ORD-005"))
    assert (last.earlier, last.later) == (True, False)
    front = await domain.browse(Scope(), Window(most=3, before="ORD-002"))
    assert (front.earlier, front.later) == (False, True)
    assert await ids(domain, Window(most=2, after="no such order")) == ["ORD-000", "ORD-001"]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("ada", ["ORD-000", "ORD-005"]),
        ("ärger", ["ORD-001"]),
        ("MÜLLER", ["ORD-001"]),
        ("full", ["ORD-002"]),
        ("<u+202e>hid", ["ORD-003"]),
        ("100%", ["ORD-004"]),
        ("_cotton_", ["ORD-004"]),
        ("%", ["ORD-004"]),
        ("ord-007", ["ORD-007"]),
        ("zoË", ["ORD-007"]),
        ("nobody", []),
        ("\0", []),
        ("'; DROP TABLE daper_orders --", []),
    ],
)
async def test_a_text_is_found_whatever_its_case_and_never_a_pattern(
    domain: OrdersDomain, search: str, found: list[str]
) -> None:
    view = await domain.browse(Scope(), Window(most=50, search=search))
    assert await ids(domain, Window(most=50, search=search)) == found
    assert view.total == len(found)
    assert (await ids(domain, Window(most=1, search=search))) == found[:1]
    assert (await ids(domain, Window(most=1, search=search, before="zzz"))) == found[:1]


async def test_what_is_found_is_in_order_both_ways_and_within_a_status(domain: OrdersDomain) -> None:
    assert await ids(domain, Window(most=2, search="ord", after="ORD-001")) == ["ORD-002", "ORD-003"]
    assert await ids(domain, Window(most=2, search="ord", before="ORD-004")) == ["ORD-002", "ORD-003"]
    assert await ids(domain, Window(most=9, search="a"), Scope(status="payment denied")) == ["ORD-005"]
    assert await ids(domain, Window(most=9, only_open=True)) == ["ORD-001", "ORD-003", "ORD-005", "ORD-007"]


async def test_a_far_page_of_a_list_reads_only_that_page(domain: OrdersDomain, monkeypatch: pytest.MonkeyPatch) -> None:
    async def reads_all(*_: object, **__: object) -> None:
        raise AssertionError("all records were read")

    monkeypatch.setattr(domain, "scan", reads_all)
    service = RecordsService(domains={"orders": domain})
    far = await service.list("orders", Scope(), now=NOW, first=6, most=1)
    searched = await service.list("orders", Scope(), now=NOW, wanted=RecordFilter(search="ada"))
    assert ([line.head.record_id for line in far.records], far.total) == (["ORD-006"], len(NAMES))
    assert ([line.head.record_id for line in searched.records], searched.total) == (["ORD-000", "ORD-005"], 2)


async def test_a_page_of_problems_looks_at_a_part_and_says_where_to_go_on(domain: OrdersDomain) -> None:
    service = RecordsService(domains={"orders": domain})
    wanted = RecordFilter(with_problems=True)
    first = await service.page("orders", Scope(), Window(most=1), now=NOW, wanted=wanted)
    rest = await service.page("orders", Scope(), Window(most=9, after=first.after), now=NOW, wanted=wanted)
    whole = await service.page("orders", Scope(), Window(most=9), now=NOW, wanted=wanted)
    assert [*first.records, *rest.records] == [*whole.records]
    assert (first.total, first.after, whole.total, whole.after) == (None, "ORD-001", len(whole.records), "")
    assert all(line.problems for line in whole.records)


async def test_a_page_of_problems_counts_no_records(domain: OrdersDomain, monkeypatch: pytest.MonkeyPatch) -> None:
    def counted(*_: object, **__: object) -> int:
        raise AssertionError("all records were counted")

    monkeypatch.setattr(DocumentRows, "count", counted)
    service = RecordsService(domains={"orders": domain})
    page = await service.page("orders", Scope(), Window(most=9), now=NOW, wanted=RecordFilter(with_problems=True))
    assert page.records


async def test_orders_of_an_earlier_version_are_found_after_the_upgrade(tmp_path: Path) -> None:
    former = tuple(
        Branch(name=each.name, head="orders_0001", scripts=each.scripts, create=each.create)
        if each.name == "orders"
        else each
        for each in BRANCHES
    )
    old = SqliteDatabase(tmp_path / "orders.db", former, what="the orders")
    upgrade(old)
    with old.transaction() as db:
        for order in orders()["orders"]:
            db.execute(text("INSERT INTO daper_orders (data) VALUES (:data)"), {"data": json.dumps(order)})
        before = db.execute(text("SELECT position, version, data FROM daper_orders")).all()
    keeping = SqlKeeping(SqliteDatabase(tmp_path / "orders.db", BRANCHES, what="the orders"))
    with keeping.tables.database.transaction() as db:
        keeping.tables.write_about(db, ABOUT)
        assert db.execute(text("SELECT position, version, data FROM daper_orders")).all() == before
    found = keeping.browse(Scope(), Window(most=9, search="ada"))
    assert [record.record_id for record in found.records if record.ref.startswith("orders/")] == ["ORD-000", "ORD-005"]
