"""Giving activities other timeouts and retries. The server keeps a state, so that asking twice changes it once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter
from temporalio.api.activity.v1 import ActivityOptions
from temporalio.api.workflowservice.v1 import UpdateActivityOptionsRequest, UpdateActivityOptionsResponse

from daper.core.errors import ActionFailed
from daper.core.limits import Between, Limit
from daper.core.models import Finding, Risk
from daper.core.outcomes import Effect, Holding, Postcondition
from daper.domains.temporal.answers import options_in
from daper.domains.temporal.findings import ACTIVITY_RETRYING
from daper.domains.temporal.tools.activity import ActivityTool
from daper.domains.temporal.tools.activity_group import Answer, Progress, Sighting, named_words
from daper.domains.temporal.tools.base import UndoableWorkflowTool, run_of, workflow_in
from daper.domains.temporal.workflow import PendingActivity, WorkflowRecord, causes
from daper.ports.domain import Record, Terms, ToolCall
from daper.stores.once import Deed

_TIMES: Final = 10  # so many times the old value is the most
_LONGEST: Final = 365 * 24 * 3600
_MOST_ATTEMPTS: Final = 2**31 - 1
_PATHS: Final = {
    "start_to_close": "start_to_close_timeout",
    "schedule_to_close": "schedule_to_close_timeout",
    "schedule_to_start": "schedule_to_start_timeout",
    "heartbeat": "heartbeat_timeout",
    "maximum_interval": "retry_policy.maximum_interval",
    "maximum_attempts": "retry_policy.maximum_attempts",
}
_WORDS: Final = {
    "start_to_close": "time for one attempt",
    "schedule_to_close": "time for all attempts",
    "schedule_to_start": "time until an attempt begins",
    "heartbeat": "time between two heartbeats",
    "maximum_interval": "longest wait between two attempts",
    "maximum_attempts": "most attempts",
}
_NOTHING: Final[Mapping[str, float]] = {}
_NUMBERS: Final = TypeAdapter(dict[str, float])
_FIRST: Final = "attempt"  # the first that begins with the values
_FIRST_OF_EACH: Final = "attempts"
TIMED_OUT: Final = {"start-to-close": "start_to_close", "heartbeat": "heartbeat"}
"""Which option is too short, by the timeout that a failure names."""


class OptionArgs(BaseModel):
    """Which activities, as for the others, and what is set: times in whole seconds. What is not named stays."""

    model_config = ConfigDict(extra="forbid")
    run_id: str
    activities: list[str]
    attempt_seen: int
    event_seen: int
    start_to_close: int | None = None
    schedule_to_close: int | None = None
    schedule_to_start: int | None = None
    heartbeat: int | None = None
    maximum_interval: int | None = None
    maximum_attempts: int | None = None


class ChangeActivityOptions(ActivityTool, UndoableWorkflowTool):
    """Sets timeouts and retries of activities; undoing it gives the old values back."""

    name = "change_activity_options"
    risk = Risk.MEDIUM
    args = OptionArgs
    kinds = frozenset({ACTIVITY_RETRYING})
    does = (
        "Gives an activity longer timeouts, or other retries, from its next attempt on. For one that needs more time "
        "than it has; not for one that fails by itself."
    )
    repeatable = True

    def misfit(self, activity: PendingActivity) -> str:
        """It is for one whose options the server tells."""
        return "" if _limits(activity, {}) else "this server does not say what the options of its activities are"

    def choices(self, activity: PendingActivity, arguments: Mapping[str, JsonValue]) -> Mapping[str, Limit]:
        """From what it is now to ten times as much."""
        return _limits(activity, arguments)

    def proposed(self, record: WorkflowRecord, finding: Finding, records: Sequence[Record]) -> dict[str, JsonValue]:
        """Twice the time that was too short, and for all attempts, where that leaves no more for one."""
        given = super().proposed(record, finding, records)
        activity = next(iter(self.activities_of(finding, record)), None)
        name = too_short(activity) if activity else ""
        if activity is None or not name or (old := _old(activity, name)) <= 0:
            return given
        wanted = ceil(2 * old)
        if 0 < _old(activity, "schedule_to_close") < wanted:
            given["schedule_to_close"] = wanted
        return {**given, name: wanted}

    def terms(self, record_id: str, arguments: Mapping[str, JsonValue], records: Sequence[Record]) -> Terms:
        """On what terms it may run: something has to change."""
        terms = super().terms(record_id, arguments, records)
        record = workflow_in(records, record_id)
        if terms.obstacle or record is None or "run_id" not in arguments or "activities" not in arguments:
            return terms  # filled in later
        chosen = self._chosen(record.state, arguments)
        if any(_old(chosen[0], name) != value for name, value in _given(arguments).items()):
            return terms
        return replace(terms, limits={}, reads={}, preview=(), obstacle="no option is named that would change")

    def change(
        self, activities: Sequence[PendingActivity], arguments: Mapping[str, JsonValue]
    ) -> tuple[tuple[str, str, str], ...]:
        """Each value, before and after."""
        return tuple(
            (_WORDS[name], _said(name, _old(activities[0], name)), _said(name, value))
            for name, value in _given(arguments).items()
        )

    async def act(self, call: ToolCall) -> Deed:
        """Ask for the new values; the old ones are kept for the way back."""
        if not _given(call.arguments):
            raise ActionFailed("no option is named that should change; nothing was changed")
        return await super().act(call)

    async def ask(self, call: ToolCall, activity: PendingActivity, *, key: str) -> Answer:
        """Ask for the new values, or for those that were there before.

        The server lowers what is longer than the time for all attempts, and says so.
        """
        values = _given(call.arguments)
        if key != call.key:
            done = await self.row(call.key)
            values = _NUMBERS.validate_json(done.originals) if done else {}
        request = UpdateActivityOptionsRequest(
            execution=run_of(call),
            id=activity.id,
            activity_options=_options(values),
            update_mask=FieldMask(paths=[_PATHS[name] for name in values]),
        )
        answer = await self._bench.cluster.change("update_activity_options", request)
        if not isinstance(answer, UpdateActivityOptionsResponse):
            return {}
        now = options_in(answer.activity_options)
        return {name: _number(now.get(name)) for name in values}

    def trace(self, call: ToolCall, it: Sighting, *, key: str, originals: str) -> bool | None:
        """The values as they are: whoever set them, what was asked for is so."""
        wanted = _given(call.arguments)
        if key != call.key:
            wanted = _NUMBERS.validate_json(originals) if originals else {}
        activity = it.activity
        if activity is None or not wanted or any(_old(activity, name) != value for name, value in wanted.items()):
            return None
        return True

    def deed(self, call: ToolCall, progress: Progress, *, key: str, originals: str) -> Deed:
        """The values, and from which attempt on they count.

        Where all are found as they should be, what was there before is not known, so that it is not taken back.
        """
        wanted = _given(call.arguments)
        back = _NUMBERS.validate_json(originals) if originals else {}
        after = wanted if key == call.key else back
        after |= next(iter(progress.answers.values()), _NOTHING)
        old = [{name: _old(each, name) for name in after} for each in progress.seen.values() if each is not None]
        before = next((each for each in old if each != after), _NOTHING)
        first = {name: each.attempt + (each.state == "started") for name, each in progress.seen.items() if each}
        changes = ", ".join(f"{_WORDS[name]} {_said(name, value)}" for name, value in after.items())
        since: dict[str, JsonValue] = {_FIRST: max(first.values(), default=0)}
        if len(set(first.values())) > 1:
            since[_FIRST_OF_EACH] = {**first}
        return Deed(
            before={**before},
            after={**after, **since},
            evidence=[f"{named_words(progress, 'has', 'have')} {changes}"],
            originals=json.dumps(dict(before)),
        )

    def judge_one(self, call: ToolCall, effect: Effect, activity: PendingActivity | None, id: str) -> Postcondition:
        """Whether the values are there, and the next attempt did better with them."""
        if activity is None:
            return Postcondition(holding=Holding.YES, evidence="the activity is over")
        changed = [name for name in _given(call.arguments) if _old(activity, name) != effect.after.get(name)]
        if changed:
            told = f"{_WORDS[changed[0]]} is {_said(changed[0], _old(activity, changed[0]))}"
            return Postcondition(holding=Holding.NO, evidence=told)
        each = effect.after.get(_FIRST_OF_EACH)
        first = each.get(id) if isinstance(each, dict) else effect.after.get(_FIRST)
        if isinstance(first, int) and activity.attempt > first:
            told = f"it failed again with them, and is at attempt {activity.attempt}: {causes(activity.failures)}"
            return Postcondition(holding=Holding.NO, evidence=told)
        told = f"the values are set; attempt {activity.attempt} is {activity.state}"
        return Postcondition(holding=Holding.WAITING, evidence=told)


def too_short(activity: PendingActivity) -> str:
    """The option that is too short for it, by its last failure; nothing where it did not fail by a timeout."""
    last = activity.failures[-1] if activity.failures else None
    return TIMED_OUT.get(last.type, "") if last is not None and last.sort == "timeout" else ""


def _limits(activity: PendingActivity, arguments: Mapping[str, JsonValue]) -> dict[str, Limit]:
    limits: dict[str, Limit] = {}
    whole = _given(arguments).get("schedule_to_close", _old(activity, "schedule_to_close"))
    for name in ("start_to_close", "schedule_to_close", "schedule_to_start", "heartbeat"):
        old = _old(activity, name)
        if old <= 0:
            continue
        most = min(_TIMES * old, _LONGEST)
        if whole > 0 and name != "schedule_to_close":
            most = min(most, whole)  # the server would lower it
        limits[name] = Between(minimum=ceil(old), maximum=max(int(most), ceil(old)))
    if (wait := _old(activity, "maximum_interval")) > 1:
        limits["maximum_interval"] = Between(minimum=1, maximum=ceil(wait))
    if (attempts := int(_old(activity, "maximum_attempts"))) > 0:
        limits["maximum_attempts"] = Between(minimum=attempts, maximum=min(_TIMES * attempts, _MOST_ATTEMPTS))
    return limits


def _options(values: Mapping[str, float]) -> ActivityOptions:
    options = ActivityOptions()
    for name, value in values.items():
        if name == "maximum_attempts":
            options.retry_policy.SetInParent()
            options.retry_policy.maximum_attempts = int(value)
            continue
        length = Duration()
        length.FromNanoseconds(round(value * 1e9))
        if name == "maximum_interval":
            options.retry_policy.maximum_interval.CopyFrom(length)
        else:
            getattr(options, _PATHS[name]).CopyFrom(length)
    return options


def _given(arguments: Mapping[str, JsonValue]) -> dict[str, float]:
    return {
        name: value for name in _PATHS if isinstance(value := arguments.get(name), int) and not isinstance(value, bool)
    }


def _old(activity: PendingActivity, name: str) -> float:
    return _number(activity.options.get(name))


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else 0.0


def _said(name: str, value: float) -> str:
    if not value:
        return "no limit"
    return f"{value:,.0f}" if name == "maximum_attempts" else f"{value:,g} s"
