"""A decision answers one plan, once, within its limits; everything else is refused with the reason."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from daper.core.decisions import (
    answer_plan,
    decision_id,
    edited,
    record,
    refuse_at_sight,
    refuse_decision,
    refuse_identity,
    who,
)
from daper.core.digests import digest
from daper.core.errors import DecisionRefused
from daper.core.guard import seal
from daper.core.limits import Between, Exactly, Limit, OneOf, Sentence, is_editable
from daper.core.models import (
    BoundAction,
    Decision,
    Fallback,
    IdentityProof,
    Person,
    Plan,
    PolicyGrant,
    ProposedAction,
    Risk,
    Verdict,
)
from daper.core.phases import Phase
from daper.core.views import view_plan

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINERVA = Person(name="Minerva", how=IdentityProof.OS_USER)
LIMITS: dict[str, Limit] = {
    "item_id": Exactly(value="STP-ORG-001"),
    "quantity": Between(minimum=113, maximum=553),
    "approver": OneOf(values=("orders@example.org", "ministry@example.org")),
    "only": OneOf(values=("one",)),
    "note": Sentence(max_length=20),
}
WAITING = Phase.PENDING_APPROVAL
MAY_BE = "what may be: approver, note, quantity"


def action(action_id: str = "a1", *, cycle_id: str = "c1") -> ProposedAction:
    text = BoundAction(
        cycle_id=cycle_id,
        round=1,
        domain="orders",
        store_id="s1",
        tool="order_inventory",
        record_id=f"ORD-{action_id}",
        arguments={"item_id": "STP-ORG-001", "quantity": 200, "approver": "orders@example.org", "note": "soon"},
        reads={"orders/ORD-1": "v1"},
        editable={name: limit for name, limit in LIMITS.items() if is_editable(limit)},
        risk=Risk.MEDIUM,
        spends=Decimal(100),
        if_it_does_not_help=Fallback.UNDO,
    ).to_text()
    return ProposedAction(id=action_id, text=text, digest=digest(text))


def plan_of(*actions: ProposedAction, cycle_id: str = "c1", round_number: int = 1) -> Plan:
    return seal(Plan(actions=actions or (action("a1"), action("a2")), round=round_number), cycle_id=cycle_id)


PLAN = plan_of()


def decision(
    *,
    plan_digest: str = PLAN.digest,
    edits: dict[str, dict[str, JsonValue]] | None = None,
    by: Person | PolicyGrant = MINERVA,
    comment: str = "",
    **verdicts: Verdict,
) -> Decision:
    return Decision(
        plan_digest=plan_digest,
        verdicts=verdicts or {"a1": Verdict.APPROVE},
        edits=edits or {},
        by=by,
        door="cli",
        comment=comment,
    )


def test_a_decision_on_the_plan_that_waits_is_accepted() -> None:
    assert refuse_decision(WAITING, PLAN, None, decision()) is None
    assert refuse_decision(WAITING, PLAN, None, decision(a1=Verdict.APPROVE, a2=Verdict.REJECT)) is None


@pytest.mark.parametrize(
    "phase", [Phase.INITIALIZING, Phase.DETECTING_PROBLEMS, Phase.ANALYZING_PROBLEMS, Phase.PLANNING_REPAIR]
)
@pytest.mark.parametrize("plan", [None, PLAN])
def test_s1_d2_a_decision_before_the_plan_waits_is_refused(phase: Phase, plan: Plan | None) -> None:
    assert refuse_decision(phase, plan, None, decision()) == f"no plan is waiting for a decision yet (phase {phase})"


def test_s1_d2_a_decision_in_the_right_phase_without_a_plan_is_refused() -> None:
    assert "no plan is waiting" in (refuse_decision(WAITING, None, None, decision()) or "")


@pytest.mark.parametrize(
    "other",
    ["", PLAN.digest[:12], PLAN.digest.upper(), plan_of(cycle_id="c2").digest, plan_of(round_number=2).digest],
    ids=["empty", "shortened", "upper-case", "another cycle's", "another round's"],
)
def test_d2_a_decision_for_another_plan_is_refused(other: str) -> None:
    refused = refuse_decision(WAITING, PLAN, None, decision(plan_digest=other))

    assert refused is not None
    assert f"the decision quotes plan {other!r}, but plan {PLAN.digest!r} is waiting" in refused


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase.ended or phase is Phase.PENDING_REPORT])
def test_d2_a_decision_after_the_end_is_refused(phase: Phase) -> None:
    assert (
        refuse_decision(phase, PLAN, None, decision()) == f"the repair is over ({phase}); nothing waits for a decision"
    )


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not WAITING])
def test_d2_a_second_decision_is_refused_and_names_the_first(phase: Phase) -> None:
    first = record(PLAN, decision(), AT)

    refused = refuse_decision(phase, PLAN, first, decision(a1=Verdict.REJECT))

    assert refused == "already decided by Minerva (os-user) at 2026-03-01 12:00:00 UTC"


def test_d14_a_decision_on_an_action_that_the_plan_does_not_have_is_refused() -> None:
    assert refuse_decision(WAITING, PLAN, None, decision(a9=Verdict.APPROVE)) == (
        "the plan has no action 'a9'; it has: a1, a2"
    )
    unknown_edit = decision(edits={"a9": {"quantity": 200}})
    assert "no action 'a9'" in (refuse_decision(WAITING, PLAN, None, unknown_edit) or "")


def test_a_decision_that_names_no_action_is_refused() -> None:
    empty = Decision(plan_digest=PLAN.digest, verdicts={}, by=MINERVA)

    assert "names no action" in (refuse_decision(WAITING, PLAN, None, empty) or "")


@pytest.mark.parametrize("verdicts", [{"a1": Verdict.REJECT}, {"a2": Verdict.APPROVE}])
def test_an_edit_of_an_action_that_is_not_approved_is_refused(verdicts: dict[str, Verdict]) -> None:
    edit = Decision(plan_digest=PLAN.digest, verdicts=verdicts, edits={"a1": {"quantity": 200}}, by=MINERVA)

    assert refuse_decision(WAITING, PLAN, None, edit) == "a1 is edited but not approved"


@pytest.mark.parametrize(
    ("argument", "value", "reason"),
    [
        ("quantity", 112, "a1.quantity must be a whole number from 113 to 553; got 112"),
        ("quantity", 554, "from 113 to 553; got 554"),
        ("quantity", -200, "got -200"),
        ("quantity", 200.0, "got 200.0"),
        ("quantity", "200", "got '200'"),
        ("quantity", True, "got True"),
        ("quantity", None, "got None"),
        ("approver", "mallory@example.org", "must be one of"),
        ("approver", "ORDERS@example.org", "must be one of"),
        ("note", "x" * 21, "at most 20 characters"),
        ("note", 3, "must be a text"),
        ("item_id", "DRG-EGG-007", "a1.item_id may not be changed; what may be: approver, note, quantity"),
        ("only", "one", "a1.only may not be changed"),
        ("customer", "Draco", "a1.customer may not be changed"),
    ],
)
def test_d4_an_edit_outside_the_limits_is_refused(argument: str, value: JsonValue, reason: str) -> None:
    refused = refuse_decision(WAITING, PLAN, None, decision(edits={"a1": {argument: value}}))

    assert refused is not None
    assert reason in refused


def test_one_edit_outside_the_limits_refuses_the_whole_decision() -> None:
    mixed = decision(
        edits={"a1": {"quantity": 200, "note": "fine"}, "a2": {"quantity": 9}}, a1=Verdict.APPROVE, a2=Verdict.APPROVE
    )

    assert "a2.quantity must be" in (refuse_decision(WAITING, PLAN, None, mixed) or "")


def test_d18_a_grant_by_policy_cannot_come_from_outside() -> None:
    grant = PolicyGrant(rule="auto-approve", requested_by=MINERVA)

    assert refuse_identity(decision(by=grant)) == (
        "only a person can decide from outside; a policy's grant cannot be sent"
    )
    assert refuse_identity(decision()) is None


def test_who_decided_is_told_with_how_the_name_is_known() -> None:
    assert who(MINERVA) == "Minerva (os-user)"
    assert who(PolicyGrant(rule="auto-approve", requested_by=Person(name="Albus"))) == (
        "policy auto-approve, requested by Albus (claimed)"
    )


def test_d4_an_edit_gives_the_action_a_text_and_a_digest_of_its_own() -> None:
    original = action()

    changed = edited(original, {"quantity": 250})

    assert changed.digest == digest(changed.text)
    assert changed.digest != original.digest
    assert BoundAction.model_validate_json(changed.text).arguments == {
        "item_id": "STP-ORG-001",
        "quantity": 250,
        "approver": "orders@example.org",
        "note": "soon",
    }
    assert original == action()


def test_d4_an_edited_action_says_of_itself_what_its_text_says() -> None:
    original = action()
    assert original.bound.arguments["quantity"] == 200

    changed = edited(original, {"quantity": 250})

    assert changed.bound == BoundAction.model_validate_json(changed.text)


def test_without_an_edit_the_action_stays_as_it_was_shown() -> None:
    assert edited(action(), {}) == action()
    assert edited(action(), {"quantity": 200}).digest == action().digest


def test_d3_only_what_was_approved_by_name_will_run() -> None:
    plan = plan_of(action("a1"), action("a2"), action("a3"))
    mixed = decision(plan_digest=plan.digest, edits={"a1": {"quantity": 250}}, a1=Verdict.APPROVE, a2=Verdict.REJECT)

    recorded = record(plan, mixed, AT)

    assert recorded.will_run == {"a1": edited(action("a1"), {"quantity": 250}).digest}
    assert (recorded.decision, recorded.decided_at) == (mixed, AT)


def test_d15_the_same_decision_by_the_same_person_has_the_same_id() -> None:
    verdicts = {"a2": Verdict.REJECT, "a1": Verdict.APPROVE}
    turned = Decision(plan_digest=PLAN.digest, verdicts=verdicts, by=MINERVA, door="web")

    assert decision_id(decision(comment="now", a1=Verdict.APPROVE, a2=Verdict.REJECT)) == decision_id(turned)


@pytest.mark.parametrize(
    "other",
    [
        decision(a1=Verdict.REJECT),
        decision(a2=Verdict.APPROVE),
        decision(plan_digest="another"),
        decision(edits={"a1": {"quantity": 250}}),
        decision(by=Person(name="Albus", how=IdentityProof.OS_USER)),
        decision(by=Person(name="Minerva", how=IdentityProof.CLAIMED)),
    ],
)
def test_d2_another_decision_has_another_id(other: Decision) -> None:
    assert decision_id(other) != decision_id(decision())


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(min_value=-(10**6), max_value=10**6), st.floats(allow_nan=False), st.text()
)
LIKELY = st.one_of(
    st.integers(min_value=100, max_value=600),
    st.sampled_from(["orders@example.org", "ministry@example.org", "one", "STP-ORG-001", 200.0, True]),
    st.text(alphabet="ab ", max_size=25),
)
VALUES = st.one_of(SCALARS, LIKELY, st.lists(SCALARS, max_size=2))
FITTING = st.fixed_dictionaries(
    {"quantity": st.integers(min_value=110, max_value=560)}, optional={"note": st.text(max_size=22)}
)
EDITS = st.dictionaries(
    st.sampled_from(["a1", "a2"]),
    st.one_of(FITTING, st.dictionaries(st.sampled_from([*LIMITS, "x"]), VALUES, max_size=2)),
)
VERDICTS = st.dictionaries(st.sampled_from(["a1", "a2"]), st.sampled_from(Verdict), min_size=1)


@given(VERDICTS, EDITS)
def test_d4_an_accepted_decision_never_runs_an_argument_outside_its_limits(
    verdicts: dict[str, Verdict], edits: dict[str, dict[str, JsonValue]]
) -> None:
    given_decision = Decision(plan_digest=PLAN.digest, verdicts=verdicts, edits=edits, by=MINERVA)
    if refuse_decision(WAITING, PLAN, None, given_decision) is not None:
        return

    will_run = record(PLAN, given_decision, AT).will_run

    assert set(will_run) == {name for name, verdict in verdicts.items() if verdict is Verdict.APPROVE}
    for action_id, approved in will_run.items():
        runs = edited(action(action_id), edits.get(action_id, {}))
        bound = BoundAction.model_validate_json(runs.text)
        original = action(action_id).bound
        assert runs.digest == approved == digest(runs.text)
        assert all(LIMITS[name].refuses(value) is None for name, value in bound.arguments.items())
        assert bound.model_copy(update={"arguments": original.arguments}) == original


def test_one_answer_approves_some_rejects_others_and_leaves_the_rest() -> None:
    view = view_plan(plan_of(action("a1"), action("a2"), action("a3")))
    given = answer_plan(
        view, approved=("a1",), rejected=("a3",), edits={"a2": {"quantity": 250}}, by=MINERVA, door="cli", comment="so"
    )
    assert given.verdicts == {"a1": Verdict.APPROVE, "a2": Verdict.APPROVE, "a3": Verdict.REJECT}
    assert (given.plan_digest, given.edits, given.comment) == (view.digest, {"a2": {"quantity": 250}}, "so")


def test_an_action_that_would_be_approved_and_rejected_is_neither() -> None:
    view = view_plan(PLAN)
    with pytest.raises(DecisionRefused, match="a2, a1 would be approved and rejected; say one of the two"):
        answer_plan(view, approved=("a1", "a2"), rejected=("a2", "a1"), by=MINERVA, door="cli")


def test_an_edit_of_a_rejected_action_is_refused() -> None:
    edits: dict[str, dict[str, JsonValue]] = {"a1": {"quantity": 250}}
    given = answer_plan(view_plan(PLAN), rejected=("a1",), edits=edits, by=MINERVA, door="cli")
    assert refuse_decision(WAITING, PLAN, None, given) == "a1 is edited but not approved"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (decision(a1=Verdict.APPROVE, a2=Verdict.APPROVE), "a1 and a2 answer the same problem; approve one of them"),
        (decision(a1=Verdict.REJECT, a2=Verdict.APPROVE), None),
        (decision(a1=Verdict.APPROVE, a2=Verdict.REJECT), None),
        (decision(a9=Verdict.REJECT), "the plan has no action 'a9'; it has: a1, a2"),
        (decision(a1=Verdict.REJECT, edits={"a1": {"quantity": 250}}), "a1 is edited but not approved"),
        (decision(edits={"a2": {"quantity": 250}}), "a2 is edited but not approved"),
        (decision(edits={"a1": {"item_id": "X"}}), f"a1.item_id may not be changed; {MAY_BE}"),
        (decision(edits={"a1": {"quantity": 250}}), None),
    ],
)  # fmt: skip
def test_what_is_refused_at_sight_is_refused_by_the_plan_that_waits_too(given: Decision, why: str | None) -> None:
    """An alternative may be approved where the other one is rejected."""
    second = action("a2").model_copy(update={"instead_of": "a1", "answers": ("f1",)})
    plan = plan_of(action("a1").model_copy(update={"answers": ("f1",)}), second)
    quoting = given.model_copy(update={"plan_digest": plan.digest})

    assert refuse_at_sight(view_plan(plan), quoting) == why
    assert refuse_decision(WAITING, plan, None, quoting) == why
