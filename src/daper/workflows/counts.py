"""What repairs count of themselves, once each: nothing is counted anew when a history is gone through again."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from daper.core.measures import ACTIONS, DECISIONS, HELD, OTHER, PHASES, WAITS, Measure, known_door, known_error
    from daper.core.models import Decision, Person, Plan
    from daper.core.outcomes import ActionOutcome
    from daper.core.phases import Phase
    from daper.workflows.state import CycleState


def entered(state: CycleState) -> None:
    """A repair entered a phase."""
    if state.phase is not Phase.INITIALIZING:
        _count(PHASES, {"domain": _domain(state), "phase": str(state.phase)})


def decided(decision: Decision, state: CycleState) -> None:
    """A decision is recorded, while the plan still waits."""
    answers = {str(verdict) for verdict in decision.verdicts.values()}
    labels = {
        "domain": _domain(state),
        "door": known_door(decision.door),
        "by": "person" if isinstance(decision.by, Person) else "policy",
        "answer": answers.pop() if len(answers) == 1 else "both" if answers else "none",
    }
    _time(DECISIONS, workflow.now() - state.phase_since, labels)


def acted(outcome: ActionOutcome, domain: str) -> None:
    """Something became of an action."""
    _count(ACTIONS, {"domain": domain, "tool": outcome.tool, "outcome": str(outcome.status)})


def waited(error: str, state: CycleState, *, since: datetime) -> None:
    """A wait for a disk is over, which began with that error."""
    _time(WAITS, workflow.now() - since, {"domain": _domain(state), "error": known_error(error)})


def held(plan: Plan, state: CycleState) -> None:
    """A plan leaves out what another repair holds."""
    number = sum(bool(item.held_by) for item in plan.suppressed)
    if number:
        _count(HELD, {"domain": _domain(state)}, number)


def _domain(state: CycleState) -> str:
    """Where the store has never answered, the name may be anything that somebody wrote."""
    return OTHER if state.opened is None else state.request.domain


def _count(measure: Measure, labels: Mapping[str, str], number: int = 1) -> None:
    workflow.metric_meter().create_counter(measure.base, measure.help).add(number, labels)


def _time(measure: Measure, length: timedelta, labels: Mapping[str, str]) -> None:
    meter = workflow.metric_meter()
    meter.create_histogram_timedelta(measure.base, measure.help, "s").record(max(length, timedelta()), labels)
