"""What a tool says of a key is its last word on it: also when it says no, or that the approval has lapsed."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from orders_shop import BADGES, EGG, TODAY, Shop

from daper.core.outcomes import Effect, OutcomeStatus
from daper.domains.orders.json_keeping import JsonKeeping
from daper.domains.orders.tools.order_inventory import OrderInventory
from daper.ports import RepairTool, Settleable, ToolCall
from daper.ports.store import LedgerRow
from daper.stores.jsonfiles.store import JsonStore

NOON = datetime(2025, 6, 28, 12, tzinfo=UTC)


def row_of(shop: Shop, key: str = "k1") -> LedgerRow | None:
    return JsonStore(shop.folder, documents=("orders", "inventory")).ledger_row(key)


def restocking(shop: Shop, *, now: datetime) -> OrderInventory:
    """The tool on the shop's store, with a clock that stands still."""
    store = JsonKeeping(shop.folder).store
    return OrderInventory(store=lambda: store, clock=lambda: now)


async def says_it_for_good(shop: Shop, tool: RepairTool, call: ToolCall, first: Effect) -> None:
    """Whatever comes later with this key: the same answer, and nothing changes."""
    files = shop.files()
    row = row_of(shop, call.key)
    assert row is not None
    assert (row.kind, row.effect) == ("tombstone", first)
    fitting = {record.ref: record.version for record in await shop.domain.context([call.record_id])}
    later = replace(call, expected=fitting, arguments=dict(BADGES), valid_until=None)
    assert await tool.apply(later) == first
    assert await cast("Settleable", tool).settle(call.key) == first
    assert await tool.apply(later) == first
    assert shop.files() == files
    assert await shop.domain.outbox() == ()


async def test_stale_is_the_last_word_also_once_the_record_is_back_as_planned(shop: Shop) -> None:
    """D5."""
    call, before = await shop.call(BADGES), shop.raw("orders.json")
    shop.edit("orders.json", "order_id", "ORD-002-HJG", seen_by="Filch")
    tool = shop.tool("order_inventory")
    first = await tool.apply(call)
    assert first.status is OutcomeStatus.STALE
    (shop.folder / "orders.json").write_text(
        (shop.folder / "orders.json").read_text(encoding="utf-8").replace(', "seen_by": "Filch"', ""), encoding="utf-8"
    )
    assert shop.raw("orders.json") == before
    await says_it_for_good(shop, tool, call, first)


@pytest.mark.parametrize("wrong", [{"quantity": 112}, {"inventory_to_order": "INK-COL-004"}])
async def test_blocked_is_the_last_word_also_with_arguments_that_fit(
    shop: Shop, wrong: Mapping[str, str | int]
) -> None:
    tool, call = shop.tool("order_inventory"), await shop.call({**BADGES, **wrong})
    first = await tool.apply(call)
    assert first.status is OutcomeStatus.BLOCKED
    await says_it_for_good(shop, tool, call, first)


async def test_failed_is_the_last_word_also_once_the_order_is_there(shop: Shop) -> None:
    """S5."""
    tool = shop.tool("request_approval")
    call = ToolCall(key="k1", record_id="ORD-999", arguments={**EGG, "order_id": "ORD-999"}, expected={}, today=TODAY)
    first = await tool.apply(call)
    assert first.status is OutcomeStatus.FAILED
    shop.edit("orders.json", "order_id", "ORD-004-RHG", order_id="ORD-999")
    assert await tool.apply(call) == first
    assert await cast("Settleable", tool).settle("k1") == first


async def test_an_approval_past_its_time_has_lapsed_and_nothing_is_done(shop: Shop) -> None:
    call = replace(await shop.call(BADGES), valid_until=NOON)
    tool = restocking(shop, now=NOON + timedelta(microseconds=1))
    files = shop.files()
    first = await tool.apply(call)
    assert (first.status, first.before, first.wrote) == (OutcomeStatus.LAPSED, {}, {})
    assert "2025-06-28 12:00:00 UTC" in first.evidence[0]
    assert shop.files() == files
    await says_it_for_good(shop, tool, call, first)


@pytest.mark.parametrize("valid_until", [NOON, NOON + timedelta(hours=1), None])
async def test_an_approval_within_its_time_runs(shop: Shop, valid_until: datetime | None) -> None:
    call = replace(await shop.call(BADGES), valid_until=valid_until)
    assert (await restocking(shop, now=NOON).apply(call)).status is OutcomeStatus.APPLIED


async def test_an_effect_that_is_there_is_told_also_after_its_approval_lapsed(shop: Shop) -> None:
    call = replace(await shop.call(BADGES), valid_until=NOON)
    done = await restocking(shop, now=NOON).apply(call)
    late = await restocking(shop, now=NOON + timedelta(days=1)).apply(call)
    assert late == done.model_copy(update={"status": OutcomeStatus.ALREADY_APPLIED})


async def test_the_time_is_read_only_once_the_store_is_held(shop: Shop) -> None:
    """An attempt that waited for the store until its approval lapsed must not run."""
    store = JsonKeeping(shop.folder).store
    held: list[bool] = []

    def clock() -> datetime:
        held.append((shop.folder / "lock").read_text(encoding="utf-8").startswith("process "))
        return NOON

    tool = OrderInventory(store=lambda: store, clock=clock)
    await tool.apply(replace(await shop.call(BADGES), valid_until=NOON))
    assert held == [True]


async def test_an_effect_can_be_taken_back_after_its_approval_lapsed(shop: Shop) -> None:
    call = replace(await shop.call(BADGES), valid_until=NOON)
    effect = await restocking(shop, now=NOON).apply(call)
    undone = await restocking(shop, now=NOON + timedelta(days=1)).undo(call, effect, key="u")
    assert undone.status is OutcomeStatus.UNDONE


async def test_what_settling_itself_ruled_out_stays_none(shop: Shop) -> None:
    tool, call = shop.tool("order_inventory"), await shop.call(BADGES)
    settler = cast("Settleable", tool)
    assert await settler.settle("k1") is None
    late = await tool.apply(replace(call, valid_until=TODAY))
    assert (late.status, late.evidence) == (OutcomeStatus.FAILED, ("settled as not applied",))
    assert await settler.settle("k1") is None
