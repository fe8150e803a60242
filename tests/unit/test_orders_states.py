"""What the rules leave alone, what they wait for, and how they say why a person is needed."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from orders_shop import BADGES, EGG, Shop, own_shop, shipped_shop
from test_orders_rules import EMPTY, LINE, TODAY, domain, found, kinds, order, proposed, short, stock

from daper.core.models import Finding, Scope
from daper.core.outcomes import OutcomeStatus
from daper.core.text import visible
from daper.ports import Record, ToolCall

RESTRICTED: dict[str, object] = {"special_requirements": {"ministry_approval": True}}
LONG_AGO = (TODAY - timedelta(days=15)).isoformat()


def reasons(*records: Record) -> list[str]:
    actions, left = proposed(*records)
    assert actions == []
    return left


@pytest.mark.parametrize("status", ["in-transit", "Out for delivery"])
def test_goods_that_have_left_the_shop_need_no_stock_and_no_tool_touches_their_order(status: str) -> None:
    assert kinds(order(status=status), short(0)) == []
    records = (order(status=status), short(0, **RESTRICTED))
    assert kinds(*records) == ["restricted-without-approval"]
    assert reasons(*records)[0].endswith(f"order 'O-1' is {status}; nothing is done to it")
    records = (order(status=status), short(0, status="prohibited"))
    assert kinds(*records) == ["prohibited-item"]
    assert reasons(*records)[0].endswith(f"order 'O-1' is {status}; nothing is done to it")


@pytest.mark.parametrize(
    "status",
    ["refund-requested", "Refund Pending", "return_requested", "cancellation-requested", "chargeback", "disputed"],
)
def test_nothing_is_bought_or_asked_for_an_order_that_is_on_its_way_back(status: str) -> None:
    assert kinds(order(status=status), short(0)) == []
    assert kinds(order(status=status), short(0, **RESTRICTED)) == []
    assert kinds(order(status=status, total=7), short(0)) == ["totals-mismatch"]
    records = (order(status=status, total=7), short(0))
    assert "correct them by hand" in reasons(*records)[0]


async def test_a_restock_that_was_approved_before_the_customer_asked_for_a_refund_is_refused(tmp_path: Path) -> None:
    shop = await own_shop(tmp_path / "own")
    shop.edit("orders.json", "order_id", "ORD-002-HJG", status="refund-requested")
    files = shop.files()
    effect = await shop.run("order_inventory", BADGES)
    assert (effect.status, effect.evidence) == (
        OutcomeStatus.BLOCKED,
        ("order 'ORD-002-HJG' is refund-requested; nothing is done to it",),
    )
    assert shop.files() == files


@pytest.mark.parametrize(
    ("status", "who"),
    [
        ("processing", "the warehouse"),
        ("preparing-shipment", "the warehouse"),
        ("in-transit", "the carrier"),
        ("out-for-delivery", "the carrier"),
        ("approval-requested", "see that the request was sent, and ask whoever approves once more"),
        ("payment_update_requested", "the customer"),
        ("restock-ordered", "the supplier"),
        ("refund-requested", "whoever looks after refunds"),
        ("pending-inventory", "nothing is missing"),
    ],
)
def test_what_waits_for_somebody_for_more_than_14_days_is_stuck_and_says_for_whom(status: str, who: str) -> None:
    recent, old = (
        order(status=status, order_date=date) for date in ((TODAY - timedelta(days=14)).isoformat(), LONG_AGO)
    )
    assert kinds(recent, stock()) == []
    assert [(each.kind, each.issue) for each in found(old, stock())] == [("stuck", "Nothing has moved for 15 days.")]
    [reason] = reasons(old, stock())
    assert who in reason
    assert "15 days" in reason
    assert status in reason


def test_an_order_whose_stock_is_missing_is_short_and_not_stuck() -> None:
    assert kinds(order(status="pending-inventory", order_date=LONG_AGO), short()) == ["inventory-short"]


@pytest.mark.parametrize("total", [0, -3])
def test_nobody_is_asked_to_pay_nothing(total: int) -> None:
    line = LINE | {"unit_price": 0, "total_price": 0}
    records = (order(status="pending-payment", items=[line], subtotal=0, shipping=total, total=total), stock())
    assert kinds(*records) == ["payment-pending"]
    assert f"order 'O-1' owes nothing (its total is {total})" in reasons(*records)[0]


def test_nobody_is_asked_to_pay_while_the_amounts_do_not_add_up() -> None:
    records = (order(status="payment-denied", total=7), stock())
    assert kinds(*records) == ["payment-denied", "totals-mismatch"]
    payment, amounts = reasons(*records)
    assert "the amounts of order 'O-1' do not add up" in payment
    assert "correct them by hand" in amounts


async def test_a_restocked_order_whose_amounts_do_not_add_up_is_not_completed(shop: Shop) -> None:
    shop.edit("orders.json", "order_id", "ORD-002-HJG", total=1)
    assert (await shop.run("order_inventory", BADGES)).after["status"] == "restock-ordered"
    records = await shop.domain.context(["ORD-002-HJG"])
    assert [one.kind for one in shop.domain.detect(records, datetime(2025, 6, 28, tzinfo=UTC))] == ["totals-mismatch"]


def test_a_person_is_told_which_amounts_and_which_item() -> None:
    [amounts] = reasons(order(total=7), stock())
    assert amounts.startswith("subtotal, tax and shipping add up to 6.00, not to the total 7:")
    held = (order(), stock(status="prohibited"))
    [reason] = domain().propose(found(*held), held).for_person.values()
    assert reason.startswith("must not be sold: Kettle")
    [left] = reasons(order(), short(current_stock=3, reserved_stock=2, max_stock_level=0))
    assert "2 of 3 are reserved" in left


def test_a_level_that_leaves_less_than_no_room_leaves_none() -> None:
    assert "leaves room for 0:" in reasons(order(), short(0, current_stock=9, reserved_stock=9, max_stock_level=1))[0]


def test_what_is_wrong_with_an_item_names_it_as_the_inventory_does() -> None:
    """D13: an order may call a locket a kettle."""
    locket = stock(item_name="Locket", status="prohibited")
    assert found(order(), locket)[0].issue == "Must not be sold: Locket."
    assert found(order(), stock(item_name="", status="prohibited"))[0].issue == "Must not be sold: Kettle."


def pair(first: int, second: int) -> tuple[Record, Record]:
    lines = [LINE | {"quantity": quantity, "total_price": 2 * quantity} for quantity in (first, second)]
    one, two = (
        order(f"O-{n}", items=[line], subtotal=line["total_price"], total=line["total_price"])
        for n, line in enumerate(lines, start=1)
    )
    return one, two


@pytest.mark.parametrize(
    ("reorder", "quantities"),
    [
        (15, [15, 35]),  # the first takes all 30: nothing is left for the second, which needs 35
        (100, [100, 100]),  # the first brings more than enough for both: what the second orders is refused when it runs
        (10, [10, 35]),
    ],
)
def test_of_two_orders_short_of_one_item_the_second_gets_nothing_of_what_the_first_takes(
    reorder: int, quantities: list[int]
) -> None:
    one, two = pair(40, 35)
    records = (one, two, short(30, reorder_quantity=reorder, max_stock_level=200))
    actions, left = proposed(*records)
    assert [arguments["quantity"] for _, arguments in actions] == quantities
    assert left == []
    plan = domain().propose(found(*records), records)
    for proposal in plan.proposals:
        limit = domain().terms(proposal, records).limits["quantity"]
        assert limit.refuses(proposal.arguments["quantity"]) is None


def test_an_order_that_is_short_no_more_is_told_so() -> None:
    one, two = pair(40, 35)
    proposal = domain().propose(found(two, short(30)), (two, short(30))).proposals[0]
    assert domain().terms(proposal, (one, two, short(75))).limits == {}


async def test_a_restock_that_is_no_longer_needed_says_what_there_is(shop: Shop) -> None:
    call = await shop.call(BADGES)
    shop.edit("inventory.json", "item_id", "STP-ORG-001", current_stock=400, available_stock=340)
    effect = await shop.run("order_inventory", BADGES)
    assert call.record_id == "ORD-002-HJG"
    assert effect.status is OutcomeStatus.BLOCKED
    assert effect.evidence == (
        "order 'ORD-002-HJG' is not short of STP-ORG-001 now: it needs 300, and 340 are available; let it go on",
    )


@pytest.mark.parametrize("contact", ["a@b.example\r\nBcc: m@evil.example", "\u202e@b.example", "x" * 300])
def test_a_supplier_who_cannot_be_addressed_as_written_is_not_written_to(contact: str) -> None:
    """D13."""
    assert "supplier_contact that cannot be written to as it is" in reasons(order(), short(supplier_contact=contact))[0]


def test_a_customer_who_cannot_be_addressed_as_written_is_not_written_to() -> None:
    """D13."""
    records = (order(status="payment-denied", customer_id="C-1\u200b\x07"), stock())
    assert "names a customer_id that cannot be written to as it is" in reasons(*records)[0]


def test_a_reason_holds_no_text_of_a_record_that_hides_something() -> None:
    """D13."""
    nasty = "\x1b[2J\u202e" + "N" * 500
    lines = [LINE | {"item_name": nasty, "item_id": "gone"}]
    records = (order(items=lines, subtotal=6, total=7), stock(**EMPTY))
    findings = found(*records)
    for reason in domain().propose(findings, records).for_person.values():
        assert "\x1b" not in reason
        assert "\u202e" not in reason
        assert len(reason) <= 300


def test_a_finding_of_a_model_is_told_in_its_words() -> None:
    extra = Finding(record_id="O-1", kind="totals-mismatch", issue="two totals\x1b", found_by="model", fingerprint="f")
    [reason] = domain().propose([extra], (order(), stock())).for_person.values()
    assert reason.startswith("two totals<U+001B>: ")


async def test_a_message_hides_nothing_even_where_an_id_does(tmp_path: Path) -> None:
    """D13: an order id with a line of its own would be a header in a mail."""
    folder = tmp_path / "own"
    folder.mkdir()
    order_id, item_id = "O-1\r\nBcc: mallory@evil.example\u202e", "X\x9b2J\nReply-To: m@evil.example"
    ask = {"order_id": order_id, "status": "payment-denied", "customer_id": "c@owls.example", "items": list[object]()}
    buy = {"order_id": "O-2", "items": [{"item_id": item_id, "quantity": 2}]}
    row = {"item_id": item_id, "current_stock": 0, "supplier_contact": "shop@example.org"}
    (folder / "orders.json").write_text(json.dumps({"orders": [ask, buy]}), encoding="utf-8")
    (folder / "inventory.json").write_text(json.dumps({"inventory": [row]}), encoding="utf-8")
    shop = await shipped_shop(folder)
    records = (await shop.domain.scan(Scope())).records
    for one in shop.domain.propose(shop.domain.detect(records, TODAY), records).proposals:
        call = ToolCall(key=one.tool, record_id=one.record_id, arguments=one.arguments, expected={}, today=TODAY)
        assert (await shop.tool(one.tool).apply(call)).status is OutcomeStatus.APPLIED
    sent = {message.to: message for message in await shop.domain.outbox()}
    assert set(sent) == {"c@owls.example", "shop@example.org"}
    for message in sent.values():
        texts = (message.subject, *message.body.split("\n"))
        assert all(text == visible(text, longest=2000) for text in texts), message
    assert "Payment of order O-1<U+000D><U+000A>Bcc: mallory" in sent["c@owls.example"].subject
    for path in (folder / "outbox").glob("*.json"):
        assert path.read_text(encoding="utf-8").replace("\n", "").isprintable()


@pytest.mark.parametrize("recorded", [{}, {"approval": dict[str, str]()}])
async def test_the_approval_of_an_unpaid_order_shows_in_the_plan_and_in_the_outcome(
    shop: Shop, recorded: dict[str, object]
) -> None:
    """An approval that names nobody is none, there as in the rules."""
    shop.edit("orders.json", "order_id", "ORD-004-RHG", status="payment-denied", **recorded)
    records = await shop.domain.context(["ORD-004-RHG"])
    ask = shop.domain.propose(shop.domain.detect(records, TODAY), records).proposals[0]
    [change] = shop.domain.terms(ask, records).preview
    assert (change.field, change.before, change.after) == (
        "approval",
        "none",
        "requested; the order stays payment-denied",
    )
    effect = await shop.run("request_approval", EGG)
    assert effect.before == {"status": "payment-denied", "approval": "none"}
    assert effect.after == {"status": "payment-denied", "approval": "given"}


async def test_without_a_counterparty_the_approval_of_an_unpaid_order_is_only_asked(tmp_path: Path) -> None:
    shop = await own_shop(tmp_path / "own")
    shop.edit("orders.json", "order_id", "ORD-004-RHG", status="payment-denied")
    assert (await shop.run("request_approval", EGG)).after == {"status": "payment-denied", "approval": "requested"}


def test_a_customer_who_is_not_known_is_to_be_named() -> None:
    assert reasons(order(status="payment-denied", customer_id=""), stock()) == [
        "nobody to ask: order 'O-1' has no e-mail address; add its customer_email"
    ]
