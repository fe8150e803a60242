"""The agents without a language model: a domain's own rules, in every role."""

import asyncio
from collections.abc import Sequence

from daper.core.models import RULES, Finding
from daper.core.outcomes import RepairResult, Report
from daper.core.report import build_report
from daper.core.usage import Role
from daper.ports import Analysis, ProposalSet, Review, Suspicion, Work


class RulesAgents:
    """Detects, analyzes, plans and reports by rules: no key, no network, the same answer every time.

    Rules run in a thread: judging thousands of records must not keep the worker from its heartbeats.
    """

    def name(self, role: Role) -> str:
        """In every role the rules."""
        return RULES

    def divide(self, role: Role, work: Work) -> tuple[tuple[str, ...], ...]:
        """All of it at once: rules have no limit."""
        return (work.record_ids,) if work.record_ids else ()

    async def detect(self, work: Work) -> Suspicion:
        """The records on which a rule fires, with the surest rule's confidence."""
        suspects: dict[str, float] = {}
        for finding in await asyncio.to_thread(work.domain.detect, work.records, work.cycle.today):
            suspects[finding.record_id] = max(suspects.get(finding.record_id, 0.0), finding.confidence_score)
        return Suspicion(suspects=suspects)

    async def analyze(self, work: Work, known: Sequence[Finding]) -> Analysis:
        """Every finding of every rule."""
        return Analysis(findings=await asyncio.to_thread(work.domain.detect, work.records, work.cycle.today))

    async def plan(self, work: Work, findings: Sequence[Finding], review: Review) -> ProposalSet:
        """What the domain's rules propose."""
        return await asyncio.to_thread(work.domain.propose, findings, work.records)

    async def report(self, result: RepairResult) -> Report:
        """The report that follows from the result, in plain sentences."""
        return build_report(result)
