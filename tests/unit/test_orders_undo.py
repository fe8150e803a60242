"""Taking effects back and settling them: exactly, once, and never over what somebody else wrote."""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from orders_shop import BADGES, TODAY, Shop

from daper.core.digests import undo_key
from daper.core.outcomes import Effect, Holding, OutcomeStatus
from daper.ports import Resettable, Settleable, Undoable


def held(shop: Shop) -> Mapping[str, str | int]:
    shop.edit("inventory.json", "item_id", "TEL-BRS-020", status="prohibited")
    return {"order_id": "ORD-006-DLM", "reason": "prohibited-item"}


async def test_two_restocks_of_one_order_complete_it_and_are_undone_in_reverse(shop: Shop) -> None:
    shop.edit("inventory.json", "item_id", "INK-COL-004", current_stock=6, available_stock=0, reserved_stock=6)
    files = shop.raw("orders.json"), shop.raw("inventory.json")
    ink = {
        **BADGES,
        "inventory_to_order": "INK-COL-004",
        "inventory_description": "Colour-Changing Ink",
        "quantity": 60,
    }
    call_1, call_2 = await shop.call(BADGES, "k1"), await shop.call({**ink, "quantity": 60}, "k2")
    tool = shop.tool("order_inventory")
    one = await tool.apply(call_1)
    two = await tool.apply(replace(call_2, expected={**call_2.expected, **one.wrote}))
    assert (one.after["status"], two.after["status"]) == ("restock-ordered", "completed")
    undoable = cast("Undoable", tool)
    assert (await undoable.undo(call_1, one, key="u1")).status is OutcomeStatus.UNDO_BLOCKED
    assert (await undoable.undo(call_2, two, key="u2")).status is OutcomeStatus.UNDONE
    assert (await undoable.undo(call_1, one, key="u1")).status is OutcomeStatus.UNDO_BLOCKED  # its last word
    assert (await undoable.undo(call_1, one, key="another")).status is OutcomeStatus.UNDONE
    assert (shop.raw("orders.json"), shop.raw("inventory.json")) == files


async def test_undoing_a_restock_gives_everything_back_and_tells_the_supplier(shop: Shop) -> None:
    files = shop.raw("orders.json"), shop.raw("inventory.json")
    call = await shop.call(BADGES)
    effect = await shop.tool("order_inventory").apply(call)
    tool = cast("Undoable", shop.tool("order_inventory"))
    undone = await tool.undo(call, effect, key=undo_key("k1"))
    assert (undone.status, undone.before, undone.after) == (OutcomeStatus.UNDONE, effect.after, effect.before)
    assert (shop.raw("orders.json"), shop.raw("inventory.json")) == files
    subjects = {message.key: message.subject for message in await shop.domain.outbox()}
    assert subjects[undo_key("k1")] == "Cancelled: order of 200 x STP-ORG-001"
    assert await tool.undo(call, effect, key=undo_key("k1")) == undone
    assert (shop.raw("orders.json"), shop.raw("inventory.json")) == files
    assert len(await shop.domain.outbox()) == 2


@pytest.mark.parametrize(
    ("file", "key", "value"), [("orders.json", "order_id", "ORD-002-HJG"), ("inventory.json", "item_id", "STP-ORG-001")]
)
async def test_undo_is_blocked_where_somebody_has_changed_what_the_effect_wrote(
    shop: Shop, file: str, key: str, value: str
) -> None:
    call = await shop.call(BADGES)
    effect = await shop.tool("order_inventory").apply(call)
    shop.edit(file, key, value, seen_by="Filch")
    files = shop.files()
    undone = await cast("Undoable", shop.tool("order_inventory")).undo(call, effect, key="u")
    assert undone.status is OutcomeStatus.UNDO_BLOCKED
    assert "was changed since the repair wrote it" in undone.evidence[0]
    assert shop.files() == files


async def test_undo_of_an_effect_that_never_was_is_blocked(shop: Shop) -> None:
    call = await shop.call(BADGES)
    never = Effect(status=OutcomeStatus.APPLIED)
    tool = cast("Undoable", shop.tool("order_inventory"))
    assert (await tool.undo(call, never, key="u")).status is OutcomeStatus.UNDO_BLOCKED
    await shop.tool("order_inventory").apply(call)
    assert (await tool.undo(call, never, key="u")).status is OutcomeStatus.UNDO_BLOCKED


