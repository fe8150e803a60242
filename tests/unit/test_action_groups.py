"""Actions that are the same but for their record are one group, and a group hides nothing of any of them."""

from decimal import Decimal
from typing import Any

import pytest
from planned import proposed, shown_plan

from daper.core.action_groups import ActionGroup, exceptions, grouped, is_of
from daper.core.lines import action_lines
from daper.core.models import Change, Fallback, Risk


def test_fifty_like_actions_are_one_group_with_one_head_and_a_row_for_each() -> None:
    plan = shown_plan(*map(proposed, range(1, 51)))
    [group] = grouped(plan)

    assert group.ids == tuple(f"a{n}" for n in range(1, 51))
    assert (group.tool, group.kinds, group.risk, group.spends) == ("send_reminder", ("never-paid",), Risk.LOW, "0")
    assert [(line.label, line.text) for line in group.common] == [
        ("tool", "send_reminder"),
        ("risk", "low"),
        ("confidence score", "0.9"),
        ("proposed by", "rules"),
        ("why", "Nobody has reminded them."),
        ("status", "unpaid → reminded"),
        ("spends", "0"),
        ("if it does not help", "it is undone"),
    ]
    assert [(line.label, line.text) for line in group.own(group.actions[6])] == [
        ("problem", "Record ORD-007 is not paid."),
        ("customer", "of ORD-007"),
    ]


def test_changes_and_evidence_that_are_the_same_in_all_are_told_once_and_none_is_lost() -> None:
    [group] = grouped(shown_plan(*map(proposed, range(1, 4))))
    seen = {action.id: ("last at worker w", f"attempt {action.id}") for action in group.actions}
    changed = {
        action.id: (*action.preview, Change(record="stock/MUG-1", field="left", before=action.id, after="0"))
        for action in group.actions
    }
    group = ActionGroup(
        tuple(
            action.model_copy(update={"evidence": seen[action.id], "preview": changed[action.id]})
            for action in group.actions
        )
    )

    assert group.changes == (Change(record="", field="status", before="unpaid", after="reminded"),)
    assert group.evidence == ("last at worker w",)
    for action in group.actions:
        assert group.own_changes(action) == changed[action.id][1:]
        assert group.own_evidence(action) == (f"attempt {action.id}",)


@pytest.mark.parametrize(
    "other",
    [
        {"tool": "hold_order"},
        {"risk": Risk.HIGH},
        {"confidence_score": 0.5},
        {"proposed_by": "fake-1"},
        {"doubts": ("fake-1: They have paid.",)},
        {"kind": "payment-denied"},
        {"spends": Decimal(1)},
        {"spends": None},
        {"then": Fallback.HAND_OVER},
        {"quantity": 5},
        {"instead_of": "a1"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_what_is_otherwise_in_anything_but_its_record_is_an_exception(other: dict[str, Any]) -> None:
    groups = grouped(shown_plan(proposed(1), proposed(2, **other), proposed(3)))

    assert sorted(group.ids for group in groups) == [("a1", "a3"), ("a2",)]
    assert [action.id for action in exceptions(groups)] == ["a2"]


def test_a_chosen_argument_parts_actions_and_a_fact_of_the_record_does_not() -> None:
    groups = grouped(shown_plan(*(proposed(n, quantity=5 if n < 3 else 6) for n in range(1, 5))))
    assert [group.ids for group in groups] == [("a1", "a2"), ("a3", "a4")]


def test_what_may_harm_most_comes_first_and_else_the_order_of_the_plan_stands() -> None:
    plan = shown_plan(
        proposed(1), proposed(2, risk=Risk.HIGH), proposed(3, tool="hold_order"), proposed(4, risk=Risk.MEDIUM)
    )
    assert [group.ids for group in grouped(plan)] == [("a2",), ("a4",), ("a1",), ("a3",)]


def test_a_group_adds_up_what_it_spends_and_says_where_nobody_can_say() -> None:
    spent = grouped(shown_plan(*(proposed(n, spends=Decimal("10.10")) for n in (1, 2, 3))))
    unknown = grouped(shown_plan(proposed(1, spends=None), proposed(2, spends=None)))
    assert ([group.spends for group in spent], [group.spends for group in unknown]) == (["30.30"], ["unknown"])


def test_a_group_tells_all_of_every_action_in_its_head_and_its_row() -> None:
    plan = shown_plan(
        *(proposed(n, spends=Decimal(n % 2), rationale=f"Reason {n % 3}.", quantity=n % 2) for n in range(1, 20))
    )
    groups = grouped(plan)
    assert sorted(each for group in groups for each in group.ids) == sorted(action.id for action in plan.actions)
    for group in groups:
        for action in group.actions:
            told = [line.text for line in (*group.common, *group.own(action))]
            assert sorted(told) == sorted(line.text for line in action_lines(action))


def test_an_id_may_have_slashes_in_it() -> None:
    [group] = grouped(shown_plan(*(proposed(n, record_id=f"orders/2026/{n}") for n in (1, 2, 3))))

    assert ("status", "unpaid → reminded") in [(line.label, line.text) for line in group.common]
    assert not is_of(group.actions[0], "orders/1")


def test_a_change_of_another_record_keeps_its_name() -> None:
    plan = shown_plan(proposed(1, record_id="1"), proposed(2, record_id="2"))
    moved = plan.actions[0].preview[0].model_copy(update={"record": "inventory/STP", "field": "stock"})
    actions = tuple(each.model_copy(update={"preview": (*each.preview, moved)}) for each in plan.actions)
    [group] = grouped(plan.model_copy(update={"actions": actions}))
    assert [line.label for line in group.common if "→" in line.text] == ["status", "inventory/STP stock"]


def test_none_is_said_to_be_tried_before_others_where_no_other_of_the_plan_is_like_it() -> None:
    plan = shown_plan(
        proposed(1, canary=1, alike="late"), proposed(2, canary=1, alike="late"), proposed(3, canary=1, alike="lost")
    )
    told = [next(line.text for line in action_lines(each) if "help" in line.label) for each in plan.actions]
    assert told == [*["it is undone; of those alike 1 first, the others once that helped"] * 2, "it is undone"]
