"""What the records of real shops have: other words, restocks that failed, histories out of order."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import simplejson
from orders_shop import BADGES, own_shop, shipped_shop
from test_orders_rules import LINE, TODAY, domain, found, kinds, order, proposed, short, stock

from daper.clock import timed_by
from daper.core.models import Proposal, Scope
from daper.core.outcomes import Effect, OutcomeStatus
from daper.domains.orders.domain import OrdersDomain, open_domain
from daper.domains.orders.importing.doubts import about_order
from daper.domains.orders.json_keeping import JsonKeeping
from daper.domains.orders.models import Order
from daper.domains.orders.sql_keeping import in_file
from daper.domains.orders.statuses import KNOWN, RESTOCK_DELIVERED, RESTOCK_FAILED, RESTOCK_ORDERED, normal
from daper.ports import LedgerRow, Record, ToolCall, Undoable
from daper.ports.store import OWN, StoreAbout

WORDS = ("voided", "complete", "draft", "Cancelled by customer", "fulfilled", "done", "expired", "archived", "x" * 200)


@pytest.mark.parametrize("status", WORDS)
def test_an_unknown_status_is_left_to_a_person_whatever_the_stock(status: str) -> None:
    for row in (stock(), short(0), short(0, special_requirements={"ministry_approval": True}), stock("Y")):
        records = (order(status=status), row)
        assert kinds(*records) == ["unknown-status"]
        actions, [reason] = proposed(*records)
        assert actions == []
        assert "nothing is done to the order before" in reason
    [finding] = found(order(status=status), short(0))
    assert any("3 of Kettle (X) are needed, 0 are available." in line for line in finding.evidence)


@pytest.mark.parametrize("tool", ["order_inventory", "request_approval", "request_payment_update", "hold_order"])
def test_no_tool_overwrites_an_unknown_status_whoever_proposes_it(tool: str) -> None:
    records = (order(status="voided"), short(0, status="prohibited", special_requirements={"ministry_approval": True}))
    terms = domain().terms(
        Proposal(record_id="O-1", tool=tool, arguments={"inventory_to_order": "X"}, answers=()), records
    )
    assert (terms.limits, terms.obstacle) == (
        {},
        "order 'O-1' has the status 'voided', which is not known here; nothing is done to it",
    )


async def test_a_restock_that_was_approved_before_the_status_became_an_unknown_one_is_refused(tmp_path: Path) -> None:
    shop = await own_shop(tmp_path / "own")
    shop.edit("orders.json", "order_id", "ORD-002-HJG", status="voided")
    files = shop.files()
    assert (await shop.run("order_inventory", BADGES)).status is OutcomeStatus.BLOCKED
    assert shop.files() == files


def test_a_word_becomes_known_in_one_place_for_the_rules_and_the_import() -> None:
    now = datetime(2025, 6, 28, tzinfo=UTC)
    for status in ("new", "Open", "processing", "on-hold", "payment_update_requested", "Approval Denied"):
        assert normal(status) in KNOWN
        data = dict(order(status=status).data)
        assert list(about_order(data, Order.model_validate(data), items=None, now=now)) == []
        assert "unknown-status" not in kinds(order(status=status), stock())
    data = dict(order(status="voided").data)
    [(place, told)] = about_order(data, Order.model_validate(data), items=None, now=now)
    assert (place, told) == (".status", "holds 'voided': no rule knows this status, so the order is left to a person")


def restocked(state: object, /, **fields: object) -> dict[str, object]:
    return {"status": "pending-inventory", "restocks": [{"item_id": "X", "quantity": 20, "state": state} | fields]}


@pytest.mark.parametrize("state", ["cancelled", "Rejected", "refused", "failed"])
def test_a_restock_that_failed_brings_nothing_and_another_is_ordered(state: str) -> None:
    records = (order(**restocked(state)), short(0))
    assert kinds(*records) == ["inventory-short"]
    assert [tool for tool, _ in proposed(*records)[0]] == ["order_inventory"]


@pytest.mark.parametrize("state", ["Ordered", "on order", "ORDERED"])
def test_a_restock_that_is_ordered_in_another_spelling_is_waited_for(state: str) -> None:
    assert kinds(order(**restocked(state)), short(0)) == []


@pytest.mark.parametrize("state", ["partially-delivered", "", None, "lost in the Floo", "confirmed"])
def test_a_restock_of_which_nobody_knows_what_came_counts_as_nothing_and_is_not_ordered_again(state: object) -> None:
    records = (order(**restocked(state)), short(0))
    assert kinds(*records) == ["inventory-short"]
    actions, [reason] = proposed(*records)
    assert actions == []
    assert reason.startswith("20 x X were ordered already, and that restock ")
    assert kinds(order(**restocked(state)), stock()) == []


def test_only_a_delivered_restock_brings_what_the_order_took() -> None:
    assert kinds(order(**restocked("delivered")), short(0)) == []
    assert kinds(order(**restocked("Delivered", taken=3)), short(0)) == []
    assert kinds(order(**restocked("delivered", taken=1)), short(0)) == ["inventory-short"]
    assert not RESTOCK_DELIVERED & RESTOCK_FAILED | RESTOCK_DELIVERED & RESTOCK_ORDERED


def test_the_newest_entry_of_a_history_counts_wherever_it_stands() -> None:
    entries = [{"status": "b", "at": "2025-06-20T00:00:00Z"}, {"status": "a", "at": "2025-01-02T00:00:00Z"}]
    for history in (entries, entries[::-1]):
        record = order(status="processing", order_date="2025-01-01T00:00:00Z", status_history=history)
        assert kinds(record, stock()) == []
        assert kinds(record, stock(), today=TODAY + timedelta(days=7)) == ["stuck"]


def test_two_lines_of_one_item_in_one_restock() -> None:
    lines = [LINE, LINE]
    records = (order(items=lines, subtotal=12, total=12, **restocked("cancelled")), short(1))
    assert found(*records)[0].evidence[1] == "short by 5"


def shop_of(folder: Path, kind: str, orders: list[dict[str, object]], rows: list[dict[str, object]]) -> OrdersDomain:
    """A shop with records of somebody's own: today is today, and nobody pretends to answer."""
    keeping = JsonKeeping(folder) if kind == "json" else in_file(folder / "orders.db")
    texts = {
        "orders.json": simplejson.dumps({"orders": orders}, use_decimal=True),
        "inventory.json": simplejson.dumps({"inventory": rows}, use_decimal=True),
    }
    keeping.install(texts, about=StoreAbout(dataset=OWN))
    return open_domain(folder, {"store": kind})


