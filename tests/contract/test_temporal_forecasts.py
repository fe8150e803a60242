"""What a reset said it would do, and what the activities then really did, in workflows of every shape."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

import pytest
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from daper.core.outcomes import Holding, OutcomeStatus
from daper.domains.temporal.forecast import ResetForecast, forecast
from daper.domains.temporal.history import RunHistory, Sort, Step
from daper.domains.temporal.tools.run_tool import history_in
from tests.cases import cases
from tests.journeys import Journey, SideTrip, visit
from tests.stuck import PATIENCE, StuckWorld, stuck_world

Handle = WorkflowHandle[Journey, list[str]]
Steer = Callable[["Ride"], Awaitable[None]]


@dataclass(frozen=True)
class Ride:
    """One journey that a test steers."""

    world: StuckWorld
    handle: Handle

    async def ran(self, place: str, *, times: int = 1) -> None:
        """Wait until an activity, or a child, has begun."""
        async with asyncio.timeout(PATIENCE):
            while self.world.outside.ran.count(f"{self.handle.id} {place}") < times:  # noqa: ASYNC110 - others note it
                await asyncio.sleep(0.02)

    async def history(self, condition: Callable[[RunHistory], bool]) -> RunHistory:
        async with asyncio.timeout(PATIENCE):
            while True:
                state = await self.world.state(self.handle.id)
                found = await self.world.domain.tools["reset_workflow"].look(self.handle.id)
                record = history_in(found, state.workflow_id)
                assert record is not None
                assert record.history is not None
                if condition(record.history):
                    return record.history
                await asyncio.sleep(0.02)

    async def closed(self, place: str) -> None:
        await self.history(lambda history: any(each.id == place and each.closed for each in history.steps))

    async def home(self, name: str) -> None:
        await self.world.client.get_workflow_handle(f"{self.handle.id}-{name}").signal(SideTrip.home)


async def _nothing(_: Ride) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A journey: what fails, what is held back at first, what happens before it fails, and behind the reset.

    `mended_late`: its code is mended behind the reset; a mended worker would heal it. `most`: how long it may take.

    What its reset says: `again` what it does once more, `kept` what stays, `played` what it is told once more,
    `forgotten` what it is not, `beside` which children then run twice.
    """

    legs: list[str]
    failing: tuple[str, ...] = ("bad",)
    status: str = "Failed"
    mended_late: bool = False
    most: timedelta | None = None
    held: tuple[str, ...] = ()
    wedged: bool = False
    before: Steer = _nothing
    between: Steer = _nothing
    after: Steer = _nothing
    done_again: tuple[str, ...] = ()
    tried_again: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    goes_on: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    played: tuple[str, ...] = field(default=())
    forgotten: tuple[str, ...] = ()


async def _slow_is_done(ride: Ride) -> None:
    await ride.ran("bad")
    ride.world.outside.held.discard("slow")
    await ride.closed("slow")
    ride.world.outside.held.discard("bad")


async def _bad_while_slow(ride: Ride) -> None:
    await ride.ran("bad")
    ride.world.outside.held.discard("bad")


async def _told(ride: Ride) -> None:
    await ride.handle.signal(Journey.hear, "early")
    await ride.ran("bad")
    await ride.handle.signal(Journey.hear, "late")
    await ride.handle.execute_update(Journey.ask, 7)
    ride.world.outside.held.discard("bad")


async def _stray_runs(ride: Ride) -> None:
    await ride.ran("stray")
    await ride.ran("bad")
    ride.world.outside.held.discard("bad")


async def _asked_to_cancel(ride: Ride) -> None:
    await ride.ran("bad")
    await ride.handle.cancel()
    await ride.history(lambda history: any(each.sort == "request to cancel" for each in history.heard))
    ride.world.outside.held.discard("bad")


async def _trip_is_done(ride: Ride) -> None:
    await ride.history(lambda history: any(each.sort is Sort.CHILD and each.closed for each in history.steps))
    ride.world.outside.held.discard("bad")


async def _heard_now(ride: Ride) -> None:
    await ride.handle.signal(Journey.hear, "now")


async def _home_from_k(ride: Ride) -> None:
    await ride.home("k")


async def _home_from_new_k(ride: Ride) -> None:
    await ride.ran("k")
    await ride.home("k")


