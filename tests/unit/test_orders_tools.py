"""The repair tools on a real store: each effect once, on the state that was planned for, and honestly reported."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest
import simplejson
from orders_shop import BADGES, EGG, TODAY, Raw, Shop, own_shop

from daper.core.errors import StoreDamaged
from daper.core.models import Scope
from daper.core.outcomes import Effect, Holding, OutcomeStatus
from daper.domains.orders.addresses import IN_PLAY_APPROVER
from daper.domains.orders.domain import open_domain
from daper.ports import ToolCall, Undoable


async def test_after_the_four_proposed_repairs_the_rules_find_nothing(shop: Shop) -> None:
    records = (await shop.domain.scan(Scope())).records
    plan = shop.domain.propose(shop.domain.detect(records, TODAY), records)
    for number, one in enumerate(plan.proposals):
        expected = shop.domain.terms(one, records).reads
        call = ToolCall(
            key=f"k{number}", record_id=one.record_id, arguments=one.arguments, expected=expected, today=TODAY
        )
        effect = await shop.tool(one.tool).apply(call)
        assert (effect.status, effect.simulated) == (OutcomeStatus.APPLIED, True)
        assert any("(simulated)" in line for line in effect.evidence)
    after = (await shop.domain.scan(Scope())).records
    assert len(plan.proposals) == 4
    assert shop.domain.detect(after, TODAY) == ()


async def test_a_delivery_raises_the_stock_and_the_completed_order_takes_its_own(shop: Shop) -> None:
    effect = await shop.run("order_inventory", BADGES)
    assert (effect.before["status"], effect.before["current_stock"], effect.before["available_stock"]) == (
        "pending-inventory",
        247,
        187,
    )
    assert (effect.after["status"], effect.after["current_stock"], effect.after["available_stock"]) == (
        "completed",
        147,
        87,
    )
    row, order = shop.stock("STP-ORG-001"), shop.order("ORD-002-HJG")
    assert (row["current_stock"], row["reserved_stock"], row["available_stock"]) == (147, 60, 87)
    assert row["last_restocked"] == "2025-06-28T00:00:00Z"
    assert order["status"] == "completed"
    assert order["restocks"] == [
        {"item_id": "STP-ORG-001", "quantity": 200, "state": "delivered", "key": "k1", "taken": 300}
    ]
    assert order["status_history"] == [
        {"status": "restock-ordered", "at": "2025-06-28T00:00:00Z", "by": "daper"},
        {"status": "completed", "at": "2025-06-28T00:00:00Z", "by": "daper"},
    ]
    versions = {record.ref: record.version for record in await shop.domain.context(["ORD-002-HJG"])}
    assert effect.wrote == {ref: versions[ref] for ref in ("orders/ORD-002-HJG", "inventory/STP-ORG-001")}


async def test_the_order_summary_follows_and_keeps_its_other_fields(shop: Shop) -> None:
    before = cast("Raw", shop.raw("orders.json")["order_summary"])
    await shop.run("order_inventory", BADGES)
    after = cast("Raw", shop.raw("orders.json")["order_summary"])
    counts = {
        "pending-payment": 1,
        "completed": 2,
        "payment-denied": 1,
        "pending-approval": 1,
        "priority_processing": 1,
    }
    assert after == before | {"orders_by_status": counts}


async def test_a_summary_without_our_figures_gets_none_and_wrong_figures_are_put_right(shop: Shop) -> None:
    document = shop.raw("orders.json")
    document["order_summary"] = {"total_orders": 99, "motto": "draco dormiens"}
    (shop.folder / "orders.json").write_text(simplejson.dumps(document, use_decimal=True), encoding="utf-8")
    await shop.run("request_approval", EGG)
    assert shop.raw("orders.json")["order_summary"] == {"total_orders": 6, "motto": "draco dormiens"}


async def test_fields_that_nobody_knows_are_kept_when_a_row_is_written_back(shop: Shop) -> None:
    shop.edit("orders.json", "order_id", "ORD-002-HJG", gift_wrap={"ribbon": ["red", None]}, weight=Decimal("1.250"))
    shop.edit("inventory.json", "item_id", "STP-ORG-001", shelf="B4")
    before, untouched = shop.order("ORD-002-HJG"), shop.order("ORD-006-DLM")
    await shop.run("order_inventory", BADGES)
    after = shop.order("ORD-002-HJG")
    ours = {"status", "status_history", "restocks"}
    assert {name: value for name, value in after.items() if name not in ours} == {
        name: value for name, value in before.items() if name not in ours
    }
    assert shop.stock("STP-ORG-001")["shelf"] == "B4"
    assert shop.order("ORD-006-DLM") == untouched
    assert '"weight": 1.250' in (shop.folder / "orders.json").read_text(encoding="utf-8")


async def test_messages_lie_in_the_outbox_for_a_person_to_read(shop: Shop) -> None:
    await shop.run("request_approval", EGG, "k1")
    await shop.run("order_inventory", BADGES, "k2")
    sent = {message.key: message for message in await shop.domain.outbox()}
    assert (sent["k1"].to, sent["k1"].body, sent["k1"].simulated) == (IN_PLAY_APPROVER, "Please approve one egg.", True)
    assert sent["k2"].to == shop.stock("STP-ORG-001")["supplier_contact"]
    assert "200 x S.P.E.W. Badge Set" in sent["k2"].body


async def test_applying_twice_with_one_key_changes_things_once(shop: Shop) -> None:
    """D1, S2."""
    call = await shop.call(BADGES)
    first = await shop.tool("order_inventory").apply(call)
    files = shop.files()
    second = await shop.tool("order_inventory").apply(call)
    assert second == first.model_copy(update={"status": OutcomeStatus.ALREADY_APPLIED})
    assert shop.files() == files
    assert len(await shop.domain.outbox()) == 1


async def test_20_parallel_applies_with_one_key_apply_once(shop: Shop) -> None:
    """D1, D19."""
    call = await shop.call(BADGES)
    effects = await asyncio.gather(*(shop.tool("order_inventory").apply(call) for _ in range(20)))
    statuses = sorted(effect.status for effect in effects)
    assert statuses == [OutcomeStatus.ALREADY_APPLIED] * 19 + [OutcomeStatus.APPLIED]
    assert shop.stock("STP-ORG-001")["current_stock"] == 147


async def test_20_parallel_effects_on_different_orders_lose_no_update(tmp_path: Path) -> None:
    """D19, S10."""
    folder = tmp_path / "busy"
    folder.mkdir()
    orders: list[Raw] = [
        {"order_id": f"O-{n}", "status": "payment-denied", "customer_id": f"c{n}@owls.example", "items": list[object]()}
        for n in range(20)
    ]
    document: Raw = {"orders": orders, "order_summary": {"orders_by_status": dict[str, int]()}}
    (folder / "orders.json").write_text(simplejson.dumps(document), encoding="utf-8")
    (folder / "inventory.json").write_text('{"inventory": []}', encoding="utf-8")
    shop = Shop(domain=open_domain(folder, {}), folder=folder)
    asks: list[Mapping[str, str | int]] = [
        {"order_id": f"O-{n}", "customer_id": f"c{n}@owls.example", "customer_name": "", "original_payment_method": ""}
        for n in range(20)
    ]
    effects = await asyncio.gather(*(shop.run("request_payment_update", ask, f"k{n}") for n, ask in enumerate(asks)))
    assert {effect.status for effect in effects} == {OutcomeStatus.APPLIED}
    assert {row["status"] for row in shop.rows("orders.json")} == {"payment_update_requested"}
    assert shop.raw("orders.json")["order_summary"] == {"orders_by_status": {"payment_update_requested": 20}}
    assert len(await shop.domain.outbox()) == 20


@pytest.mark.parametrize(
    ("file", "key", "value", "ref"),
    [
        ("orders.json", "order_id", "ORD-002-HJG", "orders/ORD-002-HJG"),
        ("inventory.json", "item_id", "STP-ORG-001", "inventory/STP-ORG-001"),
    ],
)
async def test_a_record_that_changed_since_the_plan_is_stale_and_nothing_is_written(
    shop: Shop, file: str, key: str, value: str, ref: str
) -> None:
    """D5, S7."""
    call = await shop.call(BADGES)
    shop.edit(file, key, value, seen_by="Filch")
    files = shop.files()
    effect = await shop.tool("order_inventory").apply(call)
    assert effect.status is OutcomeStatus.STALE
    assert effect.evidence == (f"{ref} was changed since the plan read it",)
    assert shop.files() == files
    assert await shop.domain.outbox() == ()
    assert (await shop.run("order_inventory", BADGES, "k2")).status is OutcomeStatus.APPLIED


@pytest.mark.parametrize("ref", ["orders/ORD-999", "inventory/NOPE", "spells/lumos"])
async def test_a_record_that_is_gone_is_stale(shop: Shop, ref: str) -> None:
    """S5, D5."""
    call = await shop.call(EGG)
    effect = await shop.tool("request_approval").apply(replace(call, expected={**call.expected, ref: "v"}))
    assert (effect.status, effect.evidence) == (OutcomeStatus.STALE, (f"{ref} is gone since the plan read it",))


async def test_an_order_that_does_not_exist_is_never_repaired(shop: Shop) -> None:
    """S5, D14."""
    files = shop.files()
    call = ToolCall(key="k1", record_id="ORD-999", arguments={**EGG, "order_id": "ORD-999"}, expected={}, today=TODAY)
    effect = await shop.tool("request_approval").apply(call)
    assert effect.status is OutcomeStatus.FAILED
    assert "no 'ORD-999'" in effect.evidence[0]
    assert (await shop.tool("request_approval").holds(call, effect)).holding is Holding.NO
    assert shop.files() == files


@pytest.mark.parametrize(
    ("tool", "arguments", "why"),
    [
        ("order_inventory", {**BADGES, "quantity": 112}, "from 113 to 553"),
        ("order_inventory", {**BADGES, "quantity": 554}, "from 113 to 553"),
        ("order_inventory", {**BADGES, "inventory_to_order": "INK-COL-004"}, "is not short of"),
        ("order_inventory", {**BADGES, "inventory_to_order": "NOPE"}, "is not short of"),
        ("order_inventory", {**BADGES, "inventory_description": "Nimbus"}, "the record says"),
        ("order_inventory", {**BADGES, "order_id": "ORD-001-HJP"}, "is not paid"),
        ("request_approval", {**EGG, "approver": "mallory@example.org"}, "must be one of"),
        ("request_approval", {**EGG, "approval_request_contents": "x" * 1501}, "at most 1500"),
        ("request_approval", {**EGG, "urgent": "yes"}, "urgent"),
        ("request_approval", {**EGG, "order_id": "ORD-006-DLM"}, "no item that waits for an approval"),
        ("request_payment_update", {"order_id": "ORD-005-LLV"}, "nothing is done to it"),
        ("hold_order", {"order_id": "ORD-006-DLM", "reason": "prohibited-item"}, "no prohibited or unknown item"),
    ],
)
async def test_limits_are_checked_again_inside_the_effect(
    shop: Shop, tool: str, arguments: dict[str, str | int], why: str
) -> None:
    """D4, D14."""
    files = shop.files()
    effect = await shop.run(tool, arguments)
    assert effect.status is OutcomeStatus.BLOCKED
    assert why in effect.evidence[0]
    assert shop.files() == files


async def test_the_record_of_the_call_is_the_one_that_its_arguments_name(shop: Shop) -> None:
    """D4."""
    call = replace(await shop.call(EGG), record_id="ORD-002-HJG", expected={})
    assert (await shop.tool("request_approval").apply(call)).status is OutcomeStatus.BLOCKED


@pytest.mark.parametrize("quantity", [113, 553])
async def test_both_ends_of_the_quantity_are_allowed(shop: Shop, quantity: int) -> None:
    effect = await shop.run("order_inventory", {**BADGES, "quantity": quantity})
    assert effect.status is OutcomeStatus.APPLIED
    assert effect.after["current_stock"] == 247 + quantity - 300
    assert cast("int", effect.after["available_stock"]) >= 0
    assert cast("int", effect.after["current_stock"]) <= 500


async def test_what_was_already_done_is_not_done_again_under_another_key(shop: Shop) -> None:
    ask = {
        "order_id": "ORD-003-RBW",
        "customer_id": "CUST-RW-003",
        "customer_name": "Ronald Bilius Weasley",
        "original_payment_method": "Gringotts Vault Transfer",
    }
    assert (await shop.run("request_payment_update", ask, "k1")).status is OutcomeStatus.APPLIED
    again = await shop.run("request_payment_update", ask, "k2")
    assert (again.status, again.evidence) == (
        OutcomeStatus.BLOCKED,
        ("a request to the customer of order 'ORD-003-RBW' is written already; see the outbox",),
    )
    assert len(await shop.domain.outbox()) == 1


async def test_a_payment_request_waits_for_the_customer_until_the_order_moves_on(shop: Shop) -> None:
    ask = {
        "order_id": "ORD-001-HJP",
        "customer_id": "CUST-HP-001",
        "customer_name": "Harry James Potter",
        "original_payment_method": "Gringotts Vault Transfer",
    }
    tool, call = shop.tool("request_payment_update"), await shop.call(ask)
    effect = await tool.apply(call)
    order = shop.order("ORD-001-HJP")
    assert order["status"] == "payment_update_requested"
    assert "(simulated)" in str(order["status_notes"])
    assert str(order["notes"]) not in (await shop.domain.outbox())[0].body
    assert (await tool.holds(call, effect)).holding is Holding.WAITING
    for status, holding in [("priority_processing", Holding.YES), ("payment-denied", Holding.NO)]:
        shop.edit("orders.json", "order_id", "ORD-001-HJP", status=status)
        assert (await tool.holds(call, effect)).holding is holding


async def test_without_a_counterparty_a_request_only_waits(tmp_path: Path) -> None:
    mine = await own_shop(tmp_path / "own")
    tool, call = mine.tool("request_approval"), await mine.call(EGG)
    assert (await tool.holds(call, Effect(status=OutcomeStatus.FAILED))).holding is Holding.NO
    effect = await tool.apply(call)
    assert (effect.after, effect.simulated) == ({"status": "approval-requested"}, False)
    assert (await tool.holds(call, effect)).holding is Holding.WAITING
    assert not (await mine.domain.outbox())[0].simulated

    tool, call = mine.tool("order_inventory"), await mine.call(BADGES, "k2")
    effect = await tool.apply(call)
    assert (effect.after["status"], effect.after["current_stock"]) == ("restock-ordered", 247)
    assert set(effect.wrote) == {"orders/ORD-002-HJG"}
    assert (await tool.holds(call, effect)).holding is Holding.WAITING
    undone = await cast("Undoable", tool).undo(call, effect, key="u")
    assert undone.status is OutcomeStatus.UNDONE
    assert (mine.order("ORD-002-HJG")["status"], "restocks" in mine.order("ORD-002-HJG")) == (
        "pending-inventory",
        False,
    )


async def test_approval_then_restock_on_one_order_completes_it(shop: Shop) -> None:
    shop.edit("inventory.json", "item_id", "STP-ORG-001", special_requirements={"ministry_approval": True})
    ask = {**EGG, "order_id": "ORD-002-HJG"}
    first_call, second_call = await shop.call(ask, "k1"), await shop.call(BADGES, "k2")
    first = await shop.tool("request_approval").apply(first_call)
    assert first.after["status"] == "approved-preparing-shipment"
    chained = replace(second_call, expected={**second_call.expected, **first.wrote})
    second = await shop.tool("order_inventory").apply(chained)
    assert (second.status, second.after["status"]) == (OutcomeStatus.APPLIED, "completed")
    assert (await shop.tool("order_inventory").holds(chained, second)).holding is Holding.YES
    assert (await shop.tool("request_approval").holds(first_call, first)).holding is Holding.YES


async def test_nothing_is_bought_for_an_order_before_its_approval_is_there(shop: Shop) -> None:
    shop.edit("inventory.json", "item_id", "STP-ORG-001", special_requirements={"ministry_approval": True})
    refused = await shop.run("order_inventory", BADGES)
    assert (refused.status, refused.evidence) == (
        OutcomeStatus.BLOCKED,
        ("order 'ORD-002-HJG' waits for an approval; restock once it is given",),
    )
    assert await shop.domain.outbox() == ()


async def test_an_approved_order_that_is_not_paid_keeps_its_payment_status(shop: Shop) -> None:
    shop.edit("orders.json", "order_id", "ORD-004-RHG", status="payment-denied")
    effect = await shop.run("request_approval", EGG)
    assert effect.after["status"] == "payment-denied"
    assert shop.order("ORD-004-RHG")["approval"] == {
        "approver": IN_PLAY_APPROVER,
        "at": "2025-06-28T00:00:00Z",
        "simulated": True,
    }


async def test_reset_restores_the_records_and_keeps_the_ledger(shop: Shop) -> None:
    call = await shop.call(BADGES)
    await shop.tool("order_inventory").apply(call)
    await shop.domain.reset()
    assert shop.order("ORD-002-HJG")["status"] == "pending-inventory"
    assert (await shop.tool("order_inventory").apply(call)).status is OutcomeStatus.ALREADY_APPLIED
    assert len(await shop.domain.outbox()) == 1


async def test_a_row_that_broke_after_the_plan_is_refused_and_nothing_is_written(shop: Shop) -> None:
    call = replace(await shop.call(BADGES), expected={})
    shop.edit("orders.json", "order_id", "ORD-002-HJG", items=7)
    files = shop.files()
    with pytest.raises(StoreDamaged, match="items holds 7"):
        await shop.tool("order_inventory").apply(call)
    assert shop.files() == files
