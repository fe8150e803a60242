"""Activities that write down what others read: the memory and the report. Idempotent by cycle."""

from temporalio import activity

from daper.activities.claims import Claims
from daper.activities.edge import at_edge
from daper.core.errors import ModelError
from daper.core.messages import ClaimInput, ClaimResult, ConcludeInput, CycleRef, Narrated, Published, ReportInput
from daper.core.usage import Usage
from daper.ports import Agents, Memory, Reports, Spending


class PublishActivities:
    """Keeps the memory and the reports in step with what Temporal knows."""

    def __init__(
        self,
        *,
        claims: Claims,
        memory: Memory,
        reports: Reports,
        spending: Spending,
        agents: Agents,
        models: Agents | None = None,
    ) -> None:
        self._claims = claims
        self._memory = memory
        self._reports = reports
        self._spending = spending
        self._agents = agents
        self._models = models

    @activity.defn(name="claim_findings")
    @at_edge
    async def claim_findings(self, input: ClaimInput) -> ClaimResult:
        """Which findings may be planned for now; they are marked as waiting for this repair."""
        return await self._claims.claim(input)

    @activity.defn(name="conclude_findings")
    @at_edge
    async def conclude_findings(self, input: ConcludeInput) -> None:
        """What became of the claimed findings."""
        await self._memory.conclude(input)

    @activity.defn(name="read_spending")
    @at_edge
    async def read_spending(self, input: CycleRef) -> Usage:
        """What a cycle has spent on models, also on answers that never came or did not fit."""
        return await self._spending.of_cycle(input.cycle_id)

    @activity.defn(name="narrate_report")
    @at_edge
    async def narrate_report(self, input: ReportInput) -> Narrated:
        """A model's words for an ended cycle."""
        if self._models is None:
            raise ModelError("this worker has no language model for the report; set LLM_MODEL for it")
        report = await self._models.report(input.result)
        return Narrated(narrative=report.narrative, by=report.narrated_by)

    @activity.defn(name="write_report")
    @at_edge
    async def write_report(self, input: ReportInput) -> Published:
        """Write the report of an ended cycle; a model's words stand beside the numbers, and change none."""
        report = await self._agents.report(input.result)
        spent = input.result.usage.total
        report = report.model_copy(update={"tokens": spent.tokens, "cost": spent.cost})
        if input.told is not None:
            report = report.model_copy(update={"narrative": input.told.narrative, "narrated_by": input.told.by})
        paths = await self._reports.write(input.result.model_copy(update={"report": report}))
        return Published(report=report, paths=paths)
