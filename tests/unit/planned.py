"""Plans made up for a test, as a person reads them: any number of actions, each what it is given as."""

from decimal import Decimal
from typing import Any

from daper.core.guard import seal
from daper.core.limits import Between
from daper.core.models import BoundAction, Change, Fallback, Finding, Plan, ProposedAction, Risk
from daper.core.views import PlanView, view_plan


def proposed(number: int, **given: Any) -> ProposedAction:
    """Action `a<number>`. Any: fields of the action, of what is bound, or `kind` of its finding."""
    record_id = given.get("record_id", f"ORD-{number:03}")
    quantity = given.get("quantity")
    text = BoundAction(
        cycle_id="c1",
        round=1,
        domain="orders",
        store_id="s1",
        tool=given.get("tool", "send_reminder"),
        record_id=record_id,
        arguments={"customer": f"of {record_id}"}
        | ({} if quantity is None else {"quantity": quantity})
        | given.get("more", {}),
        reads={},
        editable={} if quantity is None else {"quantity": Between(minimum=1, maximum=900)},
        risk=given.get("risk", Risk.LOW),
        spends=given.get("spends", Decimal(0)),
        if_it_does_not_help=given.get("then", Fallback.UNDO),
        canary=given.get("canary", 0),
        alike=given.get("alike", ""),
    ).to_text()
    return ProposedAction(
        id=f"a{number}",
        text=text,
        digest=f"digest-{number}",
        preview=(Change(record=f"orders/{record_id}", field="status", before="unpaid", after="reminded"),),
        answers=(f"{given.get('kind', 'never-paid')}/{record_id}",),
        rationale=given.get("rationale", "Nobody has reminded them."),
        proposed_by=given.get("proposed_by", "rules"),
        confidence_score=given.get("confidence_score", 0.9),
        doubts=given.get("doubts", ()),
        instead_of=given.get("instead_of", ""),
    )


def plan_of(*actions: ProposedAction) -> Plan:
    """A sealed plan."""
    return seal(Plan(actions=actions), cycle_id="c1")


def findings_of(plan: Plan) -> dict[str, Finding]:
    """What its actions answer."""
    answered = {fingerprint: action for action in plan.actions for fingerprint in action.answers}
    return {
        fingerprint: Finding(
            record_id=action.bound.record_id,
            kind=fingerprint.partition("/")[0],
            issue=f"Record {action.bound.record_id} is not paid.",
            fingerprint=fingerprint,
        )
        for fingerprint, action in answered.items()
    }


def shown_plan(*actions: ProposedAction, page: int = 1, size: int = 500) -> PlanView:
    """A plan as a person reads it."""
    plan = plan_of(*actions)
    return view_plan(plan, page=page, size=size, findings=findings_of(plan))
