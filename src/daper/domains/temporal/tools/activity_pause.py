"""Letting a paused activity go on, and pausing one: the server keeps a state, so that asking twice changes it once.

What is paused already is not paused again: the server keeps the first pause with its reason, and refuses the second.
"""

from collections.abc import Mapping, Sequence

from pydantic import JsonValue
from temporalio.api.workflowservice.v1 import PauseActivityRequest, UnpauseActivityRequest

from daper.core.errors import ActionFailed
from daper.core.models import Risk
from daper.core.outcomes import Effect, Holding, Postcondition
from daper.core.text import shown
from daper.domains.temporal.cluster import IDENTITY
from daper.domains.temporal.findings import ACTIVITY_RETRYING, PAUSED
from daper.domains.temporal.tools.activity import ActivityTool, is_ours, is_over, set_ref
from daper.domains.temporal.tools.base import TRACE, UndoableWorkflowTool, reason
from daper.domains.temporal.workflow import Pause, PendingActivity
from daper.ports.domain import Record, ToolCall
from daper.stores.once import Deed
from daper.stores.outside import Trace

_GOES_ON = "going on"


class _PauseTool(ActivityTool, UndoableWorkflowTool):
    """One that sets or takes off the pause of an activity."""

    risk = Risk.LOW
    repeatable = True

    async def _pause(self, call: ToolCall, key: str, before: str = "") -> Deed:
        run, activity_id = self.at(call)
        why = f"{reason(key)}; {before}" if before else reason(key)
        request = PauseActivityRequest(execution=run, id=activity_id, reason=why, request_id=key)
        await self._bench.cluster.change("pause_activity", request)
        return _deed(call, paused=True)

    async def _unpause(self, call: ToolCall) -> Deed:
        run, activity_id = self.at(call)
        await self._bench.cluster.change("unpause_activity", UnpauseActivityRequest(execution=run, id=activity_id))
        return _deed(call, paused=False)

    async def _is_paused(self, call: ToolCall, key: str) -> Trace:
        """The trace of a pause is its reason."""
        activity = self.activity_in(await self.look(call.record_id), call)
        return Trace(deed=_deed(call, paused=True) if activity is not None and is_ours(activity, key) else None)

    async def _goes_on(self, call: ToolCall) -> Trace:
        """Whoever took the pause off, what was asked for is so; also of an activity that has been at work since."""
        records = await self.look(call.record_id)
        activity = self.activity_in(records, call)
        if activity is not None and not is_over(records, call):
            return Trace(deed=None if activity.paused else _deed(call, paused=False))
        last = await self.last_attempt(call)
        if last is None or last.began is None:
            return Trace()
        if last.began > call.today:
            return Trace(deed=_deed(call, paused=False))
        return Trace(final=is_over(records, call))


class UnpauseActivity(_PauseTool):
    """Lets a paused activity go on; undoing it pauses the activity again."""

    name = "unpause_activity"
    kinds = frozenset({PAUSED})
    does = (
        "Lets an activity go on that was paused, at its next attempt. Not when the reason for the pause still stands."
    )

    def misfit(self, activity: PendingActivity) -> str:
        """It is for what is paused."""
        return "" if activity.paused else f"activity {shown(activity.id)!r} is not paused"

    def change(self, activity: PendingActivity, arguments: Mapping[str, JsonValue]) -> tuple[tuple[str, str, str], ...]:
        """The pause, and whose it is."""
        return (("", _words(activity.pause), f"{_GOES_ON}, at attempt {activity.attempt}"),)

    async def act(self, call: ToolCall) -> Deed:
        """Ask for the pause to be taken off; whose it was is kept for the way back."""
        activity = self.activity_in(await self.look(call.record_id), call)
        deed = await self._unpause(call)
        return Deed(
            before={"activity": _words(activity.pause if activity else None)},
            after=deed.after,
            wrote=deed.wrote,
            evidence=deed.evidence,
            originals=_words(activity.pause if activity else None),
        )

    async def take_back(self, call: ToolCall, done: Effect, originals: str, *, key: str) -> Deed:
        """Pause it again, and say whose pause it was before."""
        await self.still_that(call)
        return await self._pause(call, key, f"before it was {originals}" if originals else "")

    async def probe(self, call: ToolCall, *, key: str) -> Trace:
        """Whether it goes on, or is paused again by us."""
        return await (self._goes_on(call) if key == call.key else self._is_paused(call, key))

    def judge(self, call: ToolCall, effect: Effect, records: Sequence[Record]) -> Postcondition:
        """Whether it is not paused any more."""
        activity = self.activity_in(records, call)
        if activity is not None and activity.paused:
            return Postcondition(holding=Holding.NO, evidence=f"the activity is {_words(activity.pause)}")
        told = "the activity is over" if activity is None else f"the activity goes on, at attempt {activity.attempt}"
        return Postcondition(holding=Holding.YES, evidence=told)


class PauseActivity(_PauseTool):
    """Pauses an activity, so that it is not tried again; undoing it lets it go on."""

    name = "pause_activity"
    kinds = frozenset({ACTIVITY_RETRYING})
    does = (
        "Pauses an activity that fails again and again: it is not tried any more until somebody lets it go on. An "
        "attempt that runs now is not stopped. For what does harm with each attempt, or is asked too often."
    )

    def misfit(self, activity: PendingActivity) -> str:
        """It is for what is not paused."""
        return f"activity {shown(activity.id)!r} is {_words(activity.pause)}" if activity.paused else ""

    def change(self, activity: PendingActivity, arguments: Mapping[str, JsonValue]) -> tuple[tuple[str, str, str], ...]:
        """The pause."""
        return (("", f"tried again and again, attempt {activity.attempt}", "paused until it is let go on"),)

    async def act(self, call: ToolCall) -> Deed:
        """Ask for the pause; its reason is the trace."""
        return await self._pause(call, call.key)

    async def take_back(self, call: ToolCall, done: Effect, originals: str, *, key: str) -> Deed:
        """Take off our own pause, and no other."""
        if not is_ours(await self.still_that(call), call.key):
            raise ActionFailed("the activity is not paused by this repair any more; nothing was changed")
        return await self._unpause(call)

    async def probe(self, call: ToolCall, *, key: str) -> Trace:
        """Whether it is paused by us, or goes on again."""
        return await (self._is_paused(call, key) if key == call.key else self._goes_on(call))

    def judge(self, call: ToolCall, effect: Effect, records: Sequence[Record]) -> Postcondition:
        """Whether it is paused by this very action."""
        activity = self.activity_in(records, call)
        if activity is not None and is_ours(activity, call.key):
            told = "the activity is paused: nothing of it is tried until somebody lets it go on"
            return Postcondition(holding=Holding.YES, evidence=told)
        told = "the activity is over" if activity is None else "the activity is not paused by this repair any more"
        return Postcondition(holding=Holding.NO, evidence=told)


def _deed(call: ToolCall, *, paused: bool) -> Deed:
    words = {True: "paused", False: _GOES_ON}
    return Deed(
        before={"activity": words[not paused]},
        after={"activity": words[paused]},
        wrote=[set_ref(call)],
        evidence=[f"activity {call.arguments['activity_id']} is {words[paused]}"],
    )


def _words(pause: Pause | None) -> str:
    """A pause and whose it is."""
    if pause is None or not (pause.by or pause.reason):
        return "paused"
    if pause.by == IDENTITY and pause.reason.startswith(TRACE):  # anybody may write such a reason
        return "paused by a repair of daper"
    return f"paused by {shown(pause.by) or 'nobody named'}: {shown(pause.reason) or 'no reason given'}"
