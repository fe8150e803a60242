"""The proactive agent: cycle after cycle, with the clock moved; nudged, stopped, and never killed by what it starts."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import temporalio.api.sdk.v1 as sdk
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowExecutionStatus
from temporalio.testing import WorkflowEnvironment

from daper.core.models import PolicyGrant
from daper.core.phases import Phase
from daper.core.proactive import AgentPhase
from daper.core.views import RepairView
from daper.workflows.labels import USER_ATTRIBUTE
from daper.workflows.options import FIRST_PAUSE
from tests.workflow.agents import HOUR, Agent, CrashingRepair, worker_with
from tests.workflow.shop import Shop, open_shop


async def test_the_first_cycle_begins_at_once_and_the_next_one_after_the_interval(
    future_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """Nobody ever answers: each cycle expires, and the agent lives on."""
    async with open_shop(future_env, tmp_path) as shop:
        agent = Agent(shop)
        await agent.start(interval=6 * HOUR)
        first = await agent.cycle()
        assert (await shop.plan(first)).total_actions == 4
        await future_env.fast_forward(shop.client.get_workflow_handle(first), 21 * HOUR)
        waiting = await agent.waits(after=1)
        [expired] = waiting.results
        assert (expired.repair_id, expired.phase, expired.needs_person) == (first, Phase.APPROVAL_EXPIRED, True)
        assert waiting.failures_in_a_row == 0
        assert waiting.next_cycle_at is not None

        await future_env.fast_forward(agent.handle, 7 * HOUR)

        # The clock of its second repair runs as that of the agent, which skips: nobody answers that one either.
        view = await agent.until(lambda view: len(view.results) > 1)
        assert timedelta() <= view.results[0].started_at - waiting.next_cycle_at < HOUR
        assert view.results[0].phase is Phase.APPROVAL_EXPIRED
        assert shop.effects() == 0
        await agent.stop()


@pytest.mark.long
async def test_a_plan_waits_for_20_hours_and_only_a_person_approves_it(
    future_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(future_env, tmp_path) as shop:
        agent = Agent(shop)
        await agent.start()
        repair_id = await agent.cycle()
        plan = await shop.plan(repair_id)
        await future_env.fast_forward(shop.client.get_workflow_handle(repair_id), 19 * HOUR)
        waiting = await agent.status()
        assert isinstance(waiting.repair, RepairView)
        assert (waiting.phase, waiting.agent.phase) == (Phase.PENDING_APPROVAL, AgentPhase.RUNNING_CYCLE)

        await shop.decide(repair_id, plan, by=agent.by)

        [ended] = (await agent.waits(after=1)).results
        assert (ended.phase, ended.counts.applied) == (Phase.REPORT_COMPLETED, 4)
        result = await shop.end(repair_id)
        assert not [each for each in result.decisions if isinstance(each.decision.by, PolicyGrant)]
        await agent.stop()


async def test_its_repairs_are_labelled_as_those_that_a_person_starts(
    future_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(future_env, tmp_path) as shop:
        agent = Agent(shop)
        await agent.start()
        repair_id = await agent.cycle()
        assert repair_id.startswith(f"repair-{agent.user}-")
        by_person = await shop.start(requested_by=agent.by)
        theirs, mine = [
            await shop.client.get_workflow_handle(each).describe() for each in (by_person, await agent.cycle())
        ]

        assert theirs.typed_search_attributes.get(USER_ATTRIBUTE) == agent.user
        assert mine.typed_search_attributes.get(USER_ATTRIBUTE) == agent.user
        assert await mine.memo() == await theirs.memo()
        assert await mine.static_summary() == await theirs.static_summary()
        await shop.service.stop(by_person, by="Harry")
        await agent.stop()


async def test_what_was_rejected_is_left_alone_by_the_next_cycle(
    future_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """Rule 9: an agent does not ask for the same thing every day."""
    async with open_shop(future_env, tmp_path) as shop:
        agent = Agent(shop)
        await agent.start()
        await agent.reject(await agent.cycle())
        assert (await agent.waits(after=1)).results[0].phase is Phase.REJECTED

        await agent.check_now()

        after = (await agent.waits(after=2)).results[0]
        assert (after.phase, after.counts.suppressed, after.counts.proposed) == (Phase.NO_REPAIR_NEEDED, 4, 0)
        assert after.asked == "Ginny"
        await agent.stop()


@pytest.mark.long
async def test_nudges_during_a_cycle_lead_to_one_more_right_after_it(
    future_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(future_env, tmp_path) as shop:
        agent = Agent(shop)
        await agent.start()
        repair_id = await agent.cycle()
        for reason in ("more badges", "more eggs", "more owls"):
            await agent.check_now(reason)
        assert (await agent.until(lambda view: view.nudges == 3)).nudges_waiting == 3

        await agent.reject(repair_id)

        view = await agent.waits(after=2)
        assert [(each.nudges, each.asked) for each in view.results] == [(3, "Ginny: more owls"), (0, "")]
        assert view.nudges_waiting == 0
        await agent.stop()


@pytest.mark.long
async def test_stop_while_it_waits_ends_it_and_it_can_be_started_anew(
    future_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(future_env, tmp_path) as shop:
        agent = Agent(shop)
        await agent.start()
        await agent.reject(await agent.cycle())
        await agent.waits(after=1)

        await agent.stop("it is summer")

        ended = await agent.ended()
        assert (ended.phase, ended.cycles, ended.repair_id) == (AgentPhase.STOPPED, 1, None)
        assert ended.stopping == "stopped by Ginny: it is summer"
        assert ended.ended_at is not None
        assert await agent.status() == (await agent.status()).model_copy(update={"agent": ended, "ended": "stopped"})
        assert not (await agent.start()).already_running
        assert (await agent.until(lambda view: view.cycles == 1)).started_at > ended.ended_at
        await agent.stop()


@pytest.mark.parametrize(("way", "by"), [("stop", "Ginny: closed"), ("cancel", "somebody who cancelled the workflow")])
async def test_stop_during_a_cycle_stops_its_repair_and_waits_for_it(
    future_env: WorkflowEnvironment, tmp_path: Path, way: str, by: str
) -> None:
    """Nothing goes on behind anybody's back: also where the workflow is cancelled from Temporal's own tools."""
    async with open_shop(future_env, tmp_path) as shop:
        agent = Agent(shop)
        await agent.start()
        repair_id = await agent.cycle()
        await shop.plan(repair_id)

        await (agent.stop("closed") if way == "stop" else agent.handle.cancel())

        ended = await agent.ended()
        assert (ended.phase, ended.stopping) == (AgentPhase.STOPPED, f"stopped by {by}")
        result = await shop.service.ended(repair_id)
        assert result is not None, "the repair ended first"
        assert (result.phase, result.reason) == (Phase.CANCELLED, f"stopped by {by}")
        assert [each.phase for each in ended.results] == [Phase.CANCELLED]


async def test_a_repair_stopped_by_itself_does_not_end_the_agent(
    future_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(future_env, tmp_path) as shop:
        agent = Agent(shop)
        await agent.start()
        repair_id = await agent.cycle()
        await shop.plan(repair_id)

        await shop.service.stop(repair_id, by="Ginny", reason="not today")

        view = await agent.waits(after=1)
        assert (view.results[0].phase, view.results[0].reason) == (Phase.CANCELLED, "stopped by Ginny: not today")
        assert view.failures_in_a_row == 0, "that somebody stopped it is no failure"
        assert view.next_cycle_at is not None
        assert timedelta() <= view.next_cycle_at - view.results[0].ended_at - 24 * HOUR < HOUR
        await agent.stop()


async def test_a_repair_terminated_from_outside_is_a_failed_cycle_and_the_agent_lives_on(
    future_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(future_env, tmp_path) as shop:
        agent = Agent(shop)
        await agent.start()
        repair_id = await agent.cycle()
        await shop.plan(repair_id)

        await shop.client.get_workflow_handle(repair_id).terminate("by mistake")

        view = await agent.waits(after=1)
        [ended] = view.results
        assert (ended.repair_id, ended.phase, ended.needs_person) == (repair_id, Phase.REPAIR_FAILED, True)
        assert "left no result" in ended.reason
        assert "terminated" in ended.reason.lower()
        assert view.next_cycle_at == ended.ended_at + FIRST_PAUSE
        await agent.stop()


@pytest.mark.long
async def test_cycles_that_fail_back_off_up_to_the_interval(future_env: WorkflowEnvironment, tmp_path: Path) -> None:
    """A release in which every repair crashes: tried soon, then later and later, never later than the interval."""
    shop = Shop(future_env, tmp_path, domains=None, indexed=True)
    agent = Agent(shop)
    async with worker_with(shop, CrashingRepair):
        await agent.start(skipping=True, interval=2 * HOUR)
        view = await agent.until(lambda view: len(view.results) >= 6)
        await agent.stop()
        ended = await agent.ended()
    tries = sorted(ended.results + view.results, key=lambda each: each.started_at)
    tries = list({each.repair_id: each for each in tries}.values())[:6]
    pauses = [later.started_at - earlier.ended_at for earlier, later in pairwise(tries)]
    assert [round(pause / timedelta(minutes=1)) for pause in pauses] == [5, 20, 80, 120, 120]
    assert {each.phase for each in tries} == {Phase.REPAIR_FAILED}
    assert "the castle is on fire" in tries[0].reason


@pytest.mark.long
async def test_a_repair_that_cannot_go_on_counts_as_failed_until_one_can(
    future_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(future_env, tmp_path) as shop:
        orders = tmp_path / "data" / "orders" / "orders.json"
        agent = Agent(shop)
        await agent.start()
        await agent.reject(await agent.cycle())
        await agent.waits(after=1)
        whole = orders.read_text(encoding="utf-8")
        orders.write_text("{", encoding="utf-8")
        await agent.check_now()
        assert (await agent.waits(after=2)).failures_in_a_row == 1
        await agent.check_now()
        failed = await agent.waits(after=3)
        assert failed.failures_in_a_row == 2
        assert failed.results[0].phase is Phase.REPAIR_FAILED
        assert "orders.json" in failed.results[0].reason
        orders.write_text(whole, encoding="utf-8")

        await agent.check_now()

        mended = await agent.waits(after=4)
        assert mended.failures_in_a_row == 0
        assert mended.results[0].phase is Phase.NO_REPAIR_NEEDED
        await agent.stop()


async def test_an_agent_terminated_from_outside_leaves_its_repair_to_whoever_decides(
    future_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(future_env, tmp_path) as shop:
        agent = Agent(shop)
        await agent.start()
        repair_id = await agent.cycle()
        plan = await shop.plan(repair_id)

        await agent.handle.terminate("by mistake")

        left = await agent.status()
        assert (left.phase, left.ended, left.agent.repair_id) == ("TERMINATED", "terminated", repair_id)
        await shop.decide(repair_id, plan)
        assert (await shop.end(repair_id)).counts.applied == 4


async def test_a_stop_that_comes_as_the_repair_is_gone_ends_the_agent(
    future_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """Both wait for a worker: it learns of the stop first, passes it on, and finds nobody there."""
    shop = Shop(future_env, tmp_path, domains=None, indexed=True)
    agent = Agent(shop)
    async with shop.worker():
        await agent.start()
        repair_id = await agent.cycle()
        await shop.plan(repair_id)
    await shop.client.get_workflow_handle(repair_id).terminate()
    await shop.until_events(agent.handle.id, "EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED")
    await agent.stop()
    async with shop.worker():
        ended = await agent.ended()
    assert [each.phase for each in ended.results] == [Phase.REPAIR_FAILED]
    kinds = [EventType.Name(each.event_type) async for each in agent.handle.fetch_history_events()]
    assert "EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED" in kinds


async def test_current_details_tell_what_runs_and_what_was(future_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with open_shop(future_env, tmp_path, indexed=False) as shop:
        agent = Agent(shop)
        await agent.start()
        repair_id = await agent.cycle()
        assert repair_id in await _details(agent)
        assert "RUNNING-CYCLE" in str((await (await agent.handle.describe()).memo())["daper_phase"])
        await agent.reject(repair_id)
        await agent.waits(after=1)
        shown = await _details(agent)
        assert "**WAITING-FOR-NEXT-CYCLE**" in shown
        assert "`check_now`" in shown
        assert f"`{repair_id}` REJECTED" in shown
        await agent.stop("<b>enough</b>")
        await agent.ended()
        assert "&lt;b&gt;enough" in await _details(agent)
        assert (await agent.handle.describe()).status is WorkflowExecutionStatus.COMPLETED


async def _details(agent: Agent) -> str:
    async with asyncio.timeout(30):
        metadata = await agent.handle.query("__temporal_workflow_metadata", result_type=sdk.WorkflowMetadata)
    return metadata.current_details


@pytest.mark.parametrize("args", [[], [None]], ids=["none", "null"])
async def test_a_signal_without_a_word_counts(
    future_env: WorkflowEnvironment, tmp_path: Path, args: list[object]
) -> None:
    """As the Temporal UI sends it, if nobody gives it an input: to a repair, and to an agent."""
    async with open_shop(future_env, tmp_path) as shop:
        agent = Agent(shop)
        await agent.start()
        cycle = await agent.cycle()
        await agent.handle.signal("check_now", args=args)
        await shop.client.get_workflow_handle(cycle).signal("stop", args=args)
        assert (await shop.end(cycle)).reason == "stopped"
        assert (await agent.until(lambda view: view.cycles == 2)).results[0].repair_id == cycle
        await agent.handle.signal("stop", args=args)
        assert (await agent.ended()).stopping == "stopped by somebody"
