"""A workflow is reset once, on what was seen, whoever else does something to it; nobody knows, and it is said."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
from google.protobuf.message import Message
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.testing import WorkflowEnvironment

from daper.clock import utc_now
from daper.core.errors import CannotSettle, NoAnswer
from daper.core.outcomes import Holding, OutcomeStatus
from daper.domains.temporal import pace
from daper.domains.temporal.domain import TemporalDomain
from daper.domains.temporal.entry import open_domain
from daper.domains.temporal.history import ResetTrace
from daper.domains.temporal.history_reader import HistoryReader
from daper.ports import ToolCall, Undoable
from tests.journeys import Journey, SideTrip, visit
from tests.stuck import PATIENCE, StuckWorld, stuck_world

Change = Callable[[str, Message], Awaitable[Message]]
TOOL = "reset_workflow"


@pytest.fixture
async def world(real_time: WorkflowEnvironment, tmp_path: Path) -> AsyncGenerator[StuckWorld]:
    async with stuck_world(real_time.client, tmp_path, workflows=[Journey, SideTrip], activities=[visit]) as made:
        yield made


async def failed(world: StuckWorld, *legs: str) -> str:
    """A workflow that has failed, and would not any more."""
    world.outside.failing = {"bad": "NoRoad"}
    legs = legs or ("a", "bad", "c")
    handle = await world.client.start_workflow(Journey.run, [*legs], id=f"journey-{uuid4()}", task_queue=world.queue)
    await world.until(handle.id, lambda state: state.status == "Failed")
    world.outside.failing = {}
    return handle.id


async def proposed(world: StuckWorld, workflow_id: str, domain: TemporalDomain | None = None) -> ToolCall:
    """A call as a plan would make it."""
    tool = (domain or world.domain).tools[TOOL]
    limits = tool.terms(workflow_id, {}, await world.domain.context([workflow_id])).limits
    return await world.call(TOOL, workflow_id, **{name: getattr(limit, "value") for name, limit in limits.items()})  # noqa: B009


async def traces(world: StuckWorld, workflow_id: str) -> tuple[ResetTrace, ...]:
    """The resets that lie in the history of the latest run."""
    state = await world.state(workflow_id)
    reader = HistoryReader(workflow_id, state.run_id)
    async for event in world.domain.cluster.events(workflow_id, state.run_id):
        reader.take(event)
    return reader.history().resets


async def by_a_stranger(world: StuckWorld, workflow_id: str, *, event: int) -> None:
    await world.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=world.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            reason="by hand",
            workflow_task_finish_event_id=event,
            request_id=str(uuid4()),
        )
    )


@asynccontextmanager
async def changing(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch, how: Callable[[Change, str, Message], Awaitable[Message]]
) -> AsyncGenerator[None]:
    """Meanwhile each change goes through `how`."""
    real = world.domain.cluster.change

    async def change(call: str, request: Message) -> Message:
        return await how(real, call, request)

    with monkeypatch.context() as patched:
        patched.setattr(world.domain.cluster, "change", change)
        yield


async def test_it_is_reset_once_for_a_key_and_is_seen_to_have_helped(world: StuckWorld) -> None:
    workflow_id = await failed(world)
    seen = await world.state(workflow_id)
    call = await proposed(world, workflow_id)
    tool = world.domain.tools[TOOL]
    assert not isinstance(tool, Undoable)
    done = await tool.apply(call)
    assert done.status is OutcomeStatus.APPLIED, done.evidence
    await world.until(workflow_id, lambda state: state.status == "Completed")
    again = await tool.apply(call)
    assert again == done.model_copy(update={"status": OutcomeStatus.ALREADY_APPLIED})
    assert await tool.settle(call.key) == done
    [trace] = await traces(world, workflow_id)
    assert (trace.reason, trace.base_run_id) == (f"daper key={call.key}", seen.run_id)
    assert done.after["run"] == trace.new_run_id == (await world.state(workflow_id)).run_id
    assert (await tool.holds(call, done)).holding is Holding.YES


async def test_an_answer_that_got_lost_is_found_by_its_trace(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also once the new run was completed, and once somebody has reset it to a later point."""
    workflow_id = await failed(world)
    call = await proposed(world, workflow_id)
    tool = world.domain.tools[TOOL]

    async def lost(real: Change, name: str, request: Message) -> Message:
        await real(name, request)
        raise NoAnswer("the line went dead")

    async with changing(world, monkeypatch, lost):
        with pytest.raises(NoAnswer):
            await tool.apply(call)
    await world.until(workflow_id, lambda state: state.status == "Completed")
    ours = (await world.state(workflow_id)).run_id
    last = max((await world.domain.histories.run(workflow_id, ours)).tasks)
    await by_a_stranger(world, workflow_id, event=last)
    found = await tool.apply(call)
    assert (found.status, found.after["run"]) == (OutcomeStatus.APPLIED, ours), found.evidence
    assert [each.reason for each in await traces(world, workflow_id)] == [f"daper key={call.key}", "by hand"]


