"""Activities of one workflow that fail alike: one problem, one action, each repaired once, and each accounted for."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from google.protobuf.message import Message
from temporalio import workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import PauseActivityRequest, UnpauseActivityRequest, UpdateActivityOptionsRequest
from temporalio.client import WorkflowHandle
from temporalio.common import RetryPolicy
from temporalio.testing import WorkflowEnvironment

from daper.clock import utc_now
from daper.core.digests import undo_key
from daper.core.errors import CannotSettle, NoAnswer
from daper.core.models import Finding, Proposal
from daper.core.outcomes import Effect, Holding, OutcomeStatus
from daper.domains.temporal.tools.base import WorkflowTool
from daper.domains.temporal.workflow import WorkflowState
from daper.ports import ToolCall, Undoable
from tests.cases import cases
from tests.stuck import StuckWorld, step, stuck_world


@workflow.defn(name="Fan")
class Fan:
    """Does all its steps at once, each tried again after an hour."""

    @workflow.run
    async def run(self, steps: list[str], ids: list[str]) -> list[str]:
        each = (
            workflow.execute_activity(
                step,
                name,
                activity_id=id_,
                start_to_close_timeout=timedelta(seconds=20),
                retry_policy=RetryPolicy(initial_interval=timedelta(hours=1), backoff_coefficient=1.0),
            )
            for name, id_ in zip(steps, ids, strict=True)
        )
        return list(await asyncio.gather(*each))


@pytest.fixture
async def world(real_time: WorkflowEnvironment, tmp_path: Path) -> AsyncGenerator[StuckWorld]:
    async with stuck_world(
        real_time.client, tmp_path, workflows=(Fan,), paused_after="1s", retrying_attempts="1"
    ) as made:
        yield made


async def fan(world: StuckWorld, steps: Iterable[str], ids: Iterable[str] = ()) -> WorkflowHandle[Fan, list[str]]:
    """One of which each step that fails has failed once."""
    steps = list(steps)
    numbers = list(ids) or [str(number) for number in range(1, len(steps) + 1)]
    handle = await world.client.start_workflow(
        Fan.run, args=[steps, numbers], id=f"fan-{uuid4()}", task_queue=world.queue
    )
    failing = sum(each in world.outside.failing for each in steps)
    await world.until(
        handle.id,
        lambda state: sum(each.attempt > 1 for each in state.activities) == failing == len(state.activities),
    )
    return handle


def steps(number: int, cause: str, world: StuckWorld) -> list[str]:
    """So many steps that fail by that cause."""
    made = [f"{cause} {each}" for each in range(number)]
    world.outside.failing |= dict.fromkeys(made, cause)
    return made


async def found(world: StuckWorld, workflow_id: str) -> list[tuple[Finding, Proposal]]:
    records = await world.domain.context([workflow_id])
    findings = world.domain.detect(records, utc_now())
    made = world.domain.propose(findings, records)
    return [
        (finding, proposal)
        for finding in findings
        for proposal in made.proposals
        if finding.fingerprint in proposal.answers
    ]


def ran(world: StuckWorld, workflow_id: str) -> list[str]:
    """The steps of one workflow that were tried, in one order."""
    return sorted(each.partition(" ")[2] for each in world.outside.ran if each.startswith(workflow_id))


async def pause(world: StuckWorld, workflow_id: str, *ids: str) -> None:
    for each in ids:
        await world.client.workflow_service.pause_activity(
            PauseActivityRequest(
                namespace=world.client.namespace,
                execution=WorkflowExecution(workflow_id=workflow_id),
                id=each,
                identity="somebody",
                reason="wait for the bank",
            )
        )


async def unpause(world: StuckWorld, workflow_id: str, activity_id: str) -> None:
    request = UnpauseActivityRequest(
        namespace=world.client.namespace, execution=WorkflowExecution(workflow_id=workflow_id), id=activity_id
    )
    await world.client.workflow_service.unpause_activity(request)


async def at_once(world: StuckWorld, workflow_id: str, activity_id: str) -> None:
    """It is tried again at once."""
    request = UpdateActivityOptionsRequest(
        namespace=world.client.namespace, execution=WorkflowExecution(workflow_id=workflow_id), id=activity_id
    )
    request.activity_options.retry_policy.initial_interval.FromMilliseconds(1)
    request.update_mask.paths.append("retry_policy.initial_interval")
    await world.client.workflow_service.update_activity_options(request)


def counting(monkeypatch: pytest.MonkeyPatch, world: StuckWorld) -> list[str]:
    """Which activities a change is asked for, in that order."""
    asked: list[str] = []
    change = world.domain.cluster.change

    async def noted(name: str, request: Message) -> Message:
        asked.append(str(getattr(request, "id", "")))
        return await change(name, request)

    monkeypatch.setattr(world.domain.cluster, "change", noted)
    return asked


def unanswered(monkeypatch: pytest.MonkeyPatch, world: StuckWorld, lost: str, *, came: bool) -> None:
    """The request for one activity gets no answer, once."""
    change = world.domain.cluster.change

    async def once(name: str, request: Message) -> Message:
        if getattr(request, "id", "") != lost:
            return await change(name, request)
        monkeypatch.setattr(world.domain.cluster, "change", change)
        if came:
            await change(name, request)
        raise NoAnswer("lost")

    monkeypatch.setattr(world.domain.cluster, "change", once)


async def undone(tool: WorkflowTool, call: ToolCall, done: Effect) -> Effect:
    assert isinstance(tool, Undoable)
    return await tool.undo(call, done, key=undo_key(call.key))


def told(effect: Effect) -> str:
    return " | ".join(effect.evidence)


async def test_a_fan_of_twenty_that_fail_alike_is_one_problem_and_one_action_repairs_them_all_once(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = steps(20, "CardDeclined", world)
    handle = await fan(world, names)
    [(finding, proposal)] = await found(world, handle.id)
    assert "20 activities of this type in it fail alike" in finding.evidence
    assert (proposal.tool, proposal.arguments["activities"]) == ("reset_activity", ["1..20"])
    asked = counting(monkeypatch, world)
    world.outside.failing.clear()
    call = await world.call("reset_activity", handle.id, restore_original_options=False)
    assert call.arguments == proposal.arguments
    tool = world.domain.tools["reset_activity"]
    done = await tool.apply(call)
    assert done.status is OutcomeStatus.APPLIED
    assert "done to 20 of 20 activities: 1..20" in told(done)
    assert (await tool.apply(call)).status is OutcomeStatus.ALREADY_APPLIED
    assert sorted(asked, key=int) == [str(each) for each in range(1, 21)]
    assert await handle.result() == names
    assert ran(world, handle.id) == sorted([*names, *names])
    assert (await tool.holds(call, done)).holding is Holding.YES


async def test_activities_that_fail_by_different_causes_are_a_problem_and_an_action_each(world: StuckWorld) -> None:
    handle = await fan(world, [*steps(3, "CardDeclined", world), *steps(4, "OwlLost", world)])
    named = {
        finding.issue.rpartition(" ")[2]: proposal.arguments["activities"]
        for finding, proposal in await found(world, handle.id)
    }
    assert named == {"CardDeclined": ["1..3"], "OwlLost": ["4..7"]}
    await handle.terminate()


async def test_hundreds_of_activities_are_repaired_by_one_action(world: StuckWorld) -> None:
    names = steps(300, "CardDeclined", world)
    handle = await fan(world, names)
    [(_, proposal)] = await found(world, handle.id)
    assert proposal.arguments["activities"] == ["1..300"]
    world.outside.failing.clear()
    call = await world.call("reset_activity", handle.id, restore_original_options=False)
    assert (await world.domain.tools["reset_activity"].apply(call)).status is OutcomeStatus.APPLIED
    assert await handle.result() == names
    assert len(ran(world, handle.id)) == 600


@pytest.mark.parametrize("came", cases({"lost": True, "never came": False}, quick={"lost"}))
async def test_a_request_among_many_without_an_answer_is_made_once_and_so_are_the_others(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch, came: bool
) -> None:
    handle = await fan(world, steps(8, "CardDeclined", world))
    tool = world.domain.tools["pause_activity"]
    call = await world.call("pause_activity", handle.id)
    asked = counting(monkeypatch, world)
    unanswered(monkeypatch, world, "5", came=came)
    with pytest.raises(NoAnswer):
        await tool.apply(call)
    done = await tool.apply(call)
    assert done.status is OutcomeStatus.APPLIED
    assert "done to 8 of 8 activities" in told(done)
    assert sorted(asked, key=int) == [str(each) for each in range(1, 9)]
    state = await world.state(handle.id)
    assert {each.pause.reason for each in state.activities if each.pause} == {f"daper key={call.key}"}
    assert all(each.paused for each in state.activities)
    await handle.terminate()


async def test_where_nobody_can_tell_of_one_the_outcome_says_how_many_are_done(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = await fan(world, steps(8, "CardDeclined", world))
    tool = world.domain.tools["pause_activity"]
    call = await world.call("pause_activity", handle.id)
    unanswered(monkeypatch, world, "8", came=False)
    with pytest.raises(NoAnswer):
        await tool.apply(call)
    with pytest.raises(CannotSettle, match="7 of 8 activities are seen to be done, and not these: 8"):
        await tool.settle(call.key)
    await handle.terminate()


async def test_those_that_changed_since_the_plan_are_left_and_the_others_are_done(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = steps(6, "CardDeclined", world)
    handle = await fan(world, names)
    tool = world.domain.tools["pause_activity"]
    call = await world.call("pause_activity", handle.id)
    await pause(world, handle.id, "2")
    del world.outside.failing[names[2]]
    await at_once(world, handle.id, "3")
    await world.until(handle.id, lambda state: len(state.activities) == 5)
    asked = counting(monkeypatch, world)
    done = await tool.apply(call)
    assert done.status is OutcomeStatus.APPLIED
    assert (done.after["done"], done.after["left"]) == ("4 of 6", ["2", "3"])
    assert "not done: 2: it was changed since the plan read it" in told(done)
    assert "not done: 3: it is over" in told(done)
    assert sorted(asked) == ["1", "4", "5", "6"]
    word = await tool.holds(call, done)
    assert word.holding is Holding.UNKNOWN
    assert "nothing was done to 1 of those that it names: 2" in word.evidence
    state = await world.state(handle.id)
    assert [each.pause.by for each in state.activities if each.id == "2" and each.pause] == ["somebody"]
    await handle.terminate()


async def test_where_all_have_changed_the_plan_is_stale(world: StuckWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    handle = await fan(world, steps(4, "CardDeclined", world))
    call = await world.call("pause_activity", handle.id, activities=["1..2"])
    await pause(world, handle.id, "1", "2")  # 3 and 4 are as those were
    asked = counting(monkeypatch, world)
    late = await world.domain.tools["pause_activity"].apply(call)
    assert late.status is OutcomeStatus.STALE, late
    assert asked == []
    await handle.terminate()


async def test_what_one_did_not_come_through_says_so_of_the_whole(world: StuckWorld) -> None:
    names = steps(5, "CardDeclined", world)
    handle = await fan(world, names)
    call = await world.call("reset_activity", handle.id, restore_original_options=False)
    world.outside.failing = {names[4]: "CardDeclined"}
    tool = world.domain.tools["reset_activity"]
    done = await tool.apply(call)
    await world.until(handle.id, lambda state: [each.attempt for each in state.activities] == [2])
    word = await tool.holds(call, done)
    assert word.holding is Holding.NO
    assert word.evidence.startswith("1 of 5 activities: it failed again, and is at attempt 2")
    await handle.terminate()


def all_paused(state: WorkflowState) -> bool:
    return all(each.paused for each in state.activities)


def none_paused(state: WorkflowState) -> bool:
    return not any(each.paused for each in state.activities)


def twenty_seconds(state: WorkflowState) -> bool:
    return all(each.options["start_to_close"] == 20 for each in state.activities)


@pytest.mark.parametrize(
    ("name", "before"),
    cases(
        {"pause": ("pause_activity", none_paused), "options": ("change_activity_options", twenty_seconds)},
        quick={"pause"},
    ),
)
async def test_undone_all_are_as_before_once_and_what_is_over_needs_nothing(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch, name: str, before: Callable[[WorkflowState], bool]
) -> None:
    names = steps(5, "CardDeclined", world)
    handle = await fan(world, names)
    given = {"start_to_close": 60} if name == "change_activity_options" else {}
    call = await world.call(name, handle.id, **given)
    tool = world.domain.tools[name]
    done = await tool.apply(call)
    assert done.status is OutcomeStatus.APPLIED, done
    assert not before(await world.state(handle.id))
    del world.outside.failing[names[0]]
    if name == "pause_activity":
        await unpause(world, handle.id, "1")
    await at_once(world, handle.id, "1")
    await world.until(handle.id, lambda state: len(state.activities) == 4)
    asked = counting(monkeypatch, world)
    back = await undone(tool, call, done)
    assert back.status is OutcomeStatus.UNDONE, back
    assert "nothing to take back of what is over: 1" in told(back)
    assert (await undone(tool, call, done)).status is OutcomeStatus.UNDONE
    assert sorted(asked) == ["2", "3", "4", "5"]
    assert before(await world.state(handle.id))
    await handle.terminate()


async def test_where_one_is_not_as_the_effect_left_it_the_others_are_undone_and_nobody_says_that_all_are(
    world: StuckWorld,
) -> None:
    handle = await fan(world, steps(5, "CardDeclined", world))
    call = await world.call("pause_activity", handle.id)
    tool = world.domain.tools["pause_activity"]
    done = await tool.apply(call)
    await unpause(world, handle.id, "3")
    await pause(world, handle.id, "3")
    back = await undone(tool, call, done)
    assert back.status is OutcomeStatus.UNDO_BLOCKED, back
    assert "taken back of 4 of 5 activities; not of these: 3: it was changed since the repair wrote it" in told(back)
    state = await world.state(handle.id)
    assert [each.id for each in state.activities if each.paused] == ["3"]
    await handle.terminate()


async def test_an_undo_of_many_without_an_answer_is_done_once(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = await fan(world, steps(5, "CardDeclined", world))
    call = await world.call("pause_activity", handle.id)
    tool = world.domain.tools["pause_activity"]
    done = await tool.apply(call)
    asked = counting(monkeypatch, world)
    unanswered(monkeypatch, world, "4", came=False)
    with pytest.raises(NoAnswer):
        await undone(tool, call, done)
    back = await undone(tool, call, done)
    assert back.status is OutcomeStatus.UNDONE, back
    assert sorted(asked) == ["1", "2", "3", "4", "5"]
    assert none_paused(await world.state(handle.id))
    await handle.terminate()


async def test_those_that_one_person_paused_go_on_and_are_paused_again_each_with_whose_it_was(
    world: StuckWorld,
) -> None:
    handle = await fan(world, steps(2, "CardDeclined", world))
    await pause(world, handle.id, "1", "2")
    tool = world.domain.tools["unpause_activity"]
    calls = [await world.call("unpause_activity", handle.id, activities=[each]) for each in ("1", "2")]
    done = [await tool.apply(call) for call in calls]
    assert {each.status for each in done} == {OutcomeStatus.APPLIED}
    assert none_paused(await world.state(handle.id))
    back = [await undone(tool, call, each) for call, each in zip(calls, done, strict=True)]
    assert {each.status for each in back} == {OutcomeStatus.UNDONE}, back
    state = await world.state(handle.id)
    assert {each.pause.reason for each in state.activities if each.pause} == {
        f"daper key={undo_key(call.key)}; before it was paused by somebody: wait for the bank" for call in calls
    }
    await handle.terminate()
