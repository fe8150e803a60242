"""What is the same for the tools that ask something of a running workflow, of which its history keeps the trace."""

from abc import abstractmethod
from collections.abc import Mapping

from temporalio.api.history.v1 import HistoryEvent

from daper.core.limits import Exactly, Limit
from daper.domains.temporal.tools.base import WorkflowTool, run_of, workflow_in
from daper.domains.temporal.tools.run_tool import RunArgs
from daper.domains.temporal.workflow import WorkflowState
from daper.ports.domain import ToolCall
from daper.stores.once import Deed
from daper.stores.outside import Trace


class RunningTool(WorkflowTool):
    """A tool on the running run that the plan saw; the server takes a request once, or keeps a state."""

    args = RunArgs
    repeatable = True

    @abstractmethod
    def is_trace(self, event: HistoryEvent, key: str) -> bool:
        """Whether an event is what a request with this key left."""

    @abstractmethod
    def deed(self, call: ToolCall) -> Deed:
        """What it did."""

    def unfit(self, state: WorkflowState) -> str:
        """It is for what runs."""
        return "" if state.is_running else "it has ended"

    def limits(self, state: WorkflowState) -> Mapping[str, Limit]:
        """The run, and no other."""
        return {"run_id": Exactly(value=state.run_id)}

    async def probe(self, call: ToolCall, *, key: str) -> Trace:
        """Whether its history has the trace. A run that is over takes no request any more."""
        runs = await self.runs(call)  # first: what is over stays as it is
        found, whole = await self.traced(call, key)
        return Trace(deed=self.deed(call)) if found else Trace(final=whole and not runs)

    async def runs(self, call: ToolCall) -> bool:
        """Whether the run of a call is not over."""
        record = workflow_in(await self.look(call.record_id), call.record_id)
        return record is not None and record.state.is_running and record.state.run_id == call.arguments["run_id"]

    async def traced(self, call: ToolCall, key: str) -> tuple[bool, bool]:
        """Whether the trace of a key is there, and whether the history was read down to its first event."""
        run, first = run_of(call), 0
        async for event in self._bench.cluster.latest_events(run.workflow_id, run.run_id):
            if self.is_trace(event, key):
                return True, False
            first = event.event_id
        return False, first == 1
