"""What is the same for tools that make a new run of a workflow: they go by the history of the one that was seen."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final, Protocol

from pydantic import BaseModel, ConfigDict, JsonValue

from daper.core.limits import Exactly, Limit
from daper.core.models import Change
from daper.core.outcomes import Effect, Holding, Postcondition
from daper.core.text import counted, shown
from daper.domains.temporal.cluster import MOST_EVENTS
from daper.domains.temporal.forecast import ResetForecast
from daper.domains.temporal.history import HistoryRecord, RunHistory, history_ref
from daper.domains.temporal.tools.base import WorkflowTool, misnamed, workflow_in
from daper.domains.temporal.workflow import WorkflowRecord, WorkflowState
from daper.ports.domain import Record, Terms, ToolCall

NOTHING: Final = "nothing"

_MOST_NAMES: Final = 12
_LONGEST: Final = 240
_LEFT: Final = "a person looks at it"


class Named(Protocol):
    """What has a name for people."""

    @property
    def label(self) -> str:
        """The name."""
        ...


class RunArgs(BaseModel):
    """Which run."""

    model_config = ConfigDict(extra="forbid")
    run_id: str


class RunTool(WorkflowTool):
    """One that ends what a run has come to, and makes another. `statuses`: of which runs."""

    statuses: ClassVar[frozenset[str]] = frozenset({"Failed", "TimedOut"})
    args = RunArgs

    async def look(self, record_id: str) -> tuple[Record, ...]:
        """The workflow as it is now, and the history of its latest run."""
        records = await self._bench.look(record_id)
        found = workflow_in(records, record_id)
        return records if found is None else (*records, await self._bench.histories.of(found.state))

    def unfit(self, state: WorkflowState) -> str:
        """It is for what has ended, and not well."""
        return "" if state.status in self.statuses else f"it is {state.status}"

    def terms(self, record_id: str, arguments: Mapping[str, JsonValue], records: Sequence[Record]) -> Terms:
        """On what terms it may run, from the history; an obstacle where that says so, or was not read."""
        record, history = workflow_in(records, record_id), history_in(records, record_id)
        if record is None:
            return self._unfit("it is not there any more")
        if why := misnamed(record) or self.unfit(record.state):
            return self._unfit(why)
        if history is None:
            return self._unfit(f"its history was not read: {_LEFT}")
        if history.history is None:
            return self._unfit(f"its history has more than {MOST_EVENTS:,} events: {_LEFT}")
        if why := self.obstacle(record.state, history.history):
            return self._unfit(why)
        return Terms(
            answers=self.kinds,
            limits=dict(self.bounds(history.history)),
            reads=dict(self.reads(record, records)),
            preview=self.foretold(record, history.history),
            alike=record.state.alike,
        )

    @abstractmethod
    def obstacle(self, state: WorkflowState, history: RunHistory) -> str:
        """Why it is not for a run with this history; nothing where it is."""

    @abstractmethod
    def foretold(self, record: WorkflowRecord, history: RunHistory) -> tuple[Change, ...]:
        """What would change."""

    def bounds(self, history: RunHistory) -> Mapping[str, Limit]:
        """What each argument may be: that very run."""
        return {"run_id": Exactly(value=history.run_id)}

    def preview(
        self, record: WorkflowRecord, arguments: Mapping[str, JsonValue], records: Sequence[Record]
    ) -> tuple[Change, ...]:
        """What would change."""
        history = history_in(records, record.record_id)
        return self.foretold(record, history.history) if history and history.history else ()

    def claim(self, call: ToolCall, records: Sequence[Record]) -> str:
        """The run: one key alone makes another of it."""
        return f"run {call.record_id} {call.arguments['run_id']}"

    def judge(self, call: ToolCall, effect: Effect, records: Sequence[Record]) -> Postcondition:
        """Whether the new run was completed, or is past what the run before failed by, and nothing of it fails."""
        record, history = workflow_in(records, call.record_id), history_in(records, call.record_id)
        run_id = str(effect.after.get("run"))
        if record is None:
            return _held(Holding.UNKNOWN, "the workflow is not there any more")
        state = record.state
        seen = history.history if history else None
        if state.run_id != run_id and not (seen and seen.continues(run_id)):
            return _held(Holding.UNKNOWN, f"run {state.run_id} has come after run {run_id}: it is {state.status}")
        if state.status == "Completed":
            return _held(Holding.YES, "the new run was completed")
        if not state.is_running:
            return _held(Holding.NO, f"the new run is {state.status}")
        if state.task_causes:
            causes = "; ".join(map(shown, state.task_causes))
            return _held(Holding.NO, f"the workflow tasks of the new run fail: {causes}")
        if state.run_id != run_id:
            return _gone_on(seen, run_id)
        retried = next((each for each in state.activities if each.attempt > 1), None)
        if retried is not None:
            told = f"activity {shown(retried.type)} of the new run is at attempt {retried.attempt}: {retried.cause}"
            return _held(Holding.WAITING, told)
        since = effect.after.get("event")
        return _progress(seen, since if isinstance(since, int) else 0, str(effect.after.get("failed_by") or ""))

    def _unfit(self, why: str) -> Terms:
        return Terms(answers=self.kinds, limits={}, obstacle=why)

    def _told(self, record: WorkflowRecord, forecast: ResetForecast) -> list[Change]:
        """What is done again, tried again and kept, and what runs twice by that."""
        ref = record.ref
        told = [
            fact(ref, "kept", names(forecast.kept)),
            fact(ref, "done again", names(forecast.done_again)),
            fact(ref, "tried again", names(forecast.tried_again)),
        ]
        if forecast.beside:
            beside = f"{names(forecast.beside)}: runs on, or may, beside the one that is started once more"
            told.append(fact(ref, "still running", beside))
        return told


def fact(ref: str, field: str, told: str) -> Change:
    """What is to be known beside what changes: as it stands on both sides, every door tells it once, as no change."""
    return Change(record=ref, field=field, before=told, after=told)


def history_in(records: Sequence[Record], workflow_id: str) -> HistoryRecord | None:
    """The history of the workflow with that id among records."""
    ref = history_ref(workflow_id)
    return next((each for each in records if isinstance(each, HistoryRecord) and each.ref == ref), None)


def names(steps: Iterable[Named]) -> str:
    """What these are called, each once with its number."""
    found = Counter(shown(each.label) for each in steps)
    told = [name if number == 1 else f"{name} ×{number:,}" for name, number in found.items()]
    more = [f"and {counted(len(told) - _MOST_NAMES, 'other')}"] if len(told) > _MOST_NAMES else []
    return shown(", ".join([*told[:_MOST_NAMES], *more]), longest=_LONGEST) or NOTHING


def failed_by(history: RunHistory) -> str:
    """What the run failed by, or ""."""
    return next((each.label for each in history.steps if each.at == history.culprit), "")


def _gone_on(history: RunHistory | None, run_id: str) -> Postcondition:
    """Of a run that another has followed, which runs and of which nothing fails: whether it ended well."""
    if history is None:
        return _held(Holding.UNKNOWN, f"another run has followed run {run_id}, and its history is too long to be read")
    if history.failed_before:
        return _held(Holding.NO, "the new run failed, and is tried again as another, as its retry policy says")
    return _held(Holding.YES, "the new run has continued as another, which goes on")


def _progress(history: RunHistory | None, since: int, culprit: str) -> Postcondition:
    """Of one that runs, and of which nothing fails: whether it has got past what failed before."""
    if history is None:
        return _held(Holding.UNKNOWN, "the history of the new run is too long to be read")
    if not any(each > since for each in history.tasks):
        return _held(Holding.WAITING, "the new run waits for a worker")
    done = any(each.label == culprit and each.closed > since and each.outcome == "completed" for each in history.steps)
    if culprit and not done:
        return _held(Holding.WAITING, f"the new run goes on, and {shown(culprit)} is not completed yet")
    past = f"past {shown(culprit)}" if culprit else "with its next workflow task completed"
    return _held(Holding.YES, f"the new run goes on, {past}, and nothing of it fails")


def _held(holding: Holding, evidence: str) -> Postcondition:
    return Postcondition(holding=holding, evidence=evidence)
