"""The story of a repair in lines, made from what one look after another shows. Pure; each thing is told once."""

from collections.abc import Iterator

from pydantic import JsonValue

from daper.core.decisions import who
from daper.core.models import Fallback, RecordedDecision, Verdict
from daper.core.outcomes import ActionOutcome, RepairResult
from daper.core.phases import Phase
from daper.core.views import ActionView, PlanView, RepairView

_FALLBACK = {
    Fallback.UNDO: "it is undone",
    Fallback.HAND_OVER: "it is handed to a person (it cannot be undone)",
}


class Story:
    """Tells a repair from its looks: phases, plan, decision, result."""

    def __init__(self) -> None:
        self._phases = 0
        self._plan = ""
        self._decision: RecordedDecision | None = None
        self._message = ""

    def go_on(self, look: RepairView) -> Iterator[str]:
        """The lines that this look adds."""
        for phase in look.phases_seen[self._phases :]:
            yield f"Current repair status: {phase}"
            if phase is Phase.PENDING_APPROVAL:
                yield from self._tell_plan(look)
        self._phases = len(look.phases_seen)
        if look.message and look.message != self._message:
            self._message = look.message
            yield look.message
        if look.decision is not None and look.decision != self._decision:
            self._decision = look.decision
            yield decided(look.decision)

    def _tell_plan(self, look: RepairView) -> Iterator[str]:
        if look.plan is not None and look.plan.digest != self._plan:
            self._plan = look.plan.digest
            yield from plan_lines(look.plan, domain=look.domain)

    def end(self, result: RepairResult) -> Iterator[str]:
        """The lines with which the story ends."""
        seen = [Phase(name) for name in result.durations]
        for phase in seen[self._phases :] if self._phases < len(seen) else []:
            yield f"Current repair status: {phase}"
        if result.decisions and result.decisions[-1] != self._decision:
            yield decided(result.decisions[-1])
        yield from result_lines(result)


def plan_lines(plan: PlanView, *, domain: str) -> Iterator[str]:
    """The plan as a person reads it: per record, each action with everything that would run."""
    yield f"Repair planning is complete. Plan {plan.digest}"
    yield f"Proposed {domain.title()} to repair:"
    told = ""
    for action in plan.actions:
        if action.record_id != told:
            told = action.record_id
            yield f"  - {action.record_id}{f' ({action.title})' if action.title else ''}:"
        yield from _action_lines(action)
    if plan.pages > 1:
        yield f"  page {plan.page} of {plan.pages}; {plan.total_actions} actions in all"
    for item in plan.for_person:
        yield f"  - {item.record_id}: {item.kind}: for a person: {item.reason}"
    for blocked in plan.blocked:
        yield f"  - {blocked.record_id}: {blocked.tool}: blocked: {blocked.reason}"
    for suppressed in plan.suppressed:
        yield f"  - {suppressed.finding.record_id}: {suppressed.finding.kind}: left alone: {suppressed.reason}"


def _action_lines(action: ActionView) -> Iterator[str]:
    sure = f"confidence score {action.confidence_score:g}, risk {action.risk}"
    yield f"    - {action.id} {action.tool}: {sure}"
    for name, value in action.arguments.items():
        limits = f" (may be {action.editable[name]})" if name in action.editable else ""
        yield f"      - {name}: {_shown(value)}{limits}"
    for change in action.preview:
        yield f"      - {change.record} {change.field}: {change.before} → {change.after}"
    yield f"      - if it does not help: {_FALLBACK[action.if_it_does_not_help]}"


def decided(recorded: RecordedDecision) -> str:
    """One line on a decision: who, when, what runs."""
    decision = recorded.decision
    approved = ", ".join(recorded.will_run) or "nothing"
    rejected = ", ".join(name for name, verdict in decision.verdicts.items() if verdict is Verdict.REJECT)
    parts = [f"Decided by {who(decision.by)} at {recorded.decided_at:%H:%M:%S} UTC: {approved} approved"]
    if rejected:
        parts.append(f"{rejected} rejected")
    for action_id, edits in decision.edits.items():
        parts.append(f"{action_id} with " + ", ".join(f"{name}={_shown(value)}" for name, value in edits.items()))
    if decision.comment:
        parts.append(f"“{decision.comment}”")
    return "; ".join(parts)


def result_lines(result: RepairResult) -> Iterator[str]:
    """What became of each action, what was verified, and what is left."""
    yield from _outcome_lines(result)
    yield from _known_problems(result)
    yield f"Workflow completed with result: {result.phase}"
    if result.report:
        yield f"Report Summary: {result.report.summary}"
        if result.report.left_for_person:
            yield "Left for a person:"
            yield from (f"  - {line}" for line in result.report.left_for_person)
    if result.reason:
        yield f"Reason: {result.reason}"
    if result.paths:
        yield f"Report: {result.paths.markdown_path}"


def _outcome_lines(result: RepairResult) -> Iterator[str]:
    if result.outcomes:
        yield "Done:"
    for outcome in result.outcomes:
        yield f"  - {outcome.record_id}: {outcome.tool}: {outcome.status}{_simulated(outcome)}{_changes(outcome)}"
        if not outcome.status.took_effect:
            yield from (f"      - {line}" for line in outcome.evidence)
    if result.verification:
        yield "Verified:"
        for each in result.verification.findings:
            yield f"  - {each.record_id}: {each.kind}: {each.status}: {each.evidence}"


def _known_problems(result: RepairResult) -> Iterator[str]:
    for plan in result.plans:
        for suppressed in plan.suppressed:
            yield f"  - {suppressed.finding.record_id}: {suppressed.finding.kind}: left alone: {suppressed.reason}"


def _simulated(outcome: ActionOutcome) -> str:
    return " (simulated)" if outcome.simulated else ""


def _changes(outcome: ActionOutcome) -> str:
    if not outcome.status.took_effect:
        return ""
    changed = (f"{name} {_shown(outcome.before.get(name))} → {_shown(value)}" for name, value in outcome.after.items())
    return ": " + ", ".join(changed)


def _shown(value: JsonValue) -> str:
    return value if isinstance(value, str) else str(value)
