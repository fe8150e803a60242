"""Many workflows, stuck in five ways that tools of the domain repair, and what each of them went through in the end."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import PauseActivityRequest

from daper.clock import utc_now
from daper.domains.temporal.tools.base import TRACE
from daper.domains.temporal.workflow import WorkflowState
from tests.stuck import WORLD, Errand, StuckWorld, step

ENVIRON: Final = {
    "DAPER_TEMPORAL_RETRYING_ATTEMPTS": "1",
    "DAPER_TEMPORAL_PAUSED_AFTER": "1s",
    "DAPER_TEMPORAL_TOO_LONG": "Letter=1s",
    "DAPER_TEMPORAL_SIGNALS": "go for too-long@Letter",
}
"""By which all of them are found, and repaired."""

NOT_BEGUN: Final = "Owl"
MENDED: Final = "CardDeclined"
LASTING: Final = "AddressUnknown"

_AT_ONCE: Final = 50
_PATIENCE: Final = 1200.0
_BETWEEN_LOOKS: Final = 0.5
_LATER: Final = timedelta(days=30)
_LATE: Final = timedelta(seconds=5)
_SECOND: Final = timedelta(seconds=1)
_OURS: Final = b"daper"


@workflow.defn(name="Letter")
class Letter:
    """Waits for the signal `go`, and then does its step."""

    def __init__(self) -> None:
        self.gone = False

    @workflow.run
    async def run(self, steps: list[str]) -> None:
        await workflow.wait_condition(lambda: self.gone)
        for each in steps:
            await workflow.execute_activity(step, each, activity_id=each, start_to_close_timeout=timedelta(seconds=20))

    @workflow.signal
    def go(self) -> None:
        self.gone = True


@workflow.defn(name="Parcel")
class Parcel:
    """Does its step, but where that is said to fail: there it waits until its time is over."""

    @workflow.run
    async def run(self, steps: list[str]) -> None:
        for each in steps:
            if each in WORLD[workflow.info().task_queue].failing:
                await workflow.wait_condition(lambda: False)
            await workflow.execute_activity(step, each, activity_id=each, start_to_close_timeout=timedelta(seconds=20))


WORKFLOWS: Final = (Letter, Parcel)


@dataclass(frozen=True, kw_only=True)
class Way:
    """How some get stuck: by which steps of which type, what is found then, and what repairs it.

    `cause`: how its last step fails, which `mend` ends but for `LASTING`; "" where none does.
    """

    name: str
    kind: str
    tool: str
    steps: tuple[str, ...]
    type: str = "Errand"
    cause: str = MENDED
    run_timeout: timedelta | None = None


WAYS: Final = (
    Way(name="retrying", kind="activity-retrying", tool="reset_activity", steps=("slow",)),
    Way(name="paused", kind="paused-and-forgotten", tool="unpause_activity", steps=("slow-held-up",)),
    Way(name="failed", kind="failed", tool="reset_workflow", steps=("pay", "!send")),
    Way(name="late", kind="timed-out", tool="start_again", steps=("carry",), type="Parcel", run_timeout=_LATE),
    Way(name="unsigned", kind="too-long", tool="signal", steps=("read",), type="Letter", cause=""),
)
HOPELESS: Final = Way(name="lost", kind="activity-retrying", tool="reset_activity", steps=("slow-lost",), cause=LASTING)
"""What no tool repairs, as its cause lasts; else as the first of the ways."""


KEPT: Final = ("reset_workflow", "signal")
"""Tools whose key is in an event."""

NEW_RUN: Final = ("reset_workflow", "start_again")
STARTED: Final = "workflow_execution_started_event_attributes"
"""What is in the history where daper started a run: it has that as who asked; its key is with the server."""


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """Who is stuck in which way, by workflow id."""

    world: StuckWorld
    ways: Mapping[str, Way] = field(default_factory=dict[str, Way])

    def stuck_by(self, way: Way) -> list[str]:
        """Those that are stuck in one way."""
        return [workflow_id for workflow_id, its in self.ways.items() if its == way]

    def mend(self) -> int:
        """End what all but the hopeless fail by; how many steps were tried until then."""
        for name, cause in [*self.world.outside.failing.items()]:
            if cause != LASTING:
                del self.world.outside.failing[name]
        return len(self.world.outside.ran)

    async def settled(self) -> None:
        """Wait until each is stuck as it is meant to be, and the lists of the server have those that ended."""
        await _all_are(self.world, {each: _STUCK[way.kind] for each, way in self.ways.items()})
        ended = sum(way.kind in ("failed", "timed-out") for way in self.ways.values())
        await listed(self.world, 'ExecutionStatus IN ("Failed", "TimedOut")', ended)


@dataclass(frozen=True, kw_only=True)
class Past:
    """What one workflow went through: its runs, the events of them that tell of us, and attempts of its last step."""

    runs: int
    ours: tuple[str, ...]
    last_attempt: int


async def crowd(world: StuckWorld, ways: Sequence[Way], *, each: int) -> Crowd:
    """As many in each way."""
    made = Crowd(
        world=world, ways={f"{world.queue}-{way.name}-{number}": way for way in ways for number in range(each)}
    )
    world.outside.failing |= {way.steps[-1]: way.cause for way in ways if way.cause}
    await in_turn(
        world.client.start_workflow(
            way.type, list(way.steps), id=workflow_id, task_queue=world.queue, run_timeout=way.run_timeout
        )
        for workflow_id, way in made.ways.items()
    )
    paused = [each for each, way in made.ways.items() if way.kind == "paused-and-forgotten"]
    await _all_are(world, dict.fromkeys(paused, _tried))
    await in_turn(_pause(world, each, made.ways[each].steps[-1]) for each in paused)
    await made.settled()
    return made


async def well(world: StuckWorld, *, waiting: int, not_begun: int) -> list[str]:
    """Workflows with which nothing is wrong: they wait for what may take its time, or begin some day."""
    ids = [f"{world.queue}-well-{number}" for number in range(waiting + not_begun)]
    await in_turn(
        world.client.start_workflow(Errand.run, ["wait"], id=each, task_queue=world.queue) for each in ids[:waiting]
    )
    await in_turn(
        world.client.start_workflow(NOT_BEGUN, [], id=each, task_queue=world.queue, start_delay=_LATER)
        for each in ids[waiting:]
    )
    await listed(world, f'WorkflowId STARTS_WITH "{world.queue}-well-"', len(ids))
    return ids


async def listed(world: StuckWorld, condition: str, number: int) -> None:
    """Wait until the lists of the server have so many of which that is true."""
    query = f'TaskQueue = "{world.queue}" AND {condition}'
    async with asyncio.timeout(_PATIENCE):
        while (await world.client.count_workflows(query)).count < number:  # noqa: ASYNC110 - a server is asked
            await asyncio.sleep(_BETWEEN_LOOKS)


async def pasts(world: StuckWorld, workflow_ids: Iterable[str]) -> dict[str, Past]:
    """What these went through, by their histories."""
    runs: dict[str, list[str]] = {each: [] for each in workflow_ids}
    async for found in world.client.list_workflows(f'TaskQueue = "{world.queue}"', page_size=1000):
        if found.id in runs:
            runs[found.id].append(found.run_id)
    told: dict[str, Past] = {}

    async def one(workflow_id: str, run_ids: Sequence[str]) -> None:
        ours: list[str] = []
        last = 0
        for run_id in run_ids:
            handle = world.client.get_workflow_handle(workflow_id, run_id=run_id)
            async for event in handle.fetch_history_events():
                if _OURS in event.SerializeToString():
                    ours.append(_key(event))
                if event.HasField("activity_task_started_event_attributes"):
                    last = max(last, event.activity_task_started_event_attributes.attempt)
        told[workflow_id] = Past(runs=len(run_ids), ours=tuple(ours), last_attempt=last)

    await in_turn(one(workflow_id, run_ids) for workflow_id, run_ids in runs.items())
    return told


def tried_since(world: StuckWorld, began: int) -> Counter[str]:
    """How often a step of each was tried since so many steps had been."""
    return Counter(each.rpartition(" ")[0] for each in world.outside.ran[began:])


def acted_once(way: Way, past: Past, *, key: str, tried: int) -> bool:
    """Whether one was acted on once with a key, or not at all without one: by its history, and by what was tried since.

    Of an activity that is tried again no event tells but that of its last attempt, once it is over, by its number: what
    is let go on counts on, and what is reset begins at the first. An attempt may be lost on its way to the worker.
    """
    if not key:
        return past.runs == 1 and not past.ours and tried == 0
    traces = past.ours == ((key,) if way.tool in KEPT else (STARTED,) if way.tool == "start_again" else ())
    again = past.last_attempt >= 2 if way.tool == "unpause_activity" else past.last_attempt == (way.cause != LASTING)
    return traces and again and tried == 1 and past.runs == (2 if way.tool in NEW_RUN else 1)


async def in_turn(each: Iterable[Awaitable[object]]) -> None:
    """All of them, some at once."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(what: Awaitable[object]) -> None:
        async with gate:
            await what

    await asyncio.gather(*map(one, each))


