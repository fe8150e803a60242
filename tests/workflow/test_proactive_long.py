"""The proactive agent over many cycles, while its workflow continues as new again and again.

Nine of them are decided here, fifty in `make faults`.
"""

import asyncio
import os
from pathlib import Path

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.testing import WorkflowEnvironment

from daper.core.errors import DecisionRefused
from daper.core.messages import Nudge
from daper.core.outcomes import RepairResult
from daper.core.proactive import KEPT_CYCLES, CycleEnd
from daper.service.requests import DecisionReceipt
from daper.workflows.labels import USER_ATTRIBUTE, USER_MEMO
from daper.workflows.proactive import RepairAgentWorkflowProactive
from tests.workflow.agents import HOUR, Agent, QuietRepair, worker_with
from tests.workflow.recurring import Wards
from tests.workflow.shop import GINNY, HARRY, Shop, answer, open_shop

CYCLES = 50
DECIDED = int(os.environ.get("DAPER_TEST_CYCLES", "9"))
PER_RUN = 3


@pytest.mark.long
async def test_over_50_cycles_and_many_runs_no_nudge_is_lost_and_none_counts_twice(
    future_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    shop = Shop(future_env, tmp_path, domains=None, indexed=True)
    agent = Agent(shop)
    sent, ended = 0, dict[str, CycleEnd]()
    async with worker_with(shop, QuietRepair), asyncio.timeout(120):
        first = await agent.start_with_short_runs(cycles=PER_RUN)
        cycles = 0
        while cycles < CYCLES:
            flood = (Nudge(by="Ginny", reason=f"owl {sent + n}") for n in range(5))
            await asyncio.gather(*(agent.handle.signal(RepairAgentWorkflowProactive.check_now, each) for each in flood))
            sent += 5
            view = await agent.view()
            cycles = view.cycles
            ended |= {each.repair_id: each for each in view.results}
        view = await agent.until(lambda view: view.next_cycle_at is not None and view.nudges_waiting == 0)
        ended |= {each.repair_id: each for each in view.results}
        described = await agent.handle.describe()
        await agent.stop()
        result = await agent.ended()

    assert view.nudges == sent
    assert len(ended) == view.cycles == result.cycles, "each cycle was seen"
    assert sum(each.nudges for each in ended.values()) == sent
    assert all(each.nudges or number == 0 for number, each in enumerate(_by_time(ended))), "no cycle without a reason"
    assert len(view.results) == KEPT_CYCLES
    assert described.raw_description.workflow_execution_info.first_run_id == first
    assert await _status(agent, first) is WorkflowExecutionStatus.CONTINUED_AS_NEW
    assert described.history_length < CYCLES, "the last run is a short one"


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_over_many_cycles_and_runs_no_decision_is_lost_and_none_counts_twice(
    future_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """Each plan is answered by two people at once, each of them twice, amid a flood of nudges, and late once more."""
    alerts = Wards(tmp_path)
    results, sent = list[RepairResult](), 0
    async with open_shop(future_env, tmp_path, domains={"alerts": alerts}) as shop:
        agent = Agent(shop, domain="alerts")
        alerts.breaks(0)
        first = await agent.start_with_short_runs(cycles=PER_RUN)
        for number in range(DECIDED):
            repair_id = await agent.cycle(number + 1)
            plan = await shop.plan(repair_id)
            if number + 1 < DECIDED:
                alerts.breaks(number + 1)
            decisions = [answer(plan, by=by) for by in (HARRY, GINNY) for _ in range(2)]
            nudge = Nudge(by="Ginny", reason=f"owl {number}")
            *told, _, _ = await asyncio.gather(
                *(shop.service.decide(repair_id, each) for each in decisions),
                *(agent.handle.signal(RepairAgentWorkflowProactive.check_now, nudge) for _ in range(2)),
                return_exceptions=True,
            )
            sent += 2
            result = await shop.end(repair_id)
            told += await asyncio.gather(
                *(shop.service.decide(repair_id, each) for each in decisions[::2]), return_exceptions=True
            )
            accepted = [each for each in told if isinstance(each, DecisionReceipt)]
            refused = [each for each in told if isinstance(each, DecisionRefused)]
            assert (len(accepted), len(refused)) == (3, 3), told
            [recorded] = result.decisions
            assert [each.recorded for each in accepted] == [recorded] * 3, "the same one, told as it was recorded"
            results.append(result)
        view = await agent.until(lambda view: view.nudges_waiting == 0 and view.next_cycle_at is not None)
        await agent.stop()
        await agent.ended()
    assert [result.counts.repaired for result in results] == [1] * DECIDED
    assert alerts.restarted == [f"ward-{number}" for number in range(DECIDED)]
    assert view.nudges == sent
    assert view.cycles == DECIDED + 1, "the last nudges are answered by a cycle that finds nothing"
    assert await _status(agent, first) is WorkflowExecutionStatus.CONTINUED_AS_NEW


@pytest.mark.long
async def test_what_is_known_of_it_without_a_worker_is_carried_on(
    future_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """Its labels, when it was started, and when its next cycle is due: nothing begins earlier or later for it."""
    shop = Shop(future_env, tmp_path, domains=None, indexed=True)
    agent = Agent(shop)
    async with worker_with(shop, QuietRepair):
        first = await agent.start_with_short_runs(cycles=1)
        before = await agent.handle.describe()
        view = await agent.waits(after=1)
        after = await agent.handle.describe()
        assert after.run_id != first
        assert view.next_cycle_at is not None
        assert view.results[0].ended_at + HOUR <= view.next_cycle_at < view.results[0].ended_at + 2 * HOUR
        assert (await after.memo())[USER_MEMO] == (await before.memo())[USER_MEMO] == agent.user
        assert after.typed_search_attributes.get(USER_ATTRIBUTE) == agent.user

        await future_env.fast_forward(agent.handle, HOUR / 2)
        assert (await agent.waits(after=1)).next_cycle_at == view.next_cycle_at
        await future_env.fast_forward(agent.handle, HOUR)
        assert (await agent.waits(after=2)).started_at == view.started_at
        await agent.stop()
        await agent.ended()


def _by_time(ended: dict[str, CycleEnd]) -> list[CycleEnd]:
    return sorted(ended.values(), key=lambda each: each.started_at)


async def _status(agent: Agent, run_id: str) -> WorkflowExecutionStatus | None:
    handle = agent.shop.client.get_workflow_handle(agent.handle.id, run_id=run_id)
    return (await handle.describe()).status
