"""Both tools that make a new run of a workflow: killed, refused, unanswered, and of what is not there any more."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import uuid4

import pytest
from google.protobuf.message import Message
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from daper.core.errors import CannotSettle, NoAnswer
from daper.core.outcomes import Effect, OutcomeStatus
from tests.cases import cases
from tests.journeys import Journey, SideTrip, visit
from tests.stuck import PATIENCE, StuckWorld, stuck_world

RESET, START_AGAIN = TOOLS = ("reset_workflow", "start_again")
CHANGES = ("reset_workflow_execution", "start_workflow_execution")

REFUSALS = {
    "too old a server": RPCStatusCode.UNIMPLEMENTED,
    "not allowed": RPCStatusCode.PERMISSION_DENIED,
    "gone": RPCStatusCode.NOT_FOUND,
}
SILENCE = {"away": RPCStatusCode.UNAVAILABLE, "asked too often": RPCStatusCode.RESOURCE_EXHAUSTED}

each_tool = pytest.mark.parametrize("name", TOOLS)


@pytest.fixture
async def world(real_time: WorkflowEnvironment, tmp_path: Path) -> AsyncGenerator[StuckWorld]:
    async with stuck_world(real_time.client, tmp_path, workflows=[Journey, SideTrip], activities=[visit]) as made:
        yield made


async def failed(world: StuckWorld) -> str:
    """A workflow that has failed, and would not any more."""
    world.outside.failing = {"bad": "NoRoad"}
    handle = await world.client.start_workflow(
        Journey.run, ["a", "bad"], id=f"journey-{uuid4()}", task_queue=world.queue
    )
    await world.until(handle.id, lambda state: state.status == "Failed")
    world.outside.failing = {}
    return handle.id


async def runs(world: StuckWorld, workflow_id: str) -> int:
    """How many its activities tell of: each run comes to the place where the first one failed."""
    await world.until(workflow_id, lambda state: not state.is_running)
    return world.outside.ran.count(f"{workflow_id} bad")


def answering(monkeypatch: pytest.MonkeyPatch, world: StuckWorld, status: RPCStatusCode) -> None:
    """The server answers every request for a change with this, in words that are not to be trusted."""

    async def refused(*_: object, **__: object) -> Message:
        raise RPCError("no\x1b[31m \u202e<b>" * 50, status, b"")

    for name in CHANGES:
        monkeypatch.setattr(world.client.workflow_service, name, refused)


@each_tool
async def test_killed_between_act_and_note_its_trace_is_found(
    world: StuckWorld, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow_id = await failed(world)
    tool, call = world.domain.tools[name], await world.call(name, workflow_id)

    async def gone(*_: object, **__: object) -> Effect:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(type(tool), "_conclude", gone)
        with pytest.raises(KeyboardInterrupt):
            await tool.apply(call)
    found = await tool.settle(call.key)
    assert found is not None
    assert found.status is OutcomeStatus.APPLIED
    assert (await tool.apply(call)).status is OutcomeStatus.ALREADY_APPLIED
    assert await runs(world, workflow_id) == 2


@each_tool
async def test_what_was_settled_as_never_does_not_happen_later(world: StuckWorld, name: str) -> None:
    workflow_id = await failed(world)
    tool, call = world.domain.tools[name], await world.call(name, workflow_id)
    assert await tool.settle(call.key) is None
    assert (await tool.apply(call)).status is OutcomeStatus.FAILED
    assert await runs(world, workflow_id) == 1


@each_tool
async def test_what_is_not_there_any_more_is_not_asked_for(world: StuckWorld, name: str) -> None:
    workflow_id = await failed(world)
    tool, call = world.domain.tools[name], await world.call(name, workflow_id)
    await world.client.workflow_service.delete_workflow_execution(
        DeleteWorkflowExecutionRequest(
            namespace=world.client.namespace, workflow_execution=WorkflowExecution(workflow_id=workflow_id)
        )
    )
    async with asyncio.timeout(PATIENCE):
        while await world.domain.context([workflow_id]):  # noqa: ASYNC110 - a server is asked
            await asyncio.sleep(0.05)
    assert (await tool.apply(call)).status is OutcomeStatus.STALE
    assert not await world.domain.context([workflow_id])


@each_tool
@pytest.mark.parametrize("status", cases(REFUSALS, quick={"gone"}))
async def test_what_the_server_refuses_has_failed_for_good(
    world: StuckWorld, name: str, status: RPCStatusCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow_id = await failed(world)
    tool, call = world.domain.tools[name], await world.call(name, workflow_id)
    with monkeypatch.context() as once:
        answering(once, world, status)
        refused = await tool.apply(call)
    assert refused.status is OutcomeStatus.FAILED
    assert "\x1b" not in " ".join(refused.evidence)
    assert await tool.apply(call) == refused
    assert await runs(world, workflow_id) == 1


@each_tool
@pytest.mark.parametrize("status", cases(SILENCE, quick={"away"}))
async def test_without_an_answer_only_what_the_server_knows_by_its_id_is_asked_for_again(
    world: StuckWorld, name: str, status: RPCStatusCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow_id = await failed(world)
    tool, call = world.domain.tools[name], await world.call(name, workflow_id)
    with monkeypatch.context() as once:
        answering(once, world, status)
        with pytest.raises(NoAnswer):
            await tool.apply(call)
    if name == RESET:
        with pytest.raises(CannotSettle):
            await tool.apply(call)
        assert await runs(world, workflow_id) == 1
    else:
        assert (await tool.apply(call)).status is OutcomeStatus.APPLIED
        assert await runs(world, workflow_id) == 2


async def test_a_reset_and_a_start_that_saw_one_run_do_not_both_happen(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow_id = await failed(world)
    reset, start = await world.call(RESET, workflow_id), await world.call(START_AGAIN, workflow_id)
    asking, go_on = asyncio.Event(), asyncio.Event()
    change = world.domain.cluster.change

    async def waits(call: str, request: Message) -> Message:
        asking.set()
        await go_on.wait()
        return await change(call, request)

    with monkeypatch.context() as once:
        once.setattr(world.domain.cluster, "change", waits)
        first = asyncio.create_task(world.domain.tools[RESET].apply(reset))
        await asking.wait()
        assert (await world.domain.tools[START_AGAIN].apply(start)).status is OutcomeStatus.STALE
        go_on.set()
        assert (await first).status is OutcomeStatus.APPLIED
    assert await runs(world, workflow_id) == 2
