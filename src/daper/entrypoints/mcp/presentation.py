"""Puts what the services say into the answers of the tools; nothing is hidden in any text from a record. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeVar, cast

from pydantic import JsonValue

from daper.core.base import Wire
from daper.core.decisions import decided_by, in_one_line
from daper.core.lines import LineKind, action_lines
from daper.core.models import RULES, Finding, RecordedDecision, Verdict
from daper.core.outcomes import ActionOutcome, RepairResult
from daper.core.phases import Phase
from daper.core.proactive import AgentPhase
from daper.core.text import visible
from daper.core.views import ActionView, PlanView, RepairView, plan_of_result
from daper.entrypoints.mcp.answers import (
    AgentCycle,
    Decided,
    LeftAlone,
    Outcome,
    PlannedAction,
    ProactiveAgent,
    Problem,
    ProposedPlan,
    RepairDetails,
    RepairState,
    StartedRepair,
)
from daper.service.requests import ProactiveStarted, ProactiveStatus, Started, StartProactive

PAGE_SIZE: Final = 20
NOT_BEGUN: Final = "NOT-BEGUN"  # where others have a phase
_LONGEST: Final = 2000
_WAIT: Final = "call wait_for_repair"
_ASK: Final = (
    "show the plan (get_repair) to the person and ask what they want; then call approve_repair or reject_repair with "
    "this plan_digest"
)
_NOTHING: Final = "nothing was decided on this plan"
_READ: Final = "it is over; get_repair_report has all of it"

A = TypeVar("A", bound=Wire)


def visible_answer(answer: A) -> A:
    """The answer with every text made visible: control, escape and bidi characters appear as what they are."""
    return type(answer).model_validate(plain(answer.model_dump()))


def plain(value: Any) -> Any:
    """Any document as JSON can have it, every text in it made visible; amounts are texts, so that none is rounded."""
    if isinstance(value, str):
        return visible(value, longest=_LONGEST)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return {plain(key): plain(part) for key, part in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in cast(Sequence[Any], value)]
    return value


def state_of(look: RepairView | RepairResult) -> RepairState:
    """Where a repair stands."""
    return visible_answer(RepairState(**_state(look)))


def started(look: RepairView | RepairResult, begun: Started, *, lacking: str = "") -> StartedRepair:
    """A repair that was asked for. `lacking`: on which queue nobody works, where that is so."""
    state = RepairState(**_state(look))
    if lacking and not state.ended:
        state = state.model_copy(update={"message": lacking})
    return visible_answer(StartedRepair(**dict(state), created=begun.created, store=begun.place))


def just_started(begun: Started, *, lacking: str = "") -> StartedRepair:
    """A repair of which there is nothing to see yet: it waits for its turn, or no worker could say where it stands."""
    state = waiting(begun.repair_id, f"{begun.waits_for}; {lacking}" if lacking else begun.waits_for)
    if not begun.waits_for:
        told = f"started; {lacking or 'no worker has answered yet'}"
        update = {"phase": str(Phase.INITIALIZING), "message": told}
        state = state.model_copy(update=update)
    return visible_answer(StartedRepair(**dict(state), created=begun.created, store=begun.place))


def waiting(repair_id: str, waits_for: str) -> RepairState:
    """A repair of what was reported, which has not begun."""
    return visible_answer(
        RepairState(
            repair_id=repair_id,
            phase=NOT_BEGUN,
            ended=False,
            needs_person=False,
            message=f"it has not begun: it waits for {waits_for}",
            next_step=_WAIT,
        )
    )


def details_of(look: RepairView | RepairResult, *, page: int) -> RepairDetails:
    """A repair in detail: page `page` of its actions, problems and outcomes; past the end, the last one."""
    return visible_answer(_ended(look, page) if isinstance(look, RepairResult) else _open(look))


def problem_of(finding: Finding) -> Problem:
    """A finding, as an answer has it."""
    opinions = () if finding.found_by == RULES else (f"found by {finding.found_by}, not by the rules",)
    return Problem(
        record_id=finding.record_id,
        issue=finding.issue,
        kind=finding.kind,
        confidence_score=finding.confidence_score,
        opinions=(*opinions, *(f"doubted: {doubt}" for doubt in finding.doubts)),
    )


def decision_of(recorded: RecordedDecision) -> Decided:
    """A decision, as an answer has it."""
    verdicts = recorded.decision.verdicts
    return Decided(
        by=decided_by(recorded.decision),
        at=recorded.decided_at,
        approved=tuple(recorded.will_run),
        rejected=tuple(name for name, verdict in verdicts.items() if verdict is Verdict.REJECT),
        edits=recorded.decision.edits,
        comment=recorded.decision.comment,
    )


def decided_until_now(look: RepairView | RepairResult) -> str:
    """What was decided on the plan of a repair, in one line; or that nothing was. Empty before there is a plan."""
    if isinstance(look, RepairResult):
        decisions, planned = look.decisions, bool(look.plans)
    else:
        decisions, planned = (look.decision,) if look.decision else (), look.plan is not None
    if decisions:
        return "; ".join(map(in_one_line, decisions))
    return _NOTHING if planned else ""


def _state(look: RepairView | RepairResult) -> dict[str, Any]:
    if isinstance(look, RepairResult):
        return {
            "repair_id": look.repair_id,
            "phase": str(look.phase),
            "ended": True,
            "needs_person": look.needs_person,
            "message": look.reason or (look.report.summary if look.report else ""),
            "what_was_decided": decided_until_now(look),
            "plan_digest": look.plans[-1].digest if look.plans else "",
            "next_step": _READ,
        }
    waits = look.phase is Phase.PENDING_APPROVAL
    return {
        "repair_id": look.repair_id,
        "phase": str(look.phase),
        "ended": False,
        "needs_person": waits,
        "message": look.message,
        "what_was_decided": decided_until_now(look),
        "plan_digest": look.plan.digest if look.plan else "",
        "decide_by": look.decide_by if waits else None,
        "next_step": _ASK if waits else _WAIT,
    }


def _open(view: RepairView) -> RepairDetails:
    plan = view.plan
    return RepairDetails(
        **_state(view),
        requested_by=view.requested_by.name,
        domain=view.domain,
        partition=view.partition,
        started_at=view.started_at,
        detection_confidence_score=view.detection.confidence_score if view.detection else None,
        suspects=view.detection.suspects if view.detection else 0,
        total_problems=view.problems,
        problems=tuple(
            Problem(record_id=action.record_id, issue=issue)
            for action in (plan.actions if plan else ())
            for issue in action.problems
        ),
        plan=_plan(plan, (view.decision,) if view.decision else ()) if plan else None,
        decisions=(decision_of(view.decision),) if view.decision else (),
        notices=view.notices,
        model_tokens=view.usage.total.tokens,
        model_cost_usd=view.usage.total.cost,
        page=plan.page if plan else 1,
        pages=plan.pages if plan else 1,
    )


def _ended(result: RepairResult, page: int) -> RepairDetails:
    report = result.report
    plan = plan_of_result(result, -1, page=page, size=PAGE_SIZE) if result.plans else None
    left = report.left_for_person if report else ()
    longest = max(len(result.findings), len(result.outcomes), len(left), 1)
    pages = max(-(-longest // PAGE_SIZE), plan.pages if plan else 1)
    page = min(page, pages)
    part = slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE)
    return RepairDetails(
        **_state(result),
        requested_by=result.user,
        domain=result.domain,
        partition=result.partition,
        started_at=result.started_at,
        ended_at=result.ended_at,
        detection_confidence_score=result.detection.confidence_score if result.detection else None,
        suspects=result.detection.suspects if result.detection else 0,
        total_problems=len(result.findings),
        problems=tuple(problem_of(finding) for finding in result.findings[part]),
        plan=_plan(plan, result.decisions) if plan and page <= plan.pages else None,
        decisions=tuple(decision_of(recorded) for recorded in result.decisions),
        outcomes=_outcomes(result, part),
        summary=report.summary if report else "",
        left_for_person=left[part],
        notices=(*result.troubles, *result.notices),
        model_tokens=result.usage.total.tokens,
        model_cost_usd=result.usage.total.cost,
        page=page,
        pages=pages,
    )


def _plan(plan: PlanView, decisions: Sequence[RecordedDecision]) -> ProposedPlan:
    edits: dict[str, dict[str, JsonValue]] = {}
    for each in decisions:
        if each.decision.plan_digest == plan.digest:
            edits |= each.decision.edits
    return ProposedPlan(
        digest=plan.digest,
        round=plan.round,
        total_actions=plan.total_actions,
        spends=plan.spends,
        overall_confidence_score=plan.overall_confidence_score,
        notes=plan.additional_notes,
        left_out=plan.left_out,
        actions=tuple(_action(action, edits.get(action.id, {})) for action in plan.actions),
        suppressed=tuple(
            LeftAlone(record_id=each.finding.record_id, what=each.finding.issue, why=each.reason)
            for each in plan.suppressed
        ),
        blocked=tuple(
            LeftAlone(record_id=each.record_id, what=f"{each.tool}, proposed by {each.proposed_by}", why=each.reason)
            for each in plan.blocked
        ),
        for_person=tuple(
            LeftAlone(
                record_id=each.record_id,
                what=each.kind,
                why=each.reason,
                message=tuple(each.message.split("\n")) if each.message else (),
            )
            for each in plan.for_person
        ),
    )


def _action(action: ActionView, edits: Mapping[str, JsonValue]) -> PlannedAction:
    """As it was planned; what a person's change leads to was not worked out."""
    said: dict[LineKind, list[str]] = {}
    for line in action_lines(action, edits=edits):
        named = f"{line.label}: " if line.kind is LineKind.CHANGE else ""
        said.setdefault(line.kind, []).append(f"{named}{line.text}")
    return PlannedAction(
        id=action.id,
        record_id=action.record_id,
        about=action.title,
        tool=action.tool,
        risk=str(action.risk),
        confidence_score=action.confidence_score,
        proposed_by=_all_of(said, LineKind.PROPOSER),
        problems=tuple(said.get(LineKind.PROBLEM, ())),
        rationale=_all_of(said, LineKind.REASON),
        done_before=tuple(said.get(LineKind.DONE_BEFORE, ())),
        arguments=action.arguments,
        editable=action.editable,
        changes=tuple(said.get(LineKind.CHANGE, ())),
        spends=_all_of(said, LineKind.SPENDS),
        if_it_does_not_help=_all_of(said, LineKind.FALLBACK),
        doubts=tuple(said.get(LineKind.DOUBT, ())),
        instead_of=_all_of(said, LineKind.ALTERNATIVE),
    )


