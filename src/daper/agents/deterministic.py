"""The agents without a language model: a domain's own rules, in every role."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

from daper.core.models import Finding
from daper.core.outcomes import RepairResult, Report
from daper.core.reporting import build_report
from daper.ports import Domain, ProposalSet, Record


class RulesAgents:
    """Detects, analyzes, plans and reports by rules: no key, no network, the same answer every time.

    Rules run in a thread: judging thousands of records must not keep the worker from its heartbeats.
    """

    async def detect(self, domain: Domain, records: Sequence[Record], today: datetime) -> Mapping[str, float]:
        """The records on which a rule fires, with the surest rule's confidence."""
        suspects: dict[str, float] = {}
        for finding in await asyncio.to_thread(domain.detect, records, today):
            suspects[finding.record_id] = max(suspects.get(finding.record_id, 0.0), finding.confidence_score)
        return suspects

    async def analyze(self, domain: Domain, records: Sequence[Record], today: datetime) -> tuple[Finding, ...]:
        """Every finding of every rule."""
        return await asyncio.to_thread(domain.detect, records, today)

    async def plan(self, domain: Domain, findings: Sequence[Finding], records: Sequence[Record]) -> ProposalSet:
        """What the domain's rules propose."""
        return await asyncio.to_thread(domain.propose, findings, records)

    async def report(self, result: RepairResult) -> Report:
        """The report that follows from the result, in plain sentences."""
        return build_report(result)
