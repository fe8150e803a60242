"""Each tool on stuck workflows once, on a real server, whatever becomes of the attempt and of its answer."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import pytest
from google.protobuf.message import Message
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from daper.core.errors import CannotSettle, NoAnswer
from daper.core.outcomes import OutcomeStatus
from tests.cases import cases
from tests.stuck import StuckWorld
from tests.stuck_tools import (
    CASES,
    ON_ACTIVITY,
    Case,
    Clock,
    again,
    each,
    hung,
    next_change,
    stuck,
    tools_world,
    unpause,
    ways,
)


@pytest.fixture
async def world(real_time: WorkflowEnvironment, tmp_path: Path) -> AsyncGenerator[StuckWorld]:
    async with tools_world(real_time.client, tmp_path) as made:
        yield made


CHANGES = (
    "pause_activity",
    "unpause_activity",
    "reset_activity",
    "update_activity_options",
    "signal_workflow_execution",
    "update_workflow_execution_options",
    "request_cancel_workflow_execution",
    "terminate_workflow_execution",
)


def answering(monkeypatch: pytest.MonkeyPatch, world: StuckWorld, status: RPCStatusCode) -> None:
    """The server answers every request for a change with this, in words that are not to be trusted."""

    async def refused(*_: object, **__: object) -> Message:
        raise RPCError("no\x1b[31m \u202e<b>" * 50, status, b"")

    for name in CHANGES:
        monkeypatch.setattr(world.client.workflow_service, name, refused)


class Killed(BaseException):
    """The process is gone."""


@each(CASES)
async def test_two_attempts_at_once_do_it_once(world: StuckWorld, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    it = await stuck(world, case, monkeypatch)
    both = await asyncio.gather(it.tool.apply(it.call), it.tool.apply(it.call))
    assert OutcomeStatus.APPLIED in {done.status for done in both}
    assert {done.status for done in both} <= {OutcomeStatus.APPLIED, OutcomeStatus.ALREADY_APPLIED}
    await it.happened()


@each(CASES)
async def test_an_attempt_that_hung_while_another_did_it_changes_nothing_more(
    world: StuckWorld, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = await stuck(world, case, monkeypatch)
    change, hangs, goes_on = world.domain.cluster.change, asyncio.Event(), asyncio.Event()

    async def hung(name: str, request: Message) -> Message:
        monkeypatch.setattr(world.domain.cluster, "change", change)
        hangs.set()
        await goes_on.wait()
        return await change(name, request)

    monkeypatch.setattr(world.domain.cluster, "change", hung)
    first = asyncio.create_task(it.tool.apply(it.call))
    await hangs.wait()
    assert (await it.tool.apply(it.call)).status is OutcomeStatus.APPLIED
    await it.happened()
    goes_on.set()
    assert (await first).status is OutcomeStatus.ALREADY_APPLIED
    assert len(it.asked) == 2
    await it.happened()
    assert (await it.tool.apply(it.call)).status is OutcomeStatus.ALREADY_APPLIED


@each(CASES)
async def test_what_was_settled_as_never_does_not_happen_later(
    world: StuckWorld, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = await stuck(world, case, monkeypatch)
    assert await it.tool.settle(it.call.key) is None
    late = await it.tool.apply(it.call)
    assert late.status is OutcomeStatus.FAILED
    assert it.asked == []
    await it.is_as_it_was()


@each(CASES)
async def test_killed_between_act_and_note_its_trace_is_found(
    world: StuckWorld, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = await stuck(world, case, monkeypatch)
    next_change(monkeypatch, world, came=True, then=Killed)
    with pytest.raises(Killed):
        await it.tool.apply(it.call)
    found = await it.tool.settle(it.call.key)
    assert found is not None
    assert found.status is OutcomeStatus.APPLIED
    assert (await it.tool.apply(it.call)).status is OutcomeStatus.ALREADY_APPLIED
    assert len(it.asked) == 1
    await it.happened()


@each(CASES)
@pytest.mark.parametrize("came", cases({"lost": True, "never came": False}, quick={"lost"}))
async def test_a_request_without_an_answer_is_made_once(
    world: StuckWorld, case: Case, monkeypatch: pytest.MonkeyPatch, came: bool
) -> None:
    it = await stuck(world, case, monkeypatch)
    next_change(monkeypatch, world, came=came)
    with pytest.raises(NoAnswer):
        await it.tool.apply(it.call)
    done = await it.tool.apply(it.call)
    assert done.status is OutcomeStatus.APPLIED
    assert len(it.asked) == 1
    await it.happened()


@each(CASES)
async def test_of_what_never_came_nobody_says_that_it_never_will(
    world: StuckWorld, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = await stuck(world, case, monkeypatch)
    next_change(monkeypatch, world, came=False)
    with pytest.raises(NoAnswer):
        await it.tool.apply(it.call)
    with pytest.raises(CannotSettle):
        await it.tool.settle(it.call.key)
    await it.is_as_it_was()


REFUSED = {
    "too old a server": (RPCStatusCode.UNIMPLEMENTED, OutcomeStatus.FAILED, "too old"),
    "not allowed": (RPCStatusCode.PERMISSION_DENIED, OutcomeStatus.FAILED, "give it the right"),
    "gone": (RPCStatusCode.NOT_FOUND, OutcomeStatus.FAILED, "nothing was changed"),
}


@each(CASES)
@ways(*REFUSED, quick="too old a server")
async def test_what_the_server_refuses_has_failed_for_good(
    world: StuckWorld, case: Case, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    it = await stuck(world, case, monkeypatch)
    status, outcome, told = REFUSED[how]
    answering(monkeypatch, world, status)
    refused = await it.tool.apply(it.call)
    assert refused.status is outcome, refused
    assert told in " ".join(refused.evidence)
    assert "\x1b" not in " ".join(refused.evidence)
    assert (await it.tool.apply(it.call)) == refused
    assert len(it.asked) == 1
    await it.is_as_it_was()


@each(CASES)
@pytest.mark.parametrize(
    "status",
    cases(
        {
            "away": RPCStatusCode.UNAVAILABLE,
            "no answer in time": RPCStatusCode.DEADLINE_EXCEEDED,
            "lost what it knew": RPCStatusCode.DATA_LOSS,
            "asked too often": RPCStatusCode.RESOURCE_EXHAUSTED,
        },
        quick={"asked too often"},
    ),
)
async def test_what_the_server_cannot_do_just_now_is_tried_again(
    world: StuckWorld, case: Case, monkeypatch: pytest.MonkeyPatch, status: RPCStatusCode
) -> None:
    it = await stuck(world, case, monkeypatch)
    with monkeypatch.context() as once:
        answering(once, world, status)
        with pytest.raises(NoAnswer):
            await it.tool.apply(it.call)
    assert (await it.tool.apply(it.call)).status is OutcomeStatus.APPLIED
    await it.happened()


@each(ON_ACTIVITY)
async def test_its_trace_is_found_also_once_the_activity_is_over(
    world: StuckWorld, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is set leaves nothing in the history; that a paused activity went on, and from which attempt, it has."""
    it = await stuck(world, case, monkeypatch)
    next_change(monkeypatch, world, came=True, then=Killed)
    world.outside.failing.clear()
    with pytest.raises(Killed):
        await it.tool.apply(it.call)
    if case.tool == "pause_activity":
        await unpause(world, it.workflow_id)
    if case.tool in ("pause_activity", "unpause_activity", "change_activity_options"):
        await again(world, it.workflow_id)
    await world.until(it.workflow_id, lambda state: not state.is_running)
    if case.tool in ("pause_activity", "change_activity_options"):
        with pytest.raises(CannotSettle):
            await it.tool.settle(it.call.key)
        return
    found = await it.tool.settle(it.call.key)
    assert found is not None
    assert found.status is OutcomeStatus.APPLIED
    assert len(it.asked) == 1


