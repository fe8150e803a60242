"""What waits for a person, most urgent first, and with its like; and what a list may decide."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from every_door import LOOK, VIEW
from sized_repairs import waiting_repair as sized

from daper.core.models import Risk
from daper.core.policy import ApprovalPolicy
from daper.core.views import ActionView, PlanView
from daper.core.waiting import WaitingRepair, groups_of, most_urgent_first, waiting_repair, waits

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
PLAIN = VIEW.actions[0].model_copy(update={"risk": Risk.LOW, "doubts": (), "spends": "10.00", "confidence_score": 0.9})


def plan(*actions: ActionView, total: int | None = None) -> PlanView:
    total = len(actions) if total is None else total
    return VIEW.model_copy(update={"actions": actions, "total_actions": total})


def row(name: str, **more: object) -> WaitingRepair:
    known = WaitingRepair(repair_id=name, user="Harry", waits_since=AT, digest=f"d-{name}", likeness="alike")
    return replace(known, **more)  # pyright: ignore[reportArgumentType] - fields of a row


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (plan(PLAIN), None),
        (plan(), "it has no actions"),
        (plan(PLAIN, total=2), "1 of its 2 actions are known here"),
        (plan(*[PLAIN] * 4), "4 actions are more than the 3 that a list may decide"),
        (plan(PLAIN.model_copy(update={"risk": Risk.MEDIUM})), "a1: risk medium is above low"),
        (plan(PLAIN.model_copy(update={"spends": "unknown"})), "a1: nobody can say what it costs"),
        (plan(PLAIN.model_copy(update={"proposed_by": "fake-1"})), "a1: proposed by fake-1, not by the rules"),
        (plan(PLAIN.model_copy(update={"instead_of": "a9"})), "a1: an alternative to a9"),
        (plan(PLAIN.model_copy(update={"doubts": ("No.",)})), "a1: doubted by somebody who looked"),
        (plan(PLAIN.model_copy(update={"confidence_score": 0.4})), "a1: 0.4 sure, and 0.5 is needed"),
        (plan(PLAIN, PLAIN, PLAIN), "the actions spend 30.00, more than the 29 that a list may decide"),
        (plan(PLAIN, PLAIN), None),
    ],
)
def test_only_what_is_small_and_certain_may_be_decided_from_a_list(given: PlanView, why: str | None) -> None:
    policy = ApprovalPolicy(auto_max_actions=3, auto_max_spend=Decimal(29))
    assert policy.refuses_from_list(given) == why


def test_no_policy_lets_a_list_decide_what_has_more_than_low_risk() -> None:
    loose = ApprovalPolicy(auto_max_risk=Risk.HIGH, auto_max_spend=Decimal(10**9))
    medium = plan(PLAIN.model_copy(update={"risk": Risk.MEDIUM}))
    assert loose.refuses_from_list(medium) == "a1: risk medium is above low"


def test_a_line_says_what_the_whole_plan_does() -> None:
    view = LOOK.model_copy(update={"plan": VIEW})
    told = waiting_repair(view, VIEW, ApprovalPolicy())
    assert (told.repair_id, told.digest, told.action_ids) == (LOOK.repair_id, VIEW.digest, ("a1", "a2"))
    assert told.tools == (("order_inventory", 2),)
    assert told.records == (("ORD-1", "Hermione Jean Granger"),)
    assert (told.risk, told.left_alone, told.decide_by) == (Risk.MEDIUM, 3, LOOK.decide_by)
    assert told.refused == "a1: risk medium is above low"
    assert not told.may_be_decided
    assert waits(view)


def test_what_nobody_can_cost_is_no_nothing() -> None:
    assert waiting_repair(LOOK, VIEW.model_copy(update={"spends": "unknown"}), ApprovalPolicy()).spends is None
    assert waiting_repair(LOOK, VIEW.model_copy(update={"spends": "0"}), ApprovalPolicy()).spends == 0


def test_the_deadline_comes_before_the_risk_and_that_before_the_age() -> None:
    soon, late = AT + timedelta(hours=1), AT + timedelta(hours=9)
    rows = [
        row("no deadline", risk=Risk.HIGH),
        row("late", decide_by=late, risk=Risk.HIGH),
        row("soon, young", decide_by=soon, waits_since=AT + timedelta(minutes=5)),
        row("soon, old", decide_by=soon),
        row("soon, risky", decide_by=soon, risk=Risk.MEDIUM, waits_since=AT + timedelta(minutes=9)),
    ]
    order = [each.repair_id for each in most_urgent_first(rows)]
    assert order == ["soon, risky", "soon, old", "soon, young", "late", "no deadline"]


def test_repairs_with_the_same_tools_and_risks_are_one_group_whatever_their_records() -> None:
    def line(name: str, *actions: ActionView) -> WaitingRepair:
        view = LOOK.model_copy(update={"repair_id": name})
        return waiting_repair(view, plan(*actions), ApprovalPolicy())

    other = PLAIN.model_copy(update={"id": "a7", "record_id": "ORD-2", "arguments": {"quantity": 7}})
    risky = PLAIN.model_copy(update={"risk": Risk.HIGH})
    elsewhere = PLAIN.model_copy(update={"tool": "request_approval"})
    rows = [line("one", PLAIN), line("two", other, PLAIN), line("risky", risky), line("elsewhere", elsewhere)]
    groups = groups_of(rows)
    assert sorted(tuple(each.repair_id for each in group.repairs) for group in groups) == [
        ("elsewhere",),
        ("one", "two"),
        ("risky",),
    ]
    alike = next(group for group in groups if len(group.repairs) == 2)
    assert (alike.tools, alike.risk, alike.actions, alike.may_be_decided) == (("order_inventory",), Risk.LOW, 3, True)
    assert not next(group for group in groups if group.risk is Risk.HIGH).may_be_decided


def test_a_group_spends_what_is_known_of_all_or_nothing_is_said() -> None:
    [known] = groups_of([row("a", spends=Decimal(3)), row("b", spends=Decimal("0.50"))])
    [unknown] = groups_of([row("a", spends=Decimal(3)), row("b", spends=None)])
    assert (known.spends, unknown.spends) == (Decimal("3.50"), None)


def test_what_could_not_be_read_is_alike_to_nothing() -> None:
    unread = [row(name, digest="", likeness="", trouble="no worker answered", refused="no") for name in ("a", "b")]
    groups = groups_of(unread)
    assert [len(group.repairs) for group in groups] == [1, 1]
    assert len({group.key for group in groups}) == 2
    assert not any(group.may_be_decided for group in groups)


def test_a_group_keeps_its_key_as_repairs_come_and_go() -> None:
    first, second = waiting_repair(LOOK, VIEW, ApprovalPolicy()), sized(3)
    assert second.plan is not None
    other = waiting_repair(second, second.plan, ApprovalPolicy())
    keys = {group.key for rows in ([first], [first, other], [other, first]) for group in groups_of(rows)}
    assert len(keys) == 2
