"""Sending a signal that is allowed. The server knows the key of a request, also once the workflow has closed.

A request names the run: after a reset it reaches nobody, so that a signal is never sent a second time. What is sent is
plain JSON: our codec is ours, and no worker of others could read it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from pydantic import BaseModel, ConfigDict, JsonValue
from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest
from temporalio.converter import DataConverter

from daper.clock import agreed_now
from daper.core.errors import ActionFailed
from daper.core.limits import Exactly, Limit, OneOf
from daper.core.models import Change, Finding, Risk
from daper.core.outcomes import Effect, Holding, Postcondition
from daper.core.text import shown
from daper.domains.temporal.findings import ACTIVITY_RETRYING, OPERATION_RETRYING, PAUSED, TOO_LONG, workflow_findings
from daper.domains.temporal.tools.allowed_signals import AllowedSignal, allowed_signals, default, written
from daper.domains.temporal.tools.base import Workbench, event_seen, reason, run_of, workflow_in
from daper.domains.temporal.tools.running import RunningTool
from daper.domains.temporal.workflow import WorkflowRecord, WorkflowState, workflow_ref
from daper.ports.domain import Record, Terms, ToolCall
from daper.stores.once import Deed


class SignalArgs(BaseModel):
    """Which signal to which run, up to which event that was seen; a signal of that name behind it is somebody else's.

    Its own arguments stand beside, each within the limit that is set for it.
    """

    model_config = ConfigDict(extra="allow")
    run_id: str
    signal: str
    event_seen: int


class SignalWorkflow(RunningTool):
    """Sends one of the signals that are allowed."""

    name = "signal"
    risk = Risk.MEDIUM
    args = SignalArgs
    kinds = frozenset({TOO_LONG, ACTIVITY_RETRYING, OPERATION_RETRYING, PAUSED})
    does = (
        "Sends a workflow one of the signals that are allowed, with arguments within their limits. For what waits for "
        "just that. It cannot be taken back."
    )

    def __init__(self, bench: Workbench, *, clock: Callable[[], datetime] = agreed_now) -> None:
        """Raises SettingError where the signals that are allowed are not written as they must be."""
        super().__init__(bench, clock=clock)
        self._allowed = allowed_signals(bench.options.signals, kinds=self.kinds)

    def unfit(self, state: WorkflowState) -> str:
        """It is for what runs, and may be sent one."""
        if why := super().unfit(state):
            return why
        if not self._allowed:
            return "no signal is allowed: list those that may be sent in DAPER_TEMPORAL_SIGNALS"
        found = self._for(state)
        if not found:
            return f"no signal is allowed for {shown(state.type)!r}"
        return "" if any(not _unheard(state, each) for each in found) else _unheard(state, found[0])

    def terms(self, record_id: str, arguments: Mapping[str, JsonValue], records: Sequence[Record]) -> Terms:
        """On what terms it may run; those of the signal that is named."""
        terms = super().terms(record_id, arguments, records)
        record = workflow_in(records, record_id)
        if terms.obstacle or record is None:
            return terms
        state = record.state
        heard = [each for each in self._for(state) if not _unheard(state, each)]
        name = arguments.get("signal", heard[0].name if len(heard) == 1 else None)
        signal = next((each for each in heard if each.name == name), None)
        limits: dict[str, Limit] = {
            **terms.limits,
            "signal": OneOf(values=tuple(each.name for each in heard)),
            "event_seen": event_seen(state, arguments),  # it goes on beside
        }
        if signal is None:
            return replace(terms, limits=limits, findings=frozenset())
        limits |= {"signal": Exactly(value=signal.name), **signal.limits}
        if "run_id" in arguments and (missing := signal.limits.keys() - arguments.keys()):
            # What leaves no choice has been filled in by then: the rest is for whoever proposes it.
            why = f"signal {shown(signal.name)!r} needs {', '.join(sorted(missing))}"
            return replace(terms, limits={}, reads={}, preview=(), obstacle=why)
        fingerprints = frozenset(
            each.fingerprint
            for each in workflow_findings(state, self._bench.options, self.now())
            if each.kind in self.kinds and signal.repairs(each.kind, state.type)
        )
        return replace(terms, limits=limits, findings=fingerprints)

    def proposed(self, record: WorkflowRecord, finding: Finding, records: Sequence[Record]) -> dict[str, JsonValue]:
        """The first signal that is allowed for just that, else the only one, with the first values, or the least."""
        suitable = [each for each in self._for(record.state) if not each.purposes]
        only = suitable[0] if len(suitable) == 1 else None
        signal = self.meant_for(finding.kind, record.state) or only
        if signal is None:
            return {}
        own = {name: default(limit) for name, limit in signal.limits.items()}
        run_id, seen = record.state.run_id, record.state.history_length
        return {"run_id": run_id, "signal": signal.name, "event_seen": seen, **own}

    def meant_for(self, kind: str, state: WorkflowState) -> AllowedSignal | None:
        """The first signal that is allowed for just that problem, and taken as far as one knows."""
        fitting = [each for each in self._for(state) if each.fits(kind, state.type) and not _unheard(state, each)]
        return next(iter(fitting), None)

    def preview(
        self, record: WorkflowRecord, arguments: Mapping[str, JsonValue], records: Sequence[Record]
    ) -> tuple[Change, ...]:
        """What is sent, and whether the workflow has a handler for it."""
        signal = next((each for each in self._for(record.state) if each.name == arguments.get("signal")), None)
        if signal is None or signal.limits.keys() - arguments.keys():
            return ()
        if record.state.handlers is None:
            heard = "whether it has a handler for it cannot be known: no worker says so"
        elif signal.name in record.state.handlers:
            heard = f"it has a handler named {shown(signal.name)!r}"
        else:
            heard = "it has a handler for signals of any name"
        sent = shown(written(signal.payload(arguments)), longest=300)
        after = f"sent once, with {sent}; {heard}"
        return (Change(record=record.ref, field=f"signal {shown(signal.name)!r}", before="not sent", after=after),)

    async def act(self, call: ToolCall) -> Deed:
        """Send it; the key of the request is the call's."""
        signal = next((each for each in self._allowed if each.name == call.arguments["signal"]), None)
        if signal is None or signal.limits.keys() - call.arguments.keys():
            raise ActionFailed("the signal is not allowed any more, or lacks an argument; nothing was changed")
        await self._not_sent_by_others(call, signal.name)
        request = SignalWorkflowExecutionRequest(
            workflow_execution=run_of(call),
            signal_name=signal.name,
            input=Payloads(payloads=await DataConverter.default.encode(signal.payload(call.arguments))),
            identity=reason(call.key),
            request_id=call.key,
        )
        await self._bench.cluster.change("signal_workflow_execution", request)
        return self.deed(call)

    async def holds(self, call: ToolCall, effect: Effect) -> Postcondition:
        """Whether its history has it, and what came of it."""
        found, _ = await self.traced(call, call.key)
        if not found and await self.runs(call):  # what comes while a task is at a worker is written down behind it
            return Postcondition(holding=Holding.WAITING, evidence="the signal is not in its history yet")
        if not found:
            return Postcondition(holding=Holding.NO, evidence="that run has ended without the signal")
        return await super().holds(call, effect)

    def judge(self, call: ToolCall, effect: Effect, records: Sequence[Record]) -> Postcondition:
        """Whether its problem is gone: sending is asking, and no repair by itself."""
        record = workflow_in(records, call.record_id)
        if record is None or record.state.run_id != call.arguments["run_id"] or not record.state.is_running:
            return Postcondition(holding=Holding.YES, evidence="the signal is in its history, and that run is over")
        left = workflow_findings(record.state, self._bench.options, self.now())
        if any(each.kind in self.kinds for each in left):
            told = "the signal is in its history; the workflow has not got on by it yet"
            return Postcondition(holding=Holding.WAITING, evidence=told)
        return Postcondition(holding=Holding.YES, evidence="the signal is in its history, and the workflow goes on")

    def is_trace(self, event: HistoryEvent, key: str) -> bool:
        """A signal with that key; older servers keep the identity alone."""
        if event.event_type != EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
            return False
        attributes = event.workflow_execution_signaled_event_attributes
        return attributes.request_id == key or attributes.identity == reason(key)

    def deed(self, call: ToolCall) -> Deed:
        """It is sent."""
        name = str(call.arguments["signal"])
        return Deed(
            before={"signal": "not sent"},
            after={"signal": name},
            wrote=[workflow_ref(call.record_id)],
            evidence=[f"signal {shown(name)!r} was sent once"],
        )

    async def _not_sent_by_others(self, call: ToolCall, name: str) -> None:
        """Raises ActionFailed where the run has heard such a signal since the plan saw it: twice is for a person."""
        run, seen = run_of(call), call.arguments["event_seen"]
        async for event in self._bench.cluster.latest_events(run.workflow_id, run.run_id):
            if not isinstance(seen, int) or event.event_id <= seen:
                return
            heard = event.workflow_execution_signaled_event_attributes.signal_name
            if heard == name and not self.is_trace(event, call.key):
                raise ActionFailed(f"somebody else has sent the signal {shown(name)!r} since; it was not sent again")

    def _for(self, state: WorkflowState) -> list[AllowedSignal]:
        return [each for each in self._allowed if each.suits(state.type)]


def _unheard(state: WorkflowState, signal: AllowedSignal) -> str:
    """Why a workflow would not take a signal, where that is known."""
    handlers = state.handlers
    if handlers is None or signal.name in handlers or "" in handlers:
        return ""
    known = ", ".join(shown(each) for each in sorted(handlers)[:10]) or "none"
    return f"it has no handler for the signal {shown(signal.name)!r}; it has: {known}"
