"""Activities that ask what Temporal knows of repairs; a workflow cannot."""

from temporalio import activity

from daper.activities.edge import at_edge
from daper.core.messages import RepairIds
from daper.ports import Runs, RunState


class RunActivities:
    """Says which repairs have ended."""

    def __init__(self, *, runs: Runs) -> None:
        self._runs = runs

    @activity.defn(name="find_ended_repairs")
    @at_edge
    async def find_ended_repairs(self, input: RepairIds) -> RepairIds:
        """Those that run no more, whoever ended them."""
        states = await self._runs.states(input.repair_ids)
        return RepairIds(repair_ids=tuple(each for each, state in states.items() if state is not RunState.OPEN))
