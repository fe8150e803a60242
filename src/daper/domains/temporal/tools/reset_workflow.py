"""Going back to the last good point of a run: the server makes a new run, and ends the one that was.

The server does not know a request again: asked twice, it resets twice. So each is asked for once, and found by its
reason, which lies in the history of the run that it made and of all that come of that. No run is named: the server then
resets the one that is the latest at that moment, and says in the history which one that was.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import ConfigDict
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest

from daper.core.errors import CannotSettle
from daper.core.limits import Exactly, Limit
from daper.core.models import Change, Risk
from daper.core.text import shown
from daper.domains.temporal.findings import FAILED, TASK_FAILING, TIMED_OUT
from daper.domains.temporal.forecast import forecast
from daper.domains.temporal.histories import RESET
from daper.domains.temporal.history import ResetTrace, RunHistory, history_ref
from daper.domains.temporal.tools.base import reason
from daper.domains.temporal.tools.run_tool import RunArgs, RunTool, fact, failed_by, history_in, names
from daper.domains.temporal.workflow import WorkflowRecord, WorkflowState, workflow_ref
from daper.ports.domain import Record, ToolCall
from daper.stores.once import Deed
from daper.stores.outside import Trace


class ResetArgs(RunArgs):
    """Which run, and to which event of it."""

    model_config = ConfigDict(extra="forbid")
    event: int


class ResetWorkflow(RunTool):
    """Resets a workflow to its last good point. Nothing takes that back; a person can reset the run before."""

    name = RESET
    risk = Risk.HIGH
    args = ResetArgs
    kinds = frozenset({FAILED, TIMED_OUT, TASK_FAILING})
    statuses: ClassVar[frozenset[str]] = frozenset({"Failed", "TimedOut", "Running"})
    does = (
        "Ends the latest run and makes a new one that goes on from the last good point: what was done before it is "
        "kept, all behind it is done again. Only once the cause is gone, and where doing that again does no harm."
    )

    def unfit(self, state: WorkflowState) -> str:
        """Of those that run, it is for those that cannot go on."""
        if state.is_running and not state.task_causes:
            return "it runs, and its workflow tasks do not fail"
        return super().unfit(state)

    def obstacle(self, state: WorkflowState, history: RunHistory) -> str:
        """Where there is no point to go back to."""
        return forecast(history).obstacle

    def bounds(self, history: RunHistory) -> Mapping[str, Limit]:
        """That very point of that very run."""
        return {**super().bounds(history), "event": Exactly(value=forecast(history).point)}

    def reads(self, record: WorkflowRecord, records: Sequence[Record]) -> Mapping[str, str]:
        """The workflow, and each event of its history: what a reset does again depends on them all."""
        history = history_in(records, record.record_id)
        return {record.ref: record.version, history_ref(record.record_id): history.version if history else ""}

    def foretold(self, record: WorkflowRecord, history: RunHistory) -> tuple[Change, ...]:
        """What is kept, what is done again, and what nobody can know."""
        found = forecast(history)
        ref, status = record.ref, record.state.status
        left = "is ended" if record.state.is_running else "stays as it is"
        told = [
            Change(
                record=ref,
                field="run",
                before=f"{status} at event {history.last_event}",
                after=f"a new run goes on from event {found.point}, {found.why}; this one {left}",
            ),
            *self._told(record, found),
        ]
        if found.goes_on:
            told.append(fact(ref, "under way", f"{names(found.goes_on)}: goes on"))
        played = names(found.played_again)
        told.append(fact(ref, "signals and updates", f"{played}: played again" if found.played_again else played))
        if found.forgotten:
            told.append(fact(ref, "requests to cancel", "asked since: the new run is not asked"))
        busy = [each for each in record.state.activities if each.state == "started"]
        if busy:
            at_work = ", ".join(shown(each.type) for each in busy[:5])
            told.append(fact(ref, "at a worker", f"{at_work}: may do its work to the end"))
        if record.state.parent:
            parent = shown(record.state.parent)
            hears = "hears nothing of the new run, where it has heard of the end of this one"
            told.append(fact(ref, "parent", f"{parent}: {hears}"))
        told += [fact(ref, "not known", each) for each in found.unknown]
        told.append(fact(ref, "way back", "none; a person can reset the run before"))
        return tuple(told)

    async def act(self, call: ToolCall) -> Deed:
        """Ask for the reset."""
        request = ResetWorkflowExecutionRequest(
            workflow_execution=WorkflowExecution(workflow_id=call.record_id),
            reason=reason(call.key),
            workflow_task_finish_event_id=_event(call),
            request_id=call.key,
        )
        await self._bench.cluster.change_latest(call.record_id, _run(call), "reset_workflow_execution", request)
        return await self._made(call, call.key)

    async def probe(self, call: ToolCall, *, key: str) -> Trace:
        """The run that this reset made.

        Raises CannotSettle where that was made of another run than the plan saw, and where there is none: a request
        that is under way would still be heard.
        """
        return Trace(deed=await self._made(call, key))

    async def _made(self, call: ToolCall, key: str) -> Deed:
        found = await self._bench.histories.resets_since(call.record_id, _run(call), at=_event(call))
        ours = next((each for each in found if each.reason == reason(key)), None)
        if ours is None:
            raise CannotSettle(await self._unheard(call))
        if ours.base_run_id != _run(call):
            raise CannotSettle(
                f"{call.record_id!r} had another run, {ours.base_run_id}, in the moment of the reset: that one was "
                f"ended, and run {ours.new_run_id} goes on; a person looks at what became of both"
            )
        return await self._deed(call, ours)

    async def _unheard(self, call: ToolCall) -> str:
        """What there is to see where no run tells of this reset."""
        state = await self._bench.cluster.state(call.record_id)
        if state is None:
            seen = "it is not there any more"
        elif state.run_id == _run(call):
            seen = f"run {state.run_id} is still the latest one, and {state.status}"
        else:
            seen = f"run {state.run_id}, which is {state.status}, comes of no reset of ours"
        return f"{call.record_id!r} was to be reset, and nobody can tell whether it still will be: {seen}"

    async def _deed(self, call: ToolCall, ours: ResetTrace) -> Deed:
        before = await self._bench.histories.run(call.record_id, ours.base_run_id)
        return Deed(
            before={"run": ours.base_run_id},
            after={"run": ours.new_run_id, "event": ours.at, "failed_by": failed_by(before)},
            wrote=[workflow_ref(call.record_id)],
            # It goes on by itself at once: there is no version that the reset left.
            versions={workflow_ref(call.record_id): ""},
            evidence=[f"run {ours.base_run_id} was reset to event {ours.at}; run {ours.new_run_id} goes on from there"],
        )


def _run(call: ToolCall) -> str:
    return str(call.arguments["run_id"])


def _event(call: ToolCall) -> int:
    event = call.arguments["event"]
    if not isinstance(event, int):
        raise TypeError(f"an event is a number, and not {event!r}")
    return event
