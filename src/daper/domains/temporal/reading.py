"""Which workflows are looked at, by the cheapest call that shows them, the oldest first."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, TypeVar

from temporalio.api.workflow.v1 import WorkflowExecutionInfo

from daper.clock import agreed_now
from daper.core.digests import digest
from daper.core.errors import StoreError, StoreUnavailable, UserError
from daper.core.models import Scope
from daper.core.text import folded
from daper.domains.temporal.answers import REPORTED_PROBLEMS, listed_state
from daper.domains.temporal.briefing import queue_facts, workflow_facts
from daper.domains.temporal.cluster import Cluster
from daper.domains.temporal.options import TemporalOptions
from daper.domains.temporal.recent import with_recent
from daper.domains.temporal.windows import TimeWindow, next_window, written
from daper.domains.temporal.workflow import (
    FAILING_ATTEMPTS,
    QueueRecord,
    QueueState,
    WorkflowRecord,
    WorkflowState,
    is_name,
    queue_of,
    queue_record,
    queue_record_id,
    record_id_of,
    with_silence,
    workflow_id_of,
    workflow_record,
)
from daper.ports.domain import Record, RecordPage, Window, WindowView
from daper.workflows.labels import EVENT_DRIVEN_NAME, PROACTIVE_NAME, WORKFLOW_NAME

OWN_TYPES: Final = frozenset({WORKFLOW_NAME, PROACTIVE_NAME, EVENT_DRIVEN_NAME})
"""Of daper itself: never looked at, and never named."""

SYSTEM: Final = "temporal-sys-"
"""How the types of Temporal's own workflows begin: those of schedules, batches and worker deployments."""

WAITING: Final = "waiting"
"""The status of a task queue that nobody asks."""

MOST_LISTED: Final = 20_000
"""So many are gone through at most where somebody looks at a list."""

_AT_ONCE: Final = 20
_RUNNING: Final = 'ExecutionStatus = "Running"'
_PAUSE: Final = "TemporalPauseInfo"
_ENDED: Final = ("Failed", "TimedOut")
_CLOSELY: Final = 500  # more than these at once nobody looks at closely: they are searched for an id
_ON_QUEUE: Final = 20
_RUNS: Final = 100  # named in one filter
_MOST_TOLD: Final = 5_000  # remembered, so that each is told of once

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class _Place:
    """Where a scan is: in which stage, from which start time on, in which window and on which page of it.

    `told`: task queues, and workflows of the first lists, that were told of already, as digests.
    """

    stage: int = 0
    start: datetime | None = None
    window: TimeWindow | None = None
    token: bytes = b""
    told: tuple[str, ...] = ()


