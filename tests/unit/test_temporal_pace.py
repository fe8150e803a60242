"""A cluster is asked no more often than is set, and left alone for a while where it says that it is too much."""

import pytest

from daper.domains.temporal import pace
from daper.domains.temporal.pace import Pace


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each call waited, on a clock that only waiting moves."""
    waits = list[float]()

    async def sleep(seconds: float) -> None:
        waits.append(round(seconds, 6))

    monkeypatch.setattr(pace, "ticks", lambda: 100.0 + sum(waits))
    monkeypatch.setattr(pace.asyncio, "sleep", sleep)
    return waits


async def test_calls_are_apart(slept: list[float]) -> None:
    turns = Pace(10)
    for _ in range(4):
        await turns.turn()
    assert slept == [0.1, 0.1, 0.1]


async def test_some_may_come_at_once_and_the_others_are_apart(slept: list[float]) -> None:
    turns = Pace(10, at_once=3)
    for _ in range(6):
        await turns.turn()
    assert slept == [0.1, 0.1]


async def test_after_a_rest_nobody_is_let_through_before_it_is_over(slept: list[float]) -> None:
    turns = Pace(10, at_once=3)
    turns.rest(2)
    await turns.turn()
    await turns.turn()
    assert slept == [2.0, 0.1]


async def test_calls_that_belong_together_take_their_turns_first_and_do_not_wait_between(slept: list[float]) -> None:
    turns = Pace(10)
    async with turns.at_once(2):
        assert slept == [0.1]
        await turns.turn()
        turns.rest(5)  # others are told to wait meanwhile
        await turns.turn()
        assert slept == [0.1]
        await turns.turn()
    assert slept == [0.1, 5.0]
    await turns.turn()
    assert slept == [0.1, 5.0, 0.1]
