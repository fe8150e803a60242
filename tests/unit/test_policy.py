"""What may run without a person's yes, and what never may."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from daper.core.digests import digest
from daper.core.guard import seal
from daper.core.models import (
    BoundAction,
    Fallback,
    IdentityProof,
    Person,
    Plan,
    PolicyGrant,
    ProposedAction,
    Risk,
    Verdict,
)
from daper.core.policy import LOW_CONFIDENCE, ApprovalPolicy

ALBUS = Person(name="Albus", how=IdentityProof.OS_USER)


def action(
    action_id: str = "a1",
    *,
    risk: Risk = Risk.LOW,
    sure: float = 1.0,
    spends: Decimal = Decimal(0),
    proposed_by: str = "rules",
) -> ProposedAction:
    text = BoundAction(
        cycle_id="c1",
        round=1,
        domain="orders",
        store_id="s1",
        tool="request_approval",
        record_id="ORD-1",
        arguments={},
        reads={},
        editable={},
        risk=risk,
        spends=spends,
        if_it_does_not_help=Fallback.HAND_OVER,
    ).to_text()
    return ProposedAction(id=action_id, text=text, digest=digest(text), confidence_score=sure, proposed_by=proposed_by)


def plan_of(*actions: ProposedAction, overall: float = 1.0) -> Plan:
    return seal(Plan(actions=actions, overall_confidence_score=overall), cycle_id="c1")


def test_the_default_covers_low_and_medium_risk() -> None:
    plan = plan_of(action("a1"), action("a2", risk=Risk.MEDIUM, spends=Decimal(500)))

    assert ApprovalPolicy().refuses_grant(plan) is None


def test_s6_high_risk_is_never_covered_whatever_the_confidence() -> None:
    plan = plan_of(action("a1"), action("a2", risk=Risk.HIGH, sure=1.0), overall=1.0)

    assert ApprovalPolicy().refuses_grant(plan) == "a2: risk high is above medium"


def test_s6_what_a_model_proposed_is_never_covered() -> None:
    plan = plan_of(action("a1", proposed_by="openai/gpt-4o", sure=1.0), overall=0.99)

    assert ApprovalPolicy().refuses_grant(plan) == "a1: proposed by openai/gpt-4o, not by the rules"


def test_a_grant_names_the_rule_and_who_asked_for_it() -> None:
    plan = plan_of(action("a1"))

    decision = ApprovalPolicy().grant(plan, ALBUS)

    assert decision.by == PolicyGrant(rule="auto-approve", requested_by=ALBUS)
    assert (decision.plan_digest, decision.verdicts, decision.edits) == (plan.digest, {"a1": Verdict.APPROVE}, {})


def test_a_grant_leaves_out_what_is_less_sure_than_the_threshold_and_rejects_nothing() -> None:
    plan = plan_of(action("a1", sure=LOW_CONFIDENCE), action("a2", sure=LOW_CONFIDENCE - 0.01))

    assert ApprovalPolicy().grant(plan, ALBUS).verdicts == {"a1": Verdict.APPROVE}


def test_d11_more_actions_than_the_cap_are_not_covered() -> None:
    plan = plan_of(*(action(f"a{number}") for number in range(3)))

    assert ApprovalPolicy(auto_max_actions=3).refuses_grant(plan) is None
    assert ApprovalPolicy(auto_max_actions=2).refuses_grant(plan) == (
        "3 actions are more than the 2 that may be approved without a person"
    )


def test_d11_spending_over_the_cap_is_not_covered_though_each_action_is_below_it() -> None:
    plan = plan_of(action("a1", spends=Decimal("60.00")), action("a2", spends=Decimal("40.01")))

    assert ApprovalPolicy(auto_max_spend=Decimal("100.01")).refuses_grant(plan) is None
    assert ApprovalPolicy(auto_max_spend=Decimal(100)).refuses_grant(plan) == (
        "the actions spend 100.01, more than the 100 that may be spent without a person"
    )


def test_the_policy_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        ApprovalPolicy().auto_max_risk = Risk.HIGH  # pyright: ignore[reportAttributeAccessIssue] - that is the test


ACTIONS = st.lists(
    st.builds(
        action,
        risk=st.sampled_from(Risk),
        sure=st.floats(min_value=0, max_value=1),
        spends=st.decimals(min_value=0, max_value=1000, places=2),
        proposed_by=st.sampled_from(["rules", "rules", "rules", "a model"]),
    ),
    max_size=6,
).map(lambda actions: [each.model_copy(update={"id": f"a{number}"}) for number, each in enumerate(actions)])
POLICIES = st.builds(
    ApprovalPolicy,
    auto_max_risk=st.sampled_from(Risk),
    auto_min_confidence=st.floats(min_value=0, max_value=1),
    auto_max_actions=st.integers(min_value=0, max_value=6),
    auto_max_spend=st.decimals(min_value=0, max_value=2000, places=2),
)


@given(ACTIONS, POLICIES, st.floats(min_value=0, max_value=1))
def test_s6_a_grant_approves_only_what_every_bound_of_the_policy_allows(
    actions: list[ProposedAction], policy: ApprovalPolicy, overall: float
) -> None:
    plan = plan_of(*actions, overall=overall)
    if policy.refuses_grant(plan) is not None:
        return

    approved = [each for each in actions if policy.grant(plan, ALBUS).verdicts.get(each.id) is Verdict.APPROVE]

    assert all(each.bound.risk.rank <= policy.auto_max_risk.rank for each in approved)
    assert all(each.confidence_score >= policy.auto_min_confidence for each in approved)
    assert all(each.proposed_by == "rules" for each in approved)
    assert len(approved) <= policy.auto_max_actions
    assert sum(each.bound.spends or Decimal(0) for each in approved) <= policy.auto_max_spend


@given(ACTIONS, POLICIES, st.floats(min_value=0, max_value=1))
def test_s6_the_overall_confidence_changes_nothing(
    actions: list[ProposedAction], policy: ApprovalPolicy, overall: float
) -> None:
    modest, boasting = plan_of(*actions, overall=overall), plan_of(*actions, overall=1.0)

    assert policy.refuses_grant(modest) == policy.refuses_grant(boasting)
    assert policy.sure_enough(modest) == policy.sure_enough(boasting)


@given(ACTIONS.filter(bool), POLICIES)
def test_s6_more_confidence_never_makes_a_grant_possible_that_was_refused_for_its_risk(
    actions: list[ProposedAction], policy: ApprovalPolicy
) -> None:
    surer = plan_of(*(each.model_copy(update={"confidence_score": 1.0}) for each in actions))

    if any(policy.uncovered(each) for each in actions):
        assert policy.refuses_grant(surer) is not None


@given(ACTIONS, POLICIES)
def test_low_confidence_is_never_raised_to_an_approval(actions: list[ProposedAction], policy: ApprovalPolicy) -> None:
    verdicts = policy.grant(plan_of(*actions), ALBUS).verdicts

    unsure = {each.id for each in actions if each.confidence_score < policy.auto_min_confidence}
    assert unsure.isdisjoint(verdicts)
