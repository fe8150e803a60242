"""Some of a plan said in text: exactly what is meant, or a refusal that says what would be right."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from planned import proposed, shown_plan

from daper.core.action_groups import grouped
from daper.core.errors import DecisionRefused
from daper.core.models import ProposedAction, Risk, Verdict
from daper.core.selections import LONGEST_SELECTION, Choice, choose, in_short, select, selections_in, whole_plan
from daper.core.views import PlanView

APPROVE, REJECT = Verdict.APPROVE, Verdict.REJECT
PLAN = shown_plan(
    proposed(1),
    proposed(2, kind="payment-denied"),
    proposed(3, tool="order_inventory", spends=Decimal("99.50"), quantity=5, risk=Risk.MEDIUM),
    proposed(4, tool="order_inventory", spends=Decimal(100), quantity=7, risk=Risk.MEDIUM),
    proposed(5, tool="hold_order", spends=None, risk=Risk.HIGH),
    proposed(6, tool="order_inventory", spends=Decimal(20), quantity=6, record_id="ORD-004", instead_of="a4"),
)


@pytest.mark.parametrize(
    ("text", "meant"),
    {
        "a1": "a1",
        " A1 ": "a1",
        "a3, a1,a1": "a1 a3",
        "a1-a3": "a1 a2 a3",
        "a1 \u2013 a3": "a1 a2 a3",
        "a2..a3": "a2 a3",
        "a2-a2": "a2",
        "a4-a6": "a4 a5",
        "a6": "a6",
        "all": "a1 a2 a3 a4 a5",
        "All but a4": "a1 a2 a3 a5",
        "all, but a4, a1": "a2 a3 a5",
        "all except a1-a3": "a4 a5",
        "a1-a4, a5 but a2": "a1 a3 a4 a5",
        "a1 but a2": "a1",
        "tool:order_inventory": "a3 a4",
        "tool: Order-Inventory": "a3 a4",
        "kind:payment-denied": "a2",
        "risk:low": "a1 a2",
        "all but risk:high": "a1 a2 a3 a4",
        "amount<100": "a1 a2 a3",
        "amount <= 100": "a1 a2 a3 a4",
        "amount≥99.5": "a3 a4",
        "amount=0": "a1 a2",
        "all but amount>=100, a5": "a1 a2 a3",
        '["a1", "a2"]': "a1 a2",
        "spends < 100": "a1 a2 a3",
        "tool = order_inventory": "a3 a4",
        "tool:order_inventory and spends<100": "a3",
        "risk:low and kind:payment-denied, a5": "a2 a5",
        "all but risk:medium and kind:never-paid": "a1 a2 a5",
    }.items(),
)
def test_a_selection_means_exactly_these(text: str, meant: str) -> None:
    assert " ".join(select((text,), PLAN, verdict=APPROVE)) == meant


@pytest.mark.parametrize(
    ("text", "why"),
    {
        "": "'' names no actions; they are named as: a1, a1-a48, all,",
        ",": "names no actions",
        "a9": "the plan has no action 'a9'; it has: a1-a5, a6",
        "a1-a48": "the plan has no action 'a48'; it has: a1-a5, a6",
        "a3-a1": "'a3-a1' ends before it begins",
        "all but": "'all but' names no actions",
        "but a1": "'but a1' names no actions",
        "all but a1 but a2": "names no actions",
        "all but b7": "the plan has no action 'b7'",
        "all but kind:late": "'kind:late' means nothing of the plan; for kind it has: never-paid, payment-denied",
        "tool:pay_all": "for tool it has: send_reminder, order_inventory, hold_order",
        "risk:none": "for risk it has: low, medium, high",
        "amount>1000": "'amount>1000' means nothing of the plan; its amounts are from 0 to 100",
        "amount<1,000": "'000' names no actions",
        "amount<nan": "names no actions",
        "amount<-1": "names no actions",
        "amount<1e9": "names no actions",
        "a1 a2": "'a1 a2' names no actions",
        "a1; a2": "names no actions",
        "*": "names no actions",
        "a1 but a1": "'a1 but a1' leaves no action of the plan",
        "tool:hold_order and risk:low": "means nothing of the plan; no action is all of that",
        "a1 and a2": "no action is all of that",
        "a1 and ": "names no actions",
        "all but risk:high and amount>99": "'risk:high and amount>99' means nothing",
        "all but risk:medium and amount>99": "nobody can say what a5 of the plan spends",
        "all but amount>99": "nobody can say what a5 of the plan spends",
        "a1\x1b[2J": "'a1<U+001B>[2J' names no actions",
        "a" * (LONGEST_SELECTION + 1): "a selection of 10,001 characters is more than 10,000",
        "a" * LONGEST_SELECTION: "more characters)",
    }.items(),
)
def test_a_selection_that_means_nothing_says_what_would(text: str, why: str) -> None:
    with pytest.raises(DecisionRefused) as refused:
        select((text,), PLAN, verdict=APPROVE)
    assert why in str(refused.value)
    assert len(str(refused.value)) < 400


def test_what_stands_instead_of_another_is_approved_only_by_its_own_id_and_rejected_with_the_rest() -> None:
    assert select(("all",), PLAN, verdict=APPROVE) == ("a1", "a2", "a3", "a4", "a5")
    assert select(("a4-a6",), PLAN, verdict=APPROVE) == ("a4", "a5")
    assert select(("all but a4",), PLAN, verdict=APPROVE) == ("a1", "a2", "a3", "a5")
    assert select(("all",), PLAN, verdict=REJECT) == ("a1", "a2", "a3", "a4", "a5", "a6")
    assert select(("tool:order_inventory",), PLAN, verdict=REJECT) == ("a3", "a4", "a6")


def test_only_what_stands_instead_of_others_has_to_be_named() -> None:
    plan = shown_plan(proposed(1), proposed(2, record_id="ORD-001", tool="hold_order", instead_of="a1"))
    with pytest.raises(DecisionRefused, match="means only what stands instead of others: name it by its id: a2"):
        select(("tool:hold_order",), plan, verdict=APPROVE)


def test_a_but_beside_other_texts_is_refused_for_one_of_them_could_bring_back_what_it_leaves_out() -> None:
    for texts in (("all but a4", "a5"), ('["all but a4", "a5"]',), ("a5", "all but a4")):
        with pytest.raises(DecisionRefused, match="say in one text what is meant"):
            select(texts, PLAN, verdict=APPROVE)
    assert select(("a5", "a1-a2"), PLAN, verdict=APPROVE) == ("a1", "a2", "a5")


@pytest.mark.parametrize("text", ["all", "all but a1", "tool:send_reminder", "risk:low", "kind:never-paid", "amount<5"])
def test_nothing_is_meant_by_what_is_true_of_it_where_a_part_of_the_plan_is_shown(text: str) -> None:
    part = shown_plan(*map(proposed, range(1, 8)), size=3)
    with pytest.raises(DecisionRefused, match="the plan has 7 actions, and only 3 were shown"):
        select((text,), part, verdict=APPROVE)
    assert select(("a1-a3",), part, verdict=APPROVE) == ("a1", "a2", "a3")
    with pytest.raises(DecisionRefused, match="no action 'a4'"):
        select(("a1-a4",), part, verdict=APPROVE)


def test_a_later_round_goes_by_its_own_numbers() -> None:
    plan = shown_plan(proposed(9), proposed(10), proposed(11))
    assert select(("a9-a11",), plan, verdict=APPROVE) == ("a9", "a10", "a11")
    assert in_short(("a9", "a10", "a11"), plan) == "a9-a11"


@pytest.mark.parametrize("filling", [" ", "\t \n", " ,", "but ", "a1-", "a1 - ", "tool: ", "amount < ", "9"])
def test_a_text_that_is_full_of_the_same_is_read_at_once(filling: str) -> None:
    """Patterns that try every way to share blanks out among them would take days here."""
    text = "a1" + filling * (9_990 // len(filling)) + "x"
    with pytest.raises(DecisionRefused):
        select(selections_in(text), PLAN, verdict=APPROVE)
    assert select(("a1" + " " * 4_000 + "but\t" + " " * 4_000 + "a2",), PLAN, verdict=APPROVE) == ("a1",)


@given(st.sets(st.integers(1, 12)), st.sets(st.integers(2, 12)), st.sampled_from(Verdict))
def test_ids_in_short_mean_exactly_these_ids(chosen: set[int], alternatives: set[int], verdict: Verdict) -> None:
    plan = shown_plan(*(proposed(n, instead_of="a1" if n in alternatives else "") for n in range(1, 13)))
    ids = tuple(f"a{n}" for n in sorted(chosen))
    short = in_short(ids, plan)
    assert (select((short,), plan, verdict=verdict) if ids else ()) == ids


@given(st.text(max_size=60) | st.from_regex(r"(all|a[0-9]{1,3}|but|,|-|tool:|amount<| ){1,9}", fullmatch=True))
def test_no_text_means_what_the_plan_does_not_have(text: str) -> None:
    try:
        meant = select((text,), PLAN, verdict=APPROVE)
    except DecisionRefused:
        return
    assert meant
    assert set(meant) <= {action.id for action in PLAN.actions}


def test_some_are_approved_and_others_rejected_in_one_choice() -> None:
    assert choose(PLAN, APPROVE, actions=("all but a3, a5",), rejecting=("a5",)) == Choice(
        approved=("a1", "a2", "a4"), rejected=("a5",)
    )
    assert choose(PLAN, APPROVE, rejecting=("a3-a5",)) == Choice(approved=("a1", "a2"), rejected=("a3", "a4", "a5"))
    assert choose(PLAN, APPROVE, rejecting=("a5",), edited={"a3": {"quantity": 6}}) == Choice(
        approved=("a3",), rejected=("a5",)
    )
    assert choose(PLAN, APPROVE) == Choice(approved=whole_plan(PLAN, APPROVE))
    assert choose(PLAN, REJECT) == Choice(rejected=whole_plan(PLAN, REJECT))
    assert choose(PLAN, REJECT, actions=("risk:high",)) == Choice(rejected=("a5",))


def test_b7_what_is_decided_may_have_to_hold_as_well() -> None:
    """`--where 'spends < 100'` beside what names the actions."""
    assert choose(PLAN, APPROVE, where=("spends < 100",)) == Choice(approved=("a1", "a2", "a3"))
    assert choose(PLAN, APPROVE, actions=("a3-a5",), where=("spends<=100",), rejecting=("a5",)) == Choice(
        approved=("a3", "a4"), rejected=("a5",)
    )
    assert choose(PLAN, APPROVE, where=("spends<=100", "risk:medium")) == Choice(approved=("a3", "a4"))
    assert choose(PLAN, APPROVE, actions=("a6",), where=("spends<100",)) == Choice(approved=("a6",))
    assert choose(PLAN, REJECT, where=("risk:high",)) == Choice(rejected=("a5",))
    with pytest.raises(DecisionRefused, match="'risk:high' leaves no action of a1, a2"):
        choose(PLAN, APPROVE, actions=("a1, a2",), where=("risk:high",))
    with pytest.raises(DecisionRefused, match="a4 would be changed, and is not among what is approved"):
        choose(PLAN, APPROVE, where=("spends<100",), edited={"a3": {"quantity": 6}, "a4": {"quantity": 6}})


def owing(number: int, amount: str) -> ProposedAction:
    return proposed(number, more={"amount": amount})


IN_GBP = shown_plan(
    owing(1, "10.00 GBP"), owing(2, "100 GBP"), owing(3, "999999 GBP"), proposed(4, spends=Decimal(500))
)
IN_TWO = shown_plan(owing(1, "10.00 GBP"), owing(2, "100 JPY"), owing(3, "unknown"))


@pytest.mark.parametrize(
    ("plan", "text", "meant"),
    [
        (IN_GBP, "amount<100", "a1"),
        (IN_GBP, "amount >= 100", "a2 a3 a4"),
        (IN_GBP, "amount<=100 gbp", "a1 a2"),
        (IN_GBP, "all but amount>100", "a1 a2"),
        (IN_GBP, "spends<100", "a1 a2 a3"),
        (IN_TWO, "amount>50 JPY", "a2"),
        (IN_TWO, "amount<50GBP", "a1"),
    ],
)
def test_an_amount_is_what_an_action_is_about_and_what_it_spends_only_where_it_is_about_none(
    plan: PlanView, text: str, meant: str
) -> None:
    assert select((text,), plan, verdict=APPROVE) == tuple(meant.split())


@pytest.mark.parametrize(
    ("plan", "text", "why"),
    [
        (IN_TWO, "amount<50", "in 2 currencies (GBP, JPY); say in which, as in 'amount<50 JPY'"),
        (IN_TWO, "amount<50 EUR", "the plan has amounts in GBP, JPY"),
        (IN_TWO, "all but amount>50 JPY", "nobody can say what a3 of the plan comes to"),
        (IN_GBP, "amount<5", "means nothing of the plan"),
        (PLAN, "amount<5 GBP", "the plan has no currency"),
        (IN_GBP, "spends<5 GBP", "names no actions"),
    ],
)
def test_amounts_that_nobody_can_compare_are_refused(plan: PlanView, text: str, why: str) -> None:
    with pytest.raises(DecisionRefused) as refused:
        select((text,), plan, verdict=APPROVE)
    assert why in str(refused.value)


@pytest.mark.parametrize(
    "text", ["all but a1 and a2", "all but a3 and spends < 100", "all but risk:high, a1-a2 and risk:low"]
)
def test_what_an_and_after_but_could_mean_is_not_guessed(text: str) -> None:
    with pytest.raises(DecisionRefused, match="could leave out all of it, or only what both hold for"):
        select((text,), PLAN, verdict=APPROVE)


def test_a_group_says_what_it_asks_for_and_from_how_much_to_how_much() -> None:
    [group] = grouped(shown_plan(owing(1, "10.00 GBP"), owing(2, "3000.50 GBP"), owing(3, "70 JPY")))
    assert group.heading.text == "3 × send_reminder, 3,010.50 GBP in all (10.00 to 3,000.50), 70 JPY in all (70 each)"
    [unsure] = grouped(shown_plan(owing(1, "10.00 GBP"), owing(2, "unknown")))
    assert unsure.heading.text == "2 × send_reminder, 0 in all"
