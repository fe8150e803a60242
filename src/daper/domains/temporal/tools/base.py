"""What is the same for every tool on workflows: whom it is for, how it looks, and how one sees that it helped."""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, JsonValue
from temporalio.api.common.v1 import WorkflowExecution

from daper.clock import agreed_now
from daper.core.limits import Exactly, Limit, OneOf
from daper.core.models import Change, Finding
from daper.domains.temporal.cluster import Cluster
from daper.domains.temporal.histories import HistoryReading
from daper.domains.temporal.options import TemporalOptions
from daper.domains.temporal.workflow import WorkflowRecord, WorkflowState
from daper.ports.domain import PlanCaps, Record, Terms, ToolCall
from daper.ports.store import LedgerRow, Store
from daper.stores.outside import OutsideTool, UndoableOutsideTool
from daper.stores.threads import in_thread

SENT_WITHIN = timedelta(seconds=30)
"""So long after its begin an attempt may still ask for what is a state: one that comes late would set it anew."""

TRACE = "daper key="
"""Before the key in whatever text of a call stays in the history: the trace by which it is found again."""


class NoArguments(BaseModel):
    """Nothing to choose."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True)
class Workbench:
    """What the tools share: the cluster, what is set, how workflows are read, and where the ledger is."""

    cluster: Cluster
    histories: HistoryReading
    options: TemporalOptions
    look: Callable[[str], Awaitable[tuple[Record, ...]]]
    books: Callable[[], Store[object]]


class WorkflowTool(OutsideTool):
    """A tool on one workflow. `kinds`: the problems that it answers; `does`: what it does, for people and models.

    One of each is tried first, and seen to help, before the others of a plan are done.
    """

    kinds: frozenset[str]
    does: str
    args: type[BaseModel] = NoArguments
    settling = timedelta(seconds=5)
    caps = PlanCaps(canary=1)

    def __init__(self, bench: Workbench, *, clock: Callable[[], datetime] = agreed_now) -> None:
        super().__init__(bench.books, clock=clock)
        self._bench = bench

    async def look(self, record_id: str) -> tuple[Record, ...]:
        """The workflow as it is now, with what judging it needs."""
        return await self._bench.look(record_id)

    @abstractmethod
    def unfit(self, state: WorkflowState) -> str:
        """Why it is not for a workflow as it is; nothing where it is."""

    @abstractmethod
    def preview(
        self, record: WorkflowRecord, arguments: Mapping[str, JsonValue], records: Sequence[Record]
    ) -> tuple[Change, ...]:
        """What would change."""

    def limits(self, state: WorkflowState) -> Mapping[str, Limit]:
        """What each argument may be."""
        return {}

    def reads(self, record: WorkflowRecord, records: Sequence[Record]) -> Mapping[str, str]:
        """What it depends on: the workflow."""
        return {record.ref: record.version}

    def proposed(self, record: WorkflowRecord, finding: Finding, records: Sequence[Record]) -> dict[str, JsonValue]:
        """The arguments with which the rules propose it for a problem."""
        return self.filled(record, {}, records)

    def filled(
        self, record: WorkflowRecord, given: Mapping[str, JsonValue], records: Sequence[Record]
    ) -> dict[str, JsonValue]:
        """These arguments, and of the others those that leave no choice, or the first of a list."""
        limits = self.terms(record.record_id, given, records).limits
        first = {name: _first(limit) for name, limit in limits.items() if isinstance(limit, Exactly | OneOf)}
        return {**first, **given}

    async def row(self, key: str) -> LedgerRow | None:
        """What the ledger has of a key."""
        return await in_thread(self._row, key)

    def now(self) -> datetime:
        """The time, by the clock that is used elsewhere."""
        return self._clock()

    def terms(self, record_id: str, arguments: Mapping[str, JsonValue], records: Sequence[Record]) -> Terms:
        """On what terms it may run; an obstacle where it does not fit."""
        record = workflow_in(records, record_id)
        why = "it is not there any more" if record is None else misnamed(record) or self.unfit(record.state)
        if record is None or why:
            return Terms(answers=self.kinds, limits={}, obstacle=why)
        return Terms(
            answers=self.kinds,
            limits=dict(self.limits(record.state)),
            reads=dict(self.reads(record, records)),
            preview=self.preview(record, arguments, records),
            alike=record.state.alike,
        )


class UndoableWorkflowTool(WorkflowTool, UndoableOutsideTool):
    """One whose effect can be taken back."""


def misnamed(record: WorkflowRecord) -> str:
    """Why nothing is done to a workflow that cannot be named by its own id; nothing where it can."""
    if record.record_id == record.state.workflow_id:
        return ""
    return "its id reads as that of a task queue, by which nothing is done: a person looks at it"


def workflow_in(records: Sequence[Record], record_id: str) -> WorkflowRecord | None:
    """The workflow with that id among records."""
    return next((each for each in records if isinstance(each, WorkflowRecord) and each.record_id == record_id), None)


def event_seen(state: WorkflowState, arguments: Mapping[str, JsonValue]) -> Exactly:
    """The last event that was seen: what is given, where the history has come to it by now, else its last one."""
    seen = arguments.get("event_seen")
    known = isinstance(seen, int) and not isinstance(seen, bool) and 0 < seen <= state.history_length
    return Exactly(value=seen if known else state.history_length)


def _first(limit: Exactly | OneOf) -> JsonValue:
    return limit.value if isinstance(limit, Exactly) else limit.values[0]


def run_of(call: ToolCall) -> WorkflowExecution:
    """The run that the plan saw: a request that names it reaches no other."""
    return WorkflowExecution(workflow_id=call.record_id, run_id=str(call.arguments["run_id"]))


def reason(key: str) -> str:
    """What a call leaves where the server keeps a reason: the key, by which it is found again."""
    return f"{TRACE}{key}"
