"""Ended repairs in numbers: one as an index keeps it, and many of them by day. Pure; every number is counted here."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from pydantic import Field

from daper.core.base import Wire
from daper.core.models import Verdict
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase


class RecordFate(Wire):
    """What a repair came to for one record, in words."""

    record_id: str
    came_to: str


class Numbers(Wire):
    """What is counted of a repair, and added up of many.

    `approved`, `rejected`, `expired`: actions. `cost`: US dollars that models took, as far as prices are known.
    """

    problems: int = 0
    repaired: int = 0
    requested: int = 0
    undone: int = 0
    for_person: int = 0
    approved: int = 0
    rejected: int = 0
    expired: int = 0
    tokens: int = 0
    cost: Decimal = Decimal(0)


class ReportLine(Numbers):
    """An ended repair in numbers. `waited`: seconds that its plans waited for a decision; None where nobody decided."""

    repair_id: str
    domain: str
    user: str
    phase: str
    started_at: datetime
    ended_at: datetime
    waited: int | None = None
    records: tuple[RecordFate, ...] = ()


class RecordRepair(Wire):
    """A repair in the history of a record: how it ended, and what it came to for this record."""

    repair_id: str
    phase: str
    ended_at: datetime
    came_to: str


class DayFigures(Numbers):
    """The repairs that ended on one day (UTC)."""

    day: date
    repairs: int = 0


class Figures(Wire):
    """Many repairs in numbers. `waits`: seconds from a plan to its decision, in order, where somebody decided.

    `phases`: how many repairs ended in which phase. `left_out`: reports that are not counted yet.
    """

    days: tuple[DayFigures, ...] = ()
    phases: dict[str, int] = Field(default_factory=dict)
    waits: tuple[int, ...] = ()
    left_out: int = 0

    @property
    def total(self) -> DayFigures:
        """All days together, under the last one's date."""
        sums = {
            name: sum(getattr(each, name) for each in self.days) for name in DayFigures.model_fields if name != "day"
        }
        return DayFigures.model_validate({"day": self.days[-1].day if self.days else date.min, **sums})

    def wait(self, share: float) -> int | None:
        """Within how many seconds this share of the plans was decided; None where none was."""
        return quantile(self.waits, share)


def quantile(ordered: Sequence[int], share: float) -> int | None:
    """The least of these numbers, in order, that this share of them does not exceed; None where there are none."""
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, max(0, -int(-len(ordered) * share // 1) - 1))]


def line_of(result: RepairResult) -> ReportLine:
    """The numbers of a result."""
    counts, decisions = result.counts, result.decisions
    waited = result.durations.get(str(Phase.PENDING_APPROVAL)) if decisions else None
    expired = result.plans[-1].actions if result.phase is Phase.APPROVAL_EXPIRED and result.plans else ()
    return ReportLine(
        repair_id=result.repair_id,
        domain=result.domain,
        user=result.user,
        phase=str(result.phase),
        started_at=result.started_at,
        ended_at=result.ended_at,
        problems=counts.problems,
        repaired=counts.repaired,
        requested=counts.requested,
        undone=counts.undone,
        for_person=counts.for_person,
        approved=sum(len(each.will_run) for each in decisions),
        rejected=sum(verdict is Verdict.REJECT for each in decisions for verdict in each.decision.verdicts.values()),
        expired=sum(not action.instead_of for action in expired),
        waited=None if waited is None else round(waited.total_seconds()),
        tokens=result.usage.total.tokens,
        cost=result.usage.total.cost,
        records=_fates(result),
    )


def _fates(result: RepairResult) -> tuple[RecordFate, ...]:
    told: dict[str, dict[str, None]] = {}
    for outcome in result.outcomes:
        told.setdefault(outcome.record_id, {})[f"{outcome.tool} {outcome.status}"] = None
    for finding in result.findings:
        if finding.record_id not in {outcome.record_id for outcome in result.outcomes}:
            told.setdefault(finding.record_id, {})[f"{finding.kind} found"] = None
    return tuple(RecordFate(record_id=record, came_to=", ".join(words)) for record, words in told.items())
