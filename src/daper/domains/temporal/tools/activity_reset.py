"""Trying activities again at once, from their first attempt. Asked twice, they only begin anew twice."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from pydantic import JsonValue
from temporalio.api.workflowservice.v1 import ResetActivityRequest

from daper.core.limits import Exactly, Limit, OneOf
from daper.core.models import Finding, Risk
from daper.core.outcomes import Effect, Holding, Postcondition
from daper.core.text import shown
from daper.domains.temporal.findings import ACTIVITY_RETRYING, PAUSED
from daper.domains.temporal.tools.activity import ActivityArgs, ActivityTool
from daper.domains.temporal.tools.activity_group import Answer, Progress, Sighting, named_words
from daper.domains.temporal.tools.base import run_of
from daper.domains.temporal.workflow import PendingActivity, causes
from daper.ports.domain import ToolCall
from daper.stores.once import Deed

_SOON: Final = timedelta(seconds=10)  # longer than from our look until the server resets it
_AT_WORK: Final = frozenset({"started", "pause-requested", "cancel-requested"})


class ResetArgs(ActivityArgs):
    """Whether a paused one stays paused, and whether it gets the options with which it was scheduled."""

    keep_paused: bool
    restore_original_options: bool


class ResetActivity(ActivityTool):
    """Puts activities back to their first attempt, which begins at once."""

    name = "reset_activity"
    risk = Risk.LOW
    args = ResetArgs
    kinds = frozenset({ACTIVITY_RETRYING, PAUSED})
    does = (
        "Tries an activity again at once, and counts its attempts from the first one. For what failed by something "
        "that is mended by now, while its next attempt is far off; not while an attempt runs."
    )
    repeatable = True
    leaves_events = True

    def misfit(self, activity: PendingActivity) -> str:
        """It is for what failed, or is paused; what is at its first attempt needs none.

        Nor for what runs: a server throws away what comes of an attempt that ran when it was reset, also a success.
        """
        if activity.state in _AT_WORK:
            return f"an attempt of activity {shown(activity.id)!r} runs just now, and what comes of it would be lost"
        if activity.paused:
            return ""
        if activity.attempt <= 1:
            return f"activity {shown(activity.id)!r} is at its first attempt"
        if activity.next_at is None or activity.next_at - self.now() < _SOON:
            return f"activity {shown(activity.id)!r} is tried again in a moment, whatever is done"
        return ""

    def choices(self, activity: PendingActivity, arguments: Mapping[str, JsonValue]) -> Mapping[str, Limit]:
        """A person may choose."""
        return {
            "keep_paused": OneOf(values=(False, True)) if activity.paused else Exactly(value=False),
            "restore_original_options": OneOf(values=(False, True)),
        }

    def repairs(self, finding: Finding, arguments: Mapping[str, JsonValue]) -> bool:
        """What stays paused is not repaired."""
        return super().repairs(finding, arguments) and not (
            finding.kind == PAUSED and arguments.get("keep_paused") is True
        )

    def change(
        self, activities: Sequence[PendingActivity], arguments: Mapping[str, JsonValue]
    ) -> tuple[tuple[str, str, str], ...]:
        """The attempt and when it begins."""
        paused = activities[0].paused
        kept = paused and arguments.get("keep_paused") is True
        when = "once it is let go on" if kept else "tried at once"
        changes = [("attempt", f"{_attempts(activities)}{_due(activities, self.now())}", f"1, {when}")]
        if paused and not kept:
            changes.append(("", "paused", "going on"))
        if arguments.get("restore_original_options") is True:
            changes.append(("options", "as they are", "as when it was scheduled"))
        return tuple(changes)

    async def ask(self, call: ToolCall, activity: PendingActivity, *, key: str) -> Answer:
        """Ask for one."""
        request = ResetActivityRequest(
            execution=run_of(call),
            id=activity.id,
            keep_paused=call.arguments["keep_paused"] is True,
            restore_original_options=call.arguments["restore_original_options"] is True,
        )
        await self._bench.cluster.change("reset_activity", request)
        return {}

    def trace(self, call: ToolCall, it: Sighting, *, key: str, originals: str) -> bool | None:
        """Attempts go down by a reset alone. Of what is over, its history has the number of the last one."""
        seen = call.arguments["attempt_seen"]
        number = it.activity.attempt if it.activity else it.last.number if it.last else None
        if number is None or not isinstance(seen, int):
            return None
        if number < seen:
            return True
        return False if it.run_is_over else None

    def deed(self, call: ToolCall, progress: Progress, *, key: str, originals: str) -> Deed:
        """The attempts."""
        told = named_words(progress, "begins anew at its first attempt", "begin anew at their first attempt")
        return Deed(before={"attempt": call.arguments["attempt_seen"]}, after={"attempt": 1}, evidence=[told])

    def judge_one(self, call: ToolCall, effect: Effect, activity: PendingActivity | None, id: str) -> Postcondition:
        """Whether it did better this time."""
        if activity is None:
            return Postcondition(holding=Holding.YES, evidence="the activity is over")
        if activity.paused:
            asked = call.arguments["keep_paused"] is True
            return Postcondition(holding=Holding.YES if asked else Holding.NO, evidence="the activity is paused")
        if activity.attempt > 1:
            told = f"it failed again, and is at attempt {activity.attempt}: {causes(activity.failures)}"
            return Postcondition(holding=Holding.NO, evidence=told)
        return Postcondition(holding=Holding.WAITING, evidence=f"its first attempt is {activity.state}")


def _attempts(activities: Sequence[PendingActivity]) -> str:
    fewest, most = (of(each.attempt for each in activities) for of in (min, max))
    return f"{fewest}" if fewest == most else f"{fewest} to {most}"


def _due(activities: Sequence[PendingActivity], now: datetime) -> str:
    """When the last of them would be tried again by itself."""
    due = max((each.next_at for each in activities if each.next_at is not None), default=None)
    if due is None or due <= now:
        return ""
    return f", tried again at {due:%Y-%m-%d %H:%M} UTC"  # to the minute: those that are alike often read alike
