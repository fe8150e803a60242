"""A shop exports its orders every day: what daper did stays, what the shop changed counts, in every kind of store."""

import copy
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, LiteralString, cast

import psycopg
import pytest

from daper.clock import timed_by
from daper.core.models import IdentityProof, Person, Scope
from daper.core.outcomes import Effect, OutcomeStatus
from daper.domains.orders.domain import STORES, OrdersDomain, open_domain
from daper.domains.orders.importing import draft as importing
from daper.domains.orders.json_keeping import JsonKnown
from daper.domains.orders.sql_keeping import KnownOrders
from daper.ports import ImportDraft, ImportWay, Replaced, Telling, ToolCall, Undoable
from daper.stores.sql.documents_merge import MergingDocuments
from tests.orders_on_server import with_tables
from tests.postgresql import PostgresqlServer

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
Raw = dict[str, object]


def order(order_id: str, status: str, item: str, quantity: int = 8, **fields: object) -> Raw:
    return {
        "order_id": order_id,
        "customer_name": "Luna Lovegood",
        "customer_id": "luna@owls.example",
        "order_date": "2026-11-25",
        "status": status,
        "items": [{"item_id": item, "item_name": item.title(), "quantity": quantity}],
        "total": 20,
        "payment_method": "Gringotts",
        **fields,
    }


def item(item_id: str, stock: int, **fields: object) -> Raw:
    return {
        "item_id": item_id,
        "item_name": item_id.title(),
        "current_stock": stock,
        "reorder_quantity": 300,
        "max_stock_level": 1000,
        "unit_cost": 1,
        "supplier_contact": "trade@supplier.example",
        **fields,
    }


ORDERS = [
    order("PAY", "payment-denied", "owl", 1),
    order("SHORT", "processing", "badge"),
    order("EGG", "processing", "egg", 1),
    order("BAD", "processing", "skull", 1),
    order("DONE", "completed", "owl", 1),
]
STOCK = [
    item("owl", 50),
    item("badge", 2),
    item("egg", 9, special_requirements="Ministry approval"),
    item("skull", 9, category="prohibited"),
]
# What a tool does first: it holds a row that it is going to change.
LOOKS: Final[Mapping[str, LiteralString]] = {
    "orders": "LOCK TABLE daper_orders IN ROW SHARE MODE NOWAIT",
    "inventory": "LOCK TABLE daper_inventory IN ROW SHARE MODE NOWAIT",
}
ARGUMENTS: Mapping[str, str] = {
    "PAY": "request_payment_update",
    "SHORT": "order_inventory",
    "EGG": "request_approval",
    "BAD": "hold_order",
}


@dataclass
class Shop:
    """Orders of somebody's own in one kind of store, and the files that come every day."""

    domain: OrdersDomain
    folder: Path
    orders: list[Raw] = field(default_factory=lambda: copy.deepcopy(ORDERS))
    stock: list[Raw] = field(default_factory=lambda: copy.deepcopy(STOCK))

    def row(self, record_id: str) -> Raw:
        return next(each for each in (*self.orders, *self.stock) if record_id in each.values())

    async def read(self, *, merge: bool = True) -> ImportDraft:
        files = self.folder / "o.json", self.folder / "i.json"
        for path, name, rows in zip(files, ("orders", "inventory"), (self.orders, self.stock), strict=True):
            path.write_text(json.dumps({name: rows}), encoding="utf-8")
        draft = await self.domain.read_import(files, now=NOW, way=ImportWay(merge=merge))
        assert draft.faults == ()
        return draft

    async def bring(self, *, merge: bool = True) -> Replaced:
        return await self.domain.import_records(await self.read(merge=merge), replace_own=True)

    async def proposed(self) -> dict[str, dict[str, object]]:
        """By order what the rules propose now."""
        records = (await self.domain.scan(Scope())).records
        found = self.domain.propose(self.domain.detect(records, NOW), records)
        return {each.record_id: {"tool": each.tool, "arguments": dict(each.arguments)} for each in found.proposals}

    async def act(self, order_id: str, key: str = "") -> Effect:
        call = await self.call(order_id, key)
        with timed_by(NOW):
            effect = await self.domain.tools[str((await self.proposed())[order_id]["tool"])].apply(call)
        assert effect.status is OutcomeStatus.APPLIED, effect
        return effect

    async def call(self, order_id: str, key: str = "") -> ToolCall:
        arguments = cast("Raw", (await self.proposed())[order_id]["arguments"])
        expected = {record.ref: record.version for record in await self.domain.context([order_id])}
        return ToolCall(
            key=key or f"key-{order_id}",
            record_id=order_id,
            arguments=cast("dict[str, str | int]", arguments),
            expected=expected,
            today=NOW,
        )

    async def there(self, order_id: str) -> Raw:
        return dict((await self.domain.context([order_id]))[0].data)