async def test_a_hold_parks_the_order_and_can_be_taken_back(shop: Shop) -> None:
    call = await shop.call(held(shop))
    before = shop.raw("orders.json")
    effect = await shop.tool("hold_order").apply(call)
    assert (effect.before, effect.after) == ({"status": "priority_processing"}, {"status": "on-hold"})
    assert not effect.simulated
    assert (await shop.tool("hold_order").holds(call, effect)).holding is Holding.WAITING
    assert shop.domain.detect(await shop.domain.context(["ORD-006-DLM"]), TODAY) == ()
    assert (await shop.run("hold_order", {"order_id": "ORD-006-DLM", "reason": "prohibited-item"}, "k2")).status is (
        OutcomeStatus.BLOCKED
    )
    undone = await cast("Undoable", shop.tool("hold_order")).undo(call, effect, key="u")
    assert undone.status is OutcomeStatus.UNDONE
    assert shop.raw("orders.json") == before
    assert (await shop.tool("hold_order").holds(call, effect)).holding is Holding.NO


async def test_only_what_can_be_taken_back_has_an_undo_and_every_tool_can_settle(shop: Shop) -> None:
    undoable = {name for name, tool in shop.domain.tools.items() if isinstance(tool, Undoable)}
    assert undoable == {"order_inventory", "hold_order"}
    assert all(isinstance(tool, Settleable) for tool in shop.domain.tools.values())
    assert {name: str(tool.risk) for name, tool in shop.domain.tools.items()} == {
        "request_approval": "low",
        "order_inventory": "medium",
        "request_payment_update": "low",
        "hold_order": "low",
    }
    assert isinstance(shop.domain, Resettable)


async def test_settling_a_key_without_effect_forbids_a_late_attempt(shop: Shop) -> None:
    """D1, D22."""
    tool, call = shop.tool("order_inventory"), await shop.call(BADGES)
    files = shop.files()
    settler = cast("Settleable", tool)
    assert await settler.settle("k1") is None
    assert await settler.settle("k1") is None
    late = await tool.apply(call)
    assert (late.status, late.evidence) == (OutcomeStatus.FAILED, ("settled as not applied",))
    assert shop.files() == files
    assert (await tool.apply(replace(call, key="k2"))).status is OutcomeStatus.APPLIED


async def test_settling_a_key_with_an_effect_returns_it(shop: Shop) -> None:
    call = await shop.call(BADGES)
    effect = await shop.tool("order_inventory").apply(call)
    settler = cast("Settleable", shop.tool("order_inventory"))
    assert await settler.settle("k1") == effect
    undone = await cast("Undoable", shop.tool("order_inventory")).undo(call, effect, key="u")
    assert await settler.settle("u") == undone


async def test_a_settled_undo_changes_nothing_any_more(shop: Shop) -> None:
    call = await shop.call(BADGES)
    effect = await shop.tool("order_inventory").apply(call)
    assert await cast("Settleable", shop.tool("order_inventory")).settle("u") is None
    files = shop.files()
    undone = await cast("Undoable", shop.tool("order_inventory")).undo(call, effect, key="u")
    assert undone.status is OutcomeStatus.FAILED
    assert shop.files() == files


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(["apply", "settle", "undo"]), min_size=1, max_size=6))
async def test_whatever_the_order_of_attempts_the_stock_agrees_with_the_ledger(shop: Shop, steps: list[str]) -> None:
    """D1: an effect happens at most once, a tombstone is for good, an undo takes back at most once."""
    await shop.domain.reset()
    key, tool = f"k{len(list((shop.folder / 'ledger').iterdir()))}", shop.tool("order_inventory")
    call, effect = await shop.call(BADGES, key), Effect(status=OutcomeStatus.FAILED)
    dead = applied = undone = False
    for step in steps:
        if step == "apply":
            got = await tool.apply(call)
            effect = effect if dead or applied else got
            assert (got.status is OutcomeStatus.FAILED) == dead
            applied = applied or not dead
        elif step == "settle":
            dead = dead or not applied
            assert (await cast("Settleable", tool).settle(key) is None) == dead
        else:
            got = await cast("Undoable", tool).undo(call, effect, key=undo_key(key))
            undone = undone or applied
            assert (got.status is OutcomeStatus.UNDONE) == undone
        assert shop.stock("STP-ORG-001")["current_stock"] == (147 if applied and not undone else 247)


async def test_an_undo_that_comes_after_it_was_settled_as_never_changes_nothing(shop: Shop) -> None:
    """Rule 3: the undo has a key of its own; once that is settled, a late attempt obeys."""
    call = await shop.call(BADGES)
    tool = shop.tool("order_inventory")
    effect = await tool.apply(call)
    files = shop.raw("orders.json"), shop.raw("inventory.json")
    assert await cast("Settleable", tool).settle(undo_key("k1")) is None
    late = await cast("Undoable", tool).undo(call, effect, key=undo_key("k1"))
    assert late.status is OutcomeStatus.FAILED
    assert (shop.raw("orders.json"), shop.raw("inventory.json")) == files
    assert len(await shop.domain.outbox()) == 1
