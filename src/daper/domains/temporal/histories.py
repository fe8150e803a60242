"""Reading the history of a run, where a repair goes by it: for most of what is found nobody needs it."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

from daper.domains.temporal import findings as kinds
from daper.domains.temporal.cluster import MOST_EVENTS, Cluster
from daper.domains.temporal.history import (
    HistoryRecord,
    ResetTrace,
    RunHistory,
    Step,
    history_record,
)
from daper.domains.temporal.history_reader import HistoryReader
from daper.domains.temporal.options import TemporalOptions
from daper.domains.temporal.workflow import WorkflowRecord, WorkflowState
from daper.ports.domain import Record

RESET: Final = "reset_workflow"
START_AGAIN: Final = "start_again"

_BY_HISTORY: Final = frozenset({RESET, START_AGAIN})
_AT_ONCE: Final = 5  # each of them may be long
_MOST_CHILDREN: Final = 50
_MOST_RUNS: Final = 20


class HistoryReading:
    """Reads histories of runs, as records."""

    def __init__(self, cluster: Cluster, options: TemporalOptions) -> None:
        self._cluster = cluster
        self._options = options

    async def beside(self, records: Sequence[Record]) -> tuple[Record, ...]:
        """The records, and the histories of those whose repair goes by it."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(state: WorkflowState) -> HistoryRecord:
            async with gate:
                return await self.of(state)

        wanted = [each.state for each in records if isinstance(each, WorkflowRecord) and self._is_needed(each.state)]
        return (*records, *await asyncio.gather(*map(one, wanted)))

    async def of(self, state: WorkflowState) -> HistoryRecord:
        """The history of a workflow's latest run; without it where it is too long."""
        if state.history_length > MOST_EVENTS:
            version = f"{state.run_id} {state.history_length}"
            return history_record(state.workflow_id, None, version=version)
        history = await self.run(state.workflow_id, state.run_id)
        return history_record(state.workflow_id, history, version=history.version)

    async def run(self, workflow_id: str, run_id: str) -> RunHistory:
        """The history of one run. Raises StoreError for one that has become too long."""
        reader = HistoryReader(workflow_id, run_id)
        async for event in self._cluster.events(workflow_id, run_id):
            reader.take(event)
        history = reader.history()
        waited_for = history.waits_for_children()[:_MOST_CHILDREN]
        running = await asyncio.gather(*map(self._runs, waited_for))
        return history.with_children({each.at: runs for each, runs in zip(waited_for, running, strict=True)})

    async def resets_since(self, workflow_id: str, run_id: str, *, at: int) -> tuple[ResetTrace, ...]:
        """The resets to an event that made a run's successors, whoever asked for them, the latest first.

        Each run names the one that it was made of, so that it is found also once it has ended, or been reset itself.
        """
        seen = await self._cluster.state(workflow_id, run_id)
        latest = await self._cluster.state(workflow_id)
        heads = [each for each in (latest.run_id if latest else "", seen.reset_to if seen else "") if each]
        found: dict[str, ResetTrace] = {}
        looked: set[str] = {run_id}
        while heads and len(looked) <= _MOST_RUNS:
            head = heads.pop(0)
            if head in looked:
                continue
            looked.add(head)
            beginning = await self._beginning(workflow_id, head, to=at)
            found |= {each.new_run_id: each for each in beginning.resets if each.at == at}
            heads += [
                each for each in (beginning.continued_from, *(one.base_run_id for one in beginning.resets)) if each
            ]
        return tuple(found.values())

    async def started_by(self, workflow_id: str, request_id: str) -> str:
        """The run that a request started, or ""; also where a reset has made another of it, or others came after."""
        latest = await self._cluster.state(workflow_id)
        if latest is None:
            return ""
        if request_id in latest.requests:
            return await self._original(workflow_id, latest.run_id)
        listed = await self._cluster.listed(f"WorkflowId = {_quoted(workflow_id)}", most=_MOST_RUNS)
        for run_id in (each.execution.run_id for each in listed.found):
            state = await self._cluster.state(workflow_id, run_id)
            if state is not None and request_id in state.requests:
                return await self._original(workflow_id, run_id)
        return ""

    async def _original(self, workflow_id: str, run_id: str) -> str:
        started = (await self._beginning(workflow_id, run_id, to=1)).started
        return (started.original_execution_run_id if started is not None else "") or run_id

    async def _beginning(self, workflow_id: str, run_id: str, *, to: int) -> RunHistory:
        reader = HistoryReader(workflow_id, run_id)
        async with aclosing(self._cluster.events(workflow_id, run_id)) as events:
            async for event in events:
                reader.take(event)
                if event.event_id >= to:
                    break
        return reader.history()

    async def _runs(self, child: Step) -> bool | None:
        """Whether a child runs, also once it has continued as new; None where it is another that does, or elsewhere."""
        if child.namespace != (await self._cluster.client()).namespace:
            return None
        state = await self._cluster.state(child.id)
        if state is None or not state.is_running:
            return False
        return True if child.run_id in (state.first_run_id, state.run_id) else None

    def _is_needed(self, state: WorkflowState) -> bool:
        if state.status in ("Failed", "TimedOut"):
            kind = kinds.FAILED if state.status == "Failed" else kinds.TIMED_OUT
            return (self._options.fix(kind, state.type) or RESET) in _BY_HISTORY
        return bool(state.task_causes) and self._options.fix(kinds.TASK_FAILING, state.type) in _BY_HISTORY


def _quoted(text: str) -> str:
    """A value in a filter."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
