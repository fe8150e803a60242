"""A watch goes on where the server no longer knows the place in the history from which it was told."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import cast

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from daper.service.watch import Watch

# What a server answers to a long poll, when the history was rewritten after the page that the poll goes on from.
MOVED = RPCError(
    "Current and request branch tokens, or current and request versioned transitions, don't match.",
    RPCStatusCode.INVALID_ARGUMENT,
    b"",
)
NEVER = RPCError("Length of WorkflowId exceeds the limit.", RPCStatusCode.INVALID_ARGUMENT, b"")
LOST = RPCError("connection refused", RPCStatusCode.UNAVAILABLE, b"")


class _Histories:
    """A client whose histories are told one after the other: so many events, then the error or the end."""

    def __init__(self, *told: tuple[int, RPCError | None]) -> None:
        self._told = list(told)
        self.asked = 0

    def get_workflow_handle(self, repair_id: str) -> "_Histories":
        return self

    async def fetch_history_events(self, *, wait_new_event: bool) -> AsyncGenerator[int]:
        self.asked += 1
        events, error = self._told.pop(0)
        for event in range(events):
            yield event
        if error is not None:
            raise error


def _watch(histories: _Histories) -> Watch[int]:
    return Watch(cast(Client, histories), "repair-Harry-1")


async def _to_the_end(watch: Watch[int]) -> None:
    seen = 0
    running = asyncio.create_task(watch.run())
    while not watch.closed:
        seen = await watch.changed_since(seen)
    await running


async def test_a_history_that_moved_is_read_again_from_its_beginning() -> None:
    histories = _Histories((3, MOVED), (5, None))
    await _to_the_end(_watch(histories))
    assert histories.asked == 2


@pytest.mark.parametrize(
    "told",
    [[(0, NEVER)], [(3, LOST)], [(3, MOVED), (0, MOVED)], [(3, MOVED)] * 50],
    ids=["the id is none", "the server is lost", "nothing more is told", "it moves for ever"],
)
async def test_any_other_refusal_ends_the_watch(told: Sequence[tuple[int, RPCError | None]]) -> None:
    watch = _watch(_Histories(*told))
    with pytest.raises(RPCError):
        await _to_the_end(watch)
    assert not watch.closed


async def test_one_look_at_each_change_answers_everybody_and_a_failed_one_is_asked_again() -> None:
    watch, asked = _watch(_Histories((0, None))), 0
    answered = asyncio.Event()

    async def ask() -> int:
        nonlocal asked
        asked += 1
        number = asked
        await answered.wait()
        if number == 1:
            raise RuntimeError("nobody there")
        return number

    first = [asyncio.create_task(watch.look(0, ask)) for _ in range(20)]
    first[0].cancel()
    answered.set()
    told = await asyncio.gather(*first, return_exceptions=True)
    assert [str(each) for each in told[1:]] == ["nobody there"] * 19
    assert await asyncio.gather(*(watch.look(0, ask) for _ in range(20))) == [2] * 20
    assert (await watch.look(1, ask), asked) == (3, 3)
