"""Activities that write down what others read: the memory and the report. Idempotent by cycle."""

from temporalio import activity

from daper.activities.edge import at_edge
from daper.core.messages import ClaimInput, ClaimResult, ConcludeInput, Published, ReportInput
from daper.ports import Agents, Memory, Reports


class PublishActivities:
    """Keeps the memory and the reports in step with what Temporal knows."""

    def __init__(self, *, memory: Memory, reports: Reports, agents: Agents) -> None:
        self._memory = memory
        self._reports = reports
        self._agents = agents

    @activity.defn(name="claim_findings")
    @at_edge
    async def claim_findings(self, input: ClaimInput) -> ClaimResult:
        """Which findings may be planned for now; they are marked as waiting for this repair."""
        return await self._memory.claim(input)

    @activity.defn(name="conclude_findings")
    @at_edge
    async def conclude_findings(self, input: ConcludeInput) -> None:
        """What became of the claimed findings."""
        await self._memory.conclude(input)

    @activity.defn(name="write_report")
    @at_edge
    async def write_report(self, input: ReportInput) -> Published:
        """Write the report of an ended cycle."""
        report = await self._agents.report(input.result)
        paths = await self._reports.write(input.result.model_copy(update={"report": report}))
        return Published(report=report, paths=paths)
