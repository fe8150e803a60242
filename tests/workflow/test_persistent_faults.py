"""Rule 9: whatever comes back again and again is bounded, backed off from and listed; nothing loops, nothing is silent.

Sixty cycles of one fault here, two hundred in `make faults`.
"""

import asyncio
import os
from collections import Counter
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from daper.adapters.memory.sqlite import TRIES
from daper.core.phases import Phase
from tests.workflow.recurring import Ailing, Carers, left_alone
from tests.workflow.shop import open_shop

ROUNDS = -(-int(os.environ.get("DAPER_TEST_CYCLES", "60")) // 3)  # of three cycles


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
                why = f"repair {waiting[0]} has a plan for it" if waiting else f"tried {TRIES} times"
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
