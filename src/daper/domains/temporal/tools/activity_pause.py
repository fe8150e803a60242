"""Letting a paused activity go on, and pausing one: the server keeps a state, so that asking twice changes it once."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, JsonValue
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import PauseActivityRequest, UnpauseActivityRequest

from daper.core.limits import Limit, OneOf
from daper.core.models import Change, Risk
from daper.core.outcomes import Effect, Holding, Postcondition
from daper.domains.temporal.findings import PAUSED
from daper.domains.temporal.tools.base import UndoableWorkflowTool, reason, workflow_in
from daper.domains.temporal.workflow import PendingActivity, WorkflowRecord, WorkflowState, workflow_ref
from daper.ports.domain import Record, ToolCall
from daper.stores.once import Deed
from daper.stores.outside import Trace


class ActivityArgs(BaseModel):
    """Which activity."""

    model_config = ConfigDict(extra="forbid")
    activity_id: str


class UnpauseActivity(UndoableWorkflowTool):
    """Lets a paused activity go on; undoing it pauses the activity again."""

    name = "unpause_activity"
    risk = Risk.LOW
    args = ActivityArgs
    kinds = frozenset({PAUSED})
    does = (
        "Lets an activity go on that was paused, at its next attempt. Not when the reason for the pause still stands."
    )
    repeatable = True

    def unfit(self, state: WorkflowState) -> str:
        """It is for what is paused."""
        return "" if _paused(state) else "no activity of it is paused"

    def limits(self, state: WorkflowState) -> Mapping[str, Limit]:
        """Those that are paused."""
        return {"activity_id": OneOf(values=tuple(each.id for each in _paused(state)))}

    def preview(
        self, record: WorkflowRecord, arguments: Mapping[str, JsonValue], records: Sequence[Record]
    ) -> tuple[Change, ...]:
        """The flag."""
        activity = record.state.activity(str(arguments.get("activity_id"))) or _paused(record.state)[0]
        return (Change(record=record.ref, field=f"activity {activity.type}", before="paused", after="going on"),)

    async def act(self, call: ToolCall) -> Deed:
        """Ask for the flag to be taken off."""
        activity_id = str(call.arguments["activity_id"])
        request = UnpauseActivityRequest(execution=WorkflowExecution(workflow_id=call.record_id), id=activity_id)
        await self._bench.cluster.change("unpause_activity", request)
        return self._deed(call, paused=False)

    async def take_back(self, call: ToolCall, done: Effect, originals: str, *, key: str) -> Deed:
        """Pause it again."""
        request = PauseActivityRequest(
            execution=WorkflowExecution(workflow_id=call.record_id),
            id=str(call.arguments["activity_id"]),
            reason=reason(call, key),
        )
        await self._bench.cluster.change("pause_activity", request)
        return self._deed(call, paused=True)

    async def probe(self, call: ToolCall, *, key: str) -> Trace:
        """The flag as it is: whoever set it, what was asked for is so."""
        record = workflow_in(await self.look(call.record_id), call.record_id)
        activity = record.state.activity(str(call.arguments["activity_id"])) if record else None
        if activity is None:
            return Trace()
        wanted = key != call.key
        return Trace(deed=self._deed(call, paused=wanted) if activity.paused is wanted else None)

    def judge(self, call: ToolCall, effect: Effect, records: Sequence[Record]) -> Postcondition:
        """Whether it is not paused any more."""
        record = workflow_in(records, call.record_id)
        activity = record.state.activity(str(call.arguments["activity_id"])) if record else None
        if activity is not None and activity.paused:
            return Postcondition(holding=Holding.NO, evidence="the activity is paused")
        told = "the activity has ended" if activity is None else f"the activity goes on, at attempt {activity.attempt}"
        return Postcondition(holding=Holding.YES, evidence=told)

    def _deed(self, call: ToolCall, *, paused: bool) -> Deed:
        words = {True: "paused", False: "going on"}
        return Deed(
            before={"activity": words[not paused]},
            after={"activity": words[paused]},
            wrote=[workflow_ref(call.record_id)],
            evidence=[f"activity {call.arguments['activity_id']} is {words[paused]}"],
        )


def _paused(state: WorkflowState) -> list[PendingActivity]:
    return [each for each in state.activities if each.paused]
