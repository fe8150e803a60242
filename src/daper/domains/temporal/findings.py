"""What can be wrong with a workflow or a task queue, and what a person is told of it. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from pydantic import JsonValue

from daper.core.models import Finding
from daper.core.spans import written_span
from daper.core.text import counted, said, shown
from daper.domains.temporal.options import TemporalOptions
from daper.domains.temporal.workflow import PendingActivity, QueueState, WorkflowState, causes

DOMAIN: Final = "temporal"

TASK_FAILING: Final = "task-failing"
ACTIVITY_RETRYING: Final = "activity-retrying"
PAUSED: Final = "paused-and-forgotten"
FAILED: Final = "failed"
TIMED_OUT: Final = "timed-out"
TOO_LONG: Final = "too-long"
NOBODY_POLLS: Final = "nobody-polls"

KINDS: Final = {
    TASK_FAILING: "Its workflow tasks fail again and again: the workflow cannot go on.",
    ACTIVITY_RETRYING: "An activity has been tried too often, or for too long.",
    PAUSED: "An activity was paused long ago, and nobody has let it go on.",
    FAILED: "The workflow failed.",
    TIMED_OUT: "The workflow ran out of its time.",
    TOO_LONG: "The workflow has been running for longer than its type may.",
    NOBODY_POLLS: "Work waits on a task queue that no worker asks.",
}
"""The kinds of problem, in the order in which they are looked for."""


def workflow_findings(state: WorkflowState, options: TemporalOptions, now: datetime) -> Iterator[Finding]:
    """What is wrong with one workflow. The cause is a fact: another cause is another problem."""
    if state.problems:
        yield _finding(state.workflow_id, TASK_FAILING, _failing_task(state, now), {"cause": list(state.problems)})
    for activity in state.activities:
        if activity.paused:
            since = activity.pause.at if activity.pause else None
            if since is not None and now - since >= options.paused_after:
                yield _finding(state.workflow_id, PAUSED, _paused(activity, since, now), {"activity": activity.id})
        elif _retries_too_long(activity, options, now):
            facts: dict[str, JsonValue] = {"activity": activity.type, "cause": causes(activity.failures)}
            yield _finding(state.workflow_id, ACTIVITY_RETRYING, _retrying(activity, now), facts)
    yield from _ended(state, options, now)
    longest = options.longest(state.type)
    if state.is_running and longest is not None and state.started_at and now - state.started_at >= longest:
        issue = (
            f"{shown(state.type)} has been running for {_ago(state.started_at, now)}, "
            f"and may run for {written_span(longest)}"
        )
        yield _finding(state.workflow_id, TOO_LONG, [issue, *_waits_for(state)], {"run": state.run_id})


def queue_findings(record_id: str, queue: QueueState, now: datetime) -> Iterator[Finding]:
    """Whether nobody asks a queue on which work waits."""
    if not queue.waiting:
        return
    issue = (
        f"no worker asks the task queue {shown(queue.name)!r}, and {counted(len(queue.waiting), 'workflow')} "
        f"of those that were looked at wait there: start a worker"
    )
    told = [issue, *(f"{shown(each)} waits there" for each in queue.waiting[:10])]
    if queue.oldest:
        told.append(f"the oldest has waited for {_ago(queue.oldest, now)}")
    yield _finding(record_id, NOBODY_POLLS, told, {})


def _ended(state: WorkflowState, options: TemporalOptions, now: datetime) -> Iterator[Finding]:
    closed = state.closed_at
    if closed is None or state.reset_to or now - closed > options.failed_within:
        return
    if state.status == "TimedOut":
        issue = f"{shown(state.type)} ran out of its time {_ago(closed, now)} ago"
        yield _finding(state.workflow_id, TIMED_OUT, [issue], {"type": state.type})
    if state.status != "Failed":
        return
    types = {each.type for each in state.ended}
    if options.failure_types and not types & options.failure_types:
        return
    issue = f"{shown(state.type)} failed {_ago(closed, now)} ago: {causes(state.ended)}"
    yield _finding(state.workflow_id, FAILED, [issue, *_messages(state)], {"cause": causes(state.ended)})


def _retries_too_long(activity: PendingActivity, options: TemporalOptions, now: datetime) -> bool:
    if activity.attempt < 2:  # it was not tried again yet
        return False
    since = activity.scheduled_at
    return activity.attempt > options.retrying_attempts or bool(since and now - since >= options.retrying_after)


def _failing_task(state: WorkflowState, now: datetime) -> list[str]:
    told = [f"the workflow tasks of {shown(state.type)} fail: {'; '.join(map(shown, state.problems))}"]
    if state.task is not None:
        told.append(f"attempt {state.task.attempt} of its task")
        if state.task.first_scheduled_at:
            told.append(f"it cannot go on since {_ago(state.task.first_scheduled_at, now)}")
    return told


def _paused(activity: PendingActivity, since: datetime, now: datetime) -> list[str]:
    pause = activity.pause
    told = [f"activity {shown(activity.type)} has been paused for {_ago(since, now)}"]
    if pause is not None and (pause.by or pause.reason):
        told.append(f"paused by {shown(pause.by) or 'nobody named'}: {shown(pause.reason) or 'no reason given'}")
    return told


def _retrying(activity: PendingActivity, now: datetime) -> list[str]:
    told = [f"activity {shown(activity.type)} is at its attempt {activity.attempt:,}: {causes(activity.failures)}"]
    told += [f"{each.sort}: {shown(each.message, longest=200)}" for each in activity.failures if each.message]
    if activity.next_at:
        told.append(f"it is tried again in {_ago(now, activity.next_at)}")
    if activity.scheduled_at:
        told.append(f"it was scheduled {_ago(activity.scheduled_at, now)} ago")
    return told


def _waits_for(state: WorkflowState) -> list[str]:
    if state.activities or state.children or state.task:
        return []
    return ["no activity, child or task is pending: it waits for a signal, an update or a timer"]


def _messages(state: WorkflowState) -> list[str]:
    return [f"{each.sort}: {shown(each.message, longest=200)}" for each in state.ended if each.message]


def _ago(since: datetime, now: datetime) -> str:
    return written_span(max(now - since, timedelta()))


def _finding(record_id: str, kind: str, told: Iterable[str], facts: dict[str, JsonValue]) -> Finding:
    issue, *evidence = map(said, told)
    return Finding(
        record_id=record_id,
        kind=kind,
        issue=issue,
        evidence=tuple(evidence),
        fingerprint=Finding.fingerprint_of(DOMAIN, record_id, kind, facts),
    )
