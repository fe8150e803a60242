"""The story of a repair in lines, made from what one look after another shows. Pure; each thing is told once."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from daper.core.decisions import decided_by, ids_in_words
from daper.core.models import RecordedDecision, Verdict
from daper.core.outcomes import ActionOutcome, RepairResult
from daper.core.phases import Phase
from daper.core.usage import Usage
from daper.core.views import PlanView, RepairView, last_plan
from daper.entrypoints.cli.plan_lines import apart, message_lines, plan_lines, shown_value

# What comes before the plan is made; a plan is told before any other phase.
_BEFORE_PLAN = {Phase.INITIALIZING, Phase.DETECTING_PROBLEMS, Phase.ANALYZING_PROBLEMS, Phase.PLANNING_REPAIR}

_WORTH_A_GROUP: Final = 3
_RECORDS_NAMED: Final = 12


class Story:
    """Tells a repair from its looks, each thing once: phases, plan, decision, result."""

    def __init__(self, *, more: str = "") -> None:
        """`more`: as `plan_lines` has it."""
        self._more = more
        self._told: list[Phase] = []
        self._plan = ""
        self._decision: RecordedDecision | None = None
        self._message = ""

    def go_on(self, look: RepairView) -> Iterator[str]:
        """The lines that this look adds."""
        told = self._lines_of(look.plan, look.domain, look.decide_by)
        yield from self._go_through(look.phases_seen[len(self._told) :], look.plan, told, look.decision)
        if look.message and look.message != self._message:
            self._message = look.message
            yield look.message

    def end(self, result: RepairResult, *, kept: Path | None = None) -> Iterator[str]:
        """The lines with which the story ends; `kept` is where this machine has the report, if it has it."""
        plan = last_plan(result)
        decision = result.decisions[-1] if result.decisions else None
        missed = [phase for phase in map(Phase, result.durations) if phase not in self._told]
        told = self._lines_of(plan, result.domain)
        yield from self._go_through(missed, plan, told, decision)
        yield from result_lines(result, kept=kept, glance=bool(self._more))

    def _lines_of(self, plan: PlanView | None, domain: str, decide_by: datetime | None = None) -> Iterator[str]:
        return plan_lines(plan, domain=domain, decide_by=decide_by, more=self._more) if plan else iter(())

    def _go_through(
        self, phases: Sequence[Phase], plan: PlanView | None, told: Iterator[str], decision: RecordedDecision | None
    ) -> Iterator[str]:
        for phase in phases:
            # Before what follows from them: a plan that nobody was asked about, and an answer.
            if phase not in _BEFORE_PLAN and phase is not Phase.PENDING_APPROVAL:
                yield from self._tell_plan(plan, told)
                yield from self._tell_decision(decision)
            self._told.append(phase)
            yield f"Current repair status: {phase}"
            if phase is Phase.PENDING_APPROVAL:
                yield from self._tell_plan(plan, told)
        if self._told and self._told[-1] not in _BEFORE_PLAN:
            yield from self._tell_decision(decision)

    def _tell_plan(self, plan: PlanView | None, told: Iterator[str]) -> Iterator[str]:
        if plan is not None and plan.digest != self._plan:
            self._plan = plan.digest
            yield from told

    def _tell_decision(self, decision: RecordedDecision | None) -> Iterator[str]:
        if decision is not None and decision != self._decision:
            self._decision = decision
            yield decided(decision)


def decided(recorded: RecordedDecision) -> str:
    """One line on a decision: who, when, what runs."""
    decision = recorded.decision
    approved = ids_in_words(recorded.will_run) or "nothing"
    rejected = ids_in_words(name for name, verdict in decision.verdicts.items() if verdict is Verdict.REJECT)
    parts = [f"Decided by {decided_by(decision)} at {recorded.decided_at:%H:%M:%S} UTC: {approved} approved"]
    if rejected:
        parts.append(f"{rejected} rejected")
    for action_id, edits in decision.edits.items():
        parts.append(f"{action_id} with " + ", ".join(f"{name}={shown_value(value)}" for name, value in edits.items()))
    if decision.comment:
        parts.append(f"“{decision.comment}”")
    return "; ".join(parts)


def result_lines(result: RepairResult, *, kept: Path | None = None, glance: bool = False) -> Iterator[str]:
    """What became of each action, what was verified, and what is left; `kept` as in the story's end.

    `glance`: of three or more of which the same is to be said, it is said once.
    """
    yield from _outcome_lines(result, glance=glance)
    yield f"Workflow completed with result: {result.phase}"
    if result.report:
        yield f"Report Summary: {result.report.summary}"
        if result.report.narrative:
            yield f"In the words of {result.report.narrated_by}: {result.report.narrative}"
        if result.report.left_for_person:
            yield "Left for a person:"
            yield from (f"  - {line}" for line in result.report.left_for_person)
        for handed in (each for plan in result.plans for each in plan.for_person if each.message):
            yield f"  - {handed.record_id}: {handed.kind}:"
            yield from message_lines(handed.message.split("\n"))
    if result.reason:
        yield f"Reason: {result.reason}"
    yield from (f"Note: {notice}" for notice in result.notices)
    yield from usage_lines(result.usage)
    if kept:
        yield f"Report: {kept}"
    elif result.paths:
        fetch = f"daper repair report {result.repair_id} --output report.md"
        where = f"in {result.paths.kept_in}" if result.paths.kept_in else "on the machine of the worker that wrote it"
        yield f"Report: {where}; to have it here: {fetch}"


def usage_lines(usage: Usage) -> Iterator[str]:
    """What language models took, in all and by role; nothing if none was asked."""
    if usage.total.calls:
        roles = ", ".join(f"{role} {spent.tokens:,}" for role, spent in usage.by_role.items())
        yield f"Language models took {usage.total} ({roles})"


def _outcome_lines(result: RepairResult, *, glance: bool) -> Iterator[str]:
    if result.outcomes:
        yield "Done:"
    became = [(outcome.record_id, _became(outcome)) for outcome in result.outcomes]
    yield from _told(became, glance=glance)
    if result.verification:
        yield "Verified:"
        seen = [
            (each.record_id, (f"{each.kind}: {each.status}: {each.evidence}",)) for each in result.verification.findings
        ]
        yield from _told(seen, glance=glance)


def _became(outcome: ActionOutcome) -> tuple[str, ...]:
    """What became of an action, and the evidence where it took no effect."""
    evidence = () if outcome.status.took_effect else outcome.evidence
    return f"{outcome.tool}: {outcome.status}{_simulated(outcome)}{_changes(outcome)}", *evidence


def _told(each: Sequence[tuple[str, tuple[str, ...]]], *, glance: bool) -> Iterator[str]:
    """What is to be said of each record; at a glance, what is the same of several stands once, where the first is."""
    same: dict[tuple[str, ...], list[str]] = {}
    for record, said in each:
        same.setdefault(said, []).append(record)
    told = set[tuple[str, ...]]()
    for record, said in each:
        records = same[said]
        if not glance or len(records) < _WORTH_A_GROUP:
            yield f"  - {record}: {said[0]}"
        elif said in told:
            continue
        else:
            told.add(said)
            more = f" and {len(records) - _RECORDS_NAMED:,} more" if len(records) > _RECORDS_NAMED else ""
            yield f"  - {len(records):,} × {said[0]}: {', '.join(records[:_RECORDS_NAMED])}{more}"
        yield from (f"      - {line}" for line in said[1:])


def _simulated(outcome: ActionOutcome) -> str:
    return " (simulated)" if outcome.simulated else ""


def _changes(outcome: ActionOutcome) -> str:
    if not outcome.status.took_effect:
        return ""
    changed = {name: value for name, value in outcome.after.items() if value != outcome.before.get(name)}
    told = (
        f"{name} {_from(outcome, name)}{apart(value, '→', ', ')}" for name, value in (changed or outcome.after).items()
    )
    return ": " + ", ".join(told)


def _from(outcome: ActionOutcome, name: str) -> str:
    """What it was before; nothing where it was not there to be changed."""
    return f"{apart(outcome.before[name], '→', ', ')} → " if name in outcome.before else ""
