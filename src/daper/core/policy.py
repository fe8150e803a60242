"""The approval policy: what may run without a person's yes. A tool may claim low risk; only this decides."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Final

from pydantic import Field

from daper.core.base import Wire
from daper.core.models import (
    RULES,
    Confidence,
    Decision,
    Finding,
    IdentityProof,
    Person,
    Plan,
    PolicyGrant,
    ProposedAction,
    Risk,
    Span,
    Verdict,
)
from daper.core.text import counted
from daper.core.views import UNKNOWN_AMOUNT, ActionView, PlanView

LOW_CONFIDENCE = 0.5  # less sure actions are skipped unless a person approves them by name

# What no policy can loosen: an agent with nobody there does what is as good as certain, and can do little harm.
ALONE_RISK: Final = Risk.LOW
ALONE_CONFIDENCE: Final = 0.95

# What is riskier, a person decides where all of it is told; no policy loosens that.
LINK_RISK: Final = Risk.LOW
LIST_RISK: Final = Risk.LOW

Money = Annotated[Decimal, Field(ge=0)]
Share = Annotated[Decimal, Field(ge=0, le=1)]

# What counts where nobody says otherwise.
APPROVAL_TIMEOUT: Final = timedelta(hours=12)
DECISION_VALID_FOR: Final = timedelta(hours=1)


class Alone(Wire):
    """What a proactive agent may do with nobody there. `allow`: tool → the kinds of problem that it may answer.

    `max_share`: how many of the open records one cycle may touch. `min_confidence` can only raise what is fixed.
    """

    min_confidence: Confidence = ALONE_CONFIDENCE
    max_actions: int = Field(default=5, ge=0)
    max_spend: Money = Decimal(0)
    max_share: Share = Decimal("0.2")
    allow: dict[str, tuple[str, ...]] = Field(default_factory=dict[str, tuple[str, ...]])

    def refuses(self, plan: Plan, findings: Mapping[str, Finding], open_records: int) -> str | None:
        """Why this plan may not run with nobody there, or None. It runs as a whole, or waits as a whole.

        `findings` by fingerprint. What is blocked or left to a person in the plan stays so, and does not stop the rest.
        """
        if not plan.actions:
            return "it has no actions"
        if why := next((why for action in plan.actions if (why := self._uncovered(action, findings))), None):
            return why
        if len(plan.actions) > self.max_actions:
            return f"it has {counted(len(plan.actions), 'action')}, and {self.max_actions} may run alone"
        spend = sum((action.bound.spends or Decimal(0) for action in plan.actions), Decimal(0))
        if spend > self.max_spend:
            return f"the actions spend {spend}, more than the {self.max_spend} that may be spent alone"
        touched = len({action.bound.record_id for action in plan.actions})
        if touched > self.max_share * open_records:
            return f"it touches {touched} of {open_records} open records, more than the share of {self.max_share}"
        return None

    def _uncovered(self, action: ProposedAction, findings: Mapping[str, Finding]) -> str | None:
        return self._unsure(action) or self._not_allowed(action, findings)

    def _unsure(self, action: ProposedAction) -> str | None:
        least = max(self.min_confidence, ALONE_CONFIDENCE)
        if action.proposed_by != RULES:
            return f"{action.id}: proposed by {action.proposed_by}, not by the rules"
        if action.instead_of:
            return f"{action.id}: an alternative to {action.instead_of}"
        if action.doubts:
            return f"{action.id}: doubted by {action.doubts[0]}"
        if not action.confidence_score >= least:
            return f"{action.id}: {action.confidence_score:g} sure, and {least:g} is needed"
        if action.bound.risk.rank > ALONE_RISK.rank:
            return f"{action.id}: risk {action.bound.risk} is above {ALONE_RISK}"
        if action.bound.spends is None:
            return f"{action.id}: nobody can say what it costs"
        return None

    def _not_allowed(self, action: ProposedAction, findings: Mapping[str, Finding]) -> str | None:
        if not action.answers:
            return f"{action.id}: it answers no finding"
        tool, least = action.bound.tool, max(self.min_confidence, ALONE_CONFIDENCE)
        for fingerprint in action.answers:
            finding = findings.get(fingerprint)
            if finding is None or finding.found_by != RULES:
                return f"{action.id}: it answers what the rules did not find"
            sure = min(finding.confidence_score, finding.seconded_confidence)
            if not sure >= least:
                return f"{action.id}: {finding.kind} is {sure:g} sure, and {least:g} is needed"
            if finding.doubts:
                return f"{action.id}: {finding.kind} is doubted by {finding.doubts[0]}"
            if finding.kind not in self.allow.get(tool, ()):
                return f"{action.id}: {tool} for {finding.kind} is not among what may run alone"
        return None


class ApprovalPolicy(Wire):
    """Frozen, and asks by default: without an explicit grant nothing is approved.

    `auto_*` bound a grant that somebody asked for; `alone` is for the proactive agent, and None lets nothing run alone.
    `approval_timeout`, `decision_valid_for`: what counts where nobody says otherwise, and the most that may be said;
    None: no word on it. `reminders`: after which shares of the time to decide somebody is reminded. `tell`: names of
    targets that are told what waits and what ended; never addresses. `by_link`: a person may decide by the link of a
    message on what can do little harm. `passkey_from`: what has that risk or more is approved by a passkey alone.
    `domains`: what counts for repairs of a domain in place of all the rest; `of` gives it.
    """

    auto_max_risk: Risk = Risk.MEDIUM
    auto_min_confidence: Confidence = LOW_CONFIDENCE
    auto_max_actions: int = Field(default=50, ge=0)
    auto_max_spend: Decimal = Decimal(10000)
    alone: Alone | None = None
    approval_timeout: Span | None = None
    decision_valid_for: Span | None = None
    reminders: tuple[Confidence, ...] = (0.5,)
    tell: tuple[str, ...] = ()
    by_link: bool = False
    passkey_from: Risk | None = None
    domains: dict[str, "ApprovalPolicy"] = Field(default_factory=dict[str, "ApprovalPolicy"])

    def of(self, domain: str) -> "ApprovalPolicy":
        """What counts for repairs of this domain, and no word of others."""
        return self.domains.get(domain) or (self.model_copy(update={"domains": {}}) if self.domains else self)

    def uncovered(self, action: ProposedAction) -> str | None:
        """Why a grant does not cover one action, or None."""
        if action.bound.risk.rank > self.auto_max_risk.rank:
            return f"{action.id}: risk {action.bound.risk} is above {self.auto_max_risk}"
        if self.needs_passkey(action.bound.risk):
            return f"{action.id}: risk {action.bound.risk} is approved by a passkey alone"
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

    def refuses_alone(self, plan: Plan, findings: Mapping[str, Finding], open_records: int) -> str | None:
        """Why a proactive agent may not run this plan with nobody there, or None."""
        if self.alone is None:
            return "the policy lets nothing run alone"
        signed = next((action for action in plan.actions if self.needs_passkey(action.bound.risk)), None)
        if signed is not None:
            return f"{signed.id}: risk {signed.bound.risk} is approved by a passkey alone"
        return self.alone.refuses(plan, findings, open_records)

    def refuses_proof(self, plan: Plan, decision: Decision) -> str | None:
        """Why the way in which the name became known does not do for this decision, or None."""
        how = decision.by.how if isinstance(decision.by, Person) else None
        if how is IdentityProof.MAILBOX and (why := self.refuses_link(plan)):
            return f"nobody decides on this plan by the link of a message: {why}"
        if how is IdentityProof.PASSKEY:
            return None
        approved = (action for action in plan.actions if decision.verdicts.get(action.id) is Verdict.APPROVE)
        risky = next((action for action in approved if self.needs_passkey(action.bound.risk)), None)
        if risky is None:
            return None
        return f"{risky.id} has risk {risky.bound.risk}, which is approved by a passkey alone: decide at the console"

    def needs_passkey(self, risk: Risk) -> bool:
        """Whether what has this risk is approved by a passkey alone."""
        return self.passkey_from is not None and risk.rank >= self.passkey_from.rank

    def refuses_link(self, plan: Plan) -> str | None:
        """Why nobody decides on this plan by the link of a message, or None: a link proves a mailbox, and no more."""
        if not self.by_link:
            return "the policy does not allow it"
        if unsure := [action.id for action in plan.actions if action not in self.sure_enough(plan)]:
            return f"{unsure[0]} is not sure enough, doubted, or an alternative"
        risky = next((action for action in plan.actions if action.bound.risk.rank > LINK_RISK.rank), None)
        if risky is not None:
            return f"{risky.id}: risk {risky.bound.risk} is above {LINK_RISK}"
        return self.refuses_grant(plan)

    def refuses_from_list(self, plan: PlanView) -> str | None:
        """Why a person has to open this plan to decide on it, or None: a list shows less of it, and many beside it.

        What a grant may not cover, or has more than low risk, is decided where all of it is told.
        """
        if not plan.actions:
            return "it has no actions"
        if len(plan.actions) < plan.total_actions:
            return f"{len(plan.actions)} of its {plan.total_actions} actions are known here"
        if len(plan.actions) > self.auto_max_actions:
            return f"{len(plan.actions)} actions are more than the {self.auto_max_actions} that a list may decide"
        if why := next((why for action in plan.actions if (why := self._not_from_list(action))), None):
            return why
        spend = sum((Decimal(action.spends) for action in plan.actions), Decimal(0))
        if spend > self.auto_max_spend:
            return f"the actions spend {spend}, more than the {self.auto_max_spend} that a list may decide"
        return None

    def _not_from_list(self, action: ActionView) -> str | None:
        if action.risk.rank > LIST_RISK.rank:
            return f"{action.id}: risk {action.risk} is above {LIST_RISK}"
        if action.spends == UNKNOWN_AMOUNT:
            return f"{action.id}: nobody can say what it costs"
        if action.proposed_by != RULES:
            return f"{action.id}: proposed by {action.proposed_by}, not by the rules"
        if action.instead_of:
            return f"{action.id}: an alternative to {action.instead_of}"
        if action.doubts:
            return f"{action.id}: doubted by somebody who looked"
        if action.confidence_score < self.auto_min_confidence:
            return f"{action.id}: {action.confidence_score:g} sure, and {self.auto_min_confidence:g} is needed"
        return None

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
        return _approve(plan, self.sure_enough(plan), rule="auto-approve", requested_by=requested_by)

    def act_alone(self, plan: Plan, requested_by: Person) -> Decision:
        """The decision on a plan which `refuses_alone` does not refuse: all of it."""
        return _approve(plan, plan.actions, rule="alone", requested_by=requested_by)

    def waits(self, said: timedelta | None, otherwise: timedelta) -> timedelta:
        """How long a plan waits for a decision: as was said, at most as the policy says; `otherwise` if neither did."""
        return _bounded(said, self.approval_timeout, otherwise)

    def valid_for(self, said: timedelta | None, otherwise: timedelta) -> timedelta:
        """How long a decision is valid: as was said, at most as the policy says; `otherwise` if neither did."""
        return _bounded(said, self.decision_valid_for, otherwise)

    def reminders_within(self, wait: timedelta) -> tuple[timedelta, ...]:
        """How long after a plan began to wait somebody is reminded of it, where it waits for so long."""
        return tuple(wait * share for share in self.reminders)


def _approve(plan: Plan, actions: tuple[ProposedAction, ...], *, rule: str, requested_by: Person) -> Decision:
    return Decision(
        plan_digest=plan.digest,
        verdicts={action.id: Verdict.APPROVE for action in actions},
        by=PolicyGrant(rule=rule, requested_by=requested_by),
        door="policy",
    )


def _bounded(said: timedelta | None, most: timedelta | None, otherwise: timedelta) -> timedelta:
    if said is None:
        return most or otherwise
    return said if most is None else min(said, most)
