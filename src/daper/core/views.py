"""What one look at a repair shows: compact, whatever its size."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import JsonValue

from daper.core.base import Wire
from daper.core.limits import describe
from daper.core.models import (
    BlockedProposal,
    Change,
    Detection,
    Fallback,
    Finding,
    ForPerson,
    Person,
    Plan,
    ProposedAction,
    RecordedDecision,
    RecordHead,
    Risk,
    SuppressedFinding,
)
from daper.core.outcomes import Counts, ReportPaths
from daper.core.phases import Phase


class ActionView(Wire):
    """One proposed action as a person reads it; everything that would run is taken from the action's text.

    `problems` are the findings that it answers, each as a sentence.
    """

    id: str
    record_id: str
    title: str = ""
    tool: str
    arguments: dict[str, JsonValue]
    editable: dict[str, str]
    risk: Risk
    spends: str
    preview: tuple[Change, ...]
    confidence_score: float
    rationale: str
    proposed_by: str
    if_it_does_not_help: Fallback
    digest: str
    problems: tuple[str, ...] = ()


class PlanView(Wire):
    """One page of a plan."""

    digest: str
    round: int
    overall_confidence_score: float
    additional_notes: str
    actions: tuple[ActionView, ...]
    total_actions: int
    page: int
    pages: int
    suppressed: tuple[SuppressedFinding, ...] = ()
    blocked: tuple[BlockedProposal, ...] = ()
    for_person: tuple[ForPerson, ...] = ()
    left_out: int = 0


class RepairView(Wire):
    """Where a repair stands."""

    repair_id: str
    phase: Phase
    requested_by: Person
    domain: str
    store_id: str
    started_at: datetime
    phase_since: datetime
    message: str = ""
    detection: Detection | None = None
    problems: int = 0
    plan: PlanView | None = None
    decide_by: datetime | None = None
    decision: RecordedDecision | None = None
    actions_to_run: int = 0
    actions_done: int = 0
    phases_seen: tuple[Phase, ...] = ()
    counts: Counts = Counts()
    paths: ReportPaths | None = None


def view_action(
    action: ProposedAction, *, title: str = "", findings: Mapping[str, Finding] | None = None
) -> ActionView:
    """One action as a person reads it; `title` says whom or what its record is about."""
    bound, known = action.bound, findings or {}
    return ActionView(
        id=action.id,
        record_id=bound.record_id,
        title=title,
        tool=bound.tool,
        arguments=bound.arguments,
        editable={name: describe(limit) for name, limit in bound.editable.items()},
        risk=bound.risk,
        spends="unknown" if bound.spends is None else str(bound.spends),
        preview=action.preview,
        confidence_score=action.confidence_score,
        rationale=action.rationale,
        proposed_by=action.proposed_by,
        if_it_does_not_help=bound.if_it_does_not_help,
        digest=action.digest,
        problems=tuple(known[fingerprint].issue for fingerprint in action.answers if fingerprint in known),
    )


def view_plan(
    plan: Plan,
    *,
    page: int = 1,
    size: int = 50,
    heads: Mapping[str, RecordHead] | None = None,
    findings: Mapping[str, Finding] | None = None,
) -> PlanView:
    """One page of a plan; a page past the end shows the last one. `heads` by record, `findings` by fingerprint."""
    known = heads or {}
    titles = {record_id: head.title for record_id, head in known.items()}
    longest = max(len(plan.actions), len(plan.suppressed), len(plan.blocked), len(plan.for_person))
    pages = max(1, -(-longest // size))
    page = min(page, pages)
    part = slice((page - 1) * size, page * size)
    shown = plan.actions[part]
    return PlanView(
        digest=plan.digest,
        round=plan.round,
        overall_confidence_score=plan.overall_confidence_score,
        additional_notes=plan.additional_notes,
        actions=tuple(
            view_action(action, title=titles.get(action.bound.record_id, ""), findings=findings) for action in shown
        ),
        total_actions=len(plan.actions),
        page=page,
        pages=pages,
        suppressed=plan.suppressed[part],
        blocked=plan.blocked[part],
        for_person=plan.for_person[part],
        left_out=plan.left_out,
    )
