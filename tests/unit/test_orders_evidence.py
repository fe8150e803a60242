"""What counts as repaired: evidence of a tool's own effect, and nothing else; and how long evidence may be."""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest
from orders_shop import BADGES, EGG, TODAY, Raw, Shop, own_shop, shipped_shop

from daper.core.outcomes import Effect, Holding, OutcomeStatus, Postcondition
from daper.domains.orders.addresses import IN_PLAY_APPROVER
from daper.ports import Undoable

ASK = {
    "order_id": "ORD-001-HJP",
    "customer_id": "CUST-HP-001",
    "customer_name": "Harry James Potter",
    "original_payment_method": "Gringotts Vault Transfer",
}
HOLD = {"order_id": "ORD-006-DLM", "reason": "prohibited-item"}
NASTY = "\x1b[2J\u202e" * 50


@pytest.fixture
async def mine(tmp_path: Path) -> Shop:
    return await own_shop(tmp_path / "own")


async def seen(shop: Shop, tool: str, arguments: Mapping[str, str | int], **later: object) -> Postcondition:
    """What the tool sees of its effect after somebody edited the order."""
    call = await shop.call(arguments)
    effect = await shop.tool(tool).apply(call)
    assert effect.status is OutcomeStatus.APPLIED
    shop.edit("orders.json", "order_id", str(arguments["order_id"]), **later)
    return await shop.tool(tool).holds(call, effect)


@pytest.mark.parametrize(
    ("status", "holding"),
    [
        ("paid", Holding.YES),
        ("Payment Received", Holding.YES),
        ("processing", Holding.YES),
        ("priority_processing", Holding.YES),
        ("approved-preparing-shipment", Holding.YES),
        ("shipped", Holding.YES),
        ("delivered", Holding.YES),
        ("COMPLETED", Holding.YES),
        ("payment_update_requested", Holding.WAITING),
        ("pending-payment", Holding.NO),
        ("payment-denied", Holding.NO),
        ("payment_failed", Holding.NO),
        ("cancelled", Holding.UNKNOWN),
        ("refunded", Holding.UNKNOWN),
        ("on-hold", Holding.UNKNOWN),
        ("unpaid", Holding.UNKNOWN),
        ("", Holding.UNKNOWN),
        ("awaiting owl", Holding.UNKNOWN),
    ],
)
async def test_a_payment_is_there_only_when_the_status_says_so(shop: Shop, status: str, holding: Holding) -> None:
    word = await seen(shop, "request_payment_update", ASK, status=status)
    assert word.holding is holding
    assert word.evidence


@pytest.mark.parametrize(
    ("later", "holding"),
    [
        ({"approval": {"approver": IN_PLAY_APPROVER}}, Holding.YES),
        ({"approval": {"approver": "mallory@example.org"}}, Holding.UNKNOWN),
        ({"approval": dict[str, str]()}, Holding.WAITING),
        ({"status": "approved-preparing-shipment"}, Holding.UNKNOWN),
        ({}, Holding.WAITING),
        ({"status": "approval-denied"}, Holding.NO),
        ({"status": "pending-approval"}, Holding.NO),
        ({"status": "cancelled"}, Holding.UNKNOWN),
    ],
)
async def test_an_approval_is_there_only_when_it_is_recorded(
    mine: Shop, later: dict[str, object], holding: Holding
) -> None:
    assert (await seen(mine, "request_approval", EGG, **later)).holding is holding


def restock(key: str = "k1", **fields: object) -> list[Raw]:
    return [{"item_id": "STP-ORG-001", "quantity": 200, "state": "delivered", "taken": 300, "key": key} | fields]


@pytest.mark.parametrize(
    ("restocks", "holding"),
    [
        (restock(), Holding.YES),
        (restock(key="", state="Delivered"), Holding.YES),
        (restock(state="ordered", taken=None), Holding.WAITING),
        (restock(state="refused"), Holding.UNKNOWN),
        (restock(quantity=100), Holding.UNKNOWN),
        (restock(key="another"), Holding.NO),
        (restock(item_id="INK-COL-004"), Holding.NO),
        (restock(key="", quantity=100), Holding.NO),
        (list[Raw](), Holding.NO),
    ],
)
async def test_a_restock_is_there_only_when_this_very_one_was_delivered(
    mine: Shop, restocks: list[Raw], holding: Holding
) -> None:
    assert (await seen(mine, "order_inventory", BADGES, restocks=restocks)).holding is holding


async def test_a_restock_on_its_way_for_a_cancelled_order_is_for_a_person_to_judge(mine: Shop) -> None:
    assert (await seen(mine, "order_inventory", BADGES, status="cancelled")).holding is Holding.UNKNOWN


@pytest.mark.parametrize(
    ("status", "holding"),
    [("on-hold", Holding.WAITING), ("priority_processing", Holding.NO), ("cancelled", Holding.UNKNOWN)],
)
async def test_an_order_on_hold_is_not_repaired_but_waits_for_a_person(
    shop: Shop, status: str, holding: Holding
) -> None:
    shop.edit("inventory.json", "item_id", "TEL-BRS-020", status="prohibited")
    word = await seen(shop, "hold_order", HOLD, status=status)
    assert word.holding is holding
    if holding is Holding.WAITING:
        assert word.evidence == "on hold; a person has to decide what becomes of it"


