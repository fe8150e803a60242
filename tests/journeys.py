"""Workflows of every shape: a journey does what it is told, and its activities note that they ran."""

import asyncio
from datetime import timedelta
from typing import Final

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

from tests.stuck import WORLD

KIND: Final = "Journey"
_SOON: Final = timedelta(seconds=20)


@activity.defn(name="visit")
async def visit(place: str) -> str:
    """Notes that it ran; waits while it is held, and fails where it is told to."""
    outside = WORLD[activity.info().task_queue]
    outside.ran.append(f"{activity.info().workflow_id} {place}")
    while place in outside.held:  # noqa: ASYNC110 - a test takes it away
        await asyncio.sleep(0.02)
    if place in outside.failing:
        raise ApplicationError(outside.message, type=outside.failing[place])
    return place


def _stumble(by: type[Exception]) -> None:
    if WORLD[workflow.info().task_queue].wedged:
        raise by("the map is wrong")


@workflow.defn(name="SideTrip")
class SideTrip:
    """A child; waits for `home` where it is told to."""

    def __init__(self) -> None:
        self.home_ = False
        self.onward_ = False

    @workflow.run
    async def run(self, place: str, waits: bool) -> str:
        parent = workflow.info().parent
        assert parent is not None
        outside = WORLD[workflow.info().task_queue]
        outside.ran.append(f"{parent.workflow_id} {place}")
        if place in outside.failing:
            raise ApplicationError(outside.message, type=outside.failing[place])
        if waits:
            await workflow.wait_condition(lambda: self.home_ or self.onward_)
        if self.onward_:
            workflow.continue_as_new(args=[place, waits])
        return place

    @workflow.signal
    def onward(self) -> None:
        self.onward_ = True

    @workflow.signal
    def home(self) -> None:
        self.home_ = True


@workflow.defn(name=KIND)
class Journey:
    """Its legs, one after another: places to visit, and what `_leg` knows besides.

    `+` joins what goes on at once, and `>` one after another in that.
    """

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.asked: list[int] = []
        self.trips: dict[str, workflow.ChildWorkflowHandle[SideTrip, str]] = {}

    @workflow.run
    async def run(self, legs: list[str]) -> list[str]:
        for place, leg in enumerate(legs):
            if leg == "onward":
                workflow.continue_as_new(legs[place + 1 :])
            await asyncio.gather(*(self._legs(each.split(">")) for each in leg.split("+")))
        return self.heard

    async def _legs(self, legs: list[str]) -> None:
        for each in legs:
            await self._leg(each)

    async def _leg(self, leg: str) -> None:
        what, _, name = leg.partition(":")
        match what:
            case "wait":
                await workflow.wait_condition(lambda: len(self.heard) + len(self.asked) >= int(name))
            case "sleep":
                await workflow.sleep(float(name))
            case "local":
                await workflow.execute_local_activity(visit, name, start_to_close_timeout=_SOON)
            case "trip" | "long" | "far" | "stray":  # the last three wait, and are ended with their parent, or live on
                await self._trip(name, waits=what != "trip", lives_on=what in ("far", "stray"), named=what != "stray")
            case "meet":
                await self.trips[name]
            case "bug" | "crash":  # it fails; or its task does, again and again
                _stumble(RuntimeError if what == "crash" else ApplicationError)
            case _:
                await self._visit(name if what == "deaf" else leg, deaf=what == "deaf")

    async def _visit(self, place: str, *, deaf: bool) -> None:
        """`deaf`: whoever asks it to cancel itself."""
        policy = RetryPolicy(
            initial_interval=timedelta(milliseconds=10), maximum_attempts=2 if place.startswith("twice") else 1
        )
        visiting = workflow.start_activity(
            visit, place, activity_id=place, start_to_close_timeout=_SOON, retry_policy=policy
        )
        if not deaf:
            await visiting
            return
        try:
            await asyncio.shield(visiting)
        except asyncio.CancelledError:
            await visiting

    async def _trip(self, name: str, *, waits: bool, lives_on: bool, named: bool) -> None:
        policies = workflow.ParentClosePolicy
        trip = await workflow.start_child_workflow(
            SideTrip.run,
            args=[name, waits],
            id=f"{workflow.info().workflow_id}-{name}" if named else None,
            parent_close_policy=policies.ABANDON if lives_on else policies.TERMINATE,
        )
        self.trips[name] = trip
        if not waits:
            await trip

    @workflow.signal
    def hear(self, word: str) -> None:
        self.heard.append(word)

    @workflow.update
    def ask(self, number: int) -> int:
        self.asked.append(number)
        return number