async def _all_are(world: StuckWorld, wanted: Mapping[str, Callable[[WorkflowState], bool]]) -> None:
    """Wait until each is as wanted; they are asked for rarely, as their server has other things to do."""
    left = dict(wanted)

    async def look(workflow_id: str) -> None:
        state = await world.domain.cluster.state(workflow_id)
        if state is not None and wanted[workflow_id](state):
            del left[workflow_id]

    async with asyncio.timeout(_PATIENCE):
        while left:
            await in_turn(map(look, tuple(left)))
            if left:
                await asyncio.sleep(_BETWEEN_LOOKS)


async def _pause(world: StuckWorld, workflow_id: str, activity_id: str) -> None:
    await world.client.workflow_service.pause_activity(
        PauseActivityRequest(
            namespace=world.client.namespace,
            execution=WorkflowExecution(workflow_id=workflow_id),
            id=activity_id,
            identity="somebody",
            reason="wait for the bank",
        )
    )


def _key(event: HistoryEvent) -> str:
    """The key that an event tells, or what it is where it tells of us without one."""
    words = (
        event.workflow_execution_signaled_event_attributes.identity,
        event.workflow_task_failed_event_attributes.failure.message,
        str(event),
    )
    with_key = next((each.partition(TRACE)[2] for each in words if TRACE in each), "")
    return with_key[:64] or event.WhichOneof("attributes") or ""


def _tried(state: WorkflowState) -> bool:
    return any(each.attempt > 1 for each in state.activities)


def _forgotten(state: WorkflowState) -> bool:
    return any(each.pause and each.pause.at and utc_now() - each.pause.at > _SECOND for each in state.activities)


def _begun(state: WorkflowState) -> bool:
    return bool(state.started_at and utc_now() - state.started_at > _SECOND)


def _failed(state: WorkflowState) -> bool:
    return state.status == "Failed"


def _timed_out(state: WorkflowState) -> bool:
    return state.status == "TimedOut"


_STUCK: Final = {
    "activity-retrying": _tried,
    "paused-and-forgotten": _forgotten,
    "failed": _failed,
    "timed-out": _timed_out,
    "too-long": _begun,
}
