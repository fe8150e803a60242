"""What is known of one workflow, read from what the server says of it. Times are aware; texts are as they came."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final, Protocol, cast

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import TypeAdapter, ValidationError
from temporalio.api.activity.v1 import ActivityOptions as WireOptions
from temporalio.api.enums.v1 import (
    PendingActivityState,
    PendingWorkflowTaskState,
    TimeoutType,
    VersioningBehavior,
    WorkflowExecutionStatus,
)
from temporalio.api.failure.v1 import Failure as WireFailure
from temporalio.api.workflow.v1 import PendingActivityInfo, WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

from daper.core.digests import canonical, digest
from daper.ports.domain import Record

REPORTED_PROBLEMS: Final = "TemporalReportedProblems"
FAILING_ATTEMPTS: Final = 3
"""From this attempt on a workflow task counts as failing, before the server reports it."""

_TEXTS: Final[TypeAdapter[list[str] | str]] = TypeAdapter(list[str] | str)
_DEEPEST: Final = 20  # of a chain of failures: more nobody reads
_LONGEST: Final = 1_000  # of a text of a failure: a message may be as long as a server takes
_LONGEST_NAME: Final = 200
_QUEUE: Final = "task-queue:"
_WORKFLOW: Final = "workflow:"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One failure of a chain. `sort`: application, timeout, canceled and so on; `type`: its own name, or "".

    `message` is text of somebody's own code: data, whatever it says.
    """

    sort: str
    type: str = ""
    message: str = ""
    retryable: bool = True

    @property
    def name(self) -> str:
        """What it is called: by its own name, else by its sort."""
        return self.type or self.sort


@dataclass(frozen=True, kw_only=True)
class Pause:
    """Since when an activity is paused, by whom and why; a rule of the server has no reason."""

    at: datetime | None
    by: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class PendingActivity:
    """One activity that has not ended. `failures`: the last one, its cause behind it, and so on.

    `scheduled_at` is of this attempt; `first_at` of the first one, where the history was asked: not later than that.
    """

    id: str
    type: str
    state: str
    attempt: int
    most_attempts: int
    scheduled_at: datetime | None
    started_at: datetime | None
    next_at: datetime | None
    paused: bool
    pause: Pause | None = None
    failures: tuple[Failure, ...] = ()
    worker: str = ""
    build: str = ""
    queue: str = ""
    options: Mapping[str, object] = field(default_factory=dict[str, object])
    first_at: datetime | None = None

    @property
    def waits_for_worker(self) -> bool:
        """Whether no worker has taken it yet."""
        return self.state == "scheduled" and self.attempt <= 1 and self.started_at is None and not self.paused

    @property
    def cause(self) -> str:
        """The name of the failure at the root, or ""."""
        return self.failures[-1].name if self.failures else ""

    @cached_property
    def causes(self) -> str:
        """The chain of failures in names."""
        return causes(self.failures)


@dataclass(frozen=True, kw_only=True)
class PendingTask:
    """The workflow task that has not ended: `scheduled` waits for a worker, `started` is at one."""

    state: str
    scheduled_at: datetime | None
    first_scheduled_at: datetime | None
    attempt: int


@dataclass(frozen=True, kw_only=True)
class TaskFailure:
    """How the last workflow task failed that is in the history: `cause` as the server reports it, and who worked."""

    cause: str
    failures: tuple[Failure, ...] = ()
    worker: str = ""
    build: str = ""


