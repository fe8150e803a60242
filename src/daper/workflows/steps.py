"""The steps of a cycle as typed calls: which activity, on which queue, with which options."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from daper.activities.diagnosis import DiagnoseActivities
    from daper.activities.publication import PublishActivities
    from daper.activities.repair import RepairActivities
    from daper.core.messages import (
        Advice,
        AnalyzeInput,
        AnalyzeResult,
        ClaimInput,
        ClaimResult,
        ConcludeInput,
        CycleRef,
        DetectInput,
        DetectResult,
        DivideInput,
        DivideResult,
        Narrated,
        OpenCycleInput,
        OpenCycleResult,
        PlanInput,
        ProposeInput,
        Published,
        ReportInput,
        VerifyInput,
    )
    from daper.core.models import Plan
    from daper.core.outcomes import Verification
    from daper.core.usage import Usage
    from daper.workflows import options
    from daper.workflows.patience import ANY, Patience
    from daper.workflows.queues import models_queue


class Steps:
    """Every step but the effects, on the queue of the store that the repair is for."""

    def __init__(self, queue: str, patience: Patience) -> None:
        self._queue = queue
        self._patience = patience
        self._models = models_queue(queue)

    async def open(self, given: OpenCycleInput) -> OpenCycleResult:
        """Ask the store who it is, and what day."""
        return await self._patience.run(
            lambda how: workflow.execute_activity_method(DiagnoseActivities.open_cycle, given, **how),
            lambda: options.read(self._queue),
        )

    async def divide(self, given: DivideInput) -> DivideResult:
        """Divide records into batches for a model."""
        return await self._patience.run(
            lambda how: workflow.execute_activity_method(DiagnoseActivities.divide_work, given, **how),
            lambda: options.think(self._queue),
            paid=True,
        )

    async def detect(self, given: DetectInput) -> DetectResult:
        """Find suspects."""
        config = options.think(self._models) if given.by_model else options.search(self._queue)
        return await self._patience.run(
            lambda how: workflow.execute_activity_method(DiagnoseActivities.detect_problems, given, **how),
            lambda: config,
            paid=given.by_model,
        )

    async def analyze(self, given: AnalyzeInput) -> AnalyzeResult:
        """Find what is wrong with them."""
        config = options.think(self._models) if given.by_model else options.read(self._queue)
        return await self._patience.run(
            lambda how: workflow.execute_activity_method(DiagnoseActivities.analyze_problems, given, **how),
            lambda: config,
            paid=given.by_model,
        )

    async def propose(self, given: ProposeInput) -> Advice:
        """Ask a model what it would do."""
        return await self._patience.run(
            lambda how: workflow.execute_activity_method(DiagnoseActivities.propose_actions, given, **how),
            lambda: options.think(self._models),
            paid=True,
        )

    async def narrate(self, given: ReportInput) -> Narrated:
        """Ask a model for its words."""
        return await self._patience.run(
            lambda how: workflow.execute_activity_method(PublishActivities.narrate_report, given, **how),
            lambda: options.think(self._models),
            paid=True,
        )

    async def spending(self, given: CycleRef) -> Usage:
        """Ask what the models took."""
        return await self._patience.run(
            lambda how: workflow.execute_activity_method(PublishActivities.read_spending, given, **how),
            lambda: options.publish(self._queue),
            last_word=True,
        )

    async def claim(self, given: ClaimInput) -> ClaimResult:
        """Ask the memory what may be planned for."""
        return await self._patience.run(
            lambda how: workflow.execute_activity_method(PublishActivities.claim_findings, given, **how),
            lambda: options.publish(self._queue),
        )

    async def plan(self, given: PlanInput) -> Plan:
        """Propose actions."""
        return await self._patience.run(
            lambda how: workflow.execute_activity_method(DiagnoseActivities.plan_repair, given, **how),
            lambda: options.read(self._queue),
        )

    async def verify(self, given: VerifyInput) -> Verification:
        """Look whether it helped."""
        return await self._patience.run(
            lambda how: workflow.execute_activity_method(RepairActivities.verify_repair, given, **how),
            lambda: options.read(self._queue),
            kinds=ANY,
        )

    async def conclude(self, given: ConcludeInput) -> None:
        """Tell the memory what became of the findings."""
        await self._patience.run(
            lambda how: workflow.execute_activity_method(PublishActivities.conclude_findings, given, **how),
            lambda: options.publish(self._queue),
            last_word=True,
        )

    async def report(self, given: ReportInput) -> Published:
        """Write the report."""
        return await self._patience.run(
            lambda how: workflow.execute_activity_method(PublishActivities.write_report, given, **how),
            lambda: options.publish(self._queue),
            last_word=True,
        )
