"""Each tool on stuck workflows, on a real server: once, late, too late, on what has changed, and back again."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from google.protobuf.message import Message
from pydantic import JsonValue
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import (
    DeleteWorkflowExecutionRequest,
    PauseActivityRequest,
    ResetWorkflowExecutionRequest,
    SetWorkerDeploymentCurrentVersionRequest,
    UnpauseActivityRequest,
    UpdateActivityOptionsRequest,
    UpdateWorkflowExecutionOptionsRequest,
)
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkerDeploymentConfig

from daper.clock import utc_now
from daper.core.digests import undo_key
from daper.core.errors import CannotSettle, NoAnswer, NoWorker
from daper.core.outcomes import Effect, Holding, OutcomeStatus
from daper.domains.temporal.domain import TemporalDomain
from daper.domains.temporal.entry import open_domain
from daper.domains.temporal.tools.base import WorkflowTool
from daper.domains.temporal.workflow import PendingActivity, WorkflowRecord, WorkflowState
from daper.ports import ToolCall, Undoable
from tests.cases import cases
from tests.journeys import Journey, visit
from tests.stuck import PATIENCE, WORLD, Errand, Outside, StuckWorld, step, stuck_world

ACTIVITY = "slow pay"
SIGNALS = "go(a|b)"


@pytest.fixture
async def world(real_time: WorkflowEnvironment, tmp_path: Path) -> AsyncGenerator[StuckWorld]:
    async with stuck_world(
        real_time.client, tmp_path, paused_after="1s", retrying_attempts="2", too_long="*=1s", signals=SIGNALS
    ) as made:
        yield made


async def retrying(world: StuckWorld) -> str:
    """Its activity fails again and again, and the next attempt is an hour off."""
    world.outside.failing[ACTIVITY] = "CardDeclined"
    handle = await world.start([ACTIVITY])
    await world.until(handle.id, lambda state: any(each.attempt > 1 and each.next_at for each in state.activities))
    return handle.id


async def waiting(world: StuckWorld) -> str:
    """It waits for a signal."""
    handle = await world.start(["wait"])
    await world.until(handle.id, lambda state: state.is_running and state.task is None)
    return handle.id


async def paused(world: StuckWorld) -> str:
    """Somebody has paused its activity."""
    workflow_id = await retrying(world)
    await pause(world, workflow_id)
    return workflow_id


async def pause(world: StuckWorld, workflow_id: str) -> None:
    request = PauseActivityRequest(
        namespace=world.client.namespace,
        execution=WorkflowExecution(workflow_id=workflow_id),
        id=ACTIVITY,
        identity="somebody",
        reason="wait for the bank",
    )
    await world.client.workflow_service.pause_activity(request)


async def unpause(world: StuckWorld, workflow_id: str) -> None:
    request = UnpauseActivityRequest(
        namespace=world.client.namespace, execution=WorkflowExecution(workflow_id=workflow_id), id=ACTIVITY
    )
    await world.client.workflow_service.unpause_activity(request)


async def set_options(world: StuckWorld, workflow_id: str) -> None:
    request = UpdateActivityOptionsRequest(
        namespace=world.client.namespace, execution=WorkflowExecution(workflow_id=workflow_id), id=ACTIVITY
    )
    request.activity_options.heartbeat_timeout.FromSeconds(7)
    request.update_mask.paths.append("heartbeat_timeout")
    await world.client.workflow_service.update_activity_options(request)


async def again(world: StuckWorld, workflow_id: str) -> None:
    """Its next attempt begins at once, and is not the first: those are told apart."""
    request = UpdateActivityOptionsRequest(
        namespace=world.client.namespace, execution=WorkflowExecution(workflow_id=workflow_id), id=ACTIVITY
    )
    request.activity_options.retry_policy.initial_interval.FromMilliseconds(1)
    request.update_mask.paths.append("retry_policy.initial_interval")
    await world.client.workflow_service.update_activity_options(request)


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


async def events(world: StuckWorld, workflow_id: str, run_id: str, kind: "EventType.ValueType") -> int:
    handle = world.client.get_workflow_handle(workflow_id, run_id=run_id)
    return len([event async for event in handle.fetch_history_events() if event.event_type == kind])


async def on_a_version(world: StuckWorld) -> str:
    """It is pinned to the first version of its workers, and a second one is current."""
    deployment = f"errands-{uuid4()}"
    queue = f"{world.queue}-versions"
    WORLD[queue] = Outside()

    async def version(build: str) -> None:
        config = WorkerDeploymentConfig(
            version=WorkerDeploymentVersion(deployment_name=deployment, build_id=build),
            use_worker_versioning=True,
            default_versioning_behavior=VersioningBehavior.PINNED,
        )
        worker = Worker(
            world.client,
            task_queue=queue,
            workflows=[Errand],
            activities=[step],
            workflow_runner=UnsandboxedWorkflowRunner(),
            deployment_config=config,
        )
        await world.workers.enter_async_context(worker)
        request = SetWorkerDeploymentCurrentVersionRequest(
            namespace=world.client.namespace,
            deployment_name=deployment,
            build_id=build,
            ignore_missing_task_queues=True,
            allow_no_pollers=True,
        )
        await world.client.workflow_service.set_worker_deployment_current_version(request)

    await version("1")
    handle = await world.client.start_workflow(Errand.run, ["wait"], id=f"errand-{uuid4()}", task_queue=queue)
    await world.until(handle.id, lambda state: state.build == "1" and state.task is None)
    await version("2")
    return handle.id


async def override(world: StuckWorld, workflow_id: str) -> None:
    request = UpdateWorkflowExecutionOptionsRequest(
        namespace=world.client.namespace, workflow_execution=WorkflowExecution(workflow_id=workflow_id)
    )
    request.workflow_execution_options.versioning_override.auto_upgrade = True
    request.update_mask.paths.append("versioning_override")
    await world.client.workflow_service.update_workflow_execution_options(request)


def activity_is(condition: Callable[[PendingActivity], bool]) -> Callable[[WorkflowState], bool]:
    """Whether the one activity is so."""
    return lambda state: any(condition(each) for each in state.activities)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One tool, and a workflow for which it is.

    `done`: whether the state shows its effect; `event`: what its effect leaves in the history, once. `touch`: somebody
    else changes what it wrote. `trace`: whether its effect is found also once the workflow is over.
    """

    tool: str
    stuck: Callable[[StuckWorld], Awaitable[str]]
    arguments: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    done: Callable[[WorkflowState], bool]
    event: "EventType.ValueType | None" = None
    holding: Holding = Holding.YES
    on_activity: bool = False
    touch: Callable[[StuckWorld, str], Awaitable[None]] | None = None


