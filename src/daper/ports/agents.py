"""The agents that think: what they are given, what they answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from daper.core.messages import CycleRef
from daper.core.models import Doubt, Finding, Proposal
from daper.core.outcomes import RepairResult, Report
from daper.core.usage import Role, Spent
from daper.ports.domain import Domain, ProposalSet, Record


@dataclass(frozen=True, kw_only=True)
class Suspicion:
    """Which records are suspect: record id → how sure that something is wrong, 0..1; and why, in a sentence."""

    suspects: Mapping[str, float] = field(default_factory=dict[str, float])
    why: Mapping[str, str] = field(default_factory=dict[str, str])
    spent: Spent = field(default_factory=Spent)


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """What is wrong with some records, and of which known findings the agent doubts that they are so."""

    findings: tuple[Finding, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    spent: Spent = field(default_factory=Spent)


@dataclass(frozen=True, kw_only=True)
class Work:
    """What an agent works on: some records of one cycle, with whatever is needed to judge them."""

    cycle: CycleRef
    domain: Domain
    records: Sequence[Record]
    record_ids: tuple[str, ...]


# What the guard says of proposals, one by one: the proposal as it would be bound, and why it is refused, or None.
Review = Callable[[Sequence[Proposal]], Sequence[tuple[Proposal, str | None]]]


class Agents(Protocol):
    """The thinking of one cycle. Rules and language models are two implementations.

    Each may raise DaperError; a language model raises ModelError, ModelUnavailable, ModelOutputError.
    """

    def name(self, role: Role) -> str:
        """Who thinks in this role: `rules`, or the name of a model."""
        ...

    def divide(self, role: Role, work: Work) -> tuple[tuple[str, ...], ...]:
        """The records of the work in batches, each for one call of `role`; none is left out."""
        ...

    async def detect(self, work: Work) -> Suspicion:
        """The suspects among these records."""
        ...

    async def analyze(self, work: Work, known: Sequence[Finding]) -> Analysis:
        """What is wrong with these records; `known` is what was found before."""
        ...

    async def plan(self, work: Work, findings: Sequence[Finding], review: Review) -> ProposalSet:
        """What to do about the findings; `review` tells what the guard would refuse."""
        ...

    async def report(self, result: RepairResult) -> Report:
        """The report of an ended cycle: sentences may be the agent's, numbers are the result's."""
        ...