@pytest.fixture(params=STORES)
async def shop(tmp_path: Path, request: pytest.FixtureRequest) -> Shop:
    options = {"approvers": "a@b.example", "dataset": "hogwarts", "database_url": "", "store": request.param}
    if request.param == "postgresql":
        options["database_url"] = with_tables(request.getfixturevalue("postgresql"))
    domain = open_domain(tmp_path / "data", options)
    found = Shop(domain=domain, folder=tmp_path)
    await found.bring()
    return found


async def test_c1_the_same_files_again_ask_nobody_and_buy_nothing_again(shop: Shop) -> None:
    assert {each: made["tool"] for each, made in (await shop.proposed()).items()} == ARGUMENTS
    for order_id in ARGUMENTS:
        await shop.act(order_id)
    assert await shop.proposed() == {}
    before = [await shop.there(each) for each in ARGUMENTS]

    draft = await shop.read()
    done = await shop.domain.import_records(draft)

    assert draft.merge is not None
    assert (draft.merge.new, draft.merge.changed, draft.merge.same, draft.merge.laid_over) == (0, 0, 9, 4)
    assert (draft.same, done.changed, done.backup) == (True, False, None)
    assert [await shop.there(each) for each in ARGUMENTS] == before
    assert await shop.proposed() == {}


async def test_c1_a_replacement_lays_nothing_over_the_rows_and_has_all_proposed_again(shop: Shop) -> None:
    for order_id in ARGUMENTS:
        await shop.act(order_id)

    await shop.bring(merge=False)

    assert {each: made["tool"] for each, made in (await shop.proposed()).items()} == ARGUMENTS


async def test_c1_other_fields_change_under_what_was_done(shop: Shop) -> None:
    for order_id in ARGUMENTS:
        await shop.act(order_id)
        shop.row(order_id)["customer_name"] = "Luna Scamander"

    done = await shop.bring()

    assert done.changed
    assert done.backup
    assert await shop.proposed() == {}
    for order_id, status in (("PAY", "payment_update_requested"), ("SHORT", "restock-ordered"), ("BAD", "on-hold")):
        there = await shop.there(order_id)
        assert (there["customer_name"], there["status"]) == ("Luna Scamander", status)


@pytest.mark.parametrize(
    ("order_id", "changes", "said"),
    [
        ("PAY", {"total": 30}, "its total became 30"),
        ("PAY", {"payment_method": "Sickles"}, "its payment method became Sickles"),
        ("PAY", {"customer_id": "lovegood@owls.example"}, "its customer became lovegood@owls.example"),
        ("SHORT", {"items": [{"item_id": "badge", "quantity": 400}]}, "it needs 400 of badge, not 8"),
        ("EGG", {"items": [{"item_id": "egg", "quantity": 3}]}, "its restricted items became others"),
    ],
)
async def test_c1_where_facts_changed_it_is_proposed_again_and_said_what_was_done(
    shop: Shop, order_id: str, changes: Raw, said: str
) -> None:
    await shop.act(order_id)
    shop.row(order_id).update(changes)

    draft = await shop.read()
    await shop.domain.import_records(draft)

    assert draft.merge is not None
    [line] = draft.merge.said
    assert said in line
    assert "2026-11-29" in line
    assert (await shop.proposed())[order_id]["tool"] == ARGUMENTS[order_id]
    again = await shop.read()
    assert again.merge is not None
    assert again.merge.said == ()


async def test_c1_what_the_shop_moved_on_has_moved_on_and_is_not_bought_again_either(shop: Shop) -> None:
    for order_id in ARGUMENTS:
        await shop.act(order_id)
    for order_id in ("PAY", "SHORT"):
        shop.row(order_id)["status"] = "priority-processing"

    draft = await shop.read()
    await shop.domain.import_records(draft)

    assert draft.merge is not None
    assert len(draft.merge.said) == 2
    assert (await shop.there("PAY"))["status"] == (await shop.there("SHORT"))["status"] == "priority-processing"
    assert len(cast("list[Raw]", (await shop.there("SHORT"))["restocks"])) == 1
    assert await shop.proposed() == {}