async def _k_goes_onward(ride: Ride) -> None:
    child = ride.world.client.get_workflow_handle(f"{ride.handle.id}-k")
    first = (await child.describe()).run_id
    await child.signal(SideTrip.onward)
    await ride.world.until(child.id, lambda state: state.run_id != first)
    await ride.ran("k", times=2)


async def _k_is_over(ride: Ride) -> None:
    await ride.home("k")
    await ride.world.client.get_workflow_handle(f"{ride.handle.id}-k").result()


SHAPES = {
    "sequential": Shape(legs=["a", "b", "bad", "c"], tried_again=("bad",), kept=("a", "b")),
    "parallel": Shape(
        legs=["a", "slow+bad+b", "c"], held=("slow", "bad"), before=_slow_is_done,
        done_again=("slow", "b"), tried_again=("bad",), kept=("a",),
    ),
    "under way, and done since": Shape(
        legs=["slow+b>bad", "c"], held=("slow", "bad"), before=_slow_is_done,
        done_again=("slow",), tried_again=("bad",), kept=("b",),
    ),
    "under way, and not done": Shape(
        legs=["slow+b>bad", "c"], held=("slow", "bad"), before=_bad_while_slow,
        tried_again=("slow", "bad"), kept=("b",),
    ),
    "retried": Shape(legs=["a", "twice-bad", "c"], failing=("twice-bad",), tried_again=("twice-bad",), kept=("a",)),
    "signals and updates": Shape(
        legs=["a", "wait:1", "bad", "wait:3"], held=("bad",), before=_told,
        tried_again=("bad",), kept=("a",), played=("signal hear", "update ask"),
    ),
    "a request to cancel": Shape(
        legs=["a", "deaf:bad", "c"], held=("bad",), before=_asked_to_cancel,
        tried_again=("bad",), kept=("a",), forgotten=("request to cancel",),
    ),
    "a child before": Shape(legs=["trip:k", "a", "bad"], tried_again=("bad",), kept=("k", "a")),
    "a child beside": Shape(
        legs=["a", "trip:k+bad"], held=("bad",), before=_trip_is_done, done_again=("k",), tried_again=("bad",),
        kept=("a",),
    ),
    "a child that failed": Shape(legs=["a", "trip:bad", "c"], tried_again=("bad",), kept=("a",)),
    "a child that ended with it": Shape(
        legs=["b", "long:k", "a", "bad", "meet:k"], after=_home_from_new_k,
        done_again=("a",), tried_again=("k", "bad"), kept=("b",),
    ),
    "a child that lives on": Shape(
        legs=["far:k", "a", "bad", "meet:k"], after=_home_from_k, tried_again=("bad",), kept=("a",), goes_on=("k",),
    ),
    "a child that nobody has named, and that lives on": Shape(
        legs=["a", "stray:stray+bad"], held=("bad",), before=_stray_runs,
        tried_again=("stray", "bad"), kept=("a",), beside=("stray",),
    ),
    "a child that continued as new": Shape(
        legs=["far:k", "a", "bad", "meet:k"], between=_k_goes_onward, after=_home_from_k,
        tried_again=("bad",), kept=("a",), goes_on=("k",),
    ),
    "a child that ended since": Shape(
        legs=["b", "far:k", "a", "bad", "meet:k"], between=_k_is_over, after=_home_from_new_k,
        done_again=("a",), tried_again=("k", "bad"), kept=("b",),
    ),
    "local activities": Shape(
        legs=["local:L1", "a", "local:L2", "bad", "local:M"], done_again=("L",), tried_again=("bad",), kept=("L", "a")
    ),
    "in its own code": Shape(legs=["a", "bug", "c"], failing=(), wedged=True, kept=("a",)),
    "in its own code, beside a local activity": Shape(
        legs=["a", "local:L1", "bug", "c"], failing=(), wedged=True, done_again=("L",), kept=("a",)
    ),
    "out of its time": Shape(
        legs=["a", "b", "slow"], held=("slow",), status="TimedOut", most=timedelta(seconds=3),
        tried_again=("slow",), kept=("a", "b"),
    ),
    "out of its time while it waited": Shape(
        legs=["a", "b", "wait:1"], status="TimedOut", most=timedelta(seconds=3), after=_heard_now,
        kept=("a", "b"),
    ),
    "its tasks fail": Shape(
        legs=["a", "b", "crash", "c"], failing=(), wedged=True, mended_late=True, status="Running",
        done_again=("b",), kept=("a",),
    ),
    "a timer": Shape(legs=["sleep:0.05", "a", "bad"], tried_again=("bad",), kept=("timer", "a")),
    "continued as new": Shape(legs=["a", "onward", "b", "bad", "c"], tried_again=("bad",), kept=("b",)),
}  # fmt: skip