CASES = [
    Case(
        tool="unpause_activity",
        stuck=paused,
        done=activity_is(lambda each: not each.paused),
        on_activity=True,
        touch=pause,
    ),
    Case(
        tool="pause_activity",
        stuck=retrying,
        done=activity_is(lambda each: each.paused),
        on_activity=True,
        touch=unpause,
    ),
    Case(
        tool="reset_activity",
        stuck=retrying,
        arguments={"restore_original_options": False},
        done=activity_is(lambda each: len(each.failures) > 0),
        holding=Holding.NO,
        on_activity=True,
    ),
    Case(
        tool="change_activity_options",
        stuck=retrying,
        arguments={"start_to_close": 60},
        done=activity_is(lambda each: each.options["start_to_close"] == 60),
        holding=Holding.WAITING,
        on_activity=True,
        touch=set_options,
    ),
    Case(
        tool="signal",
        stuck=waiting,
        arguments={"signal": "go", "argument_1": "b"},
        done=lambda state: not state.is_running,
        event=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
    ),
    Case(
        tool="move_to_version",
        stuck=on_a_version,
        arguments={"version": "2"},
        done=lambda state: state.override.endswith(".2"),
        touch=override,
    ),
    Case(
        tool="cancel_workflow",
        stuck=waiting,
        done=lambda state: state.status == "Canceled",
        event=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
    ),
    Case(
        tool="terminate_workflow",
        stuck=waiting,
        done=lambda state: state.status == "Terminated",
        event=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
    ),
]
ON_ACTIVITY = [case for case in CASES if case.on_activity]
UNDOABLE = [case for case in CASES if case.touch is not None]


QUICK = {"pause_activity", "signal"}


def each(table: list[Case]) -> pytest.MarkDecorator:
    """Each tool; what sets a state and what sends something stay in the quick tests, one of a kind."""
    named = {case.tool: case for case in table}
    return pytest.mark.parametrize("case", cases(named, quick=QUICK & named.keys()))


