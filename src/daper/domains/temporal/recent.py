"""What the last events of a history tell of a workflow that is stuck. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from temporalio.api.enums.v1 import TimeoutType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent

from daper.domains.temporal.answers import enum_name, failures_of, moment
from daper.domains.temporal.workflow import TaskFailure, WorkflowState

_CAUSE: Final = "WORKFLOW_TASK_FAILED_CAUSE_"


@dataclass(frozen=True, kw_only=True)
class Recent:
    """Since when activities are scheduled, by their ids, and how the last workflow task failed; None if none did.

    `since`: of the oldest event that was read; None where all were.
    """

    scheduled: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    task_failure: TaskFailure | None = None
    since: datetime | None = None


def recent_of(events: Iterable[HistoryEvent]) -> Recent:
    """What events tell, of which the newest comes first."""
    scheduled: dict[str, datetime] = {}
    failure, ended, last = None, False, None
    for event in events:
        last, at = event, moment(event.event_time)
        if event.HasField("activity_task_scheduled_event_attributes") and at is not None:
            scheduled.setdefault(event.activity_task_scheduled_event_attributes.activity_id, at)
        ended = ended or event.HasField("workflow_task_completed_event_attributes")
        if failure is None and not ended:
            failure = _failure(event)
    whole = last is None or last.event_id <= 1
    return Recent(
        scheduled=scheduled, task_failure=failure, since=None if whole or last is None else moment(last.event_time)
    )


def with_recent(state: WorkflowState, recent: Recent) -> WorkflowState:
    """The state, with what the history adds to it."""
    activities = tuple(replace(each, first_at=recent.scheduled.get(each.id, recent.since)) for each in state.activities)
    return replace(state, activities=activities, task_failure=recent.task_failure)


def _failure(event: HistoryEvent) -> TaskFailure | None:
    """How a workflow task failed, in the words in which the server reports it later."""
    if event.HasField("workflow_task_timed_out_event_attributes"):
        if event.workflow_task_timed_out_event_attributes.timeout_type == TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START:
            return None  # the worker that had the workflow in memory went away: any other one takes the task
        kind = enum_name(TimeoutType, event.workflow_task_timed_out_event_attributes.timeout_type, "TIMEOUT_TYPE_")
        return TaskFailure(cause=f"WorkflowTaskTimedOutCause{_camel(kind)}")
    if not event.HasField("workflow_task_failed_event_attributes"):
        return None
    failed = event.workflow_task_failed_event_attributes
    if failed.cause == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW:
        return None  # it stands for the reset, and nothing failed
    return TaskFailure(
        cause=f"WorkflowTaskFailedCause{_camel(enum_name(WorkflowTaskFailedCause, failed.cause, _CAUSE))}",
        failures=failures_of(failed.failure) if failed.HasField("failure") else (),
        worker=failed.identity,
        build=failed.worker_version.build_id or failed.binary_checksum,
    )


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in re.split("[-_]", name))