@each([case for case in CASES if case.tool in ("reset_activity", "signal", "cancel_workflow", "terminate_workflow")])
async def test_what_never_came_to_a_run_that_is_over_never_will(
    world: StuckWorld, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = await stuck(world, case, monkeypatch)
    next_change(monkeypatch, world, came=False)
    with pytest.raises(NoAnswer):
        await it.tool.apply(it.call)
    if case.on_activity:
        world.outside.failing.clear()
        await again(world, it.workflow_id)
    else:
        await world.client.get_workflow_handle(it.workflow_id).signal("go", "by somebody")
    await world.until(it.workflow_id, lambda state: not state.is_running)
    assert await it.tool.settle(it.call.key) is None
    assert (await it.tool.apply(it.call)).status is OutcomeStatus.FAILED
    assert it.asked == []


async def test_an_attempt_that_was_stopped_asks_for_nothing_and_the_next_one_does(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = await stuck(world, next(each for each in CASES if each.tool == "pause_activity"), monkeypatch)
    clock = Clock()
    monkeypatch.setattr(it.tool, "_clock", clock)
    first, goes_on = await hung(it, monkeypatch)
    clock.ahead = timedelta(minutes=1)
    goes_on.set()
    with pytest.raises(NoAnswer, match="not asked for in time"):
        await first
    await it.is_as_it_was()
    assert (await it.tool.apply(it.call)).status is OutcomeStatus.APPLIED
    await it.happened()
