"""The guard: what it refuses can never run, whoever proposed it."""

import json
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from daper.core.digests import canonical, digest
from daper.core.guard import LONGEST_ARGUMENT, Bindable, GuardCase, bind, refuse_arguments, refuse_proposal
from daper.core.limits import Between, Exactly, Limit, OneOf, Sentence, is_editable, limit_words
from daper.core.models import Fallback, Finding, Proposal, ProposedAction, Risk


class Restock(BaseModel):
    """Arguments of a tool that the tests know."""

    model_config = ConfigDict(extra="forbid")

    item_id: str
    quantity: int = Field(gt=0)
    note: str = ""


LIMITS: dict[str, Limit] = {
    "item_id": Exactly(value="STP-ORG-001"),
    "quantity": Between(minimum=113, maximum=553),
    "note": Sentence(max_length=10),
}
BINDABLE = Bindable(
    args=Restock,
    risk=Risk.MEDIUM,
    limits=LIMITS,
    reads={"orders/ORD-2": "v7"},
    spends=Decimal("12.50"),
    can_undo=True,
    kinds=frozenset({"short"}),
)
FINDINGS = {
    "f1": Finding(record_id="ORD-2", kind="short", issue="Too few.", fingerprint="f1"),
    "f2": Finding(record_id="ORD-3", kind="short", issue="Too few.", fingerprint="f2"),
}
GOOD = Proposal(
    record_id="ORD-2", tool="order_inventory", arguments={"item_id": "STP-ORG-001", "quantity": 200}, answers=("f1",)
)


def case(**fields: object) -> GuardCase:
    whole: dict[str, object] = {
        "record_ids": {"ORD-2", "ORD-3"},
        "findings": FINDINGS,
        "tools": ["order_inventory", "hold_order"],
    }
    return GuardCase(**(whole | fields))  # pyright: ignore[reportArgumentType] - a test names the fields it means


def refused(proposal: Proposal, bindable: Bindable | None = BINDABLE) -> str | None:
    return refuse_proposal(proposal, bindable, case())


def changed(**fields: object) -> Proposal:
    return Proposal.model_validate(GOOD.model_dump() | fields)


def with_arguments(**arguments: JsonValue) -> Proposal:
    return changed(arguments=GOOD.arguments | arguments)


def test_a_proposal_within_its_limits_is_let_through() -> None:
    assert refused(GOOD) is None


def test_s2_d14_a_tool_that_does_not_exist_is_refused_and_the_tools_are_named() -> None:
    assert refused(changed(tool="order_inventry"), None) == (
        "there is no tool 'order_inventry'; the tools are: hold_order, order_inventory"
    )


def test_d14_a_proposal_that_answers_no_finding_is_refused() -> None:
    assert refused(changed(answers=())) == "it answers no finding: nothing is done to a healthy record"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_d14_a_number_that_is_none_is_refused_and_breaks_nobody_elses_review(number: float) -> None:
    assert refused(with_arguments(quantity=number)) == "argument 'quantity' is no JSON value"


@pytest.mark.parametrize(("length", "let_through"), [(LONGEST_ARGUMENT, True), (LONGEST_ARGUMENT + 1, False)])
def test_d4_an_argument_that_no_screen_shows_whole_is_refused(length: int, let_through: bool) -> None:
    limits: dict[str, Limit] = LIMITS | {"note": Sentence(max_length=10_000)}

    reason = refused(with_arguments(note="x" * length), BINDABLE.model_copy(update={"limits": limits}))

    assert reason == (
        None if let_through else "argument 'note' has 1501 characters; a person is shown at most 1500 of one"
    )


