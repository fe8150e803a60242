"""What a server's answers say of workflows, in our own nouns. Times are aware; texts are as they came, cut."""

from datetime import UTC, datetime, timedelta
from typing import Final, Protocol, cast

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import TypeAdapter, ValidationError
from temporalio.api.activity.v1 import ActivityOptions as WireOptions
from temporalio.api.enums.v1 import (
    PendingActivityState,
    PendingNexusOperationState,
    PendingWorkflowTaskState,
    TimeoutType,
    VersioningBehavior,
    WorkflowExecutionStatus,
)
from temporalio.api.failure.v1 import Failure as WireFailure
from temporalio.api.workflow.v1 import PendingActivityInfo, PendingNexusOperationInfo, WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

from daper.domains.temporal.workflow import (
    Failure,
    Pause,
    PendingActivity,
    PendingOperation,
    PendingTask,
    WorkflowState,
)

REPORTED_PROBLEMS: Final = "TemporalReportedProblems"
_TEXTS: Final[TypeAdapter[list[str] | str]] = TypeAdapter(list[str] | str)
_DEEPEST: Final = 20  # of a chain of failures: more nobody reads
_LONGEST: Final = 1_000  # of a text of a failure: a message may be as long as a server takes
_LONGEST_NAME: Final = 200


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
        operations=tuple(_operation(each) for each in answer.pending_nexus_operations),
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


def _operation(info: PendingNexusOperationInfo) -> PendingOperation:
    return PendingOperation(
        name=f"{info.service}.{info.operation}",
        endpoint=info.endpoint,
        state=enum_name(PendingNexusOperationState, info.state, "PENDING_NEXUS_OPERATION_STATE_"),
        attempt=info.attempt,
        scheduled_at=moment(info.scheduled_time),
        next_at=moment(info.next_attempt_schedule_time),
        failures=failures_of(info.last_attempt_failure) if info.HasField("last_attempt_failure") else (),
        blocked=info.blocked_reason[:_LONGEST],
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
        case "nexus_operation":
            told = failure.nexus_operation_execution_failure_info
            type_ = f"{told.service}.{told.operation}"
        case "nexus_handler":
            type_ = failure.nexus_handler_failure_info.type
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
