"""What one look at a repair shows: compact, whatever its size."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from pydantic import Field, JsonValue

from daper.core.base import Wire
from daper.core.limits import Limit, limit_words
from daper.core.models import (
    MOST_PROBLEMS,
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
from daper.core.outcomes import Counts, RepairResult, ReportPaths
from daper.core.phases import Phase, PhaseEntry
from daper.core.usage import Role, Spent, Usage

UNKNOWN_AMOUNT = "unknown"  # what is spent, where nobody can say
_LONGEST_PLAN = 10 * MOST_PROBLEMS  # a finding may need several actions


class ActionView(Wire):
    """One proposed action as a person reads it; everything that would run is taken from the action's text.

    `problems` are the findings that it answers, each as a sentence, `kinds` what they are, each once, and `evidence`
    what shows them. `done_before`: what repairs did to its record earlier. `editable`: what a person may change, in
    words; `limits`: the same for a form. `spent`: what models took for its record.
    """

    id: str
    record_id: str
    title: str = ""
    tool: str
    risk: Risk
    confidence_score: float
    proposed_by: str
    seconded_by: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    rationale: str
    done_before: tuple[str, ...] = ()
    arguments: dict[str, JsonValue]
    editable: dict[str, str]
    limits: dict[str, Limit] = Field(default_factory=dict[str, Limit])
    preview: tuple[Change, ...]
    spends: str
    if_it_does_not_help: Fallback
    canary: int = 0
    alike: str = ""
    doubts: tuple[str, ...] = ()
    instead_of: str = ""
    spent: Spent = Spent()
    digest: str


class PlanView(Wire):
    """One page of a plan. `spends`: what all of it spends, without the actions that stand instead of others.

    `partition`: the part of all records in which the repair looks, as `1/4`; empty where it looks in all. `left_alone`:
    how many problems the whole plan does not act on; 0 from a release that did not say.
    """

    digest: str
    round: int
    overall_confidence_score: float
    spends: str = ""
    additional_notes: str
    actions: tuple[ActionView, ...]
    total_actions: int
    page: int
    pages: int
    suppressed: tuple[SuppressedFinding, ...] = ()
    blocked: tuple[BlockedProposal, ...] = ()
    for_person: tuple[ForPerson, ...] = ()
    left_out: int = 0
    left_alone: int = 0
    partition: str = ""


class RepairView(Wire):
    """Where a repair stands.

    `thinkers`: who plays each role; `usage`: what models took so far, in all and by role; `notices`: what changed.
    `partition`: as in the plan. `timeline`: every phase so far, in order; empty from a release that did not say.
    """

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
    thinkers: dict[Role, str] = Field(default_factory=dict[Role, str])
    usage: Usage = Usage()
    notices: tuple[str, ...] = ()
    partition: str = ""
    timeline: tuple[PhaseEntry, ...] = ()


def view_action(
    action: ProposedAction,
    *,
    title: str = "",
    findings: Mapping[str, Finding] | None = None,
    spent: Spent | None = None,
    alone: bool = False,
) -> ActionView:
    """One action as a person reads it; `title` says whom or what its record is about, `spent` what that one took.

    `alone`: no other of its plan is like it, so that none waits for it.
    """
    bound, known = action.bound, findings or {}
    answered = [known[fingerprint] for fingerprint in action.answers if fingerprint in known]
    return ActionView(
        id=action.id,
        record_id=bound.record_id,
        title=title,
        tool=bound.tool,
        arguments=bound.arguments,
        editable={name: limit_words(limit) for name, limit in bound.editable.items()},
        limits=bound.editable,
        risk=bound.risk,
        spends=_amount(bound.spends),
        preview=action.preview,
        confidence_score=action.confidence_score,
        rationale=action.rationale,
        done_before=action.done_before,
        proposed_by=action.proposed_by,
        seconded_by=action.seconded_by,
        doubts=action.doubts,
        instead_of=action.instead_of,
        spent=spent or Spent(),
        if_it_does_not_help=bound.if_it_does_not_help,
        canary=0 if alone else bound.canary,
        alike=bound.alike,
        digest=action.digest,
        problems=tuple(finding.issue for finding in answered),
        evidence=tuple(dict.fromkeys(shown for finding in answered for shown in finding.evidence)),
        kinds=tuple(dict.fromkeys(finding.kind for finding in answered)),
    )


def view_plan(
    plan: Plan,
    *,
    page: int = 1,
    size: int = 50,
    heads: Mapping[str, RecordHead] | None = None,
    findings: Mapping[str, Finding] | None = None,
    spent: Mapping[str, Spent] | None = None,
    partition: str = "",
) -> PlanView:
    """One page of a plan; a page past the end shows the last one.

    `heads` and `spent` by record, `findings` by fingerprint.
    """
    known = heads or {}
    titles = {record_id: head.title for record_id, head in known.items()}
    longest = max(len(plan.actions), len(plan.suppressed), len(plan.blocked), len(plan.for_person))
    pages = max(1, -(-longest // size))
    page = min(page, pages)
    part = slice((page - 1) * size, page * size)
    shown = plan.actions[part]
    like = Counter(action.bound.peers for action in plan.actions)
    return PlanView(
        digest=plan.digest,
        round=plan.round,
        overall_confidence_score=plan.overall_confidence_score,
        spends=_amount(_spent_in_all(plan)),
        additional_notes=plan.additional_notes,
        actions=tuple(
            view_action(
                action,
                title=titles.get(action.bound.record_id, ""),
                findings=findings,
                spent=(spent or {}).get(action.bound.record_id),
                alone=like[action.bound.peers] == 1,
            )
            for action in shown
        ),
        total_actions=len(plan.actions),
        page=page,
        pages=pages,
        suppressed=plan.suppressed[part],
        blocked=plan.blocked[part],
        for_person=plan.for_person[part],
        left_out=plan.left_out,
        left_alone=len(plan.suppressed) + len(plan.blocked) + len(plan.for_person),
        partition=partition,
    )


def _spent_in_all(plan: Plan) -> Decimal | None:
    amounts = [action.bound.spends for action in plan.actions if not action.instead_of]
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if len(known) == len(amounts) else None


def _amount(spends: Decimal | None) -> str:
    return UNKNOWN_AMOUNT if spends is None else str(spends)


def plan_of_result(result: RepairResult, number: int, *, page: int = 1, size: int = _LONGEST_PLAN) -> PlanView:
    """One page of a plan of an ended repair; `number` counts as the indices of its plans do."""
    return view_plan(
        result.plans[number],
        page=page,
        size=size,
        heads={head.record_id: head for head in result.heads},
        findings={finding.fingerprint: finding for finding in result.findings},
        spent=result.usage.by_record,
        partition=result.partition,
    )


def whole_plans(result: RepairResult) -> list[PlanView]:
    """Every plan of an ended repair, each on one page."""
    return [plan_of_result(result, number) for number in range(len(result.plans))]


def last_plan(result: RepairResult) -> PlanView | None:
    """The plan of the last round of an ended repair, on one page; see `current_plan`."""
    plan = current_plan(result.plans)
    return plan_of_result(result.model_copy(update={"plans": (plan,)}), 0) if plan else None


def current_plan(plans: Sequence[Plan]) -> Plan | None:
    """The plan of the last round, beside all that any round left alone or out: a later one looks at what lapsed."""
    if not plans:
        return None
    suppressed = {item.finding.fingerprint: item for plan in plans for item in plan.suppressed}
    left_out = max(plan.left_out for plan in plans)
    return plans[-1].model_copy(update={"suppressed": tuple(suppressed.values()), "left_out": left_out})
