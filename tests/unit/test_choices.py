"""What is typed where a plan waits: read as what it says, told with its sums, and asked once more where it is much."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from planned import proposed, shown_plan

from daper.core.choices import AskAgain, choice_in, comes_to
from daper.core.errors import DecisionRefused
from daper.core.models import Risk
from daper.core.selections import Choice

PLAN = shown_plan(
    *(proposed(n, spends=Decimal("65.00")) for n in range(1, 49)),
    proposed(49, tool="hold_order", spends=None, risk=Risk.HIGH),
    proposed(50, tool="order_inventory", spends=Decimal(70_000)),
)
EVERY = tuple(f"a{n}" for n in range(1, 51))


@pytest.mark.parametrize(
    ("text", "approved", "rejected"),
    [
        ("all", EVERY, ()),
        ("a1, a3", ("a1", "a3"), ()),
        ("approve a1-a3", ("a1", "a2", "a3"), ()),
        ("all but a3", (*EVERY[:2], *EVERY[3:]), ()),
        ("tool:send_reminder and spends<100", EVERY[:48], ()),
        ("reject a49", (), ("a49",)),
        ("Reject risk:high", (), ("a49",)),
        ("a1-a48; reject a49, a50", EVERY[:48], ("a49", "a50")),
        ("approve all but a49 reject a49", (*EVERY[:48], "a50"), ("a49",)),
        ("a1, and reject a2", ("a1",), ("a2",)),
    ],
)
def test_b7_some_are_approved_and_others_rejected_in_one_line(
    text: str, approved: tuple[str, ...], rejected: tuple[str, ...]
) -> None:
    assert choice_in(text, PLAN) == Choice(approved=approved, rejected=rejected)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a1-a51", "the plan has no action 'a51'; it has: a1-a50"),
        ("a7 reject a7", "a7 would be approved and rejected; say one of the two"),
        ("a1 reject a2 reject a3", "say once what is approved"),
        ("reject ", "names no actions"),
        ("approve", "names no actions"),
        ("y n", "names no actions"),
        ("rejecta1", "the plan has no action 'rejecta1'"),
        ("", "names no actions"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_would_be_right(text: str, why: str) -> None:
    with pytest.raises(DecisionRefused) as refused:
        choice_in(text, PLAN)
    assert why in str(refused.value)


@given(st.text(max_size=60) | st.from_regex(r"(approve|reject|all|a[0-9]{1,2}|but|and|,|;| ){1,9}", fullmatch=True))
def test_no_text_approves_what_it_rejects_or_what_the_plan_does_not_have(text: str) -> None:
    try:
        chosen = choice_in(text, PLAN)
    except DecisionRefused:
        return
    assert not {*chosen.approved} & {*chosen.rejected}
    assert {*chosen.approved, *chosen.rejected} <= {*EVERY}
    assert chosen.approved or chosen.rejected


def test_a_choice_says_how_many_how_much_money_and_what_is_left() -> None:
    assert comes_to(choice_in("a1-a48; reject a49", PLAN), PLAN) == (
        "approve a1-a48: 48 actions, 3,120.00 in all; reject a49: 1 action; neither, and so not done: a50"
    )
    assert comes_to(choice_in("all", PLAN), PLAN) == "approve a1-a50: 50 actions, nobody can say what they spend"
    assert "what the change spends was not worked out" in comes_to(choice_in("a1", PLAN), PLAN, edited=True)


def test_much_is_asked_once_more_and_a_rejection_never() -> None:
    ask = AskAgain(actions=10, amount=Decimal(1000))

    assert not ask.wanted(choice_in("a1-a10", PLAN), PLAN)
    assert ask.wanted(choice_in("a1-a11", PLAN), PLAN), "more actions"
    assert ask.wanted(choice_in("a50", PLAN), PLAN), "more money"
    assert ask.wanted(choice_in("a49", PLAN), PLAN), "nobody can say how much"
    assert not ask.wanted(choice_in("reject all", PLAN), PLAN)
