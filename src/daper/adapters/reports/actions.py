"""What was proposed, refused and done, as Markdown tables. Pure."""

from collections.abc import Mapping

from pydantic import JsonValue

from daper.adapters.reports.tables import NOTHING, code, listed, prose, score, settings, table, value
from daper.core.models import ProposedAction
from daper.core.outcomes import ActionOutcome, RepairResult
from daper.core.text import markdown


def actions_table(result: RepairResult) -> list[str]:
    """Every proposed action of every round, and what became of it."""
    outcomes = {outcome.action_id: outcome for outcome in result.outcomes}
    actions = [action for plan in result.plans for action in plan.actions]
    header = ("action", "record", "tool", "arguments", "confidence", "risk", "status", "before → after", "evidence")
    return table(header, (_action(action, outcomes.get(action.id)) for action in actions))


def _action(action: ProposedAction, outcome: ActionOutcome | None) -> list[str]:
    bound = action.bound
    edited = bool(outcome and outcome.digest and outcome.digest != action.digest)
    arguments = outcome.arguments if edited and outcome else bound.arguments
    return [
        code(action.id),
        code(bound.record_id),
        code(bound.tool),
        settings(arguments) + (" (edited)" if edited else ""),
        score(action.confidence_score),
        str(bound.risk),
        _status(outcome),
        _changes(action, outcome),
        listed([markdown(item) for item in outcome.evidence]) if outcome else "",
    ]


def _status(outcome: ActionOutcome | None) -> str:
    if outcome is None:
        return "did not run"
    return code(outcome.status) + (" (simulated)" if outcome.simulated else "")


def _changes(action: ProposedAction, outcome: ActionOutcome | None) -> str:
    if outcome and (outcome.before or outcome.after):
        names = dict.fromkeys((*outcome.before, *outcome.after))
        return listed([f"{markdown(name)}: {_at(outcome.before, name)} → {_at(outcome.after, name)}" for name in names])
    planned = [
        f"{markdown(change.record)} {markdown(change.field)}: {value(change.before)} → {value(change.after)}"
        for change in action.preview
    ]
    return f"planned: {listed(planned)}" if planned else ""


def _at(fields: Mapping[str, JsonValue], name: str) -> str:
    return value(fields[name]) if name in fields else NOTHING


def blocked_table(result: RepairResult) -> list[str]:
    """What the guard refused, with the reason; none are no lines."""
    return table(
        ("record", "tool", "arguments", "proposed by", "why it may not run"),
        (
            (
                code(item.record_id),
                code(item.tool),
                settings(item.arguments),
                markdown(item.proposed_by),
                markdown(item.reason),
            )
            for plan in result.plans
            for item in plan.blocked
        ),
    )


def plans_table(result: RepairResult) -> list[str]:
    """The plan of each round; none are no lines."""
    return table(
        ("round", "plan", "actions", "confidence", "notes"),
        (
            (
                str(plan.round),
                code(plan.digest[:12]),
                str(len(plan.actions)),
                score(plan.overall_confidence_score),
                prose(plan.additional_notes),
            )
            for plan in result.plans
        ),
    )
