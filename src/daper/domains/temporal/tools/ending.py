"""Ending a workflow: asking it to cancel itself, and ending it without asking. Neither is proposed unless it is set."""

from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import JsonValue
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import RequestCancelWorkflowExecutionRequest, TerminateWorkflowExecutionRequest

from daper.core.errors import ActionFailed
from daper.core.models import Change, Risk
from daper.core.outcomes import Effect, Holding, Postcondition
from daper.core.text import counted
from daper.domains.temporal.findings import (
    ACTIVITY_RETRYING,
    OPERATION_RETRYING,
    PAUSED,
    TASK_FAILING,
    TOO_LONG,
    VERSION_SILENT,
)
from daper.domains.temporal.tools.base import reason, run_of, workflow_in
from daper.domains.temporal.tools.running import RunningTool
from daper.domains.temporal.workflow import WorkflowRecord, WorkflowState, workflow_ref
from daper.ports.domain import Record, ToolCall
from daper.stores.once import Deed

ENDABLE: Final = frozenset({TOO_LONG, ACTIVITY_RETRYING, OPERATION_RETRYING, PAUSED, TASK_FAILING, VERSION_SILENT})
"""What may be ended where that is set: whatever is wrong with one that runs."""


class CancelWorkflow(RunningTool):
    """Asks a workflow to cancel itself."""

    name = "cancel_workflow"
    risk = Risk.MEDIUM
    kinds = ENDABLE
    does = (
        "Asks a workflow to cancel itself: it may tidy up first, and may go on all the same. For what nobody waits for "
        "any more. It cannot be taken back."
    )

    def unfit(self, state: WorkflowState) -> str:
        """Once is enough."""
        return super().unfit(state) or ("it has been asked to cancel itself" if state.cancel_requested else "")

    def preview(
        self, record: WorkflowRecord, arguments: Mapping[str, JsonValue], records: Sequence[Record]
    ) -> tuple[Change, ...]:
        """The request; what comes of it is for the workflow."""
        after = f"asked to cancel itself{_beside(record.state, 'cancelled as it says')}"
        return (Change(record=record.ref, field="status", before=_before(record.state), after=after),)

    async def act(self, call: ToolCall) -> Deed:
        """Ask it, by the key of the call. A server says yes also of a run that has ended: what came of it shows."""
        request = RequestCancelWorkflowExecutionRequest(
            workflow_execution=run_of(call), request_id=call.key, reason=reason(call.key), identity=reason(call.key)
        )
        await self._bench.cluster.change("request_cancel_workflow_execution", request)
        if not await self.runs(call) and not (await self.traced(call, call.key))[0]:
            raise ActionFailed("that run had ended before it was asked; nothing was changed")
        return self.deed(call)

    def is_trace(self, event: HistoryEvent, key: str) -> bool:
        """A request with that key."""
        if event.event_type != EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
            return False
        attributes = event.workflow_execution_cancel_requested_event_attributes
        return reason(key) in (attributes.cause, attributes.identity)

    def deed(self, call: ToolCall) -> Deed:
        """It is asked."""
        return _deed(call, "asked to cancel itself")

    def judge(self, call: ToolCall, effect: Effect, records: Sequence[Record]) -> Postcondition:
        """Whether it has ended; until then it was only asked."""
        return _ended(call, records, runs=Holding.WAITING)


class TerminateWorkflow(RunningTool):
    """Ends a workflow at once, without asking it."""

    name = "terminate_workflow"
    risk = Risk.HIGH
    kinds = ENDABLE
    does = (
        "Ends a workflow at once: no code of it runs any more, and nothing is tidied up. For what cannot even be "
        "cancelled. It cannot be taken back; a reset can revive it."
    )

    def preview(
        self, record: WorkflowRecord, arguments: Mapping[str, JsonValue], records: Sequence[Record]
    ) -> tuple[Change, ...]:
        """The end, and what goes with it."""
        after = f"terminated, and nothing is tidied up{_beside(record.state, 'given up')}"
        return (Change(record=record.ref, field="status", before=_before(record.state), after=after),)

    async def act(self, call: ToolCall) -> Deed:
        """End it; the reason is the trace."""
        request = TerminateWorkflowExecutionRequest(
            workflow_execution=run_of(call), reason=reason(call.key), identity=reason(call.key)
        )
        await self._bench.cluster.change("terminate_workflow_execution", request)
        return self.deed(call)

    def is_trace(self, event: HistoryEvent, key: str) -> bool:
        """The end by that key."""
        if event.event_type != EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
            return False
        attributes = event.workflow_execution_terminated_event_attributes
        return reason(key) in (attributes.reason, attributes.identity)

    def deed(self, call: ToolCall) -> Deed:
        """It is over."""
        return _deed(call, "terminated")

    def judge(self, call: ToolCall, effect: Effect, records: Sequence[Record]) -> Postcondition:
        """Whether it is over."""
        return _ended(call, records, runs=Holding.NO)


def _before(state: WorkflowState) -> str:
    return f"running, {counted(state.history_length, 'event')} in its history"


def _beside(state: WorkflowState, becomes: str) -> str:
    """What is under way in a workflow, and what becomes of it."""
    number = len(state.activities)
    activities = "pending activity is" if number == 1 else "pending activities are"
    told = f"; {number:,} {activities} {becomes}" if number else ""
    if state.children:
        children = f"{len(state.children):,} {'child' if len(state.children) == 1 else 'children'}"
        told += f"; what becomes of its {children}, the parent close policy of each says"
    return told


def _ended(call: ToolCall, records: Sequence[Record], *, runs: Holding) -> Postcondition:
    """Whether the run of a call is over, and nothing of it goes on; `runs`: what it means that it is not over."""
    record = workflow_in(records, call.record_id)
    if record is None:
        return Postcondition(holding=Holding.YES, evidence="that run is over")
    state = record.state
    if state.run_id == call.arguments["run_id"]:
        holding = runs if state.is_running else Holding.YES
        still = ", and still not over" if state.is_running else ""
        return Postcondition(holding=holding, evidence=f"that run is {state.status.casefold()}{still}")
    if state.is_running and state.first_run_id not in ("", state.run_id):
        told = f"that run is over, and it goes on as run {state.run_id}"
        return Postcondition(holding=Holding.NO, evidence=told)
    return Postcondition(holding=Holding.YES, evidence="that run is over")


def _deed(call: ToolCall, what: str) -> Deed:
    return Deed(
        before={"status": "running"},
        after={"status": what},
        wrote=[workflow_ref(call.record_id)],
        evidence=[f"the workflow was {what}"],
    )
