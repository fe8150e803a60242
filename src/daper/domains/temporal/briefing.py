"""What is known of a workflow or a task queue, as plain data: for people, and short for language models. Pure.

Texts of failures are somebody else's: they are made visible and cut, and mean nothing here.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from daper.core.text import shown
from daper.domains.temporal.workflow import (
    Failure,
    PendingActivity,
    PendingOperation,
    QueueState,
    WorkflowState,
    causes,
)

_MOST: Final = 20
_MOST_BRIEF: Final = 5
_DEEPEST_BRIEF: Final = 3
_TEXT: Final = 300
_TEXT_BRIEF: Final = 160


def workflow_facts(state: WorkflowState) -> dict[str, object]:
    """What a person sees of a workflow: only what there is."""
    facts: dict[str, object] = {
        "type": shown(state.type),
        "status": state.status,
        "run": state.run_id,
        "task queue": shown(state.queue),
        "started": _when(state.started_at),
        "closed": _when(state.closed_at),
        "build": shown(state.build),
        "version it is pinned to": shown(state.override),
        "parent": shown(state.parent),
        "children": [shown(each) for each in state.children[:_MOST]],
        "paused": _when(state.pause.at) if state.pause else "",
        "cancel requested": state.cancel_requested,
        "workflow task": _task(state),
        "activities": [_activity(each) for each in first_stuck(state)[:_MOST]],
        "more activities": max(0, len(state.activities) - _MOST),
        "Nexus operations": [_operation(each) for each in state.operations[:_MOST]],
        "failed by": told_failures(state.ended),
    }
    return _filled(facts)


def queue_facts(queue: QueueState) -> dict[str, object]:
    """What a person sees of a task queue."""
    facts: dict[str, object] = {
        "task queue": shown(queue.name),
        "workers that ask for workflow tasks": queue.workflow_pollers,
        "workers that ask for activities": queue.activity_pollers,
        "tasks that wait": queue.backlog,
        "waiting": [shown(each) for each in queue.waiting[:_MOST]],
        "since": _when(queue.oldest),
    }
    return {name: value for name, value in facts.items() if value not in ("", [], None)}


def brief_workflow(state: WorkflowState) -> dict[str, object]:
    """What a language model needs to judge a workflow, and no more."""
    facts: dict[str, object] = {
        "type": shown(state.type),
        "status": state.status,
        "started": _when(state.started_at),
        "closed": _when(state.closed_at),
        "task_problems": [shown(each) for each in state.task_causes[:_MOST_BRIEF]],
        "task_attempt": state.task.attempt if state.task and state.task.attempt > 1 else 0,
        "task_failure": _brief(state.task_failure.failures) if state.task_failure else [],
        "activities": [
            _filled(
                {
                    "type": shown(each.type),
                    "id": shown(each.id),
                    "attempt": each.attempt,
                    "of": each.most_attempts,
                    "paused": each.paused,
                    "pause_reason": shown(each.pause.reason, longest=_TEXT_BRIEF) if each.pause else "",
                    "since": _when(each.first_at or each.scheduled_at),
                    "next": _when(each.next_at),
                    "failure": _brief(each.failures),
                }
            )
            for each in first_stuck(state)[:_MOST_BRIEF]
        ],
        "operations": [
            _filled({"name": shown(each.name), "attempt": each.attempt, "failure": _brief(each.failures)})
            for each in state.operations[:_MOST_BRIEF]
        ],
        "children": len(state.children),
        "failed_by": _brief(state.ended),
    }
    return _filled(facts)


def first_stuck(state: WorkflowState) -> list[PendingActivity]:
    """The pending activities: what is paused or fails first, what was tried most before the others."""
    return sorted(state.activities, key=lambda each: (not each.paused, not each.failures, -each.attempt))


def told_failures(failures: Iterable[Failure], *, most: int = 5) -> list[str]:
    """A chain of failures, one line for each, the outermost first; of a long one the first and the last."""
    chain = list(failures)
    cut = chain if len(chain) <= most else [*chain[: most - 1], chain[-1]]
    return [f"{shown(causes([each]))}: {shown(each.message, longest=_TEXT)}".rstrip(": ") for each in cut]


def _brief(failures: tuple[Failure, ...]) -> list[str]:
    chain = failures if len(failures) <= _DEEPEST_BRIEF else (failures[0], *failures[1 - _DEEPEST_BRIEF :])
    return [f"{shown(causes([each]))}: {shown(each.message, longest=_TEXT_BRIEF)}".rstrip(": ") for each in chain]


def _task(state: WorkflowState) -> dict[str, object]:
    task, failure = state.task, state.task_failure
    if task is None:
        return {}
    return _filled(
        {
            "state": task.state,
            "attempt": task.attempt,
            "since": _when(task.first_scheduled_at or task.scheduled_at),
            "fails by": [shown(each) for each in state.task_causes],
            "last failure": told_failures(failure.failures) if failure else [],
            "worker": shown(failure.worker) if failure else "",
            "build": shown(failure.build) if failure else "",
        }
    )


def _activity(activity: PendingActivity) -> dict[str, object]:
    pause = activity.pause
    # Between two attempts the server gives the time of the next one as the time at which it was scheduled.
    between_attempts = activity.attempt > 1 and activity.state in {"scheduled", "paused"}
    return _filled(
        {
            "id": shown(activity.id),
            "type": shown(activity.type),
            "state": activity.state,
            "attempt": f"{activity.attempt} of {activity.most_attempts}"
            if activity.most_attempts
            else activity.attempt,
            "since": _when(activity.first_at or (None if between_attempts else activity.scheduled_at)),
            "next attempt": _when(activity.next_at),
            "paused": activity.paused,
            "paused since": _when(pause.at) if pause else "",
            "paused by": shown(pause.by) if pause else "",
            "why": shown(pause.reason, longest=_TEXT) if pause else "",
            "last failure": told_failures(activity.failures),
            "worker": shown(activity.worker),
            "build": shown(activity.build),
            "task queue": shown(activity.queue),
        }
    )


def _operation(operation: PendingOperation) -> dict[str, object]:
    return _filled(
        {
            "operation": shown(operation.name),
            "endpoint": shown(operation.endpoint),
            "state": operation.state,
            "attempt": operation.attempt,
            "since": _when(operation.scheduled_at),
            "next attempt": _when(operation.next_at),
            "blocked": shown(operation.blocked, longest=_TEXT),
            "last failure": told_failures(operation.failures),
        }
    )


def _when(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else ""


def _filled(facts: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in facts.items() if value}
