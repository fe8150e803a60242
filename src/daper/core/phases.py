"""The phases of one repair, and which of them end it."""

from datetime import datetime
from enum import StrEnum

from daper.core.base import Wire


class Phase(StrEnum):
    """Where a repair stands. These names are shown everywhere: CLI, reports, Temporal UI."""

    INITIALIZING = "INITIALIZING"
    DETECTING_PROBLEMS = "DETECTING-PROBLEMS"
    ANALYZING_PROBLEMS = "ANALYZING-PROBLEMS"
    PLANNING_REPAIR = "PLANNING-REPAIR"
    PENDING_APPROVAL = "PENDING-APPROVAL"
    APPROVED = "APPROVED"
    PENDING_REPAIR = "PENDING-REPAIR"
    VERIFYING_REPAIR = "VERIFYING-REPAIR"
    PENDING_REPORT = "PENDING-REPORT"
    REPORT_COMPLETED = "REPORT-COMPLETED"
    NO_REPAIR_NEEDED = "NO-REPAIR-NEEDED"
    PLAN_ONLY = "PLAN-ONLY"
    REJECTED = "REJECTED"
    APPROVAL_EXPIRED = "APPROVAL-EXPIRED"
    REPAIR_FAILED = "REPAIR-FAILED"
    CANCELLED = "CANCELLED"

    @property
    def ended(self) -> bool:
        """Whether the repair is over in this phase."""
        return self in _ENDED


class PhaseEntry(Wire):
    """A phase, and when the repair came to it."""

    phase: Phase
    at: datetime


_ENDED = frozenset(
    {
        Phase.REPORT_COMPLETED,
        Phase.NO_REPAIR_NEEDED,
        Phase.PLAN_ONLY,
        Phase.REJECTED,
        Phase.APPROVAL_EXPIRED,
        Phase.REPAIR_FAILED,
        Phase.CANCELLED,
    }
)

_NEXT: dict[Phase, frozenset[Phase]] = {
    Phase.INITIALIZING: frozenset({Phase.DETECTING_PROBLEMS, Phase.ANALYZING_PROBLEMS}),
    Phase.DETECTING_PROBLEMS: frozenset({Phase.ANALYZING_PROBLEMS, Phase.PENDING_REPORT}),
    Phase.ANALYZING_PROBLEMS: frozenset({Phase.PLANNING_REPAIR, Phase.PENDING_REPORT}),
    Phase.PLANNING_REPAIR: frozenset({Phase.PENDING_APPROVAL, Phase.PENDING_REPORT}),
    Phase.PENDING_APPROVAL: frozenset({Phase.APPROVED, Phase.PENDING_REPORT}),
    Phase.APPROVED: frozenset({Phase.PENDING_REPAIR}),
    # Back to analysis: what was approved, but lapsed before its effect began, is asked for again.
    Phase.PENDING_REPAIR: frozenset({Phase.VERIFYING_REPAIR, Phase.ANALYZING_PROBLEMS, Phase.PENDING_REPORT}),
    # Back to the repair: one of many was tried first, and has helped or not.
    Phase.VERIFYING_REPAIR: frozenset({Phase.PENDING_REPAIR, Phase.ANALYZING_PROBLEMS, Phase.PENDING_REPORT}),
    Phase.PENDING_REPORT: _ENDED,
}


def may_follow(now: Phase, then: Phase) -> bool:
    """Whether `then` may come right after `now`. Any open phase may also fail or be cancelled, by way of its report."""
    return then in _NEXT.get(now, frozenset()) or (not now.ended and then is Phase.PENDING_REPORT)


class ImpossibleStep(Exception):
    """A bug of ours, and so no DaperError: one phase was to follow another that it cannot follow."""

    def __init__(self, now: Phase, then: Phase) -> None:
        """From which phase to which."""
        super().__init__(f"a repair in {now} cannot go on to {then}: this is a bug of daper, please report it")
