"""Who decided what, and what is left alone, as Markdown. Pure."""

from daper.adapters.reports.tables import code, moment, prose, settings, table
from daper.core.decisions import who
from daper.core.models import Plan, RecordedDecision, Verdict
from daper.core.outcomes import RepairResult
from daper.core.text import markdown

_VERDICTS = {Verdict.APPROVE: "approved", Verdict.REJECT: "rejected", None: "not approved (not named)"}


def decision_log(result: RepairResult) -> list[str]:
    """Who decided what and when, through which door; none are no lines."""
    plans = {plan.digest: plan for plan in result.plans}
    return [
        line for recorded in result.decisions for line in _decision(recorded, plans.get(recorded.decision.plan_digest))
    ]


def _decision(recorded: RecordedDecision, plan: Plan | None) -> list[str]:
    decision = recorded.decision
    door = f" through {code(decision.door)}" if decision.door else ""
    comment = [f"Comment: {prose(decision.comment)}", ""] if decision.comment else []
    planned = [action.id for action in plan.actions] if plan else []
    return [
        f"Decided by {markdown(who(decision.by))} on {moment(recorded.decided_at)}{door}, on plan "
        f"{code(decision.plan_digest[:12])}.",
        "",
        *comment,
        *table(
            ("action", "decision", "changed by the person", "digest of what runs"),
            (
                (
                    code(action_id),
                    _VERDICTS[decision.verdicts.get(action_id)],
                    settings(decision.edits.get(action_id, {})),
                    code(recorded.will_run.get(action_id, "")[:12]),
                )
                for action_id in dict.fromkeys((*planned, *decision.verdicts))
            ),
        ),
    ]


def suppressed_table(result: RepairResult) -> list[str]:
    """Each problem that is left alone, once, with the reason; none are no lines."""
    items = {item.finding.fingerprint: item for plan in result.plans for item in plan.suppressed}
    return table(
        ("record", "kind", "problem", "why it is left alone"),
        (
            (code(item.finding.record_id), code(item.finding.kind), markdown(item.finding.issue), markdown(item.reason))
            for item in items.values()
        ),
    )