async def test_c1_what_was_told_stays_while_the_files_come_as_before(shop: Shop) -> None:
    by = Person(name="Luna", how=IdentityProof.OS_USER)
    for order_id, fact in (("PAY", "paid"), ("SHORT", "delivered"), ("EGG", "approved")):
        await shop.act(order_id)
        await shop.domain.tell(Telling(record_id=order_id, fact=fact, by=by, door="test"))
    before = [await shop.there(each) for each in ("PAY", "SHORT", "EGG")]
    assert [each["status"] for each in before] == ["processing", "processing", "approved-preparing-shipment"]
    shop.row("PAY")["customer_name"] = "Luna Scamander"

    await shop.bring()

    told = await shop.there("PAY")
    assert (told["status"], told["customer_name"]) == ("processing", "Luna Scamander")
    assert told["status_history"] == before[0]["status_history"]
    assert [await shop.there(each) for each in ("SHORT", "EGG")] == before[1:]
    assert [*await shop.proposed()] == ["BAD"]


async def test_c1_goods_that_have_come_end_the_wait_and_the_order_is_the_shop_s_again(shop: Shop) -> None:
    await shop.act("SHORT")
    shop.row("badge")["current_stock"] = 302

    await shop.bring()

    assert (await shop.there("SHORT"))["status"] == "processing"
    assert "SHORT" not in await shop.proposed()


async def test_c1_a_restock_for_the_later_of_two_orders_waits_on_after_the_next_import(shop: Shop) -> None:
    shop.orders.append(order("LATER", "processing", "owl", 45, order_date="2026-11-26"))
    shop.orders.append(order("FIRST", "processing", "owl", 45, order_date="2026-11-20"))
    await shop.bring()
    assert {"LATER", "FIRST"} & (await shop.proposed()).keys() == {"LATER"}
    await shop.act("LATER")

    draft = await shop.read()

    assert draft.merge is not None
    assert (draft.same, draft.merge.said, draft.merge.laid_over) == (True, (), 1)


async def test_c1_what_was_undone_is_not_laid_over(shop: Shop) -> None:
    call = await shop.call("SHORT")
    effect = await shop.act("SHORT")
    tool = shop.domain.tools["order_inventory"]
    assert isinstance(tool, Undoable)
    assert (await tool.undo(call, effect, key="undo")).status is OutcomeStatus.UNDONE

    draft = await shop.read()

    assert draft.merge is not None
    assert (draft.merge.laid_over, draft.merge.said, draft.same) == (0, (), True)


async def test_new_orders_come_behind_the_others_and_those_that_do_not_come_stay(shop: Shop) -> None:
    gone = shop.row("DONE")
    shop.orders.remove(gone)
    shop.orders.insert(0, order("NEW", "processing", "owl", 1))

    draft = await shop.read()
    await shop.domain.import_records(draft)

    assert draft.merge is not None
    assert (draft.merge.new, draft.merge.changed, draft.merge.same, draft.merge.missing) == (1, 0, 8, 1)
    found = (await shop.domain.scan(Scope())).records
    ids = [record.record_id for record in found if record.ref.startswith("orders/")]
    assert ids == ["PAY", "SHORT", "EGG", "BAD", "DONE", "NEW"]


async def test_the_problems_of_an_import_are_those_of_all_orders_that_the_store_then_has(shop: Shop) -> None:
    await shop.act("SHORT")  # what is laid over an order counts too
    shop.orders.append(order("EARLY", "processing", "owl", 40, order_date="2026-11-20"))
    await shop.bring()
    shop.orders = [each for each in shop.orders if each["order_id"] not in {"EARLY", "PAY"}]
    shop.orders.append(order("NEXT", "processing", "owl", 20))  # short, for EARLY is served first
    draft = await shop.read()
    await shop.domain.import_records(draft, replace_own=True)
    found = shop.domain.detect((await shop.domain.scan(Scope())).records, NOW)

    assert {"PAY", "NEXT"} <= {each.record_id for each in found}
    assert draft.problems == dict(Counter(each.kind for each in found))
    assert draft.suspects == len({each.record_id for each in found})


