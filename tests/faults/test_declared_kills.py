"""An attempt of a shipped tool is killed with -9 at each step to its database; another one has the last word."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path

import pytest
from sqlalchemy import text

from daper.core.outcomes import Effect, OutcomeStatus
from daper.domains.declared.examples import example_variable
from daper.ports import ToolCall
from daper.stores.rows.engine import disconnect
from tests.declared_examples import EACH, Example, example_in
from tests.declared_shop import set_tool
from tests.faults.victims import CALL, DONE, RowsAttempt
from tests.faults.victims_run import Victims

NOW = datetime(2026, 11, 28, tzinfo=UTC)
EACH_STEP = (
    ("payments", "sqlite", 7),
    *(pytest.param(name, kind, 1 if kind == "sqlite" else 3, marks=pytest.mark.long) for name, kind in EACH),
)
"""Each shipped domain in each kind of database, and how many steps lie between two kills; one is behind the commit."""

TOOK_EFFECT = (OutcomeStatus.APPLIED, OutcomeStatus.ALREADY_APPLIED)


class Attempts:
    """Of one tool on one record, each by a process of its own."""

    def __init__(self, example: Example, process: asyncio.subprocess.Process) -> None:
        self.example = example
        self.domain = example.domain()
        self.record_id = example.sample.records[0]
        self.tool = set_tool(self.domain, example.sample.tool)
        self._process = process

    @property
    def row(self) -> tuple[object, ...]:
        """The record as it is."""
        return self.example.row(self.record_id)

    async def call(self, key: str) -> ToolCall:
        """As it would be approved now."""
        terms = self.tool.terms(self.record_id, {}, await self.domain.context([self.record_id]))
        assert not terms.obstacle
        return ToolCall(key=key, record_id=self.record_id, arguments={}, expected=terms.reads, today=NOW)

    async def dies_at(self, step: int, call: ToolCall, *, undo: bool = False) -> bool:
        """Whether an attempt was killed at that step; else it came to its end."""
        assert self._process.stdin is not None
        attempt = RowsAttempt(tool=self.tool.name, call=CALL.dump_json(call).decode(), undo=undo, die_at=step)
        self._process.stdin.write(f"{attempt.model_dump_json()}\n".encode())
        said = await self._said()
        if said == DONE:
            return True
        told = Effect.model_validate_json(said.removeprefix("effect "))
        assert told.status is (OutcomeStatus.UNDONE if undo else OutcomeStatus.APPLIED), told.evidence
        assert await self._said() == DONE
        return False

    async def _said(self) -> str:
        assert self._process.stdout is not None
        return (await self._process.stdout.readline()).decode().strip()

    def is_noted(self, key: str) -> bool:
        """Whether the ledger has a row of that key."""
        with self.example.engine.begin() as db:
            found = db.execute(text("SELECT count(*) FROM daper_ledger WHERE effect_key = :key"), {"key": key})
            return found.scalar_one() == 1


@pytest.fixture
async def attempts(request: pytest.FixtureRequest, tmp_path: Path, name: str, kind: str) -> AsyncIterator[Attempts]:
    example = example_in(name, kind, tmp_path, request)
    victims = Victims(tmp_path, {example_variable(name): example.url})
    yield Attempts(example, await victims.rows_applier(example.file))
    await victims.end()
    example.engine.dispose()
    disconnect()


@pytest.mark.parametrize(("name", "kind", "every"), EACH_STEP)
async def test_killed_at_any_step_a_shipped_tool_has_its_effect_once_or_never(attempts: Attempts, every: int) -> None:
    """Of those killed, every other one is tried again; the rest is settled, and comes late."""
    sample, seen, killed = attempts.example.sample, Counter[str](), True
    for step in chain([0], count(1, every)):
        if not killed:
            break
        attempts.example.put_back(attempts.record_id)
        call = await attempts.call(f"key {step}")
        killed = await attempts.dies_at(step, call)
        assert attempts.row == (sample.after if attempts.is_noted(call.key) else sample.before)
        seen["done" if attempts.is_noted(call.key) else "not done"] += killed
        settled = await attempts.tool.settle(call.key) if step % 2 else None
        late = await attempts.tool.apply(call)
        if step % 2 and settled is None:
            assert (late.status, attempts.row) == (OutcomeStatus.FAILED, sample.before)
        else:
            assert late.status in TOOK_EFFECT, late.evidence
            assert attempts.row == sample.after
    assert seen["not done"] > 2, "hardly any was killed before its commit"
    assert seen["done"], "none was killed behind its commit"


@pytest.mark.parametrize(("name", "kind", "every"), EACH_STEP)
async def test_killed_at_any_step_of_undoing_a_shipped_tool_is_taken_back_once(attempts: Attempts, every: int) -> None:
    sample, seen, killed = attempts.example.sample, Counter[str](), True
    for step in chain([0], count(1, every)):
        if not killed:
            break
        attempts.example.put_back(attempts.record_id)
        call = await attempts.call(f"key {step}")
        effect = await attempts.tool.apply(call)
        undo_key = f"{call.key} undone"
        killed = await attempts.dies_at(step, call, undo=True)
        assert attempts.row == (sample.before if attempts.is_noted(undo_key) else sample.after)
        seen["killed"] += killed
        undone = await attempts.tool.undo(call, effect, key=undo_key)
        assert (undone.status, attempts.row) == (OutcomeStatus.UNDONE, sample.before), undone.evidence
    assert seen["killed"] > 2, "hardly any was killed"