@dataclass(frozen=True, kw_only=True)
class WorkflowState:
    """One run of a workflow as the server describes it.

    `problems`: what the server reports of its tasks, as `cause=WorkflowTaskFailedCauseNonDeterministicError`. `ended`:
    the chain of failures by which it closed, where that was read. `reset_to`: the run that a reset of this one made.
    `due_at`: when it was to begin: later than its start for one with a delay, or by a cron expression. `pause`: of the
    whole workflow. `task_failure`: from its history, where that was asked.
    `requests`: the ids of those that it was started by; what a reset made of it has them too.
    `handlers`: the signals that it takes, None where nobody can say, "" for any; `versions`: those of its deployment
    that are in use, the current one first. Either is only there where it was asked for. `build`: the version that did
    its last task; `pinned`: whether it stays with that.
    """

    workflow_id: str
    run_id: str
    type: str
    queue: str
    status: str
    started_at: datetime | None
    closed_at: datetime | None
    history_length: int
    first_run_id: str = ""
    parent: str = ""
    children: tuple[str, ...] = ()
    activities: tuple[PendingActivity, ...] = ()
    task: PendingTask | None = None
    problems: tuple[str, ...] = ()
    ended: tuple[Failure, ...] = ()
    override: str = ""
    build: str = ""
    deployment: str = ""
    pinned: bool = False
    reset_to: str = ""
    requests: tuple[str, ...] = ()
    cancel_requested: bool = False
    due_at: datetime | None = None
    pause: Pause | None = None
    task_failure: TaskFailure | None = None
    handlers: frozenset[str] | None = None
    versions: tuple[str, ...] = ()

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.status in ("Running", "Paused")

    @property
    def task_causes(self) -> tuple[str, ...]:
        """Why its tasks fail: what the server reports of them, or before it does what the history says; () if not."""
        reported = tuple(each.partition("=")[2] for each in self.problems if each.startswith("cause="))
        if self.problems:
            return reported or self.problems
        failing = self.task is not None and self.task.attempt >= FAILING_ATTEMPTS
        return (self.task_failure.cause,) if failing and self.task_failure else ()

    @property
    def waits_on(self) -> tuple[tuple[str, str], ...]:
        """The task queues on which something of it waits for a worker: `workflow` or `activity`, and the queue."""
        task = self.task is not None and self.task.state == "scheduled"
        activities = {("activity", each.queue or self.queue) for each in self.activities if each.waits_for_worker}
        return (*((("workflow", self.queue),) if task else ()), *sorted(activities))

    def activity(self, activity_id: str) -> PendingActivity | None:
        """The pending activity with that id."""
        return next((each for each in self.activities if each.id == activity_id), None)

    @cached_property
    def alike(self) -> str:
        """The same for workflows that are stuck alike: their type, and what they failed by or are paused at."""
        activities = (f"{each.type} {'paused' if each.paused else each.causes}" for each in self.activities)
        parts = [self.type, *self.task_causes, causes(self.ended), *sorted({*activities})]
        told = "; ".join(filter(None, parts))
        return told if len(told) <= _LONGEST else f"{told[:_LONGEST]}… {digest(canonical(parts))[:16]}"

    @property
    def version(self) -> str:
        """Changes with what a plan goes by: the run, its status, what is pending and paused, and why its tasks fail.

        Not with what goes on by itself: heartbeats, attempts, events of the history. Nor with how an activity failed
        last: while the first attempt runs after a pause, the server does not say.
        """
        facts = {
            "run": self.run_id,
            "status": self.status,
            "activities": [[each.id, each.type, each.paused] for each in self.activities],
            "problems": list(self.task_causes),
            "override": self.override,
            "cancel": self.cancel_requested,
        }
        return digest(canonical(facts))[:32]


@dataclass(frozen=True, kw_only=True)
class WorkflowRecord(Record):
    """A workflow chain: `record_id` is the workflow's id, `state` its latest run."""

    state: WorkflowState


@dataclass(frozen=True, kw_only=True)
class QueueState:
    """A task queue on which work waits. `pollers`: how many workers ask for workflow tasks and for activities.

    `waiting`: workflows of which something was seen to wait there; `tasks`: for whom, `workflow` or `activity`.
    `backlog`: about how many tasks wait, as the server counts them; None where it does not say.
    """

    name: str
    workflow_pollers: int
    activity_pollers: int
    waiting: tuple[str, ...] = ()
    oldest: datetime | None = None
    tasks: tuple[str, ...] = ()
    backlog: int | None = None

    @property
    def unasked(self) -> tuple[str, ...]:
        """The sorts of task that wait, and that no worker asks for."""
        pollers = {"workflow": self.workflow_pollers, "activity": self.activity_pollers}
        return tuple(sort for sort in self.tasks if not pollers.get(sort))


@dataclass(frozen=True, kw_only=True)
class QueueRecord(Record):
    """A task queue: of what nobody polls, the queue is the problem, and not each workflow on it."""

    state: QueueState


def workflow_ref(workflow_id: str) -> str:
    """How a workflow is named in what a plan read."""
    return f"workflows/{workflow_id}"


def record_id_of(workflow_id: str) -> str:
    """How a workflow is named as a record: by its id, but for one that reads as a task queue does."""
    return f"{_WORKFLOW}{workflow_id}" if workflow_id.startswith((_QUEUE, _WORKFLOW)) else workflow_id


def workflow_id_of(record_id: str) -> str:
    """The id of the workflow that a record is."""
    return record_id.removeprefix(_WORKFLOW)


def queue_record_id(name: str) -> str:
    """How a task queue is named as a record."""
    return f"{_QUEUE}{name}"


