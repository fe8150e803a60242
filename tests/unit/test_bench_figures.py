"""How the benches show figures."""

import pytest
from bench.figures import Table, Times, in_turn, ms, ratio, s


def test_of_a_few_times_the_percentile_is_no_longer_than_the_longest() -> None:
    times = Times.of([0.1, 0.3, 0.2])

    assert times.p50 == 0.2
    assert 0.29 < times.p99 <= times.longest == 0.3
    assert Times.of([0.1]).p99 == 0.1


def test_nothing_that_was_timed_has_no_median() -> None:
    with pytest.raises(ValueError, match="nothing was timed"):
        Times.of([])


def test_what_is_run_in_turn_counts_from_its_second_round_on() -> None:
    calls = list[str]()

    def once(name: str) -> float:
        calls.append(name)
        return float(len(calls))

    took = in_turn({"a": lambda: once("a"), "b": lambda: once("b")}, rounds=2)

    assert calls == ["a", "b"] * 3
    assert took == {"a": Times((3.0, 5.0)), "b": Times((4.0, 6.0))}


def test_a_table_is_markdown() -> None:
    table = Table(about="Once.", columns=("", "time"), rows=(("bare", "1 s"), ("ours", "2 s")))

    assert str(table) == "Once.\n\n| | time |\n|---|---|\n| bare | 1 s |\n| ours | 2 s |"


@pytest.mark.parametrize(
    ("shown", "is_shown"),
    [
        (ms(0.0042), "4.2 ms"),
        (ms(0.0421), "42 ms"),
        (ms(1.5), "1,500 ms"),
        (s(0.0421), "0.042 s"),
        (s(1.234), "1.23 s"),
        (s(123.4), "123.4 s"),
        (ratio(1, 3), "0.33"),
        (ratio(50, 4), "12.5"),
        (ratio(600, 4), "150"),
    ],
)
def test_a_figure_has_about_three_digits(shown: str, is_shown: str) -> None:
    assert shown == is_shown
