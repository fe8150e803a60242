"""Signals to stuck workflows, on a real server: which ones are taken, and none is sent or heard twice."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import (
    ResetWorkflowExecutionRequest,
)
from temporalio.testing import WorkflowEnvironment

from daper.core.errors import NoAnswer, NoWorker
from daper.core.outcomes import OutcomeStatus
from daper.domains.temporal.domain import TemporalDomain
from daper.domains.temporal.entry import open_domain
from daper.domains.temporal.workflow import WorkflowRecord
from tests.journeys import Journey, visit
from tests.stuck import PATIENCE, StuckWorld, stuck_world
from tests.stuck_tools import ACTIVITY, CASES, activity_is, events, next_change, stuck, tools_world, waiting


@pytest.fixture
async def world(real_time: WorkflowEnvironment, tmp_path: Path) -> AsyncGenerator[StuckWorld]:
    async with tools_world(real_time.client, tmp_path) as made:
        yield made


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
