"""The one document for programs of a repair, open or ended: what `--json` prints, what a file of it holds, the API."""

from datetime import datetime, timedelta
from typing import Literal

from daper.adapters.reports.archive import kept_here
from daper.core.base import Wire
from daper.core.models import Detection, Finding, RecordedDecision, StoreInfo
from daper.core.outcomes import ActionOutcome, Counts, RepairResult, Report, Verification
from daper.core.phases import Phase
from daper.core.usage import Role, Usage
from daper.core.views import PlanView, RepairView, whole_plans


class StoreName(Wire):
    """The store that an open repair works on."""

    store_id: str


class ReportDocument(Report):
    """The report of an ended repair, and its files, if they are on the machine that answers."""

    json_path: str | None = None
    markdown_path: str | None = None


class EndedRepair(Wire):
    """An ended repair: everything that was found, planned, decided, done and verified.

    `plan`: that of the last round, on one page. `durations`: how long it was in each phase.
    """

    repair_id: str
    cycle_id: str
    phase: Phase
    ended: Literal[True] = True
    needs_person: bool
    reason: str
    user: str
    domain: str
    store: StoreInfo | None
    today: datetime | None
    started_at: datetime
    ended_at: datetime
    durations: dict[str, timedelta]
    detection: Detection | None
    findings: tuple[Finding, ...]
    plan: PlanView | None
    earlier_plans: tuple[PlanView, ...]
    decisions: tuple[RecordedDecision, ...]
    outcomes: tuple[ActionOutcome, ...]
    verification: Verification | None
    report: ReportDocument | None
    counts: Counts
    thinkers: dict[Role, str]
    usage: Usage
    notices: tuple[str, ...]


class OpenRepair(Wire):
    """An open repair as it stands. `decide_by`: until when its plan waits for a person; null where it does not."""

    repair_id: str
    phase: Phase
    ended: Literal[False] = False
    needs_person: bool
    reason: str
    user: str
    domain: str
    store: StoreName
    started_at: datetime
    detection: Detection | None
    problems: int
    plan: PlanView | None
    decide_by: datetime | None
    decisions: tuple[RecordedDecision, ...]
    actions_to_run: int
    actions_done: int
    outcomes: tuple[ActionOutcome, ...] = ()
    verification: Verification | None = None
    report: ReportDocument | None = None
    counts: Counts
    thinkers: dict[Role, str]
    usage: Usage
    notices: tuple[str, ...]


def repair_document(look: RepairResult | RepairView) -> OpenRepair | EndedRepair:
    """The same keys for an open repair and an ended one; what is not there yet is null or empty."""
    return _ended(look) if isinstance(look, RepairResult) else _open(look)


def _ended(result: RepairResult) -> EndedRepair:
    plans = whole_plans(result)
    return EndedRepair(
        repair_id=result.repair_id,
        cycle_id=result.cycle_id,
        phase=result.phase,
        needs_person=result.needs_person,
        reason=result.reason,
        user=result.user,
        domain=result.domain,
        store=result.store,
        today=result.today,
        started_at=result.started_at,
        ended_at=result.ended_at,
        durations=result.durations,
        detection=result.detection,
        findings=result.findings,
        plan=plans[-1] if plans else None,
        earlier_plans=tuple(plans[:-1]),
        decisions=result.decisions,
        outcomes=result.outcomes,
        verification=result.verification,
        report=_report(result),
        counts=result.counts,
        thinkers=result.thinkers,
        usage=result.usage,
        notices=result.notices,
    )


def _report(result: RepairResult) -> ReportDocument | None:
    """With where it is, if it is on this machine; where another one keeps it would lead nobody there."""
    if result.report is None:
        return None
    here = result.paths if kept_here(result) else None
    paths = {"json_path": here.json_path, "markdown_path": here.markdown_path} if here else {}
    return ReportDocument.model_validate({**dict(result.report), **paths})


def _open(view: RepairView) -> OpenRepair:
    return OpenRepair(
        repair_id=view.repair_id,
        phase=view.phase,
        needs_person=view.decide_by is not None,
        reason=view.message,
        user=view.requested_by.name,
        domain=view.domain,
        store=StoreName(store_id=view.store_id),
        started_at=view.started_at,
        detection=view.detection,
        problems=view.problems,
        plan=view.plan,
        decide_by=view.decide_by,
        decisions=(view.decision,) if view.decision else (),
        actions_to_run=view.actions_to_run,
        actions_done=view.actions_done,
        counts=view.counts,
        thinkers=view.thinkers,
        usage=view.usage,
        notices=view.notices,
    )
