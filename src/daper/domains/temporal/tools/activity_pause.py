"""Letting paused activities go on, and pausing some: the server keeps a state, so that asking twice changes it once.

What is paused already is not paused again: the server keeps the first pause with its reason, and refuses the second.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydantic import JsonValue
from temporalio.api.workflowservice.v1 import PauseActivityRequest, UnpauseActivityRequest

from daper.core.errors import ActionFailed
from daper.core.models import Risk
from daper.core.outcomes import Effect, Holding, Postcondition
from daper.core.text import shown
from daper.domains.temporal.cluster import IDENTITY
from daper.domains.temporal.findings import ACTIVITY_RETRYING, PAUSED
from daper.domains.temporal.tools.activity import ActivityTool, is_ours
from daper.domains.temporal.tools.activity_group import Answer, Progress, Sighting, named_words
from daper.domains.temporal.tools.base import TRACE, UndoableWorkflowTool, reason, run_of
from daper.domains.temporal.workflow import Pause, PendingActivity
from daper.ports.domain import ToolCall
from daper.stores.once import Deed

_GOES_ON = "going on"


class _PauseTool(ActivityTool, UndoableWorkflowTool):
    """One that sets or takes off the pause of activities."""

    risk = Risk.LOW
    repeatable = True
    leaves_events = True
    is_for_success = False

    async def _pause(self, call: ToolCall, activity: PendingActivity, key: str, before: str = "") -> None:
        why = f"{reason(key)}; {before}" if before else reason(key)
        request = PauseActivityRequest(execution=run_of(call), id=activity.id, reason=why, request_id=key)
        await self._bench.cluster.change("pause_activity", request)

    async def _unpause(self, call: ToolCall, activity: PendingActivity) -> None:
        request = UnpauseActivityRequest(execution=run_of(call), id=activity.id)
        await self._bench.cluster.change("unpause_activity", request)


class UnpauseActivity(_PauseTool):
    """Lets paused activities go on; undoing it pauses them again."""

    name = "unpause_activity"
    kinds = frozenset({PAUSED})
    does = (
        "Lets an activity go on that was paused, at its next attempt. Not when the reason for the pause still stands."
    )

    def misfit(self, activity: PendingActivity) -> str:
        """It is for what is paused."""
        return "" if activity.paused else f"activity {shown(activity.id)!r} is not paused"

    def change(
        self, activities: Sequence[PendingActivity], arguments: Mapping[str, JsonValue]
    ) -> tuple[tuple[str, str, str], ...]:
        """The pause, and whose it is."""
        attempt = min(each.attempt for each in activities)
        return (("", pause_words(activities[0].pause), f"{_GOES_ON}, at attempt {attempt}"),)

    async def ask(self, call: ToolCall, activity: PendingActivity, *, key: str) -> Answer:
        """Ask for the pause to be taken off, or for a new one that says whose it was before."""
        if key == call.key:
            await self._unpause(call, activity)
        else:
            done = await self.row(call.key)
            before = done.originals if done else ""
            await self._pause(call, activity, key, f"before it was {before}" if before else "")
        return {}

    def trace(self, call: ToolCall, it: Sighting, *, key: str, originals: str) -> bool | None:
        """Whether it goes on, or is paused again by us."""
        return _goes_on(call, it) if key == call.key else _is_paused(it, key)

    def deed(self, call: ToolCall, progress: Progress, *, key: str, originals: str) -> Deed:
        """The pause, and whose it was."""
        if key != call.key:
            return _deed(progress, paused=True)
        was = progress.first.pause if progress.first and progress.first.paused else None
        words = pause_words(was)
        return replace(_deed(progress, paused=False), before={"activity": words}, originals=words)

    def judge_one(self, call: ToolCall, effect: Effect, activity: PendingActivity | None, id: str) -> Postcondition:
        """Whether it is not paused any more."""
        if activity is not None and activity.paused:
            return Postcondition(holding=Holding.NO, evidence=f"the activity is {pause_words(activity.pause)}")
        told = "the activity is over" if activity is None else f"the activity goes on, at attempt {activity.attempt}"
        return Postcondition(holding=Holding.YES, evidence=told)


class PauseActivity(_PauseTool):
    """Pauses activities, so that they are not tried again; undoing it lets them go on."""

    name = "pause_activity"
    kinds = frozenset({ACTIVITY_RETRYING})
    does = (
        "Pauses an activity that fails again and again: it is not tried any more until somebody lets it go on. An "
        "attempt that runs now is not stopped. For what does harm with each attempt, or is asked too often."
    )

    def misfit(self, activity: PendingActivity) -> str:
        """It is for what is not paused."""
        return f"activity {shown(activity.id)!r} is {pause_words(activity.pause)}" if activity.paused else ""

    def change(
        self, activities: Sequence[PendingActivity], arguments: Mapping[str, JsonValue]
    ) -> tuple[tuple[str, str, str], ...]:
        """The pause."""
        attempt = max(each.attempt for each in activities)
        return (("", f"tried again and again, attempt {attempt}", "paused until it is let go on"),)

    async def ask(self, call: ToolCall, activity: PendingActivity, *, key: str) -> Answer:
        """Ask for the pause, whose reason is the trace; or for our own to be taken off, and no other."""
        if key == call.key:
            await self._pause(call, activity, key)
        elif not is_ours(activity, call.key):
            raise ActionFailed("the activity is not paused by this repair any more; nothing was changed")
        else:
            await self._unpause(call, activity)
        return {}

    def trace(self, call: ToolCall, it: Sighting, *, key: str, originals: str) -> bool | None:
        """Whether it is paused by us, or goes on again."""
        return _is_paused(it, key) if key == call.key else _goes_on(call, it)

    def deed(self, call: ToolCall, progress: Progress, *, key: str, originals: str) -> Deed:
        """The pause."""
        return _deed(progress, paused=key == call.key)

    def judge_one(self, call: ToolCall, effect: Effect, activity: PendingActivity | None, id: str) -> Postcondition:
        """Whether it is paused by this very action."""
        if activity is not None and is_ours(activity, call.key):
            told = "the activity is paused: nothing of it is tried until somebody lets it go on"
            return Postcondition(holding=Holding.YES, evidence=told)
        told = "the activity is over" if activity is None else "the activity is not paused by this repair any more"
        return Postcondition(holding=Holding.NO, evidence=told)


def _is_paused(it: Sighting, key: str) -> bool | None:
    """The trace of a pause is its reason."""
    return True if it.activity is not None and is_ours(it.activity, key) else None


def _goes_on(call: ToolCall, it: Sighting) -> bool | None:
    """Whoever took the pause off, what was asked for is so; also of an activity that has been at work since."""
    if it.activity is not None and not it.run_is_over:
        return None if it.activity.paused else True
    if it.last is None or it.last.began is None:
        return None
    if it.last.began > call.today:
        return True
    return False if it.run_is_over else None


def _deed(progress: Progress, *, paused: bool) -> Deed:
    words = {True: "paused", False: _GOES_ON}
    return Deed(
        before={"activity": words[not paused]},
        after={"activity": words[paused]},
        evidence=[named_words(progress, f"is {words[paused]}", f"are {words[paused]}")],
    )


def pause_words(pause: Pause | None) -> str:
    """A pause and whose it is."""
    if pause is None or not (pause.by or pause.reason):
        return "paused"
    if pause.by == IDENTITY and pause.reason.startswith(TRACE):  # anybody may write such a reason
        return "paused by a repair of daper"
    return f"paused by {shown(pause.by) or 'nobody named'}: {shown(pause.reason) or 'no reason given'}"
