"""Giving an activity other timeouts and retries. The server keeps a state, so that asking twice changes it once."""

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
from daper.core.text import shown
from daper.domains.temporal.answers import options_in
from daper.domains.temporal.findings import ACTIVITY_RETRYING
from daper.domains.temporal.tools.activity import ActivityTool, set_ref
from daper.domains.temporal.tools.base import UndoableWorkflowTool, workflow_in
from daper.domains.temporal.workflow import PendingActivity, WorkflowRecord, causes
from daper.ports.domain import Record, Terms, ToolCall
from daper.stores.once import Deed
from daper.stores.outside import Trace

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
_NUMBERS: Final = TypeAdapter(dict[str, float])
TIMED_OUT: Final = {"start-to-close": "start_to_close", "heartbeat": "heartbeat"}
"""Which option is too short, by the timeout that a failure names."""


class OptionArgs(BaseModel):
    """Which activity, as for the others, and what is set: times in whole seconds. What is not named stays as it is."""

    model_config = ConfigDict(extra="forbid")
    run_id: str
    activity_id: str
    attempt_seen: int
    start_to_close: int | None = None
    schedule_to_close: int | None = None
    schedule_to_start: int | None = None
    heartbeat: int | None = None
    maximum_interval: int | None = None
    maximum_attempts: int | None = None


class ChangeActivityOptions(ActivityTool, UndoableWorkflowTool):
    """Sets timeouts and retries of an activity; undoing it gives the old values back."""

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
        activity = record.state.activity(str(given.get("activity_id")))
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
        activity = record.state.activity(str(arguments.get("activity_id"))) if record else None
        if terms.obstacle or activity is None or "run_id" not in arguments:  # filled in later
            return terms
        if any(_old(activity, name) != value for name, value in _given(arguments).items()):
            return terms
        return replace(terms, limits={}, reads={}, preview=(), obstacle="no option is named that would change")

    def change(self, activity: PendingActivity, arguments: Mapping[str, JsonValue]) -> tuple[tuple[str, str, str], ...]:
        """Each value, before and after."""
        return tuple(
            (_WORDS[name], _said(name, _old(activity, name)), _said(name, value))
            for name, value in _given(arguments).items()
        )

    async def act(self, call: ToolCall) -> Deed:
        """Ask for the new values; the old ones are kept for the way back."""
        wanted = _given(call.arguments)
        if not wanted:
            raise ActionFailed("no option is named that should change; nothing was changed")
        activity = await self.still_that(call)
        old = {name: _old(activity, name) for name in wanted}
        new = await self._set(call, wanted)
        return _deed(call, activity, before=old, after=new)

    async def take_back(self, call: ToolCall, done: Effect, originals: str, *, key: str) -> Deed:
        """Give the old values back."""
        activity = await self.still_that(call)
        old = _NUMBERS.validate_json(originals)
        new = await self._set(call, old)
        return _deed(call, activity, before={name: _old(activity, name) for name in old}, after=new)

    async def probe(self, call: ToolCall, *, key: str) -> Trace:
        """The values as they are: whoever set them, what was asked for is so.

        What was there before is not in the ledger then, so that it is not taken back.
        """
        activity = self.activity_in(await self.look(call.record_id), call)
        wanted = _given(call.arguments)
        if key != call.key:
            done = await self.row(call.key)
            wanted = _NUMBERS.validate_json(done.originals) if done and done.originals else {}
        if activity is None or not wanted or any(_old(activity, name) != value for name, value in wanted.items()):
            return Trace()
        return Trace(deed=_deed(call, activity, before={}, after=wanted))

    def judge(self, call: ToolCall, effect: Effect, records: Sequence[Record]) -> Postcondition:
        """Whether the values are there, and the next attempt did better with them."""
        activity = self.activity_in(records, call)
        if activity is None:
            return Postcondition(holding=Holding.YES, evidence="the activity is over")
        changed = [name for name in _given(call.arguments) if _old(activity, name) != effect.after.get(name)]
        if changed:
            told = f"{_WORDS[changed[0]]} is {_said(changed[0], _old(activity, changed[0]))}"
            return Postcondition(holding=Holding.NO, evidence=told)
        first = effect.after.get("attempt")
        if isinstance(first, int) and activity.attempt > first:
            told = f"it failed again with them, and is at attempt {activity.attempt}: {causes(activity.failures)}"
            return Postcondition(holding=Holding.NO, evidence=told)
        told = f"the values are set; attempt {activity.attempt} is {activity.state}"
        return Postcondition(holding=Holding.WAITING, evidence=told)

    async def _set(self, call: ToolCall, values: Mapping[str, float]) -> dict[str, float]:
        """What the server says is set now: it lowers what is longer than the time for all attempts."""
        run, activity_id = self.at(call)
        request = UpdateActivityOptionsRequest(
            execution=run,
            id=activity_id,
            activity_options=_options(values),
            update_mask=FieldMask(paths=[_PATHS[name] for name in values]),
        )
        answer = await self._bench.cluster.change("update_activity_options", request)
        if not isinstance(answer, UpdateActivityOptionsResponse):
            return dict(values)
        now = options_in(answer.activity_options)
        return {name: _number(now.get(name)) for name in values}


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


def _deed(
    call: ToolCall, activity: PendingActivity, *, before: Mapping[str, float], after: Mapping[str, float]
) -> Deed:
    first = activity.attempt + (activity.state == "started")  # what runs already keeps what it began with
    changes = ", ".join(f"{_WORDS[name]} {_said(name, value)}" for name, value in after.items())
    return Deed(
        before=dict(before),
        after={**after, "attempt": first},
        wrote=[set_ref(call)],
        evidence=[f"activity {shown(call.arguments['activity_id'])}: {changes}"],
        originals=json.dumps(dict(before)),
    )