@pytest.fixture(scope="module")
async def world(real_time: WorkflowEnvironment, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[StuckWorld]:
    folder = tmp_path_factory.mktemp("books")
    fixes = "task-failing=reset_workflow, timed-out=reset_workflow"
    async with stuck_world(
        real_time.client, folder, workflows=[Journey, SideTrip], activities=[visit], fixes=fixes
    ) as made:
        yield made


QUICK = {"parallel", "signals and updates", "a child that ended with it", "in its own code, beside a local activity"}


@pytest.mark.parametrize("shape", cases(SHAPES, quick=QUICK))
async def test_a_reset_does_what_it_said(world: StuckWorld, shape: Shape) -> None:
    ride = await _stuck(world, shape)
    await shape.between(ride)
    history = await ride.history(lambda found: found.ending == ("" if shape.mended_late else shape.status))
    said = forecast(history)
    assert not said.obstacle
    told = {
        kind: Counter(map(_place, getattr(said, kind)))
        for kind in ("done_again", "tried_again", "kept", "goes_on", "beside")
    }
    assert told == {kind: Counter(getattr(shape, kind)) for kind in told}
    assert tuple(each.label for each in said.played_again) == shape.played
    assert tuple(each.label for each in said.forgotten) == shape.forgotten

    ran = await _reset(ride, shape)
    known = {_place(each) for each in history.steps if each.sort is not Sort.TIMER}
    assert Counter(place for place in ran if place in known) == told["done_again"] + told["tried_again"]
    await _played(ride, said, since=("signal hear",) if shape.after is _heard_now else ())


async def _stuck(world: StuckWorld, shape: Shape) -> Ride:
    outside = world.outside
    outside.ran.clear()
    outside.failing = dict.fromkeys(shape.failing, "NoRoad")
    outside.held = set(shape.held)
    outside.wedged = shape.wedged
    handle = await world.client.start_workflow(
        Journey.run, shape.legs, id=f"journey-{uuid4()}", task_queue=world.queue, run_timeout=shape.most
    )
    ride = Ride(world, world.client.get_workflow_handle_for(Journey.run, handle.id))
    await shape.before(ride)
    await world.until(
        handle.id, lambda state: state.status == shape.status and bool(state.task_causes) is shape.mended_late
    )
    return ride


async def _reset(ride: Ride, shape: Shape) -> list[str]:
    """The places to which it came once it was reset, until it was completed."""
    outside, workflow_id = ride.world.outside, ride.handle.id
    tool = ride.world.domain.tools["reset_workflow"]
    records = await ride.world.domain.context([workflow_id])
    terms = tool.terms(workflow_id, {}, records)
    arguments = {name: getattr(limit, "value") for name, limit in terms.limits.items()}  # noqa: B009
    call = await ride.world.call("reset_workflow", workflow_id, **arguments)
    outside.ran.clear()
    outside.failing, outside.held, outside.wedged = {}, set(), shape.mended_late
    done = await tool.apply(call)
    assert done.status is OutcomeStatus.APPLIED, done.evidence
    outside.wedged = False
    await shape.after(ride)
    await ride.handle.result()
    assert (await tool.holds(call, done)).holding is Holding.YES
    return ["L" if each.partition(" ")[2].startswith("L") else each.partition(" ")[2] for each in outside.ran]


async def _played(ride: Ride, said: ResetForecast, *, since: tuple[str, ...]) -> None:
    """What it was told once more lies in the history of the new run, behind the point."""
    history = await ride.history(lambda found: found.ending == "Completed")
    heard = [each.label for each in history.heard if each.at > said.point]
    assert heard == [*(each.label for each in said.played_again), *since]
    assert [each.base_run_id == history.run_id for each in history.resets] == [False]


def _place(step: Step) -> str:
    """What the activities note of it."""
    match step.sort:
        case Sort.LOCAL:
            return "L"
        case Sort.TIMER:
            return "timer"
        case Sort.CHILD:
            return "stray" if step.has_made_up_id else step.id.rpartition("-")[2]
        case _:
            return step.id
