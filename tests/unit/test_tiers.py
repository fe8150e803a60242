"""What runs with each change, and what runs with the long tests."""

from collections.abc import Callable, Sequence
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cases import FEW, keep_one_soon, try_few_soon


class Case:
    """As much of a test as is looked at."""

    def __init__(self, nodeid: str, *, long: bool = False, test: Callable[[], None] | None = None) -> None:
        self.nodeid = nodeid
        self.long = long
        self.obj = test

    def get_closest_marker(self, name: str) -> bool:
        return self.long

    def add_marker(self, mark: object) -> None:
        self.long = True


def soon(cases: Sequence[Case]) -> list[str]:
    keep_one_soon(cast("Sequence[pytest.Item]", cases))
    return [case.nodeid for case in cases if not case.long]


def test_of_a_table_the_first_case_on_each_server_runs_soon_and_whatever_needs_none() -> None:
    names = ["t[sqlite-a]", "t[sqlite-b]", "t[postgresql-a]", "t[postgresql-b]", "t[mariadb-a]", "t[b-mariadb]", "u"]
    assert soon([Case(name) for name in names]) == [*names[:3], "t[mariadb-a]", "u"]


def test_another_test_has_a_first_case_of_its_own_and_a_long_one_is_none() -> None:
    cases = [
        Case("t[postgresql-a]", long=True),
        Case("t[postgresql-b]"),
        Case("t[postgresql-c]"),
        Case("u[postgresql]"),
    ]
    assert soon(cases) == ["t[postgresql-b]", "u[postgresql]"]


def test_a_word_that_a_server_is_called_like_is_no_server() -> None:
    assert soon([Case("t[postgresqlish]"), Case("t[documents in postgresql]"), Case("t[postgresqlish too]")]) == [
        "t[postgresqlish]", "t[documents in postgresql]", "t[postgresqlish too]"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("tier", "most", "tried", "long"),
    [
        ("not long", 100, FEW, False),
        ("not long", 7, 7, False),
        ("long", 100, 100, True),
        ("long", 7, 0, False),
        ("", 100, 100, False),
    ],
)
def test_of_what_holds_for_any_few_examples_are_tried_soon_and_all_with_the_long_tests(
    tier: str, most: int, tried: int, long: bool
) -> None:
    seen = set[int]()

    @settings(max_examples=most, database=None)
    @given(st.integers())
    def holds(number: int) -> None:
        seen.add(number)

    case = Case("t", test=holds)
    try_few_soon([cast("pytest.Item", case)], tier)
    assert case.long == long
    if long or tier != "long":
        holds()
        assert len(seen) == tried
