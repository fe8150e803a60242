"""What can be wrong with a workflow or a task queue, and what a person is told of it. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from pydantic import JsonValue

from daper.core.models import Finding
from daper.core.spans import written_span
from daper.core.text import counted, said, shown
from daper.domains.temporal.briefing import told_failures
from daper.domains.temporal.options import TemporalOptions
from daper.domains.temporal.workflow import (
    PendingActivity,
    PendingOperation,
    QueueState,
    WorkflowState,
    causes,
    queue_record_id,
    record_id_of,
)

DOMAIN: Final = "temporal"

TASK_FAILING: Final = "task-failing"
ACTIVITY_RETRYING: Final = "activity-retrying"
OPERATION_RETRYING: Final = "operation-retrying"
PAUSED: Final = "paused-and-forgotten"
FAILED: Final = "failed"
TIMED_OUT: Final = "timed-out"
TOO_LONG: Final = "too-long"
NOBODY_POLLS: Final = "nobody-polls"
VERSION_SILENT: Final = "version-silent"

KINDS: Final = {
    TASK_FAILING: "Its workflow tasks fail again and again: the workflow cannot go on.",
    ACTIVITY_RETRYING: "An activity has been tried too often, or for too long.",
    OPERATION_RETRYING: "A Nexus operation has been tried too often, or for too long.",
    PAUSED: "An activity was paused long ago, and nobody has let it go on.",
    FAILED: "The workflow failed.",
    TIMED_OUT: "The workflow ran out of its time.",
    TOO_LONG: "The workflow has been running for longer than its type may.",
    NOBODY_POLLS: "Work waits on a task queue that no worker asks.",
    VERSION_SILENT: "It is pinned to a version of its workers that asks its task queue no more, though others do.",
}
"""The kinds of problem, in the order in which they are looked for."""

_MOST_TOLD: Final = 10
_BY_CODE: Final = (
    "it heals by itself: mend the code, and start workers with it; it then goes on, and needs no reset",
    "a reset is for what mended code cannot go on from",
)
_LOST_WORKERS: Final = "its tasks time out: workers take them and do not answer in time; look at the workers first"
_CAUSE: Final = "WorkflowTaskFailedCause"  # how the server's names of causes begin, of which people know the rest


def findings_in(workflows: Sequence[WorkflowState], options: TemporalOptions, now: datetime) -> list[Finding]:
    """What is wrong with workflows that were looked at together."""
    found = [(state, finding) for state in workflows for finding in workflow_findings(state, options, now)]
    alike = Counter((finding.kind, state.alike) for state, finding in found)
    return [_with_alike(finding, alike[finding.kind, state.alike] - 1, len(workflows)) for state, finding in found]


def workflow_findings(state: WorkflowState, options: TemporalOptions, now: datetime) -> Iterator[Finding]:
    """What is wrong with one workflow. The cause is a fact: another cause is another problem."""
    if state.is_running:
        yield from _of_task(state)
        yield from _of_version(state)
        yield from _of_activities(state, options, now)
        yield from _of_operations(state, options, now)
        yield from _too_long(state, options, now)
    else:
        yield from _ended(state, options, now)


def queue_findings(queue: QueueState) -> Iterator[Finding]:
    """Whether nobody asks a queue on which work waits."""
    if not queue.unasked:
        return
    sorts = " and ".join("workflow tasks" if sort == "workflow" else "activities" for sort in queue.unasked)
    told = [
        f"no worker asks the task queue {shown(queue.name)!r} for {sorts}, and some wait there: start a worker for it"
    ]
    if queue.backlog:
        told.append(f"about {counted(queue.backlog, 'task')} wait there, as the server counts them")
    if queue.waiting:
        told.append(f"of those that were looked at, {counted(len(queue.waiting), 'workflow')} wait there")
    told += [f"{shown(each)} waits there" for each in queue.waiting[:_MOST_TOLD]]
    if queue.oldest:
        told.append(f"the oldest has waited since {when(queue.oldest)}")
    told.append(
        "it heals by itself: whatever waits goes on once a worker asks; one whose places are all taken asks not"
    )
    yield _finding(queue_record_id(queue.name), NOBODY_POLLS, told, {})


def _of_task(state: WorkflowState) -> Iterator[Finding]:
    if not state.task_causes:
        return
    task, failure = state.task, state.task_failure
    by = "; ".join(shown(each).removeprefix(_CAUSE) for each in state.task_causes)
    if failure is not None and failure.failures:
        by += f": {shown(causes(failure.failures))}"
    told = [f"the workflow tasks of {shown(state.type)} fail: {by}"]
    if all("TimedOut" in each for each in state.task_causes):
        told.append(_LOST_WORKERS)
    else:
        told += _BY_CODE
    if failure is not None:
        told += told_failures(failure.failures)
    if task is not None:
        since = task.first_scheduled_at or task.scheduled_at
        told.append(f"attempt {task.attempt:,} of its task{f', since {when(since)}' if since else ''}")
    if failure is not None and (failure.worker or failure.build):
        told.append(_worked(failure.worker, failure.build or state.build))
    yield _finding(record_id_of(state.workflow_id), TASK_FAILING, told, {"cause": list(state.task_causes)})


def _of_version(state: WorkflowState) -> Iterator[Finding]:
    if not state.silent_version:
        return
    version, queue = shown(state.silent_version), shown(state.queue)
    told = [f"it is pinned to version {version} of its workers, and none of that version asks the task queue {queue!r}"]
    others = ", ".join(map(shown, state.asking[:_MOST_TOLD]))
    told.append(f"these versions ask it: {others}" if others else "only workers without a version ask it")
    told.append("it heals by itself: it goes on once a worker of that version runs")
    if state.task is not None and (at := state.task.first_scheduled_at or state.task.scheduled_at):
        told.append(f"its workflow task has waited since {when(at)}")
    yield _finding(record_id_of(state.workflow_id), VERSION_SILENT, told, {"version": state.silent_version})


def _of_activities(state: WorkflowState, options: TemporalOptions, now: datetime) -> Iterator[Finding]:
    record_id = record_id_of(state.workflow_id)
    if state.pause is not None and state.pause.at is not None and now - state.pause.at >= options.paused_after:
        told = [
            f"the whole workflow has been paused for longer than {written_span(options.paused_after)}",
            *_by(state.pause.by, state.pause.reason),
            f"paused since {when(state.pause.at)}",
        ]
        yield _finding(record_id, PAUSED, told, {"activity": ""})
    retrying: dict[tuple[str, str], list[PendingActivity]] = {}
    for activity in state.activities:
        pause = activity.pause
        if not activity.paused:
            if _retries_too_long(activity, options, now):
                retrying.setdefault((activity.type, causes(activity.failures)), []).append(activity)
        elif pause is not None and pause.at is not None and now - pause.at >= options.paused_after:
            told = [
                f"activity {shown(activity.type)} has been paused for longer than {written_span(options.paused_after)}",
                *_by(pause.by, pause.reason),
                f"paused since {when(pause.at)}",
            ]
            told += _tried(activity)
            yield _finding(record_id, PAUSED, told, {"activity": activity.id})
    for (type_, cause), activities in retrying.items():
        told = _retrying(activities)
        yield _finding(record_id, ACTIVITY_RETRYING, told, {"activity": type_, "cause": cause})


def _of_operations(state: WorkflowState, options: TemporalOptions, now: datetime) -> Iterator[Finding]:
    """Of Nexus operations that fail alike, the one that was tried most often."""
    failing: dict[tuple[str, str], list[PendingOperation]] = {}
    for each in state.operations:
        old = each.scheduled_at is not None and now - each.scheduled_at >= options.retrying_after
        if each.failures and each.attempt > 1 and (old or each.attempt > options.retrying_attempts):
            failing.setdefault((each.name, each.causes), []).append(each)
    for (name, cause), operations in failing.items():
        first = max(operations, key=lambda each: each.attempt)
        told = [f"Nexus operation {shown(name)} is at its attempt {first.attempt:,}: {shown(cause)}"]
        told.append(f"it is asked for at the endpoint {shown(first.endpoint)!r}")
        told += told_failures(first.failures)
        if first.blocked:
            told.append(f"it is blocked: {shown(first.blocked)}")
        if first.next_at:
            told.append(f"it is tried again at {when(first.next_at)}")
        if len(operations) > 1:
            told.append(f"{len(operations):,} operations of this name in it fail alike")
        yield _finding(record_id_of(state.workflow_id), OPERATION_RETRYING, told, {"operation": name, "cause": cause})


def _too_long(state: WorkflowState, options: TemporalOptions, now: datetime) -> Iterator[Finding]:
    longest, begun = options.longest(state.type), max(filter(None, (state.started_at, state.due_at)), default=None)
    if longest is None or begun is None or now - begun < longest:
        return
    issue = f"{shown(state.type)} has been running for longer than {written_span(longest)}"
    told = [issue, f"running since {when(begun)}", *_waits_for(state)]
    yield _finding(record_id_of(state.workflow_id), TOO_LONG, told, {"run": state.run_id})


def _ended(state: WorkflowState, options: TemporalOptions, now: datetime) -> Iterator[Finding]:
    closed = state.closed_at
    # The end of a child is its parent's to judge: it failed by it, or it did not.
    if closed is None or state.reset_to or state.parent or now - closed > options.failed_within:
        return
    record_id = record_id_of(state.workflow_id)
    if state.status == "TimedOut":
        told = [f"{shown(state.type)} ran out of its time", f"it ended at {when(closed)}"]
        if state.started_at:
            told.append(f"it had run for {ago(state.started_at, closed)}")
        yield _finding(record_id, TIMED_OUT, told, {"type": state.type})
    if state.status != "Failed":
        return
    if options.failure_types and not {each.type for each in state.ended} & options.failure_types:
        return
    told = [f"{shown(state.type)} failed: {causes(state.ended)}", f"it ended at {when(closed)}"]
    told += told_failures(state.ended)
    if state.build:
        told.append(_worked("", state.build))
    yield _finding(record_id, FAILED, told, {"cause": causes(state.ended)})


def _retries_too_long(activity: PendingActivity, options: TemporalOptions, now: datetime) -> bool:
    if activity.attempt < 2:  # it was not tried again yet
        return False
    if activity.state == "started" and not activity.failures:
        return False  # the first attempt since a pause was lifted: what failed before it is forgotten, and says nothing
    since = activity.first_at or activity.scheduled_at
    return activity.attempt > options.retrying_attempts or bool(since and now - since >= options.retrying_after)


def _retrying(activities: Sequence[PendingActivity]) -> list[str]:
    """Of activities of one type that fail alike: the one that was tried most often."""
    activity = max(activities, key=lambda each: each.attempt)
    told = [f"activity {shown(activity.type)} fails again and again: {causes(activity.failures)}"]
    told += _tried(activity)
    if len(activities) > 1:
        told.append(f"{len(activities):,} activities of this type in it fail alike")
    return told


def _tried(activity: PendingActivity) -> list[str]:
    """What is known of the attempts of an activity."""
    told = told_failures(activity.failures)
    attempt = f"attempt {activity.attempt:,}"
    told.append(f"{attempt} of {activity.most_attempts:,}" if activity.most_attempts else f"{attempt}, without a limit")
    if activity.first_at:
        told.append(f"it was first scheduled at {when(activity.first_at)}, or earlier")
    if activity.next_at and not activity.paused:
        told.append(f"it is tried again at {when(activity.next_at)}")
    if activity.worker or activity.build:
        told.append(_worked(activity.worker, activity.build))
    return told


def _waits_for(state: WorkflowState) -> list[str]:
    """Where it waits."""
    told: list[str] = []
    for each in state.activities[:_MOST_TOLD]:
        at = each.first_at or each.started_at or each.scheduled_at
        how = "paused" if each.paused else each.state
        told.append(
            f"it waits for activity {shown(each.type)}: {how}, attempt {each.attempt:,}"
            + (f", since {when(at)}" if at else "")
        )
    for each in state.operations[:_MOST_TOLD]:
        since = f", since {when(each.scheduled_at)}" if each.scheduled_at else ""
        told.append(f"it waits for Nexus operation {shown(each.name)}: {each.state}, attempt {each.attempt:,}{since}")
    if state.children:
        named = ", ".join(map(shown, state.children[:3]))
        told.append(f"it waits for {counted(len(state.children), 'child workflow')}: {named}")
    if state.task is not None:
        at = state.task.first_scheduled_at or state.task.scheduled_at
        told.append(f"its workflow task is {state.task.state}{f', since {when(at)}' if at else ''}")
    return told or ["no activity, operation, child or task is pending: it waits for a signal, an update or a timer"]


def _by(who: str, why: str) -> list[str]:
    return [f"paused by {shown(who) or 'nobody named'}: {shown(why) or 'no reason given'}"] if who or why else []


def _worked(worker: str, build: str) -> str:
    told = [f"worker {shown(worker)}" if worker else "", f"build {shown(build)}" if build else ""]
    return f"last at {', '.join(filter(None, told))}"


def _with_alike(finding: Finding, others: int, looked_at: int) -> Finding:
    if others < 1:
        return finding
    told = said(f"{counted(others, 'other')} of the {looked_at:,} that were looked at together are stuck alike")
    return finding.model_copy(update={"evidence": (*finding.evidence, told)})


def when(at: datetime) -> str:
    """A time in words: a plan may wait for hours, after which no "two minutes ago" is true."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def ago(since: datetime, now: datetime) -> str:
    """How long that is, in one unit."""
    seconds = max(0, round((now - since).total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _finding(record_id: str, kind: str, told: Iterable[str], facts: dict[str, JsonValue]) -> Finding:
    issue, *evidence = map(said, told)
    return Finding(
        record_id=record_id,
        kind=kind,
        issue=issue,
        evidence=tuple(evidence),
        fingerprint=Finding.fingerprint_of(DOMAIN, record_id, kind, facts),
    )
