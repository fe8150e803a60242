"""What the page of a repair shows, in parts: each is told anew only where it changed. Pure."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from daper.adapters.reports.words import PHASES
from daper.core.decisions import decided_by
from daper.core.models import RecordedDecision, Verdict
from daper.core.outcomes import RepairResult, VerifiedFinding
from daper.core.phases import Phase, PhaseEntry
from daper.core.selections import in_short
from daper.core.usage import Usage
from daper.core.views import PlanView, RepairView, whole_plans
from daper.core.waiting import waits
from daper.entrypoints.web.decision_form import Entered
from daper.entrypoints.web.plan_cards import PlanPart, plan_part, value_text

Look = RepairView | RepairResult

FORM: Final = "form"  # beside the names of parts: the plan on which the page's form decides
_GOOD: Final = frozenset({Phase.REPORT_COMPLETED, Phase.NO_REPAIR_NEEDED})
_BAD: Final = frozenset({Phase.REPAIR_FAILED})


@dataclass(frozen=True, kw_only=True)
class StatePart:
    """Where the repair stands."""

    phase: Phase
    means: str
    tone: str
    since: datetime
    started_at: datetime
    requested_by: str
    domain: str
    store_id: str
    reason: str
    decide_by: datetime | None
    summary: str
    narrative: str
    narrated_by: str
    to_run: int
    done: int
    left_for_person: tuple[str, ...]
    notices: tuple[str, ...]
    ended: bool


@dataclass(frozen=True, kw_only=True)
class DecisionLine:
    """A decision as it was recorded."""

    recorded: RecordedDecision
    by: str
    approved: str
    rejected: str
    edits: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, kw_only=True)
class SpentPart:
    """What language models took, and who thinks."""

    usage: Usage
    thinkers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class RepairPage:
    """All parts, in the order of the page."""

    repair_id: str
    state: StatePart
    plans: tuple[PlanPart, ...]
    decisions: tuple[DecisionLine, ...]
    timeline: tuple[PhaseEntry, ...]
    spent: SpentPart

    @property
    def asked_digest(self) -> str:
        """The plan on whose form somebody may be busy; empty where the page has no form."""
        return next((plan.digest for plan in self.plans if plan.asks), "")

    def versions(self) -> dict[str, str]:
        """Each part by name, with a short text that changes when the part does."""
        parts: dict[str, object] = {
            "state": self.state,
            "plans": self.plans,
            "decisions": self.decisions,
            "timeline": self.timeline,
            "spent": self.spent,
            "more": (self.state.ended, bool(self.plans)),
        }
        return {name: hashlib.sha256(repr(part).encode()).hexdigest()[:12] for name, part in parts.items()}


def repair_page(look: Look, *, may_decide: bool, entered: Entered | None = None) -> RepairPage:
    """The page of a repair, of which `look` has the whole plan. `entered`: what somebody filled in, to be kept."""
    decisions = decided_in(look)
    return RepairPage(
        repair_id=look.repair_id,
        state=_state(look),
        plans=_plans(look, may_decide=may_decide, entered=entered),
        decisions=tuple(_decision(each, _decided_plan(look, each)) for each in decisions),
        timeline=_timeline(look),
        spent=SpentPart(
            usage=look.usage.model_copy(update={"by_record": {}}),
            thinkers=tuple((str(role), name) for role, name in look.thinkers.items()),
        ),
    )


def waits_now(look: Look) -> bool:
    """Whether its plan waits for a person."""
    return isinstance(look, RepairView) and waits(look)


def decided_in(look: Look) -> Sequence[RecordedDecision]:
    """The decisions on its plans, in order; of an open repair the last one."""
    if isinstance(look, RepairResult):
        return look.decisions
    return (look.decision,) if look.decision else ()


def _state(look: Look) -> StatePart:
    if isinstance(look, RepairResult):
        report = look.report
        return StatePart(
            phase=look.phase,
            means=PHASES[look.phase],
            tone=_tone(look.phase, needs_person=look.needs_person),
            since=look.ended_at,
            started_at=look.started_at,
            requested_by=look.user,
            domain=look.domain,
            store_id=look.store.store_id if look.store else "",
            reason=look.reason,
            decide_by=None,
            summary=report.summary if report else "",
            narrative=report.narrative if report else "",
            narrated_by=report.narrated_by if report else "",
            to_run=0,
            done=0,
            left_for_person=report.left_for_person if report else (),
            notices=look.notices,
            ended=True,
        )
    return StatePart(
        phase=look.phase,
        means=PHASES[look.phase],
        tone=_tone(look.phase, needs_person=look.decide_by is not None),
        since=look.phase_since,
        started_at=look.started_at,
        requested_by=look.requested_by.name,
        domain=look.domain,
        store_id=look.store_id,
        reason=look.message,
        decide_by=look.decide_by,
        summary="",
        narrative="",
        narrated_by="",
        to_run=look.actions_to_run,
        done=look.actions_done,
        left_for_person=(),
        notices=look.notices,
        ended=False,
    )


def _tone(phase: Phase, *, needs_person: bool) -> str:
    if phase in _BAD:
        return "bad"
    if needs_person:
        return "warn"
    return "good" if phase in _GOOD else ""


def _plans(look: Look, *, may_decide: bool, entered: Entered | None) -> tuple[PlanPart, ...]:
    if isinstance(look, RepairView):
        if look.plan is None:
            return ()
        asks = may_decide and waits_now(look)
        return (plan_part(look.plan, rounds=look.plan.round, decide_by=look.decide_by, asks=asks, entered=entered),)
    outcomes = {outcome.action_id: outcome for outcome in look.outcomes}
    verified: dict[str, list[VerifiedFinding]] = {}
    for each in look.verification.findings if look.verification else ():
        verified.setdefault(each.action_id, []).append(each)
    plans = whole_plans(look)
    return tuple(plan_part(plan, rounds=len(plans), outcomes=outcomes, verified=verified) for plan in reversed(plans))


def _decided_plan(look: Look, recorded: RecordedDecision) -> PlanView | None:
    """The plan that a decision is on."""
    plans = whole_plans(look) if isinstance(look, RepairResult) else (look.plan,)
    return next((each for each in plans if each and each.digest == recorded.decision.plan_digest), None)


def _decision(recorded: RecordedDecision, plan: PlanView | None) -> DecisionLine:
    decision = recorded.decision

    def told(ids: Iterable[str]) -> str:
        named = list(ids)
        whole = plan is not None and {*named} <= {action.id for action in plan.actions}
        return in_short(named, plan) if plan is not None and whole else ", ".join(named)

    return DecisionLine(
        recorded=recorded,
        by=decided_by(decision),
        approved=told(recorded.will_run),
        rejected=told(name for name, verdict in decision.verdicts.items() if verdict is Verdict.REJECT),
        edits=tuple(
            (action_id, argument, value_text(value))
            for action_id, edits in decision.edits.items()
            for argument, value in edits.items()
        ),
    )


def _timeline(look: Look) -> tuple[PhaseEntry, ...]:
    """Every phase with its time; of a release that kept none, what can be said."""
    if isinstance(look, RepairResult):
        before = look.timeline or _from_durations(look)
        over = before and before[-1].phase is look.phase  # a workflow's own result has it, the file of a report has not
        return before if over else (*before, PhaseEntry(phase=look.phase, at=look.ended_at))
    return look.timeline or (PhaseEntry(phase=look.phase, at=look.phase_since),)


def _from_durations(result: RepairResult) -> tuple[PhaseEntry, ...]:
    entries, at = list[PhaseEntry](), result.started_at
    for phase, span in result.durations.items():
        entries.append(PhaseEntry(phase=Phase(phase), at=at))
        at += span
    return tuple(entries)
