"""Each tool on stuck workflows, and a workflow that it is for: what the tests of the tools share."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from google.protobuf.message import Message
from pydantic import JsonValue
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import (
    PauseActivityRequest,
    SetWorkerDeploymentCurrentVersionRequest,
    UnpauseActivityRequest,
    UpdateActivityOptionsRequest,
    UpdateWorkflowExecutionOptionsRequest,
)
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkerDeploymentConfig

from daper.clock import utc_now
from daper.core.digests import undo_key
from daper.core.errors import NoAnswer
from daper.core.outcomes import Effect, Holding
from daper.domains.temporal.tools.base import WorkflowTool
from daper.domains.temporal.workflow import PendingActivity, WorkflowState
from daper.ports import ToolCall, Undoable
from tests.cases import cases
from tests.stuck import WORLD, Errand, Outside, StuckWorld, step, stuck_world

ACTIVITY = "slow pay"


SIGNALS = "go(a|b)"


def tools_world(client: Client, folder: Path) -> AbstractAsyncContextManager[StuckWorld]:
    """Where what is stuck is found at once, and may be sent the signals that a person has allowed."""
    return stuck_world(client, folder, paused_after="1s", retrying_attempts="2", too_long="*=1s", signals=SIGNALS)


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