@pytest.mark.parametrize("status", ["\n" * 180 + "pending-inventory", " " * 150 + "PROCESSING\r"])
async def test_record_text_in_outcomes_is_visible_and_short_and_undo_is_still_exact(shop: Shop, status: str) -> None:
    """D13."""
    shop.edit("orders.json", "order_id", "ORD-002-HJG", status=status)
    shop.edit("inventory.json", "item_id", "STP-ORG-001", last_restocked=NASTY * 100, supplier_contact="s" * 200)
    rows = shop.rows("orders.json"), shop.rows("inventory.json")
    call = await shop.call(BADGES)
    tool = shop.tool("order_inventory")
    effect = await tool.apply(call)
    undone = await cast("Undoable", tool).undo(call, effect, key="u")
    for one in (effect, undone):
        short_and_visible(*one.evidence, *map(str, (*one.before.values(), *one.after.values())))
    assert undone.status is OutcomeStatus.UNDONE
    assert (shop.rows("orders.json"), shop.rows("inventory.json")) == rows


@pytest.mark.parametrize("value", [None, 20250601, 1.5, ["2025"]])
async def test_a_last_restocked_of_any_shape_comes_back_exactly(shop: Shop, value: object) -> None:
    shop.edit("inventory.json", "item_id", "STP-ORG-001", last_restocked=value)
    files = shop.raw("inventory.json")
    call = await shop.call(BADGES)
    effect = await shop.tool("order_inventory").apply(call)
    await cast("Undoable", shop.tool("order_inventory")).undo(call, effect, key="u")
    assert shop.raw("inventory.json") == files


async def test_an_order_without_a_status_is_held_and_given_back_without_one(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "orders.json").write_text(
        '{"orders": [{"order_id": "O-1", "items": [{"item_id": "gone", "quantity": 1}]}]}', encoding="utf-8"
    )
    (folder / "inventory.json").write_text('{"inventory": []}', encoding="utf-8")
    shop = await shipped_shop(folder)
    before = shop.raw("orders.json")
    call = await shop.call({"order_id": "O-1", "reason": "unknown-item"})
    effect = await shop.tool("hold_order").apply(call)
    assert effect.status is OutcomeStatus.APPLIED
    await cast("Undoable", shop.tool("hold_order")).undo(call, effect, key="u")
    assert shop.raw("orders.json") == before


async def test_no_refusal_and_no_postcondition_carries_long_record_text(shop: Shop) -> None:
    """D13."""
    hidden = "\x1b" * 200
    shop.edit("orders.json", "order_id", "ORD-001-HJP", order_id=hidden, customer_id=hidden, status=hidden)
    shop.edit("orders.json", "order_id", "ORD-003-RBW", customer_id=hidden, status="payment-denied")
    calls = {
        ("request_payment_update", hidden): {**ASK, "order_id": hidden},
        ("order_inventory", hidden): {**BADGES, "order_id": hidden, "inventory_to_order": hidden * 9},
        ("hold_order", hidden): {**HOLD, "order_id": hidden},
        ("request_payment_update", "ORD-003-RBW"): {**ASK, "order_id": "ORD-003-RBW"},
        ("request_approval", hidden * 9): {**EGG, "order_id": hidden * 9},
    }
    for number, ((name, record_id), arguments) in enumerate(calls.items()):
        call = await shop.call(arguments, f"k{number}")
        effect = await shop.tool(name).apply(call)
        assert effect.status in {OutcomeStatus.BLOCKED, OutcomeStatus.FAILED}, record_id
        word = await shop.tool(name).holds(call, effect)
        short_and_visible(*effect.evidence, word.evidence)


async def test_findings_reasons_and_heads_are_short_whatever_the_records_hold(shop: Shop) -> None:
    """D13."""
    hidden = "\x1b" * 200
    shop.edit("orders.json", "order_id", "ORD-001-HJP", order_id=hidden, customer_name=hidden, customer_id="")
    shop.edit("inventory.json", "item_id", "TEL-BRS-020", status="prohibited", item_name=hidden * 9)
    shop.edit("inventory.json", "item_id", "STP-ORG-001", supplier_contact="", item_name=hidden)
    records = await shop.domain.context([hidden, "ORD-002-HJG", "ORD-006-DLM"])
    findings = shop.domain.detect(records, TODAY)
    plan = shop.domain.propose(findings, records)
    assert len(plan.for_person) == 3
    heads = [head for record in records if (head := shop.domain.head(record))]
    short_and_visible(
        *plan.for_person.values(),
        *(text for one in findings for text in (one.issue, *one.evidence)),
        *(text for head in heads for text in (head.title, head.status)),
        *(text for one in plan.proposals for text in (one.rationale, *map(str, one.arguments.values()))
          if text != hidden),
    )  # fmt: skip


async def test_a_postcondition_of_an_effect_that_never_was_is_no(mine: Shop) -> None:
    never = Effect(status=OutcomeStatus.FAILED)
    for tool, arguments in (("order_inventory", BADGES), ("request_approval", EGG), ("request_payment_update", ASK)):
        assert (await mine.tool(tool).holds(await mine.call(arguments), never)).holding is Holding.NO


def short_and_visible(*texts: str) -> None:
    for text in texts:
        assert len(text) <= 300, text
        assert "\x1b" not in text
        assert "\u202e" not in text