class WorkflowReading:
    """Reads workflows of a cluster, as records."""

    def __init__(self, cluster: Cluster, options: TemporalOptions) -> None:
        self._cluster = cluster
        self._options = options
        self._attributes: dict[str, bool] = {}

    async def named(self, record_ids: Sequence[str]) -> tuple[Record, ...]:
        """The named workflows and task queues, looked at closely; what is not there, and daper's own, is left out."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(record_id: str) -> Record | None:
            async with gate:
                queue = queue_of(record_id)
                if not is_name(queue if queue is not None else workflow_id_of(record_id)):
                    return None
                if queue is not None:
                    return _queue_record(await self._queue(queue))
                state = await self._state(workflow_id_of(record_id), closely=True)
                return None if state is None else _record(state)

        found = await _gathered(map(one, dict.fromkeys(record_ids)))
        return tuple(record for record in found if record is not None)

    async def page(self, scope: Scope, page: str | None) -> RecordPage:
        """Some of those in scope that may have a problem: with failing tasks first, paused ones, failed ones, and then
        all that run; behind each of these the task queues on which they wait in vain.

        Raises UserError for a page that was never given out.
        """
        place, now = _read_place(page), agreed_now()
        while True:
            stages = await self._stages(now)
            if place.stage >= len(stages):
                return RecordPage(records=())
            statuses, conditions = stages[place.stage]
            if not _has_status(scope, statuses):
                place = _Place(place.stage + 1, told=place.told)
                continue
            window = place.window or await next_window(place.start, now, self._counting(conditions))
            listed = await self._cluster.listed(self._filter([*conditions, *window.conditions]), place.token)
            records, told = await self._judged(
                listed.found, scope, statuses, place.told, marked=place.stage < len(stages) - 2
            )
            if listed.next_page:
                place = _Place(place.stage, window.start, window, listed.next_page, told)
            elif window.end is not None:
                place = _Place(place.stage, window.end, told=told)
            else:
                place = _Place(place.stage + 1, told=told)
            if records:
                return RecordPage(records=records, next_page=_written(place) if place.stage < len(stages) else None)

    def _counting(self, conditions: list[str]) -> Callable[[str], Awaitable[int]]:
        return lambda started: self._cluster.count(self._filter([*conditions, started]))

    async def browse(self, scope: Scope, window: Window) -> WindowView:
        """What is to be seen in a window of a list of all of them, the oldest first; of task queues, only those that
        nobody asks.
        """
        if scope.status is not None and _has_status(scope, {WAITING}):
            return await self._browse_queues(scope, window)
        found = await self._listed(scope)
        wanted = [each for each in found if not window.search or _is_like(window.search, each)]
        ids = [record_id_of(each.workflow_id) for each in wanted]
        start = ids.index(window.after) + 1 + window.skip if window.after in ids else window.skip
        end = ids.index(window.before) if window.before in ids else min(start + window.most, len(ids))
        start = max(0, end - window.most) if window.before in ids else start
        chosen = wanted[start:end]
        if len(chosen) > _CLOSELY:
            records: tuple[Record, ...] = tuple(map(_record, chosen))
        else:
            records = await self.named([record_id_of(each.workflow_id) for each in chosen])
        total = len(wanted)
        if total >= MOST_LISTED and window.counted and not window.search:
            total = await self.count(scope)
        return WindowView(records=records, total=total, earlier=start > 0, later=end < len(ids))

    async def _browse_queues(self, scope: Scope, window: Window) -> WindowView:
        """All of them: they are few, and only a scan finds them."""
        found: dict[str, Record] = {}
        page = None
        while True:
            part = await self.page(scope, page)
            queues = (record for record in part.records if isinstance(record, QueueRecord))
            found |= {queue.record_id: queue for queue in queues if folded(window.search) in folded(queue.record_id)}
            page = part.next_page
            if page is None:
                break
        records = tuple(found.values())[window.skip : window.skip + window.most]
        later = len(found) > window.skip + len(records)
        return WindowView(records=records, total=len(found), earlier=window.skip > 0, later=later)

    async def count(self, scope: Scope) -> int:
        """How many there are to look at in scope."""
        told = await self.statuses()
        return sum(number for status, number in told.items() if _has_status(scope, {status}))

    async def statuses(self) -> dict[str, int]:
        """How many there are to look at, by their status."""
        now = agreed_now()
        found = {"Running": await self._cluster.count(self._filter([_RUNNING]))}
        for status in _ENDED:
            conditions = [f'ExecutionStatus = "{status}"', self._since(now)]
            found[status] = await self._cluster.count(self._filter(conditions))
        if await self._knows(_PAUSE):
            conditions = [f"{_PAUSE} IS NOT NULL", "CloseTime IS NULL"]
            running = await self._cluster.count(self._filter([_RUNNING, f"{_PAUSE} IS NOT NULL"]))
            found["Paused"] = await self._cluster.count(self._filter(conditions)) - running
        return {status: number for status, number in found.items() if number > 0}

    async def _judged(
        self,
        found: Sequence[WorkflowExecutionInfo],
        scope: Scope,
        statuses: frozenset[str],
        told: tuple[str, ...],
        *,
        marked: bool,
    ) -> tuple[tuple[Record, ...], tuple[str, ...]]:
        """What a page of a list stands for, and what was told of by now; `marked`: a later list has the same."""
        ended = not statuses & {"Running"}
        ids = [
            info.execution.workflow_id
            for info in sorted(found, key=lambda each: each.start_time.ToNanoseconds())
            # The end of a child is its parent's to judge.
            if not is_ours(info.type.name) and not (ended and info.parent_execution.workflow_id)
        ]
        part = scope.partition
        known = frozenset(told)
        ids = [
            each
            for each in dict.fromkeys(ids)
            if (part is None or part.holds(record_id_of(each))) and _mark(record_id_of(each)) not in known
        ]
        states = await self._states(ids)
        # A run that has a newer one, which was started again or reset, is no problem: the newer one is what is told.
        states = [state for state in states if (state.status in _ENDED if ended else state.is_running)]
        states = await self._meant(states, {info.execution.run_id for info in found})
        queues = await self._asked_queues(states, told)
        states = [with_silence(state, queues[state.queue]) if state.queue in queues else state for state in states]
        records: list[Record] = [_record(state) for state in states if _has_status(scope, {state.status})]
        if marked:
            told = (*told, *(_mark(record_id_of(each)) for each in ids))
        if scope.status is not None and not _has_status(scope, {WAITING}):
            return tuple(records), told[-_MOST_TOLD:]
        for queue in _unasked(states, queues):
            record = _queue_record(queue)
            if part is None or part.holds(record.record_id):
                records.append(record)
            told = (*told, _mark(queue_record_id(queue.name)))
        return tuple(records), told[-_MOST_TOLD:]

    async def _meant(self, states: Sequence[WorkflowState], listed: Collection[str]) -> list[WorkflowState]:
        """Those whose latest run the query has too: a newer one may be of another type, or on another task queue."""
        newer = [state.run_id for state in states if state.run_id not in listed] if self._options.query else []
        left_out = set(newer)
        for part in (newer[at : at + _RUNS] for at in range(0, len(newer), _RUNS)):
            found = await self._cluster.listed(self._filter([f"RunId IN ({_quoted(part)})"]), most=_RUNS)
            left_out -= {info.execution.run_id for info in found.found}
        return [state for state in states if state.run_id not in left_out]

    async def _states(self, workflow_ids: Sequence[str]) -> list[WorkflowState]:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(workflow_id: str) -> WorkflowState | None:
            async with gate:
                return await self._state(workflow_id, closely=False)

        return [state for state in await _gathered(map(one, workflow_ids)) if state is not None]

    async def _state(self, workflow_id: str, *, closely: bool) -> WorkflowState | None:
        """The latest run of a workflow, with what its history adds, where that is a fact or somebody looks closely."""
        state = await self._cluster.state(workflow_id)
        if state is None or is_ours(state.type):
            return None
        if closely and state.pinned_to and any(queue == state.queue for _, queue in state.waits_on):
            state = with_silence(state, await self._cluster.queue(state.queue))
        if self._asks_history(state, closely=closely):
            return with_recent(state, await self._cluster.recent(workflow_id, state.run_id))
        return state

    def _asks_history(self, state: WorkflowState, *, closely: bool) -> bool:
        failing = state.task is not None and state.task.attempt >= FAILING_ATTEMPTS
        if (failing and not state.problems) or (closely and state.problems):
            return True
        retrying = [each.attempt for each in state.activities if each.attempt > 1 and not each.paused]
        if closely or not retrying:
            return bool(retrying)
        # One that was tried too often is a problem whatever its age, and none is older than its workflow.
        begun = state.started_at
        old = begun is not None and agreed_now() - begun >= self._options.retrying_after
        return old and any(attempt <= self._options.retrying_attempts for attempt in retrying)

    async def _asked_queues(self, states: Iterable[WorkflowState], told: tuple[str, ...]) -> dict[str, QueueState]:
        """The task queues on which these wait, each by one look."""
        names = dict.fromkeys(queue for state in states for _, queue in state.waits_on)
        wanted = [name for name in names if name and _mark(queue_record_id(name)) not in told]
        return {queue.name: queue for queue in await _gathered(self._cluster.queue(name) for name in wanted)}

    async def _queue(self, name: str) -> QueueState:
        """A task queue with some of the workflows that wait there, the oldest of a few."""
        queue = await self._cluster.queue(name)
        if queue.workflow_pollers and queue.activity_pollers:
            return queue
        listed = await self._cluster.listed(self._filter([_RUNNING, f"TaskQueue = {_quoted([name])}"]), most=_ON_QUEUE)
        ids = [info.execution.workflow_id for info in listed.found if not is_ours(info.type.name)]
        waiting: dict[str, list[WorkflowState]] = {}
        for state in await self._states(ids):
            for sort, on in state.waits_on:
                if on == name:
                    waiting.setdefault(sort, []).append(state)
        return _seen(queue, waiting)

    async def _stages(self, now: datetime) -> list[tuple[frozenset[str], list[str]]]:
        """What is listed, one after another: which statuses that gives, and by which conditions."""
        # The last list has those of the first ones too: what comes to be one of them meanwhile is in no list else.
        stages = list[tuple[frozenset[str], list[str]]]()
        running = frozenset({"Running", WAITING})
        if await self._knows(REPORTED_PROBLEMS):
            stages.append((running, [_RUNNING, f"{REPORTED_PROBLEMS} IS NOT NULL"]))
        if await self._knows(_PAUSE):
            stages.append((running | {"Paused"}, [f"{_PAUSE} IS NOT NULL", "CloseTime IS NULL"]))
        ended = f"ExecutionStatus IN ({_quoted(_ENDED)})"
        return [*stages, (frozenset(_ENDED), [ended, self._since(now)]), (running, [_RUNNING])]

    async def _knows(self, attribute: str) -> bool:
        """Whether the server has a search attribute; older ones lack some."""
        if attribute not in self._attributes:
            try:
                await self._cluster.count(f"{attribute} IS NOT NULL")
            except StoreUnavailable:
                raise
            except StoreError:
                self._attributes[attribute] = False
            else:
                self._attributes[attribute] = True
        return self._attributes[attribute]

    async def _listed(self, scope: Scope) -> list[WorkflowState]:
        """What a list tells of all in scope, each once, the oldest first."""
        found: dict[str, WorkflowState] = {}
        for statuses, conditions in await self._stages(agreed_now()):
            token = b""
            while _has_status(scope, statuses - {WAITING}):
                listed = await self._cluster.listed(self._filter(conditions), token)
                for info in listed.found:
                    state = listed_state(info)
                    ended = state.status in _ENDED
                    if is_ours(state.type) or (ended and state.parent) or not _has_status(scope, {state.status}):
                        continue
                    known = found.get(state.workflow_id)
                    if known is None or _began(known) < _began(state):
                        found[state.workflow_id] = state
                token = listed.next_page
                if not token or len(found) >= MOST_LISTED:
                    break
        return sorted(found.values(), key=lambda state: (_began(state), state.workflow_id))

    def _since(self, now: datetime) -> str:
        return f'CloseTime > "{written(now - self._options.failed_within)}"'

    def _filter(self, conditions: Iterable[str]) -> str:
        theirs = [f"({self._options.query})"] if self._options.query else []
        return " AND ".join([*theirs, *filter(None, conditions), f"WorkflowType NOT IN ({_quoted(sorted(OWN_TYPES))})"])


def is_ours(workflow_type: str) -> bool:
    """Whether a workflow is daper's, this one's or another's, or Temporal's own."""
    return workflow_type in OWN_TYPES or workflow_type.startswith(SYSTEM)


async def _gathered(each: Iterable[Coroutine[object, object, Answer]]) -> list[Answer]:
    """What all of them come to; none goes on once one has failed."""
    tasks = [asyncio.ensure_future(one) for one in each]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def _record(state: WorkflowState) -> WorkflowRecord:
    return workflow_record(state, workflow_facts(state))


def _queue_record(queue: QueueState) -> QueueRecord:
    return queue_record(queue, queue_facts(queue))


def _unasked(states: Iterable[WorkflowState], queues: Mapping[str, QueueState]) -> list[QueueState]:
    """The task queues on which these wait and that nobody asks."""
    waiting: dict[str, dict[str, list[WorkflowState]]] = {}
    for state in states:
        for sort, queue in state.waits_on:
            waiting.setdefault(queue, {}).setdefault(sort, []).append(state)
    found = [_seen(queue, waiting[name]) for name, queue in queues.items()]
    return [queue for queue in found if queue.unasked]


def _seen(queue: QueueState, waiting: Mapping[str, Sequence[WorkflowState]]) -> QueueState:
    """The queue with what was seen to wait there."""
    everybody = {state.workflow_id: state for states in waiting.values() for state in states}
    since = [
        at
        for state in everybody.values()
        for at in (
            state.task.first_scheduled_at or state.task.scheduled_at if state.task else None,
            *(each.scheduled_at for each in state.activities if each.waits_for_worker),
        )
        if at is not None
    ]
    return replace(
        queue,
        waiting=tuple(everybody),
        oldest=min(since, default=None),
        tasks=tuple(sorted({*queue.tasks, *waiting})),
    )


def _has_status(scope: Scope, statuses: Iterable[str]) -> bool:
    wanted = None if scope.status is None else scope.status.strip().casefold()
    return wanted is None or any(status.casefold() == wanted for status in statuses)


def _is_like(search: str, state: WorkflowState) -> bool:
    return any(folded(search) in folded(text) for text in (state.workflow_id, state.type))


def _began(state: WorkflowState) -> datetime:
    return state.started_at or datetime.min.replace(tzinfo=UTC)


def _quoted(texts: Iterable[str]) -> str:
    escaped = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return ", ".join(f'"{text}"' for text in escaped)


def _mark(record_id: str) -> str:
    return digest(record_id)[:10]


def _written(place: _Place) -> str:
    window = place.window
    times = (place.start, window.start if window else None, window.end if window else None)
    told = [each.isoformat() if each else "" for each in times]
    return "|".join([str(place.stage), *told, "1" if window else "", place.token.hex(), ",".join(place.told)])


def _read_place(page: str | None) -> _Place:
    if page is None:
        return _Place()
    try:
        stage, start, since, until, has_window, token, queues = page.split("|")
        window = TimeWindow(_time(since), _time(until)) if has_window else None
        told = tuple(queues.split(",")) if queues else ()
        return _Place(abs(int(stage)), _time(start), window, bytes.fromhex(token), told)
    except ValueError:
        raise UserError(
            f"there is no page {page[:100]!r}; ask for the first one, and then for the next that it names"
        ) from None


def _time(text: str) -> datetime | None:
    found = datetime.fromisoformat(text) if text else None
    return found.replace(tzinfo=found.tzinfo or UTC) if found else None