def queue_of(record_id: str) -> str | None:
    """The task queue that a record is; None for a workflow."""
    return record_id.removeprefix(_QUEUE) if record_id.startswith(_QUEUE) else None


def workflow_record(state: WorkflowState, data: Mapping[str, object] | None = None) -> WorkflowRecord:
    """A workflow as a record."""
    return WorkflowRecord(
        ref=workflow_ref(state.workflow_id),
        record_id=record_id_of(state.workflow_id),
        version=state.version,
        data={"type": state.type, "status": state.status} if data is None else data,
        state=state,
    )


def queue_record(state: QueueState, data: Mapping[str, object]) -> QueueRecord:
    """A task queue as a record: its version says whether somebody asks it."""
    asked = digest(canonical({"queue": state.name, "unasked": list(state.unasked)}))[:32]
    return QueueRecord(
        ref=f"task-queues/{state.name}", record_id=queue_record_id(state.name), version=asked, data=data, state=state
    )


def described(answer: DescribeWorkflowExecutionResponse, *, ended: tuple[Failure, ...] = ()) -> WorkflowState:
    """What a description says."""
    info, more = answer.workflow_execution_info, answer.workflow_extended_info
    task = answer.pending_workflow_task
    has_task = answer.HasField("pending_workflow_task")
    return WorkflowState(
        workflow_id=info.execution.workflow_id,
        run_id=info.execution.run_id,
        first_run_id=info.first_run_id,
        type=info.type.name,
        queue=answer.execution_config.task_queue.name or info.task_queue,
        status=status_name(info.status),
        started_at=moment(info.start_time),
        closed_at=moment(info.close_time) if info.HasField("close_time") else None,
        history_length=info.history_length,
        parent=info.parent_execution.workflow_id,
        children=tuple(child.workflow_id for child in answer.pending_children),
        activities=tuple(_activity(each) for each in answer.pending_activities),
        task=PendingTask(
            state=enum_name(PendingWorkflowTaskState, task.state, "PENDING_WORKFLOW_TASK_STATE_"),
            scheduled_at=moment(task.scheduled_time),
            first_scheduled_at=moment(task.original_scheduled_time),
            attempt=task.attempt,
        )
        if has_task
        else None,
        problems=problems_of(info),
        ended=ended,
        override=_override(info),
        build=info.versioning_info.deployment_version.build_id
        or info.assigned_build_id
        or info.most_recent_worker_version_stamp.build_id,
        deployment=info.versioning_info.deployment_version.deployment_name,
        pinned=_is_pinned(info),
        reset_to=more.reset_run_id,
        requests=tuple(sorted(more.request_id_infos)),
        cancel_requested=more.cancel_requested,
        due_at=moment(info.execution_time),
        pause=Pause(
            at=moment(more.pause_info.paused_time),
            by=more.pause_info.identity,
            reason=more.pause_info.reason[:_LONGEST],
        )
        if more.HasField("pause_info")
        else None,
    )


def listed_state(info: WorkflowExecutionInfo) -> WorkflowState:
    """What a list says of a workflow, which is less than a description does."""
    return WorkflowState(
        workflow_id=info.execution.workflow_id,
        run_id=info.execution.run_id,
        first_run_id=info.first_run_id,
        type=info.type.name,
        queue=info.task_queue,
        status=status_name(info.status),
        started_at=moment(info.start_time),
        closed_at=moment(info.close_time) if info.HasField("close_time") else None,
        history_length=info.history_length,
        parent=info.parent_execution.workflow_id,
        problems=problems_of(info),
        due_at=moment(info.execution_time),
    )


def problems_of(info: WorkflowExecutionInfo) -> tuple[str, ...]:
    """What the server reports of a workflow's tasks, in one order."""
    payload = info.search_attributes.indexed_fields.get(REPORTED_PROBLEMS)
    if payload is None:
        return ()
    try:
        found = _TEXTS.validate_json(payload.data)
    except ValidationError:
        return ()
    return tuple(sorted(each[:_LONGEST_NAME] for each in ([found] if isinstance(found, str) else found)))


def failures_of(failure: WireFailure) -> tuple[Failure, ...]:
    """A failure with its causes, the outermost first."""
    found: list[Failure] = []
    while len(found) < _DEEPEST:
        found.append(_failure(failure))
        if not failure.HasField("cause"):
            break
        failure = failure.cause
    return tuple(found)


def status_name(status: WorkflowExecutionStatus.ValueType) -> str:
    """A status as Temporal writes it in filters: Running, TimedOut."""
    words = enum_name(WorkflowExecutionStatus, status, "WORKFLOW_EXECUTION_STATUS_")
    return "".join(word.capitalize() for word in words.split("-"))