async def test_a_request_that_may_be_under_way_is_not_sent_again(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow_id = await failed(world)
    call = await proposed(world, workflow_id)
    tool = world.domain.tools[TOOL]

    async def never(real: Change, name: str, request: Message) -> Message:
        raise NoAnswer("the line was dead")

    async with changing(world, monkeypatch, never):
        with pytest.raises(NoAnswer):
            await tool.apply(call)
    for ask in (tool.apply(call), tool.settle(call.key)):
        with pytest.raises(CannotSettle, match="still the latest one, and Failed"):
            await ask
    assert await traces(world, workflow_id) == ()


async def test_a_key_that_was_settled_resets_nothing_any_more(world: StuckWorld) -> None:
    workflow_id = await failed(world)
    call = await proposed(world, workflow_id)
    tool = world.domain.tools[TOOL]
    assert await tool.settle(call.key) is None
    assert (await tool.apply(call)).status is OutcomeStatus.FAILED
    assert await traces(world, workflow_id) == ()


async def test_a_strangers_reset_between_plan_and_execution_is_stale(world: StuckWorld) -> None:
    workflow_id = await failed(world)
    call = await proposed(world, workflow_id)
    await by_a_stranger(world, workflow_id, event=4)
    assert (await world.domain.tools[TOOL].apply(call)).status is OutcomeStatus.STALE
    [trace] = await traces(world, workflow_id)
    assert trace.reason == "by hand"


async def test_a_strangers_reset_in_the_same_moment_is_known_to_nobody_and_not_done_again(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow_id = await failed(world)
    call = await proposed(world, workflow_id)
    tool = world.domain.tools[TOOL]
    event = call.arguments["event"]
    assert isinstance(event, int)

    async def beaten(real: Change, name: str, request: Message) -> Message:
        await by_a_stranger(world, workflow_id, event=event)
        return await real(name, request)

    async with changing(world, monkeypatch, beaten):
        with pytest.raises(CannotSettle, match="another run"):
            await tool.apply(call)
    for ask in (tool.apply(call), tool.settle(call.key)):
        with pytest.raises(CannotSettle, match="another run"):
            await ask
    state = await world.until(workflow_id, lambda state: state.status == "Completed")
    assert state.run_id  # and no third one
    assert len(await traces(world, workflow_id)) == 1


async def test_a_run_that_began_in_the_same_moment_is_not_ended(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server knows no such event of it."""
    workflow_id = await failed(world)
    call = await proposed(world, workflow_id)

    async def beaten(real: Change, name: str, request: Message) -> Message:
        await world.client.start_workflow(Journey.run, ["wait:1"], id=workflow_id, task_queue=world.queue)
        return await real(name, request)

    async with changing(world, monkeypatch, beaten):
        found = await world.domain.tools[TOOL].apply(call)
    assert found.status is OutcomeStatus.FAILED
    assert (await world.state(workflow_id)).is_running
    assert await traces(world, workflow_id) == ()


async def test_two_keys_at_one_moment_reset_it_once(
    world: StuckWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workers on one ledger: both have looked before either has asked."""
    workflow_id = await failed(world)
    call, other = await proposed(world, workflow_id), await proposed(world, workflow_id)
    second = open_domain(tmp_path, {"query": f'TaskQueue = "{world.queue}"'})

    async def connect(_: Mapping[str, str]) -> object:
        return world.client

    second.reach_by(connect)
    asking, go_on = asyncio.Event(), asyncio.Event()

    async def waits(real: Change, name: str, request: Message) -> Message:
        asking.set()
        await go_on.wait()
        return await real(name, request)

    async with changing(world, monkeypatch, waits):
        first = asyncio.create_task(world.domain.tools[TOOL].apply(call))
        await asking.wait()
        assert (await second.tools[TOOL].apply(other)).status is OutcomeStatus.STALE
        go_on.set()
        assert (await first).status is OutcomeStatus.APPLIED
    [trace] = await traces(world, workflow_id)
    assert trace.reason == f"daper key={call.key}"


async def test_of_a_new_run_that_fails_or_waits_it_is_not_said_that_it_helped(world: StuckWorld) -> None:
    workflow_id = await failed(world, "a", "bad", "wait:1")
    call = await proposed(world, workflow_id)
    tool = world.domain.tools[TOOL]
    world.outside.held = {"bad"}
    done = await tool.apply(call)
    await world.until(workflow_id, lambda state: any(each.state == "started" for each in state.activities))
    assert (await tool.holds(call, done)).holding is Holding.WAITING
    world.outside.held = set()
    await world.until(workflow_id, lambda state: state.is_running and not state.activities)
    word = await tool.holds(call, done)
    assert (word.holding, "past visit bad" in word.evidence) == (Holding.YES, True), word
    await world.client.get_workflow_handle(workflow_id).terminate()
    assert (await tool.holds(call, done)).holding is Holding.NO


async def test_what_has_failed_goes_back_where_that_keeps_something_and_else_begins_again(world: StuckWorld) -> None:
    kept, nothing = await failed(world), await failed(world, "bad", "a")
    records = await world.domain.context([kept, nothing])
    findings = world.domain.detect(records, utc_now())
    found = {each.record_id: each.tool for each in world.domain.propose(findings, records).proposals}
    assert found == {kept: TOOL, nothing: "start_again"}


async def test_a_history_that_is_too_long_is_left_to_a_person(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow_id = await failed(world)
    monkeypatch.setattr("daper.domains.temporal.histories.MOST_EVENTS", 5)
    records = await world.domain.context([workflow_id])
    for name in (TOOL, "start_again"):
        assert "more than" in world.domain.tools[name].terms(workflow_id, {}, records).obstacle


async def test_an_event_since_makes_a_reset_stale_and_nothing_else(
    real_time: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a reset does again depends on each event of the history."""
    for module in ("workflow", "reading"):
        monkeypatch.setattr(f"daper.domains.temporal.{module}.FAILING_ATTEMPTS", 2)  # the third waits for seconds
    async with stuck_world(
        real_time.client, tmp_path, workflows=[Journey], activities=[visit], fixes="task-failing=reset_workflow"
    ) as world:
        world.outside.wedged = True
        handle = await world.client.start_workflow(
            Journey.run, ["a", "crash"], id=f"journey-{uuid4()}", task_queue=world.queue
        )
        seen = await world.until(handle.id, lambda state: bool(state.task_causes))
        records = await world.domain.context([handle.id])
        [finding] = world.domain.detect(records, utc_now())
        [proposal] = world.domain.propose([finding], records).proposals
        assert (proposal.tool, set(proposal.arguments)) == (TOOL, {"run_id", "event"})
        call, other = await proposed(world, handle.id), await world.call("terminate_workflow", handle.id)
        await handle.signal(Journey.hear, "news")
        async with asyncio.timeout(PATIENCE):
            # While a task is at a worker, the server keeps what comes until that is over.
            while not (await world.domain.histories.run(handle.id, seen.run_id)).heard:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        again = await world.until(handle.id, lambda state: bool(state.task_causes))
        assert again.version == seen.version
        assert (await world.domain.tools[TOOL].apply(call)).status is OutcomeStatus.STALE
        assert await traces(world, handle.id) == ()
        assert (await world.domain.tools["terminate_workflow"].apply(other)).status is OutcomeStatus.APPLIED


@pytest.mark.parametrize("tool", [TOOL, "start_again"])
async def test_a_run_that_came_after_our_look_and_before_the_request_is_left_alone(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch, tool: str
) -> None:
    """Histories are long to read, and ledgers and the pace are waited for: the last look comes right before it."""
    workflow_id = await failed(world)
    call = await (proposed(world, workflow_id) if tool == TOOL else world.call(tool, workflow_id))
    event = (await proposed(world, workflow_id)).arguments["event"]
    assert isinstance(event, int)
    seen = call.arguments["run_id"]
    real = type(world.domain.tools[tool]).act

    async def later(self: object, of: ToolCall) -> object:
        world.outside.failing = {"bad": "NoRoad"}
        await by_a_stranger(world, workflow_id, event=event)
        await world.until(workflow_id, lambda state: state.run_id != seen and state.status == "Failed")
        return await real(self, of)  # pyright: ignore[reportArgumentType] - that very tool

    monkeypatch.setattr(type(world.domain.tools[tool]), "act", later)
    done = await world.domain.tools[tool].apply(call)
    assert done.status is OutcomeStatus.FAILED
    assert "another run" in done.evidence[0]
    assert [each.reason for each in await traces(world, workflow_id)] == ["by hand"]


async def test_nothing_waits_for_its_turn_between_the_last_look_and_the_reset(
    real_time: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    went: list[str] = []

    async def wait(_: float) -> None:
        went.append("wait")

    def noted(name: str, call: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        async def asked(*given: object, **named: object) -> object:
            went.append(name)
            return await call(*given, **named)

        return asked

    monkeypatch.setattr(pace, "asyncio", SimpleNamespace(sleep=wait))
    async with stuck_world(
        real_time.client, tmp_path, workflows=[Journey, SideTrip], activities=[visit], calls_per_second="1"
    ) as world:
        call = await proposed(world, await failed(world))
        service = world.client.workflow_service
        for name in ("describe_workflow_execution", "reset_workflow_execution"):
            monkeypatch.setattr(service, name, noted(name, getattr(service, name)))
        assert (await world.domain.tools[TOOL].apply(call)).status is OutcomeStatus.APPLIED
    at = went.index("reset_workflow_execution")
    assert went[at - 3 : at] == ["wait", "wait", "describe_workflow_execution"]