def data_of(record: Record) -> dict[str, object]:
    return dict(record.data)


@pytest.mark.parametrize("kind", ["json", "sqlite"])
async def test_times_are_those_of_the_act_and_not_of_the_beginning_of_the_cycle(tmp_path: Path, kind: str) -> None:
    acted, again, undone = (TODAY + timedelta(hours=hours) for hours in (5, 7, 9))
    records = [order("buy"), order("ask"), short(0), stock("R", special_requirements={"ministry_approval": True})]
    buy, ask, *rows = map(data_of, records)
    ask["items"] = [LINE | {"item_id": "R"}]
    domain = shop_of(tmp_path / "own", kind, [buy, ask], rows)
    found = (await domain.scan(Scope())).records
    proposals = domain.propose(domain.detect(found, TODAY), found).proposals
    assert [one.tool for one in proposals] == ["order_inventory", "request_approval"]
    effects: dict[str, tuple[ToolCall, Effect]] = {}
    for one in proposals:
        call = ToolCall(key=one.tool, record_id=one.record_id, arguments=one.arguments, expected={}, today=TODAY)
        with timed_by(acted):
            first = await domain.tools[one.tool].apply(call)
        with timed_by(again):
            second = await domain.tools[one.tool].apply(call)
        assert (first.status, second.status) == (OutcomeStatus.APPLIED, OutcomeStatus.ALREADY_APPLIED)
        assert first.at is not None
        assert acted <= first.at < acted + timedelta(minutes=1)
        assert second.at == first.at, "what is tried again keeps its first time"
        effects[one.tool] = (call, first)
    records_of = await domain.context(["buy", "ask"])
    after = {
        record.record_id: Order.model_validate(record.data) for record in records_of if record.ref.startswith("orders/")
    }
    request = after["ask"].approval_request
    assert request is not None
    times = [request.at, after["buy"].status_history[-1].at, after["ask"].status_history[-1].at]
    times += [message.at for message in await domain.outbox()]
    assert [f"{at:%d %H:%M}" if at else "" for at in times] == ["28 05:00"] * 5
    tool = domain.tools["order_inventory"]
    assert isinstance(tool, Undoable)
    with timed_by(undone):
        effect = await tool.undo(*effects["order_inventory"], key="u")
    assert effect.status is OutcomeStatus.UNDONE
    rows_kept = [row for page in ledger_of(domain, kind) for row in page]
    assert sorted(f"{row.key} {row.at:%H:%M}" for row in rows_kept) == [
        "order_inventory 05:00",
        "request_approval 05:00",
        "u 09:00",
    ]


def ledger_of(domain: OrdersDomain, kind: str) -> list[list[LedgerRow]]:
    with domain.stored_as(kind).contents() as contents:
        assert contents is not None
        return [list(contents.ledger_rows())]


async def test_records_that_are_of_a_day_of_their_own_are_written_on_that_day(tmp_path: Path) -> None:
    shop = await shipped_shop(tmp_path / "shipped")
    with timed_by(datetime(2031, 1, 1, tzinfo=UTC)):
        await shop.run("order_inventory", BADGES)
    assert "2031" not in json.dumps(shop.raw("orders.json"), default=str)
    assert {message.at.year for message in await shop.domain.outbox()} == {2031}
