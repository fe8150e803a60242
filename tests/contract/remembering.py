"""What tests of the memory share: a clock that they move, problems, and what repairs ask and tell."""

from datetime import UTC, datetime, timedelta

from daper.core.messages import ClaimInput, ClaimResult, CycleRef
from daper.core.models import Finding

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOURS_12 = timedelta(hours=12)


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def finding(record_id: str = "ORD-1", *, kind: str = "never-paid", fingerprint: str = "f1") -> Finding:
    return Finding(record_id=record_id, kind=kind, issue="It was never paid.", fingerprint=fingerprint)


def cycle(repair: str, *, store: str = "s1", domain: str = "orders", cycle_id: str = "") -> CycleRef:
    return CycleRef(
        repair_id=repair, cycle_id=cycle_id or f"cycle-of-{repair}", domain=domain, store_id=store, today=START
    )


def claim_of(
    repair: str, *findings: Finding, until: datetime = START + HOURS_12, again: bool = False, dry_run: bool = False
) -> ClaimInput:
    return ClaimInput(cycle=cycle(repair), findings=findings or (finding(),), until=until, again=again, dry_run=dry_run)


def only_reason(result: ClaimResult) -> str:
    assert result.fresh == ()
    assert len(result.suppressed) == 1
    return result.suppressed[0].reason