async def test_a_long_look_at_the_files_leaves_the_database_in_no_doubt_that_somebody_is_there(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cuts off who says nothing for a minute, and the files alone may take longer."""
    said: list[str] = []

    def touched(_: object) -> None:
        said.append("touched")

    for known in (KnownOrders, JsonKnown):
        monkeypatch.setattr(known, "touch", touched)
    files = shop.folder / "o.json", shop.folder / "i.json"
    shop.orders += [order(f"MORE-{number}", "processing", "owl", 1) for number in range(1100)]
    await shop.read()  # which writes them
    said.clear()

    way = ImportWay(merge=True, tell=lambda what, _, __: said.append(what))
    await shop.domain.read_import(files, now=NOW, way=way)

    told = said[1::2]
    assert said[::2] == ["touched"] * len(told)
    assert Counter(told) == {
        "reading o.json": 4,
        "reading i.json": 2,
        "looking over": 4,
        "comparing with the records that are there": 3,
        "finding out who gets what": 3,
        "looking for problems": 3,
    }


async def test_a_plan_of_before_runs_where_its_records_are_the_same_and_nowhere_else(shop: Shop) -> None:
    calls = {order_id: await shop.call(order_id) for order_id in ("PAY", "SHORT")}
    shop.row("PAY")["customer_name"] = "Luna Scamander"
    await shop.bring()

    done = {each: await shop.domain.tools[ARGUMENTS[each]].apply(call) for each, call in calls.items()}

    assert (done["PAY"].status, done["SHORT"].status) == (OutcomeStatus.STALE, OutcomeStatus.APPLIED)


async def test_what_is_done_between_the_look_and_the_import_is_laid_over_too(shop: Shop) -> None:
    draft = await shop.read()
    await shop.act("PAY")

    await shop.domain.import_records(draft)

    assert (await shop.there("PAY"))["status"] == "payment_update_requested"


async def test_an_effect_of_before_is_once_after_an_import_too(shop: Shop) -> None:
    call = await shop.call("SHORT")
    await shop.act("SHORT")
    shop.row("SHORT")["customer_name"] = "Luna Scamander"
    await shop.bring()

    assert (await shop.domain.tools["order_inventory"].apply(call)).status is OutcomeStatus.ALREADY_APPLIED
    assert len(cast("list[Raw]", (await shop.there("SHORT"))["restocks"])) == 1


async def test_c1_what_the_ledger_knows_of_a_record_is_told_also_after_a_replacement(shop: Shop) -> None:
    for order_id in ("PAY", "SHORT"):
        await shop.act(order_id)
    await shop.bring(merge=False)

    known = await shop.domain.done_before(["PAY", "SHORT", "EGG", "NOBODY"])

    assert known == {
        "PAY": ("wrote to customer 'luna@owls.example' to see to the payment, on 2026-11-29",),
        "SHORT": ("wrote to trade@supplier.example to order 300 x 'badge', on 2026-11-29",),
    }


@pytest.mark.parametrize("merge", [True, False])
async def test_an_import_that_is_stopped_on_the_way_leaves_all_as_it_was(
    shop: Shop, merge: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "KEPT_AS_WRITTEN", 10)  # also what replaces goes row by row
    await shop.act("SHORT")
    before = {each: await shop.there(each) for each in ARGUMENTS}
    for each in ("PAY", "SHORT", "EGG", "BAD"):
        shop.row(each)["customer_name"] = "Nobody"
    draft = await shop.read(merge=merge)

    def stop(what: str, done: int, of: int) -> None:
        if done == of:
            raise RuntimeError("pulled the plug")

    with pytest.raises(RuntimeError, match="pulled the plug"):
        await shop.domain.import_records(draft, replace_own=True, tell=stop)

    assert {each: await shop.there(each) for each in ARGUMENTS} == before
    await shop.bring(merge=merge)
    assert (await shop.there("PAY"))["customer_name"] == "Nobody"


async def test_nobody_changes_a_row_between_the_look_at_it_and_the_change_of_it(
    tmp_path: Path, postgresql: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = with_tables(postgresql)
    options = {"approvers": "a@b.example", "dataset": "hogwarts", "database_url": url, "store": "postgresql"}
    shop = Shop(domain=open_domain(tmp_path / "data", options), folder=tmp_path)
    await shop.bring()
    shop.row("PAY")["customer_name"] = "Luna Scamander"
    put, refused = MergingDocuments.put, list[str]()

    def put_and_look(self: MergingDocuments, collection: str, changed: Mapping[str, Raw], fresh: list[Raw]) -> None:
        with psycopg.connect(url) as other:
            try:
                other.execute(LOOKS[collection])
            except psycopg.errors.LockNotAvailable:
                refused.append(collection)
        put(self, collection, changed, fresh)

    monkeypatch.setattr(MergingDocuments, "put", put_and_look)
    await shop.bring()

    assert refused == ["inventory", "orders"]
    assert (await shop.there("PAY"))["customer_name"] == "Luna Scamander"
