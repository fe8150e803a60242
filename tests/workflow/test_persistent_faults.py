"""Rule 9: whatever comes back again and again is bounded, backed off from and listed; nothing loops, nothing is silent.

Sixty cycles of one fault here, two hundred in `make faults`.
"""

import asyncio
import os
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from daper.adapters.memory.recollection import TRIES_MOST as TRIES
from daper.core.models import Verdict
from daper.core.outcomes import Holding, RepairResult
from daper.core.phases import Phase
from tests.workflow.recurring import Ailing, Carers, left_alone
from tests.workflow.shop import open_shop

ROUNDS = -(-int(os.environ.get("DAPER_TEST_CYCLES", "60")) // 3)  # of three cycles


@pytest.mark.long
@pytest.mark.timeout(600)  # over a minute where other things run
async def test_one_fault_under_three_agents_is_tried_three_times_and_then_left_to_a_person(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """D12, D15: what is approved never helps. One plan waits at a time; each cycle plans for it, or says why not."""
    alerts, reasons = Ailing(tmp_path), Counter[str]()
    async with open_shop(temporal_env, tmp_path, domains={"alerts": alerts}) as shop:
        carers = Carers(shop)
        begin = carers.start
        for _ in range(ROUNDS):
            # All three at once; who is first is not said.
            repairs = await asyncio.gather(carers.by_person(), begin(), carers.scheduled())
            begin = carers.proactive
            looks = dict(zip(repairs, await asyncio.gather(*map(carers.settled, repairs)), strict=True))
            waiting = [repair_id for repair_id, look in looks.items() if look is None]
            tried = alerts.restarts
            assert len(waiting) == (tried < TRIES), "never two plans for one fault, and none after it was tried enough"
            for repair_id, result in looks.items():
                if result is None:
                    continue
                [alone] = left_alone(result)
                assert (result.phase, result.counts.proposed) == (Phase.NO_REPAIR_NEEDED, 0)
                why = f"waits for a decision in {waiting[0]}, until " if waiting else f"tried {TRIES} times"
                assert why in alone.reason, repair_id
                reasons["waits" if waiting else "tried"] += 1
            for repair_id in waiting:
                result = await carers.decide(repair_id)
                assert (result.counts.applied, result.counts.repaired, result.needs_person) == (1, 0, True)
                assert left_alone(result) == []
                reasons["planned"] += 1
        await carers.agent.stop()
        await carers.agent.ended()
    assert alerts.restarts == TRIES
    assert reasons == {"planned": TRIES, "waits": 2 * TRIES, "tried": 3 * (ROUNDS - TRIES)}


@pytest.mark.long
async def test_a_repair_that_helps_and_does_not_last_is_left_to_a_person_after_the_third(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """D12: each time it was verified as repaired, and the same fault is back at once."""
    alerts = Ailing(tmp_path, helps=True)
    async with open_shop(temporal_env, tmp_path, domains={"alerts": alerts}) as shop:
        carers = Carers(shop)
        done: list[RepairResult] = []
        for _ in range(TRIES):
            alerts.breaks()
            done.append(await carers.result(await carers.granted()))
            assert done[-1].counts.repaired == 1
        alerts.breaks()
        [alone] = left_alone(await carers.result(await carers.granted()))
        first, last = f"{done[0].ended_at:%Y-%m-%d}", f"{done[-1].ended_at:%Y-%m-%d}"
        assert alone.reason == (
            f"repaired 3 times since {first}, and it came back each time, last on {last} by repair "
            f"{done[-1].repair_id}; to ask anew: --again or --record owl-post"
        )
        assert alerts.restarts == TRIES

        assert (await carers.result(await carers.granted(again=True))).counts.repaired == 1
        alerts.breaks()
        [alone] = left_alone(await carers.result(await carers.granted()))
        assert "repaired 4 times" in alone.reason, "who asks anew asks once"


@pytest.mark.long
async def test_a_fault_that_flaps_between_facts_is_tried_six_times_and_then_left_to_a_person(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """D12: it helps every other time, and each time other facts are back."""
    alerts, reasons = Ailing(tmp_path), list[str]()
    async with open_shop(temporal_env, tmp_path, domains={"alerts": alerts}) as shop:
        carers = Carers(shop)
        for number in range(2 * TRIES + 2):
            alerts.helps(number % 4 < 2)
            alerts.breaks(code=500 + number % 2)
            result = await carers.result(await carers.granted())
            assert result.counts.applied + len(left_alone(result)) == 1, "planned and done, or listed"
            reasons += [item.reason for item in left_alone(result)]
    assert alerts.restarts == 2 * TRIES
    assert len(reasons) == 2
    assert all("tried 3 times" in reason and "helped, but not for long" in reason for reason in reasons)


@pytest.mark.long
@pytest.mark.parametrize("holding", [Holding.WAITING, Holding.UNKNOWN])
async def test_what_nobody_can_call_repaired_is_not_repeated_without_end(
    temporal_env: WorkflowEnvironment, tmp_path: Path, holding: Holding
) -> None:
    """Somebody was asked and never answers, or the tool cannot look: the fourth time a person has to."""
    alerts = Ailing(tmp_path)
    alerts.tool.says = holding
    async with open_shop(temporal_env, tmp_path, domains={"alerts": alerts}) as shop:
        carers = Carers(shop)
        results = [await carers.result(await carers.granted()) for _ in range(TRIES + 1)]
    assert alerts.restarts == TRIES
    assert [result.counts.applied for result in results] == [1] * TRIES + [0]
    [alone] = left_alone(results[-1])
    assert "3 left it to somebody else, or could not be verified" in alone.reason


@pytest.mark.parametrize("how", ["rejected", pytest.param("tried", marks=pytest.mark.long)])
async def test_changed_facts_are_proposed_at_once_and_known_ones_are_not(
    temporal_env: WorkflowEnvironment, tmp_path: Path, how: str
) -> None:
    alerts = Ailing(tmp_path)
    alerts.breaks(code=500)
    async with open_shop(temporal_env, tmp_path, domains={"alerts": alerts}) as shop:
        carers = Carers(shop)
        if how == "rejected":
            await carers.decide(await carers.by_person(), Verdict.REJECT)
        else:
            for _ in range(TRIES):
                await carers.result(await carers.granted())
        [before] = left_alone(await carers.result(await carers.scheduled()))
        assert ("rejected" if how == "rejected" else "tried 3 times") in before.reason

        alerts.breaks(code=503)
        alerts.helps(True)
        assert (await carers.decide(await carers.scheduled())).counts.repaired == 1

        alerts.breaks(code=500)
        [after] = left_alone(await carers.result(await carers.scheduled()))
        assert after.reason == before.reason


async def test_a_plan_holds_others_back_for_as_long_as_what_is_approved_at_the_last_moment_may_run(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """D15: its time to decide may be over while it runs; another plan for the same then would run it twice."""
    async with open_shop(temporal_env, tmp_path, domains={"alerts": Ailing(tmp_path)}) as shop:
        carers = Carers(shop)
        repair_id = await shop.start(domain="alerts", decision_valid_for=timedelta(hours=3))
        look = await shop.until(repair_id, lambda look: look.decide_by is not None)
        with closing(sqlite3.connect(tmp_path / "daper.db")) as db:
            ((until,),) = db.execute("SELECT until FROM daper_claims").fetchall()
        assert look.decide_by is not None
        assert datetime.fromisoformat(until) > look.decide_by + timedelta(hours=3), "and time to verify it"
        await carers.decide(repair_id)
