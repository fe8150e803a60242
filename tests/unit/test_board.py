"""The board looks for all who look, and no more often than for one; and tells what it knows where Temporal does not."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from sized_repairs import waiting_repair

from daper.core.commands import CommandLine
from daper.core.errors import NotFound, NoWorker, Unreachable
from daper.core.messages import PageArgs
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.core.policy import ApprovalPolicy
from daper.core.views import RepairView
from daper.service import board as board_module
from daper.service import waiting_plans
from daper.service.board import Board, BoardView
from daper.service.listing import Listing
from daper.service.requests import RepairLine

STARTED = datetime(2026, 3, 1, 9, tzinfo=UTC)
FAR = datetime(2100, 1, 1, tzinfo=UTC)
WITHIN_S = 10


class Temporal:
    """What Temporal lists, and what repairs answer. A look at it waits until the test lets it go on."""

    def __init__(self, *repair_ids: str) -> None:
        self.listed = dict.fromkeys(repair_ids, Phase.PENDING_APPROVAL)
        self.lost = False
        self.answers: dict[str, Phase | Exception] = {}
        self.looks = 0
        self.looking = 0
        self.asked: list[str] = []
        self.let = asyncio.Semaphore(1)

    async def lines(self) -> tuple[RepairLine, ...]:
        self.looking += 1
        assert self.looking == 1, "it looks twice at once"
        await self.let.acquire()
        self.looking -= 1
        self.looks += 1
        if self.lost:
            raise Unreachable("Temporal does not answer; see: ", CommandLine("doctor"))
        return tuple(
            RepairLine(repair_id=repair_id, phase=phase, user="Minerva", started_at=STARTED)
            for repair_id, phase in self.listed.items()
        )

    async def look(self, repair_id: str, page: PageArgs | None = None) -> RepairView | RepairResult:
        self.asked.append(repair_id)
        answer = self.answers.get(repair_id, Phase.PENDING_APPROVAL)
        if isinstance(answer, Exception):
            raise answer
        view = waiting_repair(2, hostile=False)
        return view.model_copy(update={"repair_id": repair_id, "phase": answer, "decide_by": FAR})


class _Lines:
    def __init__(self, temporal: Temporal) -> None:
        self.look = temporal.lines


@asynccontextmanager
async def _board(temporal: Temporal) -> AsyncGenerator[Board]:
    listing = cast(Listing, _Lines(temporal))
    async with (
        asyncio.timeout(WITHIN_S),
        Board(service=temporal, listing=listing, policy=ApprovalPolicy()).open() as board,
    ):
        yield board


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look follows on another without a pause, and whoever comes waits for one."""
    monkeypatch.setattr(board_module, "EVERY", timedelta(0))
    monkeypatch.setattr(board_module, "FRESH", timedelta(seconds=-1))


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock, which the test moves."""
    now = [1000.0]
    monkeypatch.setattr(waiting_plans, "ticks", lambda: now[0])
    return now


def _watchers() -> list[asyncio.Task[object]]:
    return [task for task in asyncio.all_tasks() if task.get_name() == board_module.WATCHER]


async def _after_a_look(board: Board, temporal: Temporal) -> BoardView:
    """What is known after one more look."""
    temporal.let.release()
    return await board.snapshot()


async def test_a_hundred_who_look_at_once_look_once() -> None:
    temporal = Temporal("r1", "r2")
    async with _board(temporal) as board:
        views = await asyncio.gather(*(board.snapshot() for _ in range(100)))

        assert {id(view) for view in views} == {id(views[0])}
        assert [repair.repair_id for repair in views[0].waiting] == ["r1", "r2"]
        assert (temporal.looks, sorted(temporal.asked), len(_watchers())) == (1, ["r1", "r2"], 1)


async def test_a_hundred_who_wait_are_told_of_one_look() -> None:
    temporal = Temporal("r1")
    async with _board(temporal) as board:
        version = (await board.snapshot()).version
        waiting = [asyncio.create_task(board.changed_since(version)) for _ in range(100)]
        temporal.listed["r2"] = Phase.PENDING_APPROVAL
        temporal.let.release()
        views = await asyncio.gather(*waiting)

        assert {view.count for view in views} == {2}
        assert (temporal.looks, temporal.asked) == (2, ["r1", "r2"])


async def test_what_did_not_change_is_no_new_version_and_nobody_is_asked_again() -> None:
    temporal = Temporal("r1")
    async with _board(temporal) as board:
        before = await board.snapshot()
        after = await _after_a_look(board, temporal)

        assert after is before
        assert temporal.asked == ["r1"]


async def test_it_rests_once_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_module, "LINGERS", timedelta(0))
    temporal = Temporal("r1")
    async with _board(temporal) as board:
        await board.snapshot()
        [watcher] = _watchers()
        temporal.let.release()
        await watcher

        looks = temporal.looks
        await _after_a_look(board, temporal)
        assert temporal.looks == looks + 1, "and begins again"


async def test_what_temporal_told_stays_with_the_trouble_once_it_is_lost() -> None:
    temporal = Temporal("r1")
    async with _board(temporal) as board:
        before = await board.snapshot()
        temporal.lost = True
        temporal.let.release()
        lost = await board.changed_since(before.version)

        assert lost.trouble == "Temporal does not answer; see: daper doctor"
        assert (lost.waiting, lost.seen_at is not None) == (before.waiting, True)
        temporal.lost = False
        temporal.let.release()
        assert (await board.changed_since(lost.version)).trouble == ""


async def test_where_temporal_never_told_nothing_is_shown_as_if_it_had() -> None:
    temporal = Temporal("r1")
    temporal.lost = True
    async with _board(temporal) as board:
        with pytest.raises(Unreachable, match="Temporal does not answer"):
            await board.snapshot()


async def test_a_decision_is_known_at_once_though_the_list_does_not_have_it_yet() -> None:
    temporal = Temporal("r1", "r2")
    async with _board(temporal) as board:
        before = await board.snapshot()
        temporal.answers["r1"] = Phase.APPROVED
        await board.touch("r1")

        after = await board.changed_since(before.version)
        assert after.version > before.version
        assert [repair.repair_id for repair in after.waiting] == ["r2"]
        assert temporal.looks == 1
        assert await _after_a_look(board, temporal) is after, "nor does the list bring it back"


async def test_what_is_listed_as_waiting_and_does_not_wait_is_asked_again_later(passed: list[float]) -> None:
    temporal = Temporal("r1")
    temporal.answers["r1"] = Phase.APPROVED
    async with _board(temporal) as board:
        assert (await board.snapshot()).count == 0
        temporal.answers.clear()
        assert (await _after_a_look(board, temporal)).count == 0
        passed[0] += waiting_plans.AGAIN_AFTER.total_seconds()
        assert (await _after_a_look(board, temporal)).count == 1
        assert temporal.asked == ["r1", "r1"]


async def test_what_waits_anew_is_asked_anew() -> None:
    temporal = Temporal("r1")
    async with _board(temporal) as board:
        await board.snapshot()
        temporal.listed["r1"] = Phase.PENDING_REPAIR
        assert (await _after_a_look(board, temporal)).count == 0
        temporal.listed["r1"] = Phase.PENDING_APPROVAL
        assert (await _after_a_look(board, temporal)).count == 1
        assert temporal.asked == ["r1", "r1"]


async def test_where_no_worker_answers_one_is_asked_for_all(passed: list[float]) -> None:
    ids = [f"r{number:02}" for number in range(30)]
    temporal = Temporal(*ids)
    temporal.answers = dict.fromkeys(ids, NoWorker("no worker answered on queue 'q'"))
    async with _board(temporal) as board:
        shown = await board.snapshot()

        assert {repair.trouble for repair in shown.waiting} == {"no worker answered on queue 'q'"}
        assert len(shown.waiting) == 30
        assert not any(repair.may_be_decided for repair in shown.waiting)
        assert len(temporal.asked) == waiting_plans.AT_ONCE
        passed[0] += waiting_plans.AGAIN_AFTER.total_seconds()
        await _after_a_look(board, temporal)
        assert len(temporal.asked) == waiting_plans.AT_ONCE + 1
        temporal.answers.clear()
        passed[0] += waiting_plans.AGAIN_AFTER.total_seconds()
        assert {repair.trouble for repair in (await _after_a_look(board, temporal)).waiting} == {""}


async def test_one_that_is_gone_does_not_wait() -> None:
    temporal = Temporal("r1", "r2")
    temporal.answers["r1"] = NotFound("there is no repair 'r1'")
    async with _board(temporal) as board:
        assert [repair.repair_id for repair in (await board.snapshot()).waiting] == ["r2"]


async def test_of_many_that_newly_wait_some_are_told_before_all_have_answered() -> None:
    temporal = Temporal(*(f"r{number:03}" for number in range(100)))
    async with _board(temporal) as board:
        first = await board.snapshot()
        assert (first.count, first.unread) == (100, 100 - len(first.waiting))
        assert 0 < len(first.waiting) < 100
        while (await _after_a_look(board, temporal)).unread:
            pass
        assert sorted(temporal.asked) == sorted(temporal.listed), "each once"


async def test_plans_are_kept_whole_up_to_a_number_of_actions(monkeypatch: pytest.MonkeyPatch) -> None:
    temporal = Temporal("r1")
    async with _board(temporal) as board:
        [repair] = (await board.snapshot()).waiting
        known = board.plan(repair.digest)
        assert known is not None
        assert tuple(action.id for action in known.plan.actions) == repair.action_ids
        assert known.domain == repair.domain
        assert board.plan("another") is None


async def test_a_bug_that_ends_the_watcher_keeps_nobody_waiting(caplog: pytest.LogCaptureFixture) -> None:
    temporal = Temporal("r1")
    temporal.answers["r1"] = ZeroDivisionError("a bug of ours")
    async with _board(temporal) as board:
        with pytest.raises(Unreachable, match="could not be looked at"):
            await board.snapshot()
    await asyncio.sleep(0)
    assert "the board's watcher ended" in caplog.text