@pytest.mark.parametrize("answers", [("f2",), ("f9",), ("f1", "f2"), ("f1", "f9")])
def test_s5_d14_a_proposal_for_a_record_without_that_finding_is_refused(answers: tuple[str, ...]) -> None:
    assert refused(changed(answers=answers)) == "it answers a finding that record 'ORD-2' does not have"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"item_id": "STP-ORG-001"}, "argument quantity: Field required"),
        ({"item_id": "STP-ORG-001", "quantity": 0}, "argument quantity: Input should be greater than 0"),
        ({"item_id": "STP-ORG-001", "quantity": 112}, "argument 'quantity' must be a whole number from 113 to 553"),
        ({"item_id": "STP-ORG-001", "quantity": 554}, "argument 'quantity' must be a whole number from 113 to 553"),
        ({"item_id": "STP-ORG-001", "quantity": "200"}, "argument 'quantity' must be a whole number"),
        ({"item_id": "STP-ORG-001", "quantity": 200.0}, "argument 'quantity' must be a whole number"),
        (
            {"item_id": "DRG-EGG-007", "quantity": 200},
            "argument 'item_id' must be 'STP-ORG-001', which the record says",
        ),
        ({"item_id": "STP-ORG-001", "quantity": 200, "note": "x" * 11}, "argument 'note' must be a text of at most 10"),
        ({"item_id": "STP-ORG-001", "quantity": 200, "to": "me"}, "argument to: Extra inputs are not permitted"),
    ],
)
def test_d13_d14_arguments_outside_the_tool_or_its_limits_are_refused(
    arguments: dict[str, JsonValue], reason: str
) -> None:
    said = refused(changed(arguments=arguments))

    assert said is not None
    assert reason in said


def test_d13_an_argument_that_nobody_set_a_limit_for_is_refused() -> None:
    limits = {name: limit for name, limit in LIMITS.items() if name != "note"}

    assert refuse_arguments({"item_id": "STP-ORG-001", "quantity": 200, "note": "hi"}, Restock, limits) == (
        "argument 'note' has no limit, so it may not be given"
    )


@pytest.mark.parametrize("who", ["rules", "openai/gpt-4o", "Minerva"])
def test_d13_the_guard_is_the_same_whoever_proposes_and_however_sure(who: str) -> None:
    boasting = changed(proposed_by=who, confidence_score=1.0, arguments={"item_id": "STP-ORG-001", "quantity": 9})

    assert "must be a whole number" in (refused(boasting) or "")


def bound() -> ProposedAction:
    return bind(GOOD, BINDABLE, action_id="a1", cycle_id="c1", round_number=2, domain="orders", store_id="s1")


def test_d4_a_bound_action_holds_everything_that_would_run_in_the_text_of_its_digest() -> None:
    action = bound()

    assert action.digest == digest(action.text)
    held: dict[str, JsonValue] = json.loads(action.text)
    assert action.text == canonical(held)
    assert (
        held.items()
        >= {
            "cycle_id": "c1",
            "round": 2,
            "domain": "orders",
            "store_id": "s1",
            "tool": "order_inventory",
            "record_id": "ORD-2",
            "arguments": {"item_id": "STP-ORG-001", "quantity": 200},
            "reads": {"orders/ORD-2": "v7"},
            "editable": {
                "note": {"kind": "sentence", "max_length": 10},
                "quantity": {"kind": "between", "minimum": 113, "maximum": 553},
            },
            "risk": "medium",
            "spends": "12.50",
            "if_it_does_not_help": "undo",
        }.items()
    )


def test_what_cannot_be_undone_is_handed_over() -> None:
    no_undo = BINDABLE.model_copy(update={"can_undo": False})

    action = bind(GOOD, no_undo, action_id="a1", cycle_id="c1", round_number=1, domain="orders", store_id="s1")

    assert action.bound.if_it_does_not_help is Fallback.HAND_OVER


