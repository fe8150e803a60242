"""What the memory makes of the records that plans would write: one open plan for each, as long as it can come true."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from daper.adapters.memory.tables import MemoryTables
from daper.core.messages import ConcludeInput, Hold, HoldInput
from daper.ports import Memory
from tests.contract.kept_state import KeptState
from tests.contract.remembering import HOURS_12, START, Clock, claim_of, cycle, finding

ORDER, STOCK = Hold(ref="orders/ORD-1", version="v1"), Hold(ref="inventory/ITM-1", version="v1")


def hold_of(repair: str, *wanted: tuple[Hold, ...], dry_run: bool = False) -> HoldInput:
    return HoldInput(cycle=cycle(repair), wanted=wanted, until=START + HOURS_12, dry_run=dry_run)


async def refused(memory: Memory, repair: str, *wanted: tuple[Hold, ...]) -> list[tuple[int, str, str]]:
    found = (await memory.hold(hold_of(repair, *wanted))).refused
    return [(each.at, each.ref, each.repair_id) for each in found]


async def test_two_plans_do_not_hold_one_record_and_the_rest_of_the_second_is_held(memory: Memory) -> None:
    other = Hold(ref="orders/ORD-2", version="v1")
    assert await refused(memory, "r1", (ORDER, STOCK)) == []
    assert await refused(memory, "r2", (other, STOCK), (other,)) == [(0, STOCK.ref, "r1")]
    assert await refused(memory, "r3", (other,)) == [(0, other.ref, "r2")]
    assert await refused(memory, "r1", (ORDER, STOCK)) == [], "its own holds refuse it nothing"


async def test_a_plan_that_saw_another_version_holds_nothing_back(memory: Memory) -> None:
    await memory.hold(hold_of("r1", (ORDER,)))
    assert await refused(memory, "r2", (ORDER.model_copy(update={"version": "v2"}),)) == []


async def test_what_is_held_is_free_at_the_end_and_when_its_time_is_over(memory: Memory, clock: Clock) -> None:
    await memory.hold(hold_of("r1", (ORDER,), (STOCK,)))
    await memory.hold(hold_of("r2", (Hold(ref="orders/ORD-2"),), dry_run=True))
    assert await memory.holders(cycle("r3"), refs=[ORDER.ref, "orders/ORD-2"]) == ("r1",)
    await memory.conclude(ConcludeInput(cycle=cycle("r1"), at=START))
    assert await refused(memory, "r3", (ORDER,)) == []
    clock.now = START + HOURS_12
    assert await refused(memory, "r4", (ORDER,)) == []


async def test_what_ended_without_a_word_is_released(memory: Memory) -> None:
    await memory.claim(claim_of("r1"))
    await memory.hold(hold_of("r1", (ORDER,)))
    assert await memory.holders(cycle("r2"), record_ids=["ORD-1"], refs=[ORDER.ref]) == ("r1",)
    await memory.release(cycle("r2"), ["r1"])
    assert await memory.holders(cycle("r2"), record_ids=["ORD-1"], refs=[ORDER.ref]) == ()
    assert (await memory.claim(claim_of("r2"))).fresh == (finding(),)


async def test_what_a_plan_leaves_out_is_for_others(memory: Memory) -> None:
    left, planned = finding("ORD-1", fingerprint="f1"), finding("ORD-2", fingerprint="f2")
    await memory.claim(claim_of("r1", left, planned))
    await memory.let_go(cycle("r1"), ["f1"])
    result = await memory.claim(claim_of("r2", left, planned, again=True))
    assert result.fresh == (left,)
    assert [item.held_by for item in result.suppressed] == ["r1"]


def test_of_20_plans_that_want_the_same_records_at_once_one_gets_each(state: KeptState, clock: Clock) -> None:
    together, rounds = threading.Barrier(20), range(5)

    def alone(number: int) -> list[bool]:
        memory = MemoryTables(state.open(), now=clock)
        together.wait()
        asked = (hold_of(f"r{number}", (Hold(ref=f"orders/{each}"), Hold(ref=f"stock/{each}"))) for each in rounds)
        return [not asyncio.run(memory.hold(request)).refused for request in asked]

    with ThreadPoolExecutor(max_workers=20) as pool:
        held = list(pool.map(alone, range(20)))

    assert [sum(each) for each in zip(*held, strict=True)] == [1] * len(rounds)
