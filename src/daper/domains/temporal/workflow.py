"""What is known of one workflow and of a task queue, as nouns. Times are aware; texts are as they came."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Final

from daper.core.digests import canonical, digest
from daper.ports.domain import Record

FAILING_ATTEMPTS: Final = 3
"""From this attempt on a workflow task counts as failing, before the server reports it."""

PINNED: Final = "pinned "
"""Before the version that a workflow was set to."""

_LONGEST: Final = 1_000  # of what stuck workflows have in common
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
class PendingOperation:
    """A Nexus operation that has not ended. `state`: scheduled, backing-off, started or blocked; `blocked`: why."""

    name: str
    endpoint: str
    state: str
    attempt: int
    scheduled_at: datetime | None
    next_at: datetime | None
    failures: tuple[Failure, ...] = ()
    blocked: str = ""

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
    its last task; `pinned`: whether it stays with that. `silent_version`: the version for which it waits and that asks
    its queue no more, and `asking`: those that do ask.
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
    operations: tuple[PendingOperation, ...] = ()
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
    silent_version: str = ""
    asking: tuple[str, ...] = ()

    @property
    def pinned_to(self) -> str:
        """The version that alone may work on it; "" where any may, or the server chooses."""
        if not self.pinned:
            return ""
        if self.override:
            return self.override.removeprefix(PINNED)
        return version_name(self.deployment, self.build) if self.deployment and self.build else ""

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
        operations = sorted({f"{each.name} {each.causes}" for each in self.operations if each.failures})
        silent = f"version {self.silent_version}" if self.silent_version else ""
        parts = [self.type, *self.task_causes, causes(self.ended), silent, *operations, *sorted({*activities})]
        told = "; ".join(filter(None, parts))
        if len(told) <= _LONGEST and not any(";" in part for part in parts):
            return told
        return f"{told[:_LONGEST]}… {digest(canonical(parts))[:16]}"  # two sorts never read as one

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
        if self.operations:
            facts["operations"] = sorted(each.name for each in self.operations)
        if self.silent_version:
            facts["silent"] = self.silent_version
        return digest(canonical(facts))[:32]


@dataclass(frozen=True, kw_only=True)
class WorkflowRecord(Record):
    """A workflow chain: `record_id` is the workflow's id, `state` its latest run."""

    state: WorkflowState


@dataclass(frozen=True, kw_only=True)
class QueueState:
    """A task queue on which work waits. `pollers`: how many workers ask for workflow tasks and for activities.

    `waiting`: workflows of which something was seen to wait there; `tasks`: for whom, `workflow` or `activity`.
    `backlog`: about how many tasks wait, as the server counts them; None where it does not say. `versions`: which of
    the workers ask for each sort of task; "" for workers without one.
    """

    name: str
    workflow_pollers: int
    activity_pollers: int
    waiting: tuple[str, ...] = ()
    oldest: datetime | None = None
    tasks: tuple[str, ...] = ()
    backlog: int | None = None
    versions: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])

    @property
    def pollers(self) -> Mapping[str, int]:
        """How many workers ask for each sort of task."""
        return {"workflow": self.workflow_pollers, "activity": self.activity_pollers}

    @property
    def unasked(self) -> tuple[str, ...]:
        """The sorts of task that wait, and that no worker asks for."""
        return tuple(sort for sort in self.tasks if not self.pollers.get(sort))


@dataclass(frozen=True, kw_only=True)
class QueueRecord(Record):
    """A task queue: of what nobody polls, the queue is the problem, and not each workflow on it."""

    state: QueueState


def version_name(deployment: str, build: str) -> str:
    """A version of the workers of a deployment, which has no dot in its name; "" for workers without one."""
    return f"{deployment}.{build}" if deployment else ""


def with_silence(state: WorkflowState, queue: QueueState) -> WorkflowState:
    """The state, with whether its version alone does not ask its queue, on which others ask, and it waits."""
    wanted = state.pinned_to
    waits = [sort for sort, name in state.waits_on if name == state.queue == queue.name and queue.pollers[sort]]
    asking = [queue.versions.get(sort, frozenset()) for sort in waits]
    if not wanted or all(wanted in each for each in asking):
        return state
    names = sorted({each for versions in asking for each in versions if each})
    return replace(state, silent_version=wanted, asking=tuple(names))


def workflow_ref(workflow_id: str) -> str:
    """How a workflow is named in what a plan read."""
    return f"workflows/{workflow_id}"


def record_id_of(workflow_id: str) -> str:
    """How a workflow is named as a record: by its id, but for one that reads as a task queue does."""
    return f"{_WORKFLOW}{workflow_id}" if workflow_id.startswith((_QUEUE, _WORKFLOW)) else workflow_id


def workflow_id_of(record_id: str) -> str:
    """The id of the workflow that a record is."""
    return record_id.removeprefix(_WORKFLOW)


def is_name(text: str) -> bool:
    """Whether anything can be called so: a server takes no empty name, and none with half a surrogate pair."""
    return bool(text) and not any("\ud800" <= char <= "\udfff" for char in text)


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


def causes(failures: Iterable[Failure]) -> str:
    """A chain of failures in names: `activity pay > application CardDeclined`."""
    return " > ".join(f"{each.sort} {each.type}".strip() for each in failures)