@pytest.mark.parametrize(
    ("limit", "editable", "words"),
    [
        (Exactly(value=3), False, "always 3"),
        (Between(minimum=3, maximum=3), False, "3 to 3"),
        (Between(minimum=3, maximum=4), True, "3 to 4"),
        (OneOf(values=("a",)), False, "one of 'a'"),
        (OneOf(values=("a", "b")), True, "one of 'a', 'b'"),
        (OneOf(values=(False, True)), True, "one of false, true"),
        (Sentence(max_length=9), True, "text of at most 9 characters"),
    ],
)
def test_a_person_may_choose_only_where_there_is_a_choice(limit: Limit, editable: bool, words: str) -> None:
    assert is_editable(limit) is editable
    assert limit_words(limit) == words


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from([0.0, -0.0, 1.0, 2.0]), st.text(max_size=2)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("ab"), inner, max_size=2)),
    max_leaves=4,
)


def other_types(value: JsonValue) -> JsonValue:
    """A value that Python takes for equal, though a tool may not: 1 as 1.0 or True."""
    match value:
        case bool():
            return int(value)
        case int():
            return float(value)
        case float():
            return int(value) if value else -value
        case list():
            return [other_types(item) for item in value]
        case dict():
            return {name: other_types(item) for name, item in value.items()}
        case _:
            return value


LIMIT_OF: list[Callable[[JsonValue], Limit]] = [
    lambda value: Exactly(value=value),
    lambda value: OneOf(values=(value, "another")),
]


@pytest.mark.parametrize("limit_of", LIMIT_OF, ids=["exactly", "one-of"])
@given(value=VALUES, given_value=VALUES)
def test_d4_a_fixed_value_is_met_by_nothing_but_itself(
    limit_of: Callable[[JsonValue], Limit], value: JsonValue, given_value: JsonValue
) -> None:
    limit = limit_of(value)

    assert limit.refuses(value) is None
    for attempt in (given_value, other_types(value)):
        same = canonical(attempt) in {canonical(value), canonical("another" if isinstance(limit, OneOf) else value)}
        assert (limit.refuses(attempt) is None) == same


@given(st.integers(), st.integers(), st.one_of(SCALARS, st.integers()))
def test_d4_a_number_between_two_bounds_is_a_whole_number_between_them(low: int, high: int, value: JsonValue) -> None:
    accepted = Between(minimum=low, maximum=high).refuses(value) is None

    assert accepted == (type(value) is int and low <= value <= high)


ARGUMENTS = st.dictionaries(
    st.sampled_from(["item_id", "quantity", "note", "to"]),
    st.one_of(SCALARS, st.integers(100, 600), st.just("STP-ORG-001"), st.text(max_size=12)),
)
FITTING = st.fixed_dictionaries(
    {"item_id": st.sampled_from(["STP-ORG-001", "STP-ORG-001", "X"]), "quantity": st.integers(110, 560)},
    optional={"note": st.text(max_size=12)},
)


@given(
    st.one_of(ARGUMENTS, FITTING),
    st.sampled_from(["ORD-2", "ORD-3", "ORD-9"]),
    st.lists(st.sampled_from(["f1", "f2", "f9"])),
)
def test_d13_whatever_passes_the_guard_is_within_every_limit_and_answers_its_own_record(
    arguments: dict[str, JsonValue], record_id: str, answers: list[str]
) -> None:
    proposal = changed(arguments=arguments, record_id=record_id, answers=tuple(answers), proposed_by="a model")
    if refused(proposal) is not None:
        return

    assert answers
    assert all(FINDINGS[answer].record_id == record_id for answer in answers)
    assert Restock.model_validate(arguments)
    assert arguments["item_id"] == "STP-ORG-001"
    assert all(LIMITS[name].refuses(value) is None for name, value in arguments.items())


def test_a_tool_answers_only_the_kinds_of_problem_that_it_repairs() -> None:
    """Rules 5 and 7: a planner that claims more for a tool than it can is refused, or problems would vanish."""
    findings = {"f1": FINDINGS["f1"].model_copy(update={"kind": "totals-mismatch"})}
    why = refuse_proposal(GOOD, BINDABLE, case(findings=findings))
    assert why == "order_inventory does not repair totals-mismatch"
