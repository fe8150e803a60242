"""Each kind of store against a model of it: whatever comes in whatever order, the numbers and the last words agree."""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from daper.core.outcomes import Effect, OutcomeStatus
from daper.ports import ToolCall
from tests.contract.boxes import FULL, KINDS, AnyShelf, shelf
from tests.postgresql import PostgresqlServer

T = TypeVar("T")
BOXES, KEYS = ("A", "B"), ("k1", "k2", "k3", "k4")


class StoreStates(RuleBasedStateMachine):
    """Plans, attempts, strangers, settlements and undoing, in any order."""

    kind = "json"
    server: Callable[[], PostgresqlServer]

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.loop = asyncio.new_event_loop()
        self.shelf: AnyShelf
        self.held = {"A": 10, "B": 20}
        self.planned: dict[str, ToolCall] = {}
        self.said: dict[str, Effect | None] = {}  # the last word on each key; None: never
        self.sent = 0

    @initialize()
    def open(self) -> None:
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.shelf = self.stack.enter_context(shelf(self.kind, folder / "shelf", self.held, server=self.server))

    def do(self, coroutine: Coroutine[object, object, T]) -> T:
        return self.loop.run_until_complete(coroutine)

    @rule(key=st.sampled_from(KEYS), box=st.sampled_from(BOXES), amount=st.integers(-3, FULL))
    def plan(self, key: str, box: str, amount: int) -> None:
        """One key is always of one action."""
        self.planned.setdefault(key, self.shelf.call(key, box, amount))

    @rule(box=st.sampled_from(BOXES), held=st.integers(0, FULL + 1))
    def edit(self, box: str, held: int) -> None:
        self.shelf.edit(box, held)
        self.held[box] = held

    @rule(key=st.sampled_from(KEYS))
    def apply(self, key: str) -> None:
        call = self.planned.get(key)
        if call is None:
            return
        box, amount = call.record_id, call.arguments["amount"]
        assert isinstance(amount, int)
        stale = self.shelf.version(box) != call.expected[f"boxes/{box}"]
        effect = self.do(self.shelf.tool.apply(call))
        if key in self.said:
            known = self.said[key]
            again = OutcomeStatus.FAILED if known is None else _again(known.status)
            assert effect.status is again
            return
        self.said[key] = effect
        if stale:
            assert effect.status is OutcomeStatus.STALE
        elif not 1 <= amount <= FULL - self.held[box]:
            assert effect.status is OutcomeStatus.BLOCKED
        else:
            assert effect.status is OutcomeStatus.APPLIED
            self.held[box] += amount
            self.sent += 1

    @rule(key=st.sampled_from(KEYS))
    def settle(self, key: str) -> None:
        assert self.do(self.shelf.tool.settle(key)) == self.said.setdefault(key, None)

    @rule(key=st.sampled_from(KEYS))
    def undo(self, key: str) -> None:
        call, done = self.planned.get(key), self.said.get(key)
        if call is None or done is None or done.status is not OutcomeStatus.APPLIED:
            return
        box, undo = call.record_id, f"undo-{key}"
        untouched = done.wrote == {f"boxes/{box}": self.shelf.version(box)}
        undone = self.do(self.shelf.tool.undo(call, done, key=undo))
        if undo in self.said:
            assert undone == self.said[undo]
            return
        self.said[undo] = undone
        assert undone.status is (OutcomeStatus.UNDONE if untouched else OutcomeStatus.UNDO_BLOCKED)
        if untouched:
            amount = call.arguments["amount"]
            assert isinstance(amount, int)
            self.held[box] -= amount
            self.sent += 1

    @invariant()
    def the_numbers_agree(self) -> None:
        if hasattr(self, "shelf"):
            assert {box: self.shelf.held(box) for box in BOXES} == self.held
            assert [one.sequence for one in self.shelf.outbox()] == list(range(1, self.sent + 1))

    def teardown(self) -> None:
        self.stack.close()
        self.loop.close()


def _again(status: OutcomeStatus) -> OutcomeStatus:
    return OutcomeStatus.ALREADY_APPLIED if status is OutcomeStatus.APPLIED else status


@pytest.mark.parametrize("examples", [6, pytest.param(30, marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_comes_in_whatever_order_the_store_and_its_model_agree(
    kind: str, examples: int, request: pytest.FixtureRequest
) -> None:
    server = partial(request.getfixturevalue, "postgresql")
    machine = type("States", (StoreStates,), {"kind": kind, "server": server, "__doc__": StoreStates.__doc__})
    machine.TestCase.settings = settings(max_examples=examples, stateful_step_count=20, deadline=None)
    machine.TestCase().runTest()
