"""How workflows are gone through, page after page: each once, the oldest first, and each empty queue told of once."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflow.v1 import WorkflowExecutionInfo

from daper.clock import utc_now
from daper.core.errors import StoreUnavailable, UserError
from daper.core.models import Scope
from daper.core.partition import Partition
from daper.domains.temporal.cluster import Cluster, Listed
from daper.domains.temporal.options import TemporalOptions
from daper.domains.temporal.reading import WorkflowReading
from daper.domains.temporal.recent import Recent
from daper.domains.temporal.workflow import PendingTask, QueueState, WorkflowState
from daper.ports.domain import Record

NOW = utc_now()
PAGE = 4


def a_state(number: int, *, status: str = "Running", **fields: object) -> WorkflowState:
    """The workflow with that number; those with a higher one began later."""
    made = WorkflowState(
        workflow_id=f"w{number:04}",
        run_id=f"r{number}",
        type="Order",
        queue="orders",
        status=status,
        started_at=NOW - timedelta(days=100) + timedelta(minutes=number),
        closed_at=None if status == "Running" else NOW,
        history_length=3,
    )
    return replace(made, **cast("dict[str, str]", fields))


class OfStates:
    """A cluster of these workflows, which lists four at a time, the newest first."""

    def __init__(self, states: Sequence[WorkflowState]) -> None:
        self.states = list(states)
        self.described: list[str] = []
        self.pollers: dict[str, int] = {}
        self.reported: set[str] = set()

    async def count(self, query: str) -> int:
        return len(self._found(query))

    async def listed(self, query: str, page: bytes = b"", *, most: int = PAGE) -> Listed:
        found, at = self._found(query), int(page or b"0")
        part = found[at : at + min(most, PAGE)]
        following = b"%d" % (at + len(part)) if at + len(part) < len(found) else b""
        return Listed(found=tuple(map(info_of, part)), next_page=following)

    async def state(self, workflow_id: str) -> WorkflowState | None:
        self.described.append(workflow_id)
        return next((state for state in self.states if state.workflow_id == workflow_id), None)

    async def recent(self, workflow_id: str, run_id: str) -> Recent:
        return Recent()

    async def queue(self, name: str) -> QueueState:
        return QueueState(name=name, workflow_pollers=self.pollers.get(name, 0), activity_pollers=0)

    def _found(self, query: str) -> list[WorkflowState]:
        if "TemporalPauseInfo IS NOT NULL" in query:
            return []
        reported, unreported = (f"TemporalReportedProblems IS {each}" in query for each in ("NOT NULL", "NULL"))
        wanted = [status for status in ("Running", "Failed", "TimedOut") if f'"{status}"' in query]
        bounds = dict(re.findall(r'StartTime (>=|<) "([^"]+)"', query))
        low = datetime.fromisoformat(bounds[">="]) if ">=" in bounds else datetime.min.replace(tzinfo=UTC)
        high = datetime.fromisoformat(bounds["<"]) if "<" in bounds else datetime.max.replace(tzinfo=UTC)
        return [
            state
            for state in reversed(self.states)
            if state.status in wanted
            and state.started_at
            and low <= state.started_at < high
            and (not reported or state.workflow_id in self.reported)
            and (not unreported or state.workflow_id not in self.reported)
        ]


def info_of(state: WorkflowState) -> WorkflowExecutionInfo:
    info = WorkflowExecutionInfo(
        execution=WorkflowExecution(workflow_id=state.workflow_id, run_id=state.run_id),
        type=WorkflowType(name=state.type),
        status=WorkflowExecutionStatus.Value(f"WORKFLOW_EXECUTION_STATUS_{_STATUS[state.status]}"),
        task_queue=state.queue,
    )
    if state.started_at:
        info.start_time.FromDatetime(state.started_at)
    info.parent_execution.workflow_id = state.parent
    return info


_STATUS = {"Running": "RUNNING", "Failed": "FAILED", "TimedOut": "TIMED_OUT"}


def reading_of(cluster: OfStates) -> WorkflowReading:
    return WorkflowReading(cast("Cluster", cluster), TemporalOptions(query=""))


async def pages_of(cluster: OfStates, scope: Scope | None = None) -> list[tuple[Record, ...]]:
    found: list[tuple[Record, ...]] = []
    reading, page = reading_of(cluster), None
    while True:
        part = await reading.page(scope or Scope(), page)
        found.append(part.records)
        page = part.next_page
        if page is None:
            return found


def ids_of(pages: Sequence[Sequence[Record]]) -> list[str]:
    return [record.record_id for page in pages for record in page]


async def test_thousands_are_gone_through_each_once_and_older_windows_before_newer_ones() -> None:
    cluster = OfStates([a_state(number) for number in range(2_500)])
    ids = ids_of(await pages_of(cluster))
    assert sorted(ids) == [f"w{number:04}" for number in range(2_500)]
    assert ids.index("w0000") < ids.index("w1400") < ids.index("w2499")
    assert max(ids[:250]) < min(ids[-250:])


async def test_what_has_ended_comes_before_what_runs_and_a_page_is_in_order() -> None:
    cluster = OfStates([*(a_state(number) for number in range(6)), a_state(7, status="Failed")])
    pages = await pages_of(cluster)
    assert ids_of(pages[:1]) == ["w0007"]
    assert ids_of(pages[1:2]) == ["w0002", "w0003", "w0004", "w0005"]


async def test_a_queue_that_nobody_asks_is_told_of_once_however_many_pages_wait_on_it() -> None:
    task = PendingTask(state="scheduled", scheduled_at=NOW, first_scheduled_at=NOW, attempt=1)
    cluster = OfStates([a_state(number, task=task) for number in range(10)])
    ids = ids_of(await pages_of(cluster))
    assert ids.count("task-queue:orders") == 1
    assert len(ids) == 11
    cluster.pollers["orders"] = 1
    assert "task-queue:orders" not in ids_of(await pages_of(cluster))


async def test_children_that_ended_and_workflows_of_others_parts_are_not_even_described() -> None:
    cluster = OfStates([a_state(1, status="Failed", parent="p"), *(a_state(number) for number in range(2, 30))])
    part = Partition(number=1, of=2)
    ids = ids_of(await pages_of(cluster, Scope(partition=part)))
    assert cluster.described == ids
    assert all(part.holds(each) for each in ids)
    assert "w0001" not in ids


async def test_what_is_reported_in_the_middle_of_a_scan_is_neither_left_out_nor_told_twice() -> None:
    cluster = OfStates([a_state(number) for number in range(10)])
    cluster.reported = {"w0003", "w0004"}
    reading = reading_of(cluster)
    first = await reading.page(Scope(), None)
    assert ids_of([first.records]) == ["w0003", "w0004"]
    cluster.reported = {"w0003", "w0007"}
    found, page = [first.records], first.next_page
    while page is not None:
        part = await reading.page(Scope(), page)
        found, page = [*found, part.records], part.next_page
    assert sorted(ids_of(found)) == [f"w{number:04}" for number in range(10)]


async def test_once_a_look_has_failed_the_others_of_its_page_are_not_begun() -> None:
    cluster = OfStates([a_state(number) for number in range(200)])
    asked: list[str] = []

    async def state(workflow_id: str) -> WorkflowState | None:
        asked.append(workflow_id)
        await asyncio.sleep(0)
        raise StoreUnavailable("away")

    cluster.state = state
    reading = reading_of(cluster)
    with pytest.raises(StoreUnavailable):
        await reading.named([f"w{number}" for number in range(200)])
    begun = len(asked)
    assert begun <= 50
    for _ in range(300):
        await asyncio.sleep(0)
    assert len(asked) == begun


async def test_a_run_that_a_newer_one_follows_is_left_to_that() -> None:
    cluster = OfStates([a_state(1, status="Failed")])

    async def state(workflow_id: str) -> WorkflowState | None:
        return a_state(1, status="Completed")

    cluster.state = state
    assert ids_of(await pages_of(cluster)) == []


async def test_a_status_leaves_out_whole_lists() -> None:
    cluster = OfStates([a_state(1), a_state(2, status="Failed"), a_state(3, status="TimedOut")])
    assert ids_of(await pages_of(cluster, Scope(status=" FAILED "))) == ["w0002"]
    assert ids_of(await pages_of(cluster, Scope(status="TimedOut"))) == ["w0003"]
    assert ids_of(await pages_of(cluster, Scope(status="Running"))) == ["w0001"]
    assert ids_of(await pages_of(cluster, Scope(status="Lost"))) == []
    assert await reading_of(cluster).statuses() == {"Running": 1, "Failed": 1, "TimedOut": 1}


@pytest.mark.parametrize("page", ["", "x", "1", "0||||||z||", "a||||||", "0|never|||||", "0||||1|zz|"])
async def test_a_page_that_was_never_given_out_is_refused(page: str) -> None:
    with pytest.raises(UserError, match="there is no page"):
        await reading_of(OfStates([])).page(Scope(), page)


async def test_a_page_behind_the_last_is_empty() -> None:
    found = await reading_of(OfStates([a_state(1)])).page(Scope(), "99||||||")
    assert (found.records, found.next_page) == ((), None)
