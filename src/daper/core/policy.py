"""The approval policy: what may run without a person's yes. A tool may claim low risk; only this decides."""

from decimal import Decimal

from pydantic import Field

from daper.core.base import Wire
from daper.core.models import RULES, Confidence, Decision, Person, Plan, PolicyGrant, ProposedAction, Risk, Verdict

LOW_CONFIDENCE = 0.5  # less sure actions are skipped unless a person approves them by name


class ApprovalPolicy(Wire):
    """Frozen, and asks by default: without an explicit grant nothing is approved."""

    auto_max_risk: Risk = Risk.MEDIUM
    auto_min_confidence: Confidence = LOW_CONFIDENCE
    auto_max_actions: int = Field(default=50, ge=0)
    auto_max_spend: Decimal = Decimal(10000)

    def uncovered(self, action: ProposedAction) -> str | None:
        """Why a grant does not cover one action, or None."""
        if action.bound.risk.rank > self.auto_max_risk.rank:
            return f"{action.id}: risk {action.bound.risk} is above {self.auto_max_risk}"
        if action.bound.spends is None:
            return f"{action.id}: nobody can say what it costs"
        if action.proposed_by != RULES:
            return f"{action.id}: proposed by {action.proposed_by}, not by the rules"
        return None

    def refuses_grant(self, plan: Plan) -> str | None:
        """Why this plan may not be approved by a grant, or None. A grant covers a whole plan or nothing of it."""
        sure = self.sure_enough(plan)
        if not sure:
            return f"no action is at least {self.auto_min_confidence} sure and doubted by nobody"
        if len(sure) > self.auto_max_actions:
            return (
                f"{len(sure)} actions are more than the {self.auto_max_actions} that may be approved without a person"
            )
        spend = sum((action.bound.spends or Decimal(0) for action in sure), Decimal(0))
        if spend > self.auto_max_spend:
            return f"the actions spend {spend}, more than the {self.auto_max_spend} that may be spent without a person"
        return next((why for action in sure if (why := self.uncovered(action))), None)

    def sure_enough(self, plan: Plan) -> tuple[ProposedAction, ...]:
        """The actions that a grant approves: sure enough, and doubted by nobody who looked; the others are skipped.

        Of two answers to one problem it is the first.
        """
        return tuple(
            action
            for action in plan.actions
            if action.confidence_score >= self.auto_min_confidence and not action.doubts and not action.instead_of
        )

    def grant(self, plan: Plan, requested_by: Person) -> Decision:
        """The decision that a grant makes on a plan which `refuses_grant` does not refuse."""
        return Decision(
            plan_digest=plan.digest,
            verdicts={action.id: Verdict.APPROVE for action in self.sure_enough(plan)},
            by=PolicyGrant(rule="auto-approve", requested_by=requested_by),
            door="policy",
        )
