"""Starting a workflow that has failed once more, from the beginning, with what it was started with.

The server knows a request to start by its id, and tells so in what it says of the run, so that asking twice starts one.
"""

from typing import Final

from google.protobuf.message import Message
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowIdConflictPolicy, WorkflowIdReusePolicy
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest, TerminateWorkflowExecutionRequest

from daper.core.errors import ActionFailed
from daper.core.models import Change, Risk
from daper.core.outcomes import Effect
from daper.core.text import shown
from daper.domains.temporal.findings import FAILED, TIMED_OUT
from daper.domains.temporal.forecast import forecast_at, refused_children
from daper.domains.temporal.histories import START_AGAIN
from daper.domains.temporal.history import RunHistory, payloads_in
from daper.domains.temporal.inputs import input_words
from daper.domains.temporal.tools.base import UndoableWorkflowTool, reason, workflow_in
from daper.domains.temporal.tools.run_tool import RunTool, fact, failed_by, names
from daper.domains.temporal.workflow import WorkflowRecord, WorkflowState
from daper.ports.domain import Record, ToolCall
from daper.stores.once import Deed
from daper.stores.outside import Trace

_SAME: Final = (
    "workflow_type",
    "input",
    "workflow_execution_timeout",
    "workflow_run_timeout",
    "workflow_task_timeout",
    "retry_policy",
    "memo",
    "search_attributes",
    "header",
    "versioning_override",
    "priority",
)
"""What the new run has as the one before, under the name that both the event and the request have for it."""


class StartAgain(RunTool, UndoableWorkflowTool):
    """Starts a workflow anew; undoing it ends the new run, while that is not over."""

    name = START_AGAIN
    risk = Risk.HIGH
    kinds = frozenset({FAILED, TIMED_OUT})
    does = (
        "Starts the workflow once more from the beginning, with the same input: all that the run before had done is "
        "done again. Only once the cause is gone, and where doing it all again does no harm."
    )
    repeatable = True

    async def look(self, record_id: str) -> tuple[Record, ...]:
        """The workflow with its history, and its latest run as that which one may end again."""
        records = await super().look(record_id)
        found = workflow_in(records, record_id)
        return records if found is None else (*records, _run_record(found.state))

    def obstacle(self, state: WorkflowState, history: RunHistory) -> str:
        """Where somebody else starts it, or waits for it."""
        started = history.started
        if started is None:
            return "what it was started with cannot be read"
        if state.parent:
            return (
                f"it is a child of {shown(state.parent)!r}, which has been told of its end and would not hear of the "
                "new run: start the parent again, or reset it"
            )
        if started.cron_schedule:
            return f"it runs by a cron schedule, {shown(started.cron_schedule)!r}: a person starts it, with that or not"
        if started.completion_callbacks:
            return "somebody waits for it through Nexus, has been told of its end, and would not hear of the new run"
        return refused_children(history.steps)

    def foretold(self, record: WorkflowRecord, history: RunHistory) -> tuple[Change, ...]:
        """What it is started with, and what of the last time is done again."""
        again = forecast_at(history, 0)
        ref = record.ref
        begun = "a new run starts from the beginning"
        if history.continued_from:
            begun += " of the latest one: those that it continues from stay as they are"
        told = [
            Change(record=ref, field="run", before=record.state.status, after=begun),
            fact(ref, "input", input_words(payloads_in(history), hide=self._bench.options.hide)),
            *self._told(record, again),
        ]
        if history.heard:
            told.append(fact(ref, "signals and updates", f"{names(history.heard)}: not sent again"))
        told += [fact(ref, "not known", each) for each in again.unknown]
        return tuple(told)

    async def act(self, call: ToolCall) -> Deed:
        """Ask for the start; the server refuses where another run is there that has not failed."""
        before = await self._bench.histories.run(call.record_id, _run(call))
        if before.started is None:
            raise ActionFailed(f"run {_run(call)} of {call.record_id!r} is not there any more; nothing was started")
        request = StartWorkflowExecutionRequest(
            workflow_id=call.record_id,
            task_queue=TaskQueue(name=before.started.task_queue.name),
            request_id=call.key,
            workflow_id_reuse_policy=WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
            workflow_id_conflict_policy=WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
        )
        for name in _SAME:
            _copy(before.started, request, name)
        if before.metadata is not None:
            request.user_metadata.CopyFrom(before.metadata)
        answer = await self._bench.cluster.change_latest(
            call.record_id, _run(call), "start_workflow_execution", request
        )
        return _started(call, answer.run_id, failed_by(before))  # pyright: ignore[reportAttributeAccessIssue, reportUnknownArgumentType, reportUnknownMemberType] - the answer to that

    async def take_back(self, call: ToolCall, done: Effect, originals: str, *, key: str) -> Deed:
        """End the new run; the server refuses where that is over."""
        run_id = str(done.after["run"])
        request = TerminateWorkflowExecutionRequest(
            workflow_execution=WorkflowExecution(workflow_id=call.record_id, run_id=run_id), reason=reason(key)
        )
        await self._bench.cluster.change("terminate_workflow_execution", request)
        return _ended(call, run_id)

    async def probe(self, call: ToolCall, *, key: str) -> Trace:
        """The run with this key as the id of its request, or, of undoing, whether that was ended with this key."""
        run_id = await self._bench.histories.started_by(call.record_id, call.key)
        if not run_id:
            return Trace()
        if key == call.key:
            return Trace(deed=_started(call, run_id, failed_by(await self._before(call))))
        event = await self._bench.cluster.last_event(call.record_id, run_id)
        words = event.workflow_execution_terminated_event_attributes.reason if event is not None else ""
        return Trace(deed=_ended(call, run_id) if words == reason(key) else None)

    async def _before(self, call: ToolCall) -> RunHistory:
        return await self._bench.histories.run(call.record_id, _run(call))


def _copy(event: Message, request: Message, name: str) -> None:
    """A field that is set there is set here, as it is."""
    value = getattr(event, name)
    if event.HasField(name):
        getattr(request, name).CopyFrom(value)


def _run(call: ToolCall) -> str:
    return str(call.arguments["run_id"])


def _run_ref(workflow_id: str) -> str:
    return f"runs/{workflow_id}"


def _version(run_id: str, *, is_running: bool) -> str:
    return f"{run_id} {'running' if is_running else 'over'}"


def _run_record(state: WorkflowState) -> Record:
    ref = _run_ref(state.workflow_id)
    return Record(ref=ref, record_id=ref, version=_version(state.run_id, is_running=state.is_running), data={})


def _started(call: ToolCall, run_id: str, culprit: str) -> Deed:
    ref = _run_ref(call.record_id)
    return Deed(
        before={"run": _run(call)},
        after={"run": run_id, **({"failed_by": culprit} if culprit else {})},
        wrote=[ref],
        # Of the workflow itself all changes as it goes on: what may be taken back is a run that is not over.
        versions={ref: _version(run_id, is_running=True)},
        evidence=[f"run {run_id} was started with the input of run {_run(call)}"],
    )


def _ended(call: ToolCall, run_id: str) -> Deed:
    ref = _run_ref(call.record_id)
    return Deed(
        before={"run": run_id},
        after={"ended": run_id},
        wrote=[ref],
        versions={ref: _version(run_id, is_running=False)},
        evidence=[f"run {run_id} was ended"],
    )
