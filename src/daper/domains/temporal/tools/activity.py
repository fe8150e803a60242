"""What is the same for every tool on one pending activity: which one, that it is still that one, what became of it."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, JsonValue
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import ActivityTaskStartedEventAttributes

from daper.core.digests import canonical, digest
from daper.core.errors import ActionFailed
from daper.core.limits import Exactly, Limit, OneOf
from daper.core.models import Change, Finding
from daper.core.text import counted, shown
from daper.domains.temporal.answers import moment
from daper.domains.temporal.findings import workflow_findings
from daper.domains.temporal.tools.base import TRACE, WorkflowTool, run_of, workflow_in
from daper.domains.temporal.workflow import PendingActivity, WorkflowRecord, WorkflowState, workflow_ref
from daper.ports.domain import Record, Terms, ToolCall

_MOST_CHOICES: Final = 20


class ActivityArgs(BaseModel):
    """Which activity of which run, and at which attempt it was seen: one below that is another one, or was reset."""

    model_config = ConfigDict(extra="forbid")
    run_id: str
    activity_id: str
    attempt_seen: int


@dataclass(frozen=True, kw_only=True)
class LastAttempt:
    """The last attempt of an activity that is over: its number, and when it began."""

    number: int
    began: datetime | None


class ActivityTool(WorkflowTool):
    """A tool on one pending activity.

    A plan depends on the run and on this activity: its failure, its options, who paused it. Not on what its workflow
    does beside it. What is undone depends on less: the activity may have failed again meanwhile.
    """

    args = ActivityArgs
    _looked_at: tuple[WorkflowState, Mapping[str, Sequence[PendingActivity]]] | None = None

    @abstractmethod
    def misfit(self, activity: PendingActivity) -> str:
        """Why it is not for an activity as it is; nothing where it is."""

    @abstractmethod
    def change(self, activity: PendingActivity, arguments: Mapping[str, JsonValue]) -> tuple[tuple[str, str, str], ...]:
        """What would change: which part of it, or "" for whether it goes on; before; after."""

    def choices(self, activity: PendingActivity, arguments: Mapping[str, JsonValue]) -> Mapping[str, Limit]:
        """What its other arguments may be."""
        return {}

    def repairs(self, finding: Finding, arguments: Mapping[str, JsonValue]) -> bool:
        """Whether it is for this finding of its activity, with these arguments."""
        return finding.kind in self.kinds

    async def look(self, record_id: str) -> tuple[Record, ...]:
        """The workflow, and each of its pending activities."""
        records = await super().look(record_id)
        record = workflow_in(records, record_id)
        return records if record is None else (*records, *_parts(record))

    def unfit(self, state: WorkflowState) -> str:
        """It is for a running workflow with such an activity."""
        if not state.is_running:
            return "it has ended"
        first = ""
        for each in state.activities:
            if not (why := self.misfit(each)):
                return ""
            first = first or why
        return first or "no activity of it is pending"

    def preview(
        self, record: WorkflowRecord, arguments: Mapping[str, JsonValue], records: Sequence[Record]
    ) -> tuple[Change, ...]:
        """What would change of the activity."""
        activity = self._chosen(record.state, arguments)
        if activity is None:
            return ()
        named = f"activity {shown(activity.type)}"
        told = [
            Change(record=record.ref, field=f"{named}: {field}" if field else named, before=before, after=after)
            for field, before, after in self.change(activity, arguments)
        ]
        alike = _alike(record.state, activity)
        if told and alike:
            before = f"{counted(alike, 'other')} of its type in this workflow, failing alike"
            told.append(Change(record=record.ref, field=f"{named}: others", before=before, after="left as they are"))
        return tuple(told)

    def terms(self, record_id: str, arguments: Mapping[str, JsonValue], records: Sequence[Record]) -> Terms:
        """On what terms it may run; those of the activity that is named, or of the only one that fits."""
        terms = super().terms(record_id, arguments, records)
        record = workflow_in(records, record_id)
        if terms.obstacle or record is None:
            return terms
        state = record.state
        if "activity_id" in arguments and (why := self._misfit_of(state, arguments)):
            return replace(terms, limits={}, reads={}, preview=(), obstacle=why)
        activity = self._chosen(state, arguments)
        if activity is None:
            ids = tuple(each.id for each in self._fitting(state)[:_MOST_CHOICES])
            return replace(terms, limits={"activity_id": OneOf(values=ids)}, findings=frozenset())
        seen = arguments.get("attempt_seen")
        limits: dict[str, Limit] = {
            "run_id": Exactly(value=state.run_id),
            "activity_id": Exactly(value=activity.id),
            "attempt_seen": Exactly(value=seen if _is_attempt(seen) else activity.attempt),
            **self.choices(activity, arguments),
        }
        fingerprints = frozenset(
            each.fingerprint for each in self._findings(state, activity) if self.repairs(each, arguments)
        )
        reads = {activity_ref(record, activity): _version(state, activity)}
        return replace(terms, limits=limits, reads=reads, findings=fingerprints)

    def proposed(self, record: WorkflowRecord, finding: Finding, records: Sequence[Record]) -> dict[str, JsonValue]:
        """For the activity that the finding is about."""
        activity = self.activity_of(finding, record)
        return self.filled(record, {"activity_id": activity.id}, records) if activity else {}

    def activity_of(self, finding: Finding, record: WorkflowRecord) -> PendingActivity | None:
        """The first activity that has this problem, of those that it fits where it fits any."""
        having = self._having(record.state).get(finding.fingerprint, ())
        return next((each for each in having if not self.misfit(each)), next(iter(having), None))

    def at(self, call: ToolCall) -> tuple[WorkflowExecution, str]:
        """The run and the activity of a call."""
        return run_of(call), str(call.arguments["activity_id"])

    async def still_that(self, call: ToolCall) -> PendingActivity:
        """The activity, for the way back. Raises ActionFailed where it is another one by now."""
        activity = self.activity_in(await self.look(call.record_id), call)
        if activity is None or not _same_attempts(activity, call.arguments):
            raise ActionFailed("the activity is over, or is another one by now; nothing was changed")
        return activity

    def activity_in(self, records: Sequence[Record], call: ToolCall) -> PendingActivity | None:
        """The activity of a call; None where it is not pending in the run of the call."""
        record = workflow_in(records, call.record_id)
        if record is None or record.state.run_id != call.arguments["run_id"]:
            return None
        return record.state.activity(str(call.arguments["activity_id"]))

    async def last_attempt(self, call: ToolCall) -> LastAttempt | None:
        """The last attempt of an activity that is over; None where the history has none."""
        run, activity_id = self.at(call)
        started: dict[int, ActivityTaskStartedEventAttributes] = {}
        began: dict[int, datetime | None] = {}
        async for event in self._bench.cluster.latest_events(run.workflow_id, run.run_id):
            if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
                attributes = event.activity_task_started_event_attributes
                started[attributes.scheduled_event_id] = attributes
                began[attributes.scheduled_event_id] = moment(event.event_time)
            elif (
                event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
                and event.activity_task_scheduled_event_attributes.activity_id == activity_id
            ):
                found = started.get(event.event_id)
                return LastAttempt(number=found.attempt, began=began[event.event_id]) if found else None
        return None

    def _fitting(self, state: WorkflowState) -> list[PendingActivity]:
        return [each for each in state.activities if not self.misfit(each)]

    def _chosen(self, state: WorkflowState, arguments: Mapping[str, JsonValue]) -> PendingActivity | None:
        if "activity_id" in arguments:
            return state.activity(str(arguments["activity_id"]))
        fitting = self._fitting(state)
        return fitting[0] if len(fitting) == 1 else None

    def _misfit_of(self, state: WorkflowState, arguments: Mapping[str, JsonValue]) -> str:
        activity = state.activity(str(arguments["activity_id"]))
        if activity is None:
            return f"no activity {shown(arguments['activity_id'])!r} of it is pending"
        if not _same_attempts(activity, arguments):
            return f"activity {shown(activity.id)!r} is at attempt {activity.attempt}: it is another one, or was reset"
        return self.misfit(activity)

    def _having(self, state: WorkflowState) -> Mapping[str, Sequence[PendingActivity]]:
        """The activities by their problems. A workflow may have thousands, each with one, and is asked for each."""
        if self._looked_at is None or self._looked_at[0] is not state:
            having: dict[str, list[PendingActivity]] = {}
            for each in state.activities:
                for found in self._findings(state, each):
                    having.setdefault(found.fingerprint, []).append(each)
            self._looked_at = state, having
        return self._looked_at[1]

    def _findings(self, state: WorkflowState, activity: PendingActivity) -> list[Finding]:
        alone = replace(state, activities=(activity,), pause=None, problems=(), ended=())
        return [
            each for each in workflow_findings(alone, self._bench.options, self._clock()) if each.kind in self.kinds
        ]


def activity_ref(record: WorkflowRecord, activity: PendingActivity) -> str:
    """How an activity is named in what a plan read."""
    return f"{record.ref}/activities/{activity.id}"


def set_ref(call: ToolCall) -> str:
    """How what can be set of an activity is named in what was written."""
    return _set_ref(workflow_ref(call.record_id), str(call.arguments["activity_id"]))


def is_over(records: Sequence[Record], call: ToolCall) -> bool:
    """Whether the run of a call is over: it takes no request any more."""
    record = workflow_in(records, call.record_id)
    return record is not None and not (record.state.is_running and record.state.run_id == call.arguments["run_id"])


def is_ours(activity: PendingActivity, key: str) -> bool:
    """Whether the activity was paused with this key."""
    return activity.paused and activity.pause is not None and activity.pause.reason.startswith(f"{TRACE}{key}")


def _alike(state: WorkflowState, activity: PendingActivity) -> int:
    """How many others of a workflow fail as this one does: they are one problem, and this is for one of them."""
    if not activity.failures:
        return 0
    return sum(
        not each.paused and each.id != activity.id and each.type == activity.type and each.causes == activity.causes
        for each in state.activities
    )


def _set_ref(workflow: str, activity_id: str) -> str:
    """Not behind the name of the activity: ids may have slashes."""
    return f"{workflow}/settings/{activity_id}"


def _parts(record: WorkflowRecord) -> list[Record]:
    parts: list[Record] = []
    for each in record.state.activities:
        ref = activity_ref(record, each)
        parts.append(Record(ref=ref, record_id=ref, version=_version(record.state, each), data={}))
        settings = digest(canonical([*_run(record.state), *_settings(each)]))[:32]
        of = _set_ref(record.ref, each.id)
        parts.append(Record(ref=of, record_id=of, version=settings, data={}))
    return parts


def _run(state: WorkflowState) -> list[object]:
    """What is over keeps its activities, as they were."""
    return [state.run_id, state.is_running]


def _version(state: WorkflowState, activity: PendingActivity) -> str:
    paused_at = activity.pause.at if activity.pause else None
    facts = [*_run(state), activity.type, activity.cause, str(paused_at), *_settings(activity)]
    return digest(canonical(facts))[:32]


def _settings(activity: PendingActivity) -> list[object]:
    pause = activity.pause
    return [activity.paused, pause.by if pause else "", pause.reason if pause else "", _written(activity.options)]


def _written(options: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in options.items()}


def _is_attempt(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _same_attempts(activity: PendingActivity, arguments: Mapping[str, JsonValue]) -> bool:
    """Attempts only go up: fewer than were seen are those of another activity with this id, or it was reset."""
    seen = arguments.get("attempt_seen")
    return not isinstance(seen, int) or activity.attempt >= seen
