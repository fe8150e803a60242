"""What one approved action does, in every kind of store: once, on the state that was seen, or not at all."""

import asyncio
import multiprocessing
import os
from collections.abc import Generator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from daper.core.errors import ActionFailed
from daper.core.outcomes import Effect, Holding, OutcomeStatus
from daper.ports import LedgerRow
from daper.stores.ledger import SETTLED
from tests.contract.boxes import FULL, KINDS, NOON, AnyShelf, shelf
from tests.postgresql import PostgresqlServer

DIED = 9


@pytest.fixture(params=KINDS)
def boxes(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[AnyShelf]:
    boxes = {"A": 10, "B": 20}
    server = partial(request.getfixturevalue, "postgresql")
    with shelf(request.param, tmp_path / "shelf", boxes, server=server) as made:
        yield made


async def test_d1_an_effect_happens_once_for_its_key_and_says_what_it_did(boxes: AnyShelf) -> None:
    call = boxes.call()
    first = await boxes.tool.apply(call)
    again = await boxes.tool.apply(call)

    assert (first.status, first.before, first.after) == (OutcomeStatus.APPLIED, {"held": 10}, {"held": 15})
    assert first.wrote == {"boxes/A": boxes.version()}
    assert again == first.model_copy(update={"status": OutcomeStatus.ALREADY_APPLIED})
    assert boxes.held() == 15
    assert (await boxes.tool.holds(call, first)).holding is Holding.YES
    assert [(one.key, one.to, one.body, one.sequence) for one in boxes.outbox()] == [("k1", "keeper", "5", 1)]
    assert boxes.outbox()[0].subject == "more in A<U+000A>Bcc: nobody"


async def test_a_key_that_was_settled_first_never_happens(boxes: AnyShelf) -> None:
    call = boxes.call()
    assert await boxes.tool.settle("k1") is None
    assert (await boxes.tool.apply(call)).status is OutcomeStatus.FAILED
    assert await boxes.tool.settle("k1") is None
    assert (boxes.held(), boxes.outbox()) == (10, ())


async def test_settling_tells_what_was_done_and_why_nothing_was(boxes: AnyShelf) -> None:
    done = await boxes.tool.apply(boxes.call())
    blocked = await boxes.tool.apply(boxes.call("k2", amount=FULL))
    assert await boxes.tool.settle("k1") == done
    assert await boxes.tool.settle("k2") == blocked


async def _says_it_for_good(boxes: AnyShelf, first: Effect, call_again_at: int) -> None:
    """Also once everything fits again."""
    boxes.edit("A", call_again_at)
    again = await boxes.tool.apply(boxes.call())
    assert again == first
    assert await boxes.tool.settle("k1") == first
    assert (boxes.held(), boxes.outbox()) == (call_again_at, ())


@pytest.mark.parametrize(("held", "why"), [(11, "was changed"), (None, "is gone")])
async def test_d5_stale_is_not_run(boxes: AnyShelf, held: int | None, why: str) -> None:
    call = boxes.call()
    boxes.edit("A", held)
    first = await boxes.tool.apply(call)
    assert (first.status, first.evidence) == (OutcomeStatus.STALE, (f"boxes/A {why} since the plan read it",))
    await _says_it_for_good(boxes, first, 10)


async def test_limits_are_looked_up_anew_and_not_believed(boxes: AnyShelf) -> None:
    first = await boxes.tool.apply(boxes.call(amount=FULL - 10 + 1))
    assert first.status is OutcomeStatus.BLOCKED
    await _says_it_for_good(boxes, first, 1)


async def test_a_tool_that_does_not_fit_any_more_says_why(boxes: AnyShelf) -> None:
    boxes.edit("A", FULL)
    first = await boxes.tool.apply(boxes.call())
    assert (first.status, first.evidence) == (OutcomeStatus.BLOCKED, ("box A is full",))
    await _says_it_for_good(boxes, first, 1)


async def test_a_record_that_nobody_knows_is_failed(boxes: AnyShelf) -> None:
    first = await boxes.tool.apply(replace(boxes.call(box="C"), expected={}))
    assert first.status is OutcomeStatus.FAILED


async def test_an_approval_that_lapsed_is_not_run(boxes: AnyShelf) -> None:
    first = await boxes.tool.apply(boxes.call(valid_until=NOON - timedelta(microseconds=1)))
    assert first.status is OutcomeStatus.LAPSED
    await _says_it_for_good(boxes, first, 10)
    assert (await boxes.tool.apply(boxes.call("k2", valid_until=NOON))).status is OutcomeStatus.APPLIED


async def test_a_tool_that_breaks_in_the_middle_has_done_nothing(boxes: AnyShelf) -> None:
    def breaks() -> None:
        raise KeyError("no such page")

    call = boxes.call()
    boxes.tool.after_change = breaks
    with pytest.raises(KeyError):
        await boxes.tool.apply(call)
    assert (boxes.held(), boxes.outbox()) == (10, ())
    boxes.tool.after_change = lambda: None
    assert (await boxes.tool.apply(call)).status is OutcomeStatus.APPLIED


async def test_an_effect_is_taken_back_once_under_a_key_of_its_own(boxes: AnyShelf) -> None:
    call = boxes.call()
    done = await boxes.tool.apply(call)
    undone = await boxes.tool.undo(call, done, key="u1")
    assert (undone.status, undone.before, undone.after) == (OutcomeStatus.UNDONE, done.after, done.before)
    assert await boxes.tool.undo(call, done, key="u1") == undone
    assert await boxes.tool.settle("u1") == undone
    assert boxes.held() == 10
    assert [(one.key, one.body) for one in boxes.outbox()] == [("k1", "5"), ("u1", "-5")]


async def test_what_a_stranger_changed_is_not_taken_back_nor_later(boxes: AnyShelf) -> None:
    call = boxes.call()
    done = await boxes.tool.apply(call)
    boxes.edit("A", 16)
    blocked = await boxes.tool.undo(call, done, key="u1")
    boxes.edit("A", 15)
    assert blocked.status is OutcomeStatus.UNDO_BLOCKED
    assert await boxes.tool.undo(call, done, key="u1") == blocked
    assert await boxes.tool.settle("u1") == blocked
    assert boxes.held() == 15


async def test_an_undo_that_was_settled_as_never_is_obeyed(boxes: AnyShelf) -> None:
    call = boxes.call()
    done = await boxes.tool.apply(call)
    assert await boxes.tool.settle("u1") is None
    assert (await boxes.tool.undo(call, done, key="u1")).status is OutcomeStatus.FAILED
    assert boxes.held() == 15


@pytest.mark.parametrize("wrote", [{}, {"boxes/B": "1"}])
async def test_only_the_effect_that_the_ledger_has_is_taken_back(boxes: AnyShelf, wrote: dict[str, str]) -> None:
    call = boxes.call()
    nothing = await boxes.tool.undo(call, Effect(status=OutcomeStatus.APPLIED), key="u0")
    done = await boxes.tool.apply(call)
    forged = await boxes.tool.undo(call, done.model_copy(update={"wrote": wrote}), key="u1")
    assert {nothing.status, forged.status} == {OutcomeStatus.UNDO_BLOCKED}
    assert boxes.held() == 15


async def test_d1_many_attempts_at_once_are_one_effect(boxes: AnyShelf) -> None:
    call = boxes.call()
    found = await asyncio.gather(*(boxes.tool.apply(call) for _ in range(24)))
    assert sorted(effect.status for effect in found) == ["already-applied"] * 23 + ["applied"]
    assert (boxes.held(), len(boxes.outbox())) == (15, 1)


async def test_d19_many_effects_at_once_lose_nothing(boxes: AnyShelf) -> None:
    calls = [replace(boxes.call(f"k{number}", amount=1), expected={}) for number in range(20)]
    await asyncio.gather(*(boxes.tool.apply(call) for call in calls))
    assert boxes.held() == 30
    assert [one.sequence for one in boxes.outbox()] == list(range(1, 21))


@pytest.mark.parametrize("first", ["effect", "tombstone", "undo"])
def test_a_row_is_for_good_and_only_what_was_begun_is_written_over(boxes: AnyShelf, first: str) -> None:
    def row(kind: str) -> LedgerRow:
        return LedgerRow.model_validate(
            {"key": "k1", "kind": kind, "at": NOON, "effect": Effect(status=OutcomeStatus.APPLIED)}
        )

    for kind in ("begun", first):
        with boxes.store.change() as change:
            change.write_row(row(kind))
    for kind in ("begun", "effect", "tombstone", "undo"):
        with pytest.raises(ActionFailed, match="already"), boxes.store.change() as change:
            change.write_row(row(kind))
    with boxes.store.change() as change:
        assert change.row("k1") == row(first)


async def test_a_tool_that_comes_to_an_end_of_what_it_looks_through_hangs_nobody(boxes: AnyShelf) -> None:
    """A future cannot carry a StopIteration: whoever awaits it would wait for ever."""
    boxes.tool.after_change = lambda: next(iter(()))
    with pytest.raises(RuntimeError, match="StopIteration"):
        await boxes.tool.apply(boxes.call())
    assert boxes.held() == 10


async def test_record_text_that_reads_as_never_is_no_tombstone(boxes: AnyShelf) -> None:
    boxes.tool.word = SETTLED
    done = await boxes.tool.apply(boxes.call())
    assert done.evidence == (SETTLED,)
    assert await boxes.tool.settle("k1") == done


async def test_an_effect_that_left_no_version_is_not_taken_back(boxes: AnyShelf) -> None:
    """A store without versions cannot tell who wrote since."""
    call = boxes.call()
    boxes.tool.wrote = ["boxes/elsewhere"]
    done = await boxes.tool.apply(call)
    assert done.wrote == {"boxes/elsewhere": ""}
    assert (await boxes.tool.undo(call, done, key="u1")).status is OutcomeStatus.UNDO_BLOCKED
    assert boxes.held() == 15


def _no_server() -> PostgresqlServer:
    raise AssertionError("it has one already")


def _attempt(kind: str, folder: Path, dies: str) -> None:
    """One attempt, in a process that dies in the middle of it."""
    with shelf(kind, folder, {}, server=_no_server) as boxes:
        call = boxes.call()
        if dies == "before the change":
            boxes.tool.before_change = lambda: os._exit(DIED)
        if dies == "after the change":
            boxes.tool.after_change = lambda: os._exit(DIED)
        with suppress(SystemExit):
            asyncio.run(boxes.tool.apply(call))
        os._exit(DIED)


@pytest.mark.parametrize(
    ("dies", "happened"),
    [
        pytest.param("before the change", False, marks=pytest.mark.long),
        ("after the change", False),
        pytest.param("after the effect", True, marks=pytest.mark.long),
    ],
)
async def test_d1_a_process_that_dies_leaves_all_of_it_or_nothing(boxes: AnyShelf, dies: str, happened: bool) -> None:
    call = boxes.call()
    process = multiprocessing.get_context("spawn").Process(target=_attempt, args=(boxes.kind, boxes.folder, dies))
    process.start()
    process.join(60)
    assert process.exitcode == DIED
    assert (boxes.held(), len(boxes.outbox())) == ((15, 1) if happened else (10, 0))
    settled = await boxes.tool.apply(call)
    assert settled.status is (OutcomeStatus.ALREADY_APPLIED if happened else OutcomeStatus.APPLIED)
    assert (boxes.held(), len(boxes.outbox())) == (15, 1)