def ways(*names: str, quick: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("how", cases({name: name for name in names}, quick={quick}))


@dataclass(frozen=True)
class Stuck:
    """A workflow that a tool is for, the call that a plan would make of it, and what is asked of the server since."""

    world: StuckWorld
    case: Case
    tool: WorkflowTool
    workflow_id: str
    call: ToolCall
    asked: list[str]

    async def happened(self) -> None:
        """It happened, and once."""
        await self.world.until(self.workflow_id, self.case.done)
        run_id = str(self.call.arguments["run_id"])
        if self.case.event is not None:
            assert await events(self.world, self.workflow_id, run_id, self.case.event) == 1

    async def is_as_it_was(self) -> None:
        """Nothing happened."""
        state = await self.world.state(self.workflow_id)
        assert state.run_id == self.call.arguments["run_id"]
        if self.case.event is not None:
            assert await events(self.world, self.workflow_id, state.run_id, self.case.event) == 0
        elif self.case.tool != "reset_activity":
            assert not self.case.done(state)

    async def undo(self, done: Effect) -> Effect:
        assert isinstance(self.tool, Undoable)
        return await self.tool.undo(self.call, done, key=undo_key(self.call.key))


async def stuck(world: StuckWorld, case: Case, monkeypatch: pytest.MonkeyPatch) -> Stuck:
    workflow_id = await case.stuck(world)
    call = await world.call(case.tool, workflow_id, **case.arguments)
    asked: list[str] = []
    change = world.domain.cluster.change

    async def noted(name: str, request: Message) -> Message:
        asked.append(name)
        return await change(name, request)

    monkeypatch.setattr(world.domain.cluster, "change", noted)
    return Stuck(world, case, world.domain.tools[case.tool], workflow_id, call, asked)


class Killed(BaseException):
    """The process is gone."""


def next_change(
    monkeypatch: pytest.MonkeyPatch, world: StuckWorld, *, came: bool, then: type[BaseException] = NoAnswer
) -> None:
    """The next request gets no answer: because it never came, or because the answer was lost."""
    change = world.domain.cluster.change

    async def unanswered(name: str, request: Message) -> Message:
        monkeypatch.setattr(world.domain.cluster, "change", change)
        if came:
            await change(name, request)
        raise then

    monkeypatch.setattr(world.domain.cluster, "change", unanswered)


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


@each(UNDOABLE)
async def test_undone_it_is_as_before_and_undone_once(
    world: StuckWorld, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = await stuck(world, case, monkeypatch)
    done = await it.tool.apply(it.call)
    back = await it.undo(done)
    assert back.status is OutcomeStatus.UNDONE, back
    assert (await it.undo(done)).status is OutcomeStatus.UNDONE
    assert len(it.asked) == 2
    assert not case.done(await world.state(it.workflow_id))
    assert (await it.tool.apply(it.call)).status is OutcomeStatus.ALREADY_APPLIED
    assert not case.done(await world.state(it.workflow_id))


@each(UNDOABLE)
async def test_what_somebody_else_has_changed_since_is_not_undone(
    world: StuckWorld, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = await stuck(world, case, monkeypatch)
    done = await it.tool.apply(it.call)
    assert case.touch is not None
    await case.touch(world, it.workflow_id)
    touched = await world.state(it.workflow_id)
    back = await it.undo(done)
    assert back.status is OutcomeStatus.UNDO_BLOCKED, back
    assert len(it.asked) == 1
    assert (await world.state(it.workflow_id)).version == touched.version


@each(UNDOABLE)
@pytest.mark.parametrize("came", cases({"lost": True, "never came": False}, quick={"lost"}))
async def test_an_undo_without_an_answer_is_done_once(
    world: StuckWorld, case: Case, monkeypatch: pytest.MonkeyPatch, came: bool
) -> None:
    it = await stuck(world, case, monkeypatch)
    done = await it.tool.apply(it.call)
    next_change(monkeypatch, world, came=came)
    with pytest.raises(NoAnswer):
        await it.undo(done)
    back = await it.undo(done)
    assert back.status is OutcomeStatus.UNDONE, back
    assert len(it.asked) == 2
    assert not case.done(await world.state(it.workflow_id))


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


async def test_a_signal_is_not_sent_again_to_what_a_reset_made_of_its_workflow(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server forgets the keys of requests there, and plays the signals again by itself."""
    case = next(each for each in CASES if each.tool == "signal")
    it = await stuck(world, case, monkeypatch)
    next_change(monkeypatch, world, came=True)
    with pytest.raises(NoAnswer):
        await it.tool.apply(it.call)
    await it.happened()
    run_id = str(it.call.arguments["run_id"])
    reset = await world.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=world.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=it.workflow_id, run_id=run_id),
            workflow_task_finish_event_id=4,
            request_id=uuid4().hex,
        )
    )
    assert (await it.tool.apply(it.call)).status is OutcomeStatus.APPLIED
    assert len(it.asked) == 1
    signaled = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
    assert await events(world, it.workflow_id, reset.run_id, signaled) == 1


async def test_a_pause_that_was_taken_back_says_whose_it_was_before(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = next(each for each in CASES if each.tool == "unpause_activity")
    it = await stuck(world, case, monkeypatch)
    [change] = it.tool.terms(it.workflow_id, it.call.arguments, await it.tool.look(it.workflow_id)).preview
    assert change.before == "paused by somebody: wait for the bank"
    await it.undo(await it.tool.apply(it.call))
    pause = (await world.state(it.workflow_id)).activities[0].pause
    assert pause is not None
    assert pause.reason == f"daper key={undo_key(it.call.key)}; before it was paused by somebody: wait for the bank"


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


@pytest.mark.parametrize(
    ("says", "told"),
    [
        (None, "cannot be known"),
        (b'{"definition":{"signalDefinitions":[{"name":"go"}]}}', "it has a handler named 'go'"),
        (b'{"definition":{"signalDefinitions":[{}]}}', "signals of any name"),
        (b"nonsense", "cannot be known"),
        (b'{"definition":{"signalDefinitions":[{"name":5}]}}', "cannot be known"),
        (b'{"definition":{"signalDefinitions":[{"name":"\\u001b[2J"}]}}', "no handler for the signal 'go'"),
    ],
)
async def test_the_preview_says_whether_a_workflow_takes_the_signal(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch, says: bytes | None, told: str
) -> None:
    workflow_id = await waiting(world)

    async def metadata(*_: object) -> bytes | None:
        return says

    monkeypatch.setattr(world.domain.cluster, "metadata", metadata)
    records = await world.domain.context([workflow_id])
    terms = world.domain.tools["signal"].terms(workflow_id, {"signal": "go", "argument_1": "a"}, records)
    shown = " ".join([*(change.after for change in terms.preview), terms.obstacle])
    assert told in shown
    assert "\x1b" not in shown


async def test_where_no_worker_answers_one_workflow_of_a_queue_is_asked(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [await waiting(world) for _ in range(12)]
    asked: list[str] = []

    async def metadata(workflow_id: str, run_id: str) -> bytes | None:
        asked.append(workflow_id)
        raise NoWorker("nobody")

    monkeypatch.setattr(world.domain.cluster, "metadata", metadata)
    records = await world.domain.context(ids)
    assert len(asked) <= 5  # those that are asked at once
    assert all(isinstance(each, WorkflowRecord) and each.state.handlers is None for each in records)


async def test_a_worker_says_which_signals_its_workflow_takes(world: StuckWorld) -> None:
    workflow_id = await waiting(world)
    assert (await world.state(workflow_id)).handlers == {"go"}


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
    for case in (each for each in CASES if each.event is not None):
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


async def test_a_signal_that_comes_late_to_what_goes_on_is_not_heard_twice(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def goes_on(world: StuckWorld) -> str:
        world.outside.failing[ACTIVITY] = "CardDeclined"
        handle = await world.start(["wait", ACTIVITY])
        await world.until(handle.id, lambda state: state.is_running and state.task is None)
        return handle.id

    signal = next(each for each in CASES if each.tool == "signal")
    case = replace(signal, stuck=goes_on, done=activity_is(lambda each: each.id == ACTIVITY))
    it = await stuck(world, case, monkeypatch)
    assert (await it.tool.apply(it.call)).status is OutcomeStatus.APPLIED
    await it.happened()
    await it.tool.act(it.call)  # a late attempt, past the ledger
    await it.happened()


@pytest.mark.parametrize("by", ["a stranger", "another daper", "by another name"])
async def test_a_signal_that_somebody_else_has_sent_since_is_not_sent_again(
    real_time: WorkflowEnvironment, tmp_path: Path, by: str
) -> None:
    """What waits for two of them, or for another, looks as before."""
    signals = "hear(go)"
    async with stuck_world(
        real_time.client, tmp_path / "a", workflows=[Journey], activities=[visit], too_long="*=1s", signals=signals
    ) as world:
        handle = await world.client.start_workflow(
            Journey.run, ["wait:9"], id=f"journey-{uuid4()}", task_queue=world.queue
        )
        await world.until(handle.id, lambda state: state.is_running and state.task is None)
        call = await world.call("signal", handle.id, signal="hear", argument_1="go")
        if by == "another daper":
            other = replace(world, domain=other_domain(world, tmp_path / "b", signals))
            twin = await other.call("signal", handle.id, signal="hear", argument_1="go")
            assert (await other.domain.tools["signal"].apply(twin)).status is OutcomeStatus.APPLIED
        else:
            await handle.signal("hear" if by == "a stranger" else "other", "go")
        signaled = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
        run_id = str(call.arguments["run_id"])
        async with asyncio.timeout(PATIENCE):
            while await events(world, handle.id, run_id, signaled) < 1:  # noqa: ASYNC110 - the server writes it down
                await asyncio.sleep(0.02)
        done = await world.domain.tools["signal"].apply(call)
        once = by == "by another name"
        assert done.status is (OutcomeStatus.APPLIED if once else OutcomeStatus.FAILED), done.evidence
        assert once or "somebody else has sent the signal 'hear' since" in done.evidence[0]
        assert await events(world, handle.id, run_id, signaled) == 1 + once
        await handle.terminate()


def other_domain(world: StuckWorld, folder: Path, signals: str) -> TemporalDomain:
    """The same workflows, as another daper with books of its own sees them."""

    async def connect(place: Mapping[str, str]) -> object:
        return world.client

    domain = open_domain(folder, {"query": f'TaskQueue = "{world.queue}"', "too_long": "*=1s", "signals": signals})
    domain.reach_by(connect)
    return domain


@dataclass
class Clock:
    """The time of a tool: that of the machine, or so much later."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.ahead


async def hung(it: Stuck, monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Task[Effect], asyncio.Event]:
    """An attempt that stops right before its request, and what lets it go on."""
    cluster = it.world.domain.cluster
    change, hangs, goes_on = cluster.change, asyncio.Event(), asyncio.Event()

    async def stopped(name: str, request: Message) -> Message:
        monkeypatch.setattr(cluster, "change", change)
        hangs.set()
        await goes_on.wait()
        return await change(name, request)

    monkeypatch.setattr(cluster, "change", stopped)
    first = asyncio.create_task(it.tool.apply(it.call))
    await hangs.wait()
    return first, goes_on


@each(UNDOABLE)
async def test_an_attempt_that_hung_until_its_effect_was_undone_does_not_set_it_again(
    world: StuckWorld, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = await stuck(world, case, monkeypatch)
    clock, waits = Clock(), list[timedelta]()

    async def waited(time: timedelta) -> None:
        waits.append(time)
        clock.ahead += time

    monkeypatch.setattr(it.tool, "_clock", clock)
    monkeypatch.setattr("daper.stores.outside.waited", waited)
    first, goes_on = await hung(it, monkeypatch)
    done = await it.tool.apply(it.call)
    assert done.status is OutcomeStatus.APPLIED
    assert (await it.undo(done)).status is OutcomeStatus.UNDONE
    # Until no request of the first one can be under way any more.
    assert [timedelta() < each <= timedelta(seconds=40) for each in waits] == [True]
    goes_on.set()
    with pytest.raises(NoAnswer, match="not asked for in time"):
        await first
    assert not case.done(await world.state(it.workflow_id))
    assert (await it.tool.apply(it.call)).status is OutcomeStatus.ALREADY_APPLIED
    assert not case.done(await world.state(it.workflow_id))


async def test_what_was_asked_for_once_is_undone_without_waiting(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = await stuck(world, next(each for each in CASES if each.tool == "pause_activity"), monkeypatch)

    async def waited(_: timedelta) -> None:
        pytest.fail("nothing else can be under way")

    monkeypatch.setattr("daper.stores.outside.waited", waited)
    assert (await it.undo(await it.tool.apply(it.call))).status is OutcomeStatus.UNDONE


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