def _all_of(said: Mapping[LineKind, Sequence[str]], kind: LineKind) -> str:
    return "; ".join(said.get(kind, ()))


def _outcomes(result: RepairResult, part: slice) -> tuple[Outcome, ...]:
    verified: dict[str, list[str]] = {}
    for each in result.verification.findings if result.verification else ():
        verified.setdefault(each.action_id, []).append(f"{each.kind}: {each.status}: {each.evidence}")
    return tuple(_outcome(outcome, verified.get(outcome.action_id, ())) for outcome in result.outcomes[part])


def _outcome(outcome: ActionOutcome, verified: Sequence[str]) -> Outcome:
    return Outcome(
        action_id=outcome.action_id,
        record_id=outcome.record_id,
        tool=outcome.tool,
        status=str(outcome.status),
        evidence=outcome.evidence,
        verified=tuple(verified),
        simulated=outcome.simulated,
    )


def agent_of(found: ProactiveStatus, *, already_running: bool | None = None) -> ProactiveAgent:
    """A proactive agent, with the repair that runs."""
    agent = found.agent
    repair = state_of(found.repair) if found.repair is not None else None
    cycles = (
        AgentCycle(
            repair_id=each.repair_id,
            phase=str(each.phase),
            ended_at=each.ended_at,
            needs_person=each.needs_person,
            reason=each.reason,
        )
        for each in agent.results
    )
    return visible_answer(
        ProactiveAgent(
            agent_id=agent.agent_id,
            phase=str(found.phase),
            domain=agent.domain,
            partition=agent.partition,
            interval_minutes=agent.interval.total_seconds() / 60,
            next_cycle_at=agent.next_cycle_at,
            cycles=agent.cycles,
            failures_in_a_row=agent.failures_in_a_row,
            repair=repair,
            last_cycles=tuple(cycles),
            trouble=found.trouble or (f"it has ended: {found.ended}" if found.ended else ""),
            already_running=already_running,
            next_step=repair.next_step if repair else "call get_proactive_agent later",
        )
    )


def just_begun(order: StartProactive, begun: ProactiveStarted, *, lacking: str = "") -> ProactiveAgent:
    """A proactive agent of which no worker could say yet where it stands."""
    return visible_answer(
        ProactiveAgent(
            agent_id=begun.agent_id,
            phase=str(AgentPhase.RUNNING_CYCLE),
            domain=order.domain,
            partition=str(order.scope.partition or ""),
            interval_minutes=order.interval.total_seconds() / 60,
            trouble=lacking or "no worker has answered yet",
            already_running=begun.already_running,
            next_step="call get_proactive_agent later",
        )
    )