class _Enum(Protocol):
    def Name(self, number: int) -> str: ...  # noqa: N802 - as protobuf calls it


def enum_name(kind: object, number: int, prefix: str) -> str:
    """The name of a value in lower case with dashes; of one that only a newer server knows, its number."""
    try:
        name = cast("_Enum", kind).Name(number)
    except ValueError:
        return f"unknown-{number}"
    return name.removeprefix(prefix).lower().replace("_", "-")


def moment(value: Timestamp) -> datetime | None:
    """A time of the server; None where it says none, or one before there was Temporal, which stands for none."""
    try:
        return value.ToDatetime(tzinfo=UTC) if value.seconds > 0 else None
    except (ValueError, OverflowError):
        return None


def length(value: Duration) -> timedelta:
    """A length of time of the server; one that is longer than can be told is cut."""
    try:
        return value.ToTimedelta()
    except (ValueError, OverflowError):
        return timedelta.max if value.seconds > 0 else timedelta.min


def options_in(options: WireOptions) -> dict[str, object]:
    """The options of an activity: times in seconds."""
    policy = options.retry_policy
    return {
        "task_queue": options.task_queue.name,
        "schedule_to_close": length(options.schedule_to_close_timeout).total_seconds(),
        "schedule_to_start": length(options.schedule_to_start_timeout).total_seconds(),
        "start_to_close": length(options.start_to_close_timeout).total_seconds(),
        "heartbeat": length(options.heartbeat_timeout).total_seconds(),
        "initial_interval": length(policy.initial_interval).total_seconds(),
        "backoff_coefficient": policy.backoff_coefficient,
        "maximum_interval": length(policy.maximum_interval).total_seconds(),
        "maximum_attempts": policy.maximum_attempts,
    }


def _activity(info: PendingActivityInfo) -> PendingActivity:
    pause = info.pause_info
    return PendingActivity(
        id=info.activity_id,
        type=info.activity_type.name,
        state=enum_name(PendingActivityState, info.state, "PENDING_ACTIVITY_STATE_"),
        attempt=info.attempt,
        most_attempts=info.maximum_attempts,
        scheduled_at=moment(info.scheduled_time),
        started_at=moment(info.last_started_time),
        next_at=moment(info.next_attempt_schedule_time),
        paused=info.paused,
        pause=Pause(at=moment(pause.pause_time), by=pause.manual.identity, reason=pause.manual.reason[:_LONGEST])
        if info.HasField("pause_info")
        else None,
        failures=failures_of(info.last_failure) if info.HasField("last_failure") else (),
        worker=info.last_worker_identity,
        build=info.last_deployment_version.build_id,
        queue=info.activity_options.task_queue.name,
        options=options_in(info.activity_options),
    )


def _failure(failure: WireFailure) -> Failure:
    sort = (failure.WhichOneof("failure_info") or "unknown").removesuffix("_failure_info").removesuffix("_execution")
    type_, retryable = "", True
    match sort:
        case "application":
            type_, retryable = failure.application_failure_info.type, not failure.application_failure_info.non_retryable
        case "timeout":
            type_ = enum_name(TimeoutType, failure.timeout_failure_info.timeout_type, "TIMEOUT_TYPE_")
        case "activity":
            type_ = failure.activity_failure_info.activity_type.name
        case "child_workflow":
            type_ = failure.child_workflow_execution_failure_info.workflow_type.name
        case _:
            pass
    return Failure(
        sort=sort.replace("_", "-"),
        type=type_[:_LONGEST_NAME],
        message=failure.message[:_LONGEST],
        retryable=retryable,
    )


def _is_pinned(info: WorkflowExecutionInfo) -> bool:
    override = _override(info)
    if override:
        return override.startswith("pinned")
    return info.versioning_info.behavior == VersioningBehavior.VERSIONING_BEHAVIOR_PINNED


def _override(info: WorkflowExecutionInfo) -> str:
    override = info.versioning_info.versioning_override
    if override.HasField("pinned"):
        version = override.pinned.version
        return f"pinned {version.deployment_name}.{version.build_id}"
    if override.HasField("one_time"):
        return "one-time"
    return "auto-upgrade" if override.auto_upgrade else ""


def causes(failures: Iterable[Failure]) -> str:
    """A chain of failures in names: `activity pay > application CardDeclined`."""
    return " > ".join(f"{each.sort} {each.type}".strip() for each in failures)
