"""Each tool on stuck workflows, on a real server: once, too late, on what has changed, and what is shown of it."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import pytest
from google.protobuf.message import Message
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import (
    DeleteWorkflowExecutionRequest,
)
from temporalio.testing import WorkflowEnvironment

from daper.core.errors import CannotSettle, NoAnswer
from daper.core.outcomes import OutcomeStatus
from tests.stuck import StuckWorld
from tests.stuck_tools import (
    ACTIVITY,
    CASES,
    ON_ACTIVITY,
    Case,
    Stuck,
    activity_is,
    again,
    each,
    events,
    next_change,
    pause,
    retrying,
    set_options,
    stuck,
    tools_world,
    unpause,
    ways,
)


@pytest.fixture
async def world(real_time: WorkflowEnvironment, tmp_path: Path) -> AsyncGenerator[StuckWorld]:
    async with tools_world(real_time.client, tmp_path) as made:
        yield made


@each(CASES)
async def test_applied_twice_it_happens_once_and_is_verified(
    world: StuckWorld, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = await stuck(world, case, monkeypatch)
    done = await it.tool.apply(it.call)
    assert done.status is OutcomeStatus.APPLIED, done
    assert (await it.tool.apply(it.call)).status is OutcomeStatus.ALREADY_APPLIED
    assert len(it.asked) == 1
    await it.happened()
    word = await it.tool.holds(it.call, done)
    assert word.holding is case.holding, word


@each(CASES)
@ways("closed", "deleted", "a new run", "other input", quick="a new run")
async def test_a_workflow_that_is_not_the_one_that_was_seen_is_left_alone(
    world: StuckWorld, case: Case, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    it = await stuck(world, case, monkeypatch)
    handle = world.client.get_workflow_handle(it.workflow_id)
    if how == "other input":
        await handle.signal("unknown")  # what goes on by itself makes no plan stale
        assert (await it.tool.apply(it.call)).status is OutcomeStatus.APPLIED
        return
    await handle.terminate("by somebody")
    await world.until(it.workflow_id, lambda state: not state.is_running)
    if how == "a new run":
        await world.start(["wait"], workflow_id=it.workflow_id)
    elif how == "deleted":
        await world.client.workflow_service.delete_workflow_execution(
            DeleteWorkflowExecutionRequest(
                namespace=world.client.namespace, workflow_execution=WorkflowExecution(workflow_id=it.workflow_id)
            )
        )
        while await world.domain.context([it.workflow_id]):
            pass
    late = await it.tool.apply(it.call)
    assert late.status is OutcomeStatus.STALE, late
    assert it.asked == []
    assert await it.tool.apply(it.call) == late


@each(ON_ACTIVITY)
@ways("over", "other failure", "other pause", "other options", quick="other failure")
async def test_an_activity_that_is_not_as_it_was_seen_is_left_alone(
    world: StuckWorld, case: Case, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    it = await stuck(world, case, monkeypatch)
    state = await world.state(it.workflow_id)
    if how == "over":
        world.outside.failing.clear()
    if how == "other failure":
        world.outside.failing[ACTIVITY] = "BankClosed"
    if how in ("over", "other failure") and state.activities[0].paused:
        await unpause(world, it.workflow_id)
    match how:
        case "over":
            await again(world, it.workflow_id)
            await world.until(it.workflow_id, lambda now: not now.activities)
        case "other failure":
            await again(world, it.workflow_id)
            await world.until(it.workflow_id, activity_is(lambda each: each.cause == "BankClosed"))
        case "other pause":
            if state.activities[0].paused:
                await unpause(world, it.workflow_id)
            await pause(world, it.workflow_id)
        case _:
            await set_options(world, it.workflow_id)
    late = await it.tool.apply(it.call)
    assert late.status is OutcomeStatus.STALE, late
    assert it.asked == []


async def test_what_a_failure_says_is_shown_and_does_nothing(world: StuckWorld) -> None:
    world.outside.message = "\x1b[2J\u202e<script>" + "x" * 5000
    workflow_id = await retrying(world)
    records = await world.domain.context([workflow_id])
    for tool in world.domain.tools.values():
        terms = tool.terms(workflow_id, {}, records)
        shown = f"{terms.preview} {terms.obstacle} {terms.alike}"
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert len(shown) < 2000


async def test_an_attempt_that_runs_keeps_what_comes_of_it(world: StuckWorld) -> None:
    """Of one that is reset while it runs, the server throws the result away, and runs it again after its timeout."""
    world.outside.failing["held"] = "CardDeclined"
    handle = await world.start(["held"])
    await world.until(handle.id, activity_is(lambda each: each.state == "started" and each.attempt == 2))
    world.outside.failing.clear()
    records = await world.domain.context([handle.id])
    assert "runs just now" in world.domain.tools["reset_activity"].terms(handle.id, {}, records).obstacle
    paused = await world.domain.tools["pause_activity"].apply(await world.call("pause_activity", handle.id))
    assert paused.status is OutcomeStatus.APPLIED
    world.outside.gate.set()
    assert await handle.result() == ["held"]
    assert len(world.outside.ran) == 2


async def test_the_pause_of_somebody_else_is_not_taken_for_ours(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = next(each for each in CASES if each.tool == "pause_activity")
    it = await stuck(world, case, monkeypatch)
    next_change(monkeypatch, world, came=False)
    with pytest.raises(NoAnswer):
        await it.tool.apply(it.call)
    await pause(world, it.workflow_id)
    with pytest.raises(CannotSettle):
        await it.tool.apply(it.call)
    with pytest.raises(CannotSettle):
        await it.tool.settle(it.call.key)
    assert it.asked == []


async def test_a_request_for_a_run_that_another_has_followed_reaches_nobody(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between our look and the request the workflow is ended and started anew: the request names the run."""
    for case in (one for one in CASES if one.event is not None):
        it = await stuck(world, case, monkeypatch)
        change = world.domain.cluster.change

        async def too_late(
            name: str, request: Message, it: Stuck = it, change: Callable[[str, Message], Awaitable[Message]] = change
        ) -> Message:
            await world.client.get_workflow_handle(it.workflow_id).terminate("by somebody")
            await world.start(["wait"], workflow_id=it.workflow_id)
            return await change(name, request)

        monkeypatch.setattr(world.domain.cluster, "change", too_late)
        assert (await it.tool.apply(it.call)).status is OutcomeStatus.FAILED
        state = await world.state(it.workflow_id)
        assert state.is_running
        assert not state.cancel_requested
        assert await events(world, it.workflow_id, state.run_id, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED) == 0
