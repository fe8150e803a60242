"""What the records of real shops have: other words, restocks that failed, histories out of order."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import simplejson
from orders_shop import BADGES, own_shop, shipped_shop
from test_orders_rules import LINE, TODAY, domain, found, kinds, order, proposed, short, stock

from daper.clock import timed_by
from daper.core.models import Proposal, Scope
from daper.core.outcomes import Effect, OutcomeStatus
from daper.domains.orders.addresses import IN_PLAY_APPROVER
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
    return open_domain(folder, {"store": kind, "approvers": IN_PLAY_APPROVER})


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


def sums(**fields: object) -> Record:
    whole = {"items": [LINE | {"quantity": 5, "total_price": 10}], "subtotal": 10, "total": 10}
    return order(**(whole | fields))


GIFT = [{"code": "WAND", "amount": Decimal("1.50")}, {"code": "OWL", "amount": Decimal("0.50")}]


@pytest.mark.parametrize(
    "fields",
    [
        {"discount": 2, "total": 8},
        {"discount": -2, "total": 8},
        {"discount_total": Decimal("2.00"), "total": 8},
        {"subtotal": 8, "discount": 2, "total": 8},
        {"gift_card": 10, "total": 0},
        {"gift_card": 10, "total": 10},
        {"gift_cards": GIFT, "total": 8},
        {"fee": Decimal("2.5"), "total": Decimal("12.5")},
        {"fees": [{"name": "cash on delivery", "amount": 3}], "total": 13},
        {"discount": 2, "fee": 1, "shipping": 4, "total": 13},
        {"refunded": 4, "total": 6},
        {"refunded": 4, "total": 10},
        {"tax": Decimal("1.67"), "prices_include_tax": True, "total": 10},
        {"tax": Decimal("1.67"), "total": 10},
        {"subtotal": Decimal("8.33"), "tax": Decimal("1.67"), "total": 10},
        {"rounding": Decimal("-0.02"), "total": Decimal("9.98")},
        {"store_credit": 3, "discount": 2, "total": 5},
        {"items": [LINE | {"quantity": 5, "total_price": 9, "discount": 1}], "subtotal": 9, "total": 9},
    ],
)
def test_known_parts_of_a_total_count(fields: dict[str, object]) -> None:
    assert kinds(sums(**fields), stock()) == []
    unpaid = sums(**fields | {"status": "pending-payment"})
    assert kinds(unpaid, stock()) == ["payment-pending"]


@pytest.mark.parametrize(
    "fields",
    [
        {"total": 8, "loyalty_reduction": 2},
        {"total": 8, "adjustments": [{"reason": "sorry", "sum": 2}]},
        {"total": 8, "discounts": {"summer": 2}},
        {"total": 13, "eco_levy": 3},
        {"total": 13, "something": 3},
        {"total": 8, "discount": "2.00"},
        {"items": [LINE | {"quantity": 5, "total_price": 9, "rebate": 1}], "subtotal": 9, "total": 9},
    ],
)
def test_where_a_part_is_not_understood_no_mismatch_is_claimed(fields: dict[str, object]) -> None:
    assert kinds(sums(**fields), stock()) == []


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"discount": 2, "total": 7}, "subtotal, tax, shipping and discount add up to 8.00, not to the total 7"),
        ({"fee": 2, "total": 11}, "subtotal, tax, shipping and fee add up to 12.00, not to the total 11"),
        ({"total": 70, "item_count": 5, "gift_message": "Happy birthday"}, "not to the total 70"),
        ({"tax": 2, "prices_include_tax": False, "total": 10}, "add up to 12.00, not to the total 10"),
        ({"total": 70, "coupon_code": "OWL10", "tax_rate": 20}, "not to the total 70"),
    ],
)
def test_what_does_not_add_up_with_all_parts_known_is_still_found(fields: dict[str, object], told: str) -> None:
    [finding] = found(sums(**fields), stock())
    assert finding.kind == "totals-mismatch"
    assert told in finding.evidence[0]


@pytest.mark.parametrize(
    ("currency", "tax", "total", "expected"),
    [
        ("JPY", Decimal("79.92"), 89, []),  # rounded down, as is done there
        ("JPY", Decimal("79.92"), 90, []),
        ("JPY", Decimal("79.92"), 91, ["totals-mismatch"]),
        ("EUR", Decimal("0.004"), 10, []),
        ("EUR", Decimal("0.02"), Decimal("10.01"), ["totals-mismatch"]),
        ("KWD", Decimal("0.004"), Decimal("10.004"), []),
        ("kwd", Decimal("0.004"), Decimal("10.005"), ["totals-mismatch"]),
    ],
)
def test_a_currency_has_its_own_decimals(currency: str, tax: Decimal, total: object, expected: list[str]) -> None:
    assert kinds(sums(currency=currency, tax=tax, total=total), stock()) == expected


@pytest.mark.parametrize(
    ("total", "currency", "told"),
    [
        (1200, "JPY", "The payment of 1200 JPY has not come in."),
        (Decimal("12.345"), "KWD", "The payment of 12.345 KWD has not come in."),
        (Decimal("12.50"), None, "The payment of 12.50 has not come in."),
    ],
)
def test_an_amount_is_told_as_it_was_written(total: object, currency: str | None, told: str) -> None:
    record = order(status="pending-payment", items=NONE, subtotal=total, total=total, currency=currency)
    assert found(record, stock())[0].issue == told


NONE: list[object] = []


def test_amounts_that_differ_behind_the_cent_are_other_facts_and_all_others_the_same_as_ever() -> None:
    def mark(total: object) -> str:
        return found(order(status="payment-denied", items=NONE, subtotal=total, total=total), stock())[0].fingerprint

    assert mark(Decimal("1.234")) != mark(Decimal("1.231"))
    assert len({mark(12), mark(Decimal("12.0")), mark(Decimal("12.00"))}) == 1


def test_a_quantity_may_have_decimals() -> None:
    flour = LINE | {"quantity": Decimal("1.5"), "unit_price": 2, "total_price": 3}
    enough = order(items=[flour], subtotal=3, total=3)
    assert kinds(enough, short(Decimal("1.5"))) == []
    records = (enough, short(Decimal("0.25")))
    [finding] = found(*records)
    assert finding.issue == "1.5 of Kettle (X) are needed, 0.25 are available."
    assert finding.evidence[1] == "short by 1.25"
    [(_, arguments)] = proposed(*records)[0]
    assert arguments["quantity"] == 5
    halves = order(items=[flour | {"quantity": Decimal("0.5"), "total_price": 1}] * 2, subtotal=2, total=2)
    assert found(halves, short(0))[0].issue.startswith("1 of Kettle")


@pytest.mark.parametrize("kind", ["json", "sqlite"])
async def test_a_restock_for_a_quantity_with_decimals_is_whole_and_undone_exactly(tmp_path: Path, kind: str) -> None:
    flour = LINE | {"quantity": Decimal("2.75"), "unit_price": 2, "total_price": Decimal("5.50")}
    record = order("buy", items=[flour], subtotal=Decimal("5.50"), total=Decimal("5.50"))
    row = short(Decimal("0.5"), reorder_quantity=0, max_stock_level=None)
    domain = shop_of(tmp_path / "own", kind, [data_of(record)], [data_of(row)])
    before = (await domain.scan(Scope())).records
    [one] = domain.propose(domain.detect(before, TODAY), before).proposals
    assert one.arguments["quantity"] == 3
    call = ToolCall(key="k", record_id="buy", arguments=one.arguments, expected={}, today=TODAY)
    tool = domain.tools["order_inventory"]
    effect = await tool.apply(call)
    assert effect.after["current_stock"] == "0.5"
    assert isinstance(tool, Undoable)
    assert (await tool.undo(call, effect, key="u")).status is OutcomeStatus.UNDONE
    assert [each.data for each in (await domain.scan(Scope())).records] == [each.data for each in before]


@pytest.mark.parametrize("fields", [{"current_stock": None, "available_stock": None}, {"current_stock": None}])
def test_stock_that_nobody_counts_is_never_short(fields: dict[str, object]) -> None:
    row = dict(short(0).data) | {"available_stock": None} | fields
    record = Record(ref="inventory/X", record_id="X", version="v", data=row)
    assert kinds(order(), record) == []
    terms = domain().terms(
        Proposal(record_id="O-1", tool="order_inventory", arguments={"inventory_to_order": "X"}, answers=()),
        (order(), record),
    )
    assert terms.obstacle == "order 'O-1' is not short of X: nobody counts what is in stock of it"


@pytest.mark.parametrize(
    "method",
    ["Cash on Delivery", "cash_on_delivery", "COD", "cashondelivery", "Pay on delivery", "On receipt (COD)"],
)
def test_who_pays_on_delivery_is_not_asked_before_and_gets_the_goods(method: str) -> None:
    waits = order(status="pending-payment", payment_method=method)
    assert kinds(waits, stock()) == []
    assert [tool for tool, _ in proposed(waits, short(0))[0]] == ["order_inventory"]
    old = order(status="pending-payment", payment_method=method, order_date="2025-01-01")
    assert kinds(old, stock()) == ["stuck"]
    assert kinds(order(status="payment-denied", payment_method=method), stock()) == ["payment-denied"]


@pytest.mark.parametrize("method", ["Card", "Codex Vault", "cash", ""])
def test_any_other_way_to_pay_is_asked_for(method: str) -> None:
    assert kinds(order(status="pending-payment", payment_method=method), stock()) == ["payment-pending"]


def eight(order_id: str, date: str | None = "2025-06-27", /, **fields: object) -> Record:
    lines = [LINE | {"quantity": 8, "total_price": 16}]
    whole = {"items": lines, "subtotal": 16, "total": 16, "status": "processing", "order_date": date}
    return order(order_id, **(whole | fields))


def shortages(*records: Record) -> dict[str, str]:
    return {each.record_id: each.evidence[-1] for each in found(*records) if each.kind == "inventory-short"}


def test_of_two_orders_of_8_with_10_in_stock_the_later_one_is_short_by_6() -> None:
    later, earlier = eight("A", "2025-06-27"), eight("B", "2025-06-26")
    assert shortages(later, earlier, short(10)) == {"A": "short by 6"}
    assert shortages(eight("A"), eight("B"), short(10)) == {"B": "short by 6"}, "of one day the smaller id is first"
    assert shortages(eight("A", None), eight("B"), short(10)) == {"A": "short by 6"}
    assert shortages(later, earlier, short(16)) == {}
    assert shortages(later, earlier, short(-2)) == {"A": "short by 8", "B": "short by 10"}
    assert shortages(later, earlier, stock(current_stock=None, available_stock=None)) == {}


@pytest.mark.parametrize("status", ["completed", "on-hold", "in-transit", "refund-requested", "cancelled", "voided"])
def test_an_order_that_takes_nothing_from_the_shelf_leaves_it_to_later_ones(status: str) -> None:
    assert shortages(eight("A", "2025-06-26", status=status), eight("B"), short(10)) == {}


def test_what_is_delivered_or_on_its_way_for_an_earlier_order_is_not_taken_from_the_shelf() -> None:
    for restocks in ([restock_of("ordered", 20)], [restock_of("delivered", 20, taken=8)]):
        assert shortages(eight("A", "2025-06-26", restocks=restocks), eight("B"), short(10)) == {}
    some = eight("A", "2025-06-26", restocks=[restock_of("ordered", 5)])
    assert shortages(some, eight("B"), short(10)) == {"B": "short by 1"}


def restock_of(state: str, quantity: int, **fields: object) -> dict[str, object]:
    return {"item_id": "X", "quantity": quantity, "state": state} | fields


def test_what_is_reserved_for_the_open_orders_is_theirs() -> None:
    both = eight("A"), eight("B")
    row = dict(stock(current_stock=16, reserved_stock=16, available_stock=None).data)
    mine = Record(ref="inventory/X", record_id="X", version="v", data=row | {"reserved_for_orders": True})
    assert shortages(*both, mine) == {}
    others = Record(ref="inventory/X", record_id="X", version="v", data=row)
    assert shortages(*both, others) == {"A": "short by 8", "B": "short by 8"}
    told = Record(
        ref="inventory/X", record_id="X", version="v", data=row | {"reserved_for_orders": True, "available_stock": 0}
    )
    assert shortages(*both, told) == {}


def test_of_several_actions_on_one_record_the_second_begins_with_what_the_first_leaves() -> None:
    lines = [LINE, LINE | {"item_id": "Y"}]
    two = order("O-1", items=lines, subtotal=12, total=12)
    other = order("O-2", order_date="2025-06-28T10:00:00Z")
    records = (two, other, short(0), stock("Y", current_stock=1, available_stock=1))
    shop = domain()
    proposals = shop.propose(shop.detect(records, TODAY), records).proposals
    assert [(one.record_id, one.arguments["inventory_to_order"]) for one in proposals] == [
        ("O-1", "X"),
        ("O-1", "Y"),
        ("O-2", "X"),
    ]
    previews = shop.previews(proposals, records)
    told = [
        [(each.field, each.before, each.after) for each in changes if each.field != "message"] for changes in previews
    ]
    assert told == [
        [
            ("status", "new", "restock-ordered"),
            ("current_stock", "0", "5 when delivered, 2 when this order has its own"),
        ],
        [
            ("status", "restock-ordered", "restock-ordered"),
            ("current_stock", "1", "6 when delivered, 3 when this order has its own"),
        ],
        [
            ("status", "new", "restock-ordered"),
            ("current_stock", "2", "7 when delivered, 4 when this order has its own"),
        ],
    ]


def test_an_approval_and_a_payment_in_one_plan_are_chained() -> None:
    records = (order(status="payment-denied"), stock(special_requirements={"ministry_approval": True}))
    shop = domain()
    proposals = shop.propose(shop.detect(records, TODAY), records).proposals
    assert [one.tool for one in proposals] == ["request_approval", "request_payment_update"]
    [[asked, *_], [paid, *_]] = shop.previews(proposals, records)
    assert (asked.before, asked.after) == ("none", "requested; the order stays payment-denied")
    assert (paid.before, paid.after) == ("payment-denied", "payment_update_requested")
