"""The steps of a cycle as typed calls: which activity, on which queue, with which options."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from daper.activities.diagnose import DiagnoseActivities
    from daper.activities.publish import PublishActivities
    from daper.activities.repair import RepairActivities
    from daper.core.messages import (
        AnalyzeInput,
        AnalyzeResult,
        ClaimInput,
        ClaimResult,
        ConcludeInput,
        DetectInput,
        DetectResult,
        OpenCycleInput,
        OpenCycleResult,
        PlanInput,
        Published,
        ReportInput,
        VerifyInput,
    )
    from daper.core.models import Plan
    from daper.core.outcomes import Verification
    from daper.workflows import options


class Steps:
    """Every step but the effects, on the queue of the store that the repair is for."""

    def __init__(self, queue: str) -> None:
        self._queue = queue

    async def open(self, given: OpenCycleInput) -> OpenCycleResult:
        """Ask the store who it is, and what day."""
        return await workflow.execute_activity_method(DiagnoseActivities.open_cycle, given, **options.read(self._queue))

    async def detect(self, given: DetectInput) -> DetectResult:
        """Find suspects."""
        return await workflow.execute_activity_method(
            DiagnoseActivities.detect_problems, given, **options.read(self._queue)
        )

    async def analyze(self, given: AnalyzeInput) -> AnalyzeResult:
        """Find what is wrong with them."""
        return await workflow.execute_activity_method(
            DiagnoseActivities.analyze_problems, given, **options.read(self._queue)
        )

    async def claim(self, given: ClaimInput) -> ClaimResult:
        """Ask the memory what may be planned for."""
        return await workflow.execute_activity_method(
            PublishActivities.claim_findings, given, **options.publish(self._queue)
        )

    async def plan(self, given: PlanInput) -> Plan:
        """Propose actions."""
        return await workflow.execute_activity_method(
            DiagnoseActivities.plan_repair, given, **options.read(self._queue)
        )

    async def verify(self, given: VerifyInput) -> Verification:
        """Look whether it helped."""
        return await workflow.execute_activity_method(
            RepairActivities.verify_repair, given, **options.read(self._queue)
        )

    async def conclude(self, given: ConcludeInput) -> None:
        """Tell the memory what became of the findings."""
        await workflow.execute_activity_method(
            PublishActivities.conclude_findings, given, **options.publish(self._queue)
        )

    async def report(self, given: ReportInput) -> Published:
        """Write the report."""
        return await workflow.execute_activity_method(
            PublishActivities.write_report, given, **options.publish(self._queue)
        )
