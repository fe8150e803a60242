"""A digest is over one text that everybody would have made the same way."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from daper.core.digests import canonical, digest, effect_key, undo_key
from daper.core.guard import seal
from daper.core.models import BoundAction, Fallback, Finding, Plan, ProposedAction, Risk

LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text())
JSON = st.recursive(LEAVES, lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)), max_leaves=12)


def turned(value: JsonValue) -> JsonValue:
    """The same value with the keys of every object in the opposite order."""
    if isinstance(value, dict):
        return {name: turned(inner) for name, inner in reversed(value.items())}
    if isinstance(value, list):
        return [turned(inner) for inner in value]
    return value


@given(JSON)
def test_the_order_of_keys_does_not_matter(value: JsonValue) -> None:
    assert canonical(turned(value)) == canonical(value)


@given(JSON, JSON)
def test_different_values_have_different_texts(one: JsonValue, other: JsonValue) -> None:
    if canonical(one) == canonical(other):
        assert one == other


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9))
def test_a_decimal_is_written_as_the_plain_number_in_a_string(amount: Decimal) -> None:
    text = canonical({"amount": amount})

    assert text == canonical({"amount": format(amount, "f")})
    assert "E" not in text


def test_the_text_is_stable_across_releases() -> None:
    value = {"b": [1, True, None], "a": {"ü": "Luna \u2028", "d": Decimal("1E+3"), "c": Decimal("10.50")}, "Z": 0.5}

    text = canonical(value)

    assert text == '{"Z":0.5,"a":{"c":"10.50","d":"1000","ü":"Luna \u2028"},"b":[1,true,null]}'
    assert digest(text) == "af742b25cba7eb9b7afa867afa0a3e366742cdc3d47bb276f69e32257e25d0f7"
    assert digest("") == digest(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN"), Decimal("Infinity")])
def test_what_is_no_number_has_no_canonical_text(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        canonical({"amount": value})


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes"])
def test_what_is_no_json_has_no_canonical_text(value: object) -> None:
    with pytest.raises(TypeError, match="has no canonical JSON form"):
        canonical([value])


def test_a_lone_surrogate_from_a_file_still_has_a_digest() -> None:
    assert len(digest("\ud800")) == 64


def test_d1_one_action_of_one_cycle_has_one_key_and_its_undo_another() -> None:
    keys = {effect_key("c1", "d1"), effect_key("c1", "d2"), effect_key("c2", "d1"), undo_key(effect_key("c1", "d1"))}

    assert len(keys) == 4
    assert effect_key("c1", "d1") == effect_key("c1", "d1")
    assert effect_key("a", "bc") != effect_key("ab", "c")


def action(action_id: str, arguments: dict[str, JsonValue]) -> ProposedAction:
    text = BoundAction(
        cycle_id="c1",
        round=1,
        domain="orders",
        store_id="s1",
        tool="hold_order",
        record_id="ORD-1",
        arguments=arguments,
        reads={},
        editable={},
        risk=Risk.LOW,
        if_it_does_not_help=Fallback.UNDO,
    ).to_text()
    return ProposedAction(id=action_id, text=text, digest=digest(text))


PLAN = Plan(actions=(action("a1", {"n": 1}), action("a2", {"n": 2})))
OTHERS = {
    "an argument": (Plan(actions=(action("a1", {"n": 1}), action("a2", {"n": 3}))), "c1"),
    "an id": (Plan(actions=(action("a1", {"n": 1}), action("a3", {"n": 2}))), "c1"),
    "the order": (Plan(actions=PLAN.actions[::-1]), "c1"),
    "one left out": (Plan(actions=PLAN.actions[:1]), "c1"),
    "one more": (Plan(actions=(*PLAN.actions, action("a3", {"n": 1}))), "c1"),
    "the round": (PLAN.model_copy(update={"round": 2}), "c1"),
    "the cycle": (PLAN, "c2"),
}


@pytest.mark.parametrize("what", OTHERS)
def test_d4_the_digest_of_a_plan_changes_with_anything_that_would_run(what: str) -> None:
    other, cycle_id = OTHERS[what]

    assert seal(other, cycle_id=cycle_id).digest != seal(PLAN, cycle_id="c1").digest


def test_the_digest_of_a_plan_does_not_change_with_what_only_explains_it() -> None:
    explained = PLAN.model_copy(update={"additional_notes": "All is well.", "digest": "old"})

    assert seal(explained, cycle_id="c1").digest == seal(PLAN, cycle_id="c1").digest


ARGUMENTS = st.dictionaries(st.text(max_size=5), JSON, max_size=3)


@given(ARGUMENTS, ARGUMENTS)
def test_d4_plans_with_other_arguments_never_share_a_digest(
    one: dict[str, JsonValue], other: dict[str, JsonValue]
) -> None:
    left, right = (seal(Plan(actions=(action("a1", each),)), cycle_id="c1") for each in (one, other))

    assert (left.digest == right.digest) == (canonical(one) == canonical(other))


@given(ARGUMENTS)
def test_d4_the_text_of_an_action_is_read_back_to_what_was_bound(arguments: dict[str, JsonValue]) -> None:
    made = action("a1", arguments)

    assert made.bound.arguments == arguments
    assert made.bound.to_text() == made.text


def test_the_fingerprint_of_a_problem_depends_on_its_facts_and_not_on_their_order() -> None:
    one = Finding.fingerprint_of("orders", "ORD-1", "short", {"item": "x", "missing": 3})

    assert one == Finding.fingerprint_of("orders", "ORD-1", "short", {"missing": 3, "item": "x"})
    assert one != Finding.fingerprint_of("orders", "ORD-1", "short", {"missing": 4, "item": "x"})
    assert one != Finding.fingerprint_of("orders", "ORD-2", "short", {"missing": 3, "item": "x"})
    assert one != Finding.fingerprint_of("alerts", "ORD-1", "short", {"missing": 3, "item": "x"})
    assert one != Finding.fingerprint_of("orders", "ORD-1", "stuck", {"missing": 3, "item": "x"})
