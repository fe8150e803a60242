"""Actions that share a record run one after the other, the others beside each other."""

from hypothesis import given, settings
from hypothesis import strategies as st

from daper.core.digests import digest
from daper.core.grouping import independent_groups
from daper.core.models import BoundAction, Fallback, ProposedAction, Risk


def action(name: str, record_id: str, reads: list[str]) -> ProposedAction:
    text = BoundAction(
        cycle_id="c",
        round=1,
        domain="orders",
        store_id="s",
        tool="hold_order",
        record_id=record_id,
        arguments={},
        reads=dict.fromkeys(reads, "v"),
        editable={},
        risk=Risk.LOW,
        if_it_does_not_help=Fallback.UNDO,
    ).to_text()
    return ProposedAction(id=name, text=text, digest=digest(text))


def ids(*actions: ProposedAction) -> list[list[str]]:
    return sorted([each.id for each in group] for group in independent_groups(actions))


def test_actions_without_a_common_record_are_apart() -> None:
    assert ids(action("a1", "O1", ["x"]), action("a2", "O2", ["y"])) == [["a1"], ["a2"]]


def test_two_records_that_read_the_same_stock_are_together() -> None:
    assert ids(action("a1", "O1", ["x"]), action("a2", "O2", ["x"])) == [["a1", "a2"]]


def test_an_action_that_bridges_two_groups_joins_them_in_plan_order() -> None:
    assert ids(action("a1", "O1", ["x"]), action("a2", "O2", ["y"]), action("a3", "O3", ["y", "x"])) == [
        ["a1", "a2", "a3"]
    ]


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 5), st.lists(st.integers(0, 6), max_size=3)), max_size=12))
def test_every_action_is_in_one_group_and_no_record_in_two(plan: list[tuple[int, list[int]]]) -> None:
    actions = [
        action(f"a{place}", f"O{record}", [f"r{ref}" for ref in refs]) for place, (record, refs) in enumerate(plan)
    ]
    groups = independent_groups(actions)
    assert sorted(each.id for group in groups for each in group) == sorted(each.id for each in actions)
    touched = [
        {f"record {each.bound.record_id}" for each in group} | {ref for each in group for ref in each.bound.reads}
        for group in groups
    ]
    for place, mine in enumerate(touched):
        assert not any(mine & other for other in touched[place + 1 :])
