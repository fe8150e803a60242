"""Each tool on stuck workflows is undone once, on a real server, and not where somebody else was there since."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from daper.core.digests import undo_key
from daper.core.errors import NoAnswer
from daper.core.outcomes import OutcomeStatus
from tests.cases import cases
from tests.stuck import StuckWorld
from tests.stuck_tools import CASES, Case, Clock, each, hung, next_change, stuck, tools_world

UNDOABLE = [case for case in CASES if case.touch is not None]


@pytest.fixture
async def world(real_time: WorkflowEnvironment, tmp_path: Path) -> AsyncGenerator[StuckWorld]:
    async with tools_world(real_time.client, tmp_path) as made:
        yield made


@each(UNDOABLE)
async def test_undone_it_is_as_before_and_undone_once(
    world: StuckWorld, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = await stuck(world, case, monkeypatch)
    done = await it.tool.apply(it.call)
    back = await it.undo(done)
    assert back.status is OutcomeStatus.UNDONE, back
    assert (await it.undo(done)).status is OutcomeStatus.UNDONE
    assert len(it.asked) == 2
    assert not case.done(await world.state(it.workflow_id))
    assert (await it.tool.apply(it.call)).status is OutcomeStatus.ALREADY_APPLIED
    assert not case.done(await world.state(it.workflow_id))


@each(UNDOABLE)
async def test_what_somebody_else_has_changed_since_is_not_undone(
    world: StuckWorld, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = await stuck(world, case, monkeypatch)
    done = await it.tool.apply(it.call)
    assert case.touch is not None
    await case.touch(world, it.workflow_id)
    touched = await world.state(it.workflow_id)
    back = await it.undo(done)
    assert back.status is OutcomeStatus.UNDO_BLOCKED, back
    assert len(it.asked) == 1
    assert (await world.state(it.workflow_id)).version == touched.version


@each(UNDOABLE)
@pytest.mark.parametrize("came", cases({"lost": True, "never came": False}, quick={"lost"}))
async def test_an_undo_without_an_answer_is_done_once(
    world: StuckWorld, case: Case, monkeypatch: pytest.MonkeyPatch, came: bool
) -> None:
    it = await stuck(world, case, monkeypatch)
    done = await it.tool.apply(it.call)
    next_change(monkeypatch, world, came=came)
    with pytest.raises(NoAnswer):
        await it.undo(done)
    back = await it.undo(done)
    assert back.status is OutcomeStatus.UNDONE, back
    assert len(it.asked) == 2
    assert not case.done(await world.state(it.workflow_id))


async def test_a_pause_that_was_taken_back_says_whose_it_was_before(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = next(each for each in CASES if each.tool == "unpause_activity")
    it = await stuck(world, case, monkeypatch)
    [change] = it.tool.terms(it.workflow_id, it.call.arguments, await it.tool.look(it.workflow_id)).preview
    assert change.before == "paused by somebody: wait for the bank"
    await it.undo(await it.tool.apply(it.call))
    pause = (await world.state(it.workflow_id)).activities[0].pause
    assert pause is not None
    assert pause.reason == f"daper key={undo_key(it.call.key)}; before it was paused by somebody: wait for the bank"


@each(UNDOABLE)
async def test_an_attempt_that_hung_until_its_effect_was_undone_does_not_set_it_again(
    world: StuckWorld, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = await stuck(world, case, monkeypatch)
    clock, waits = Clock(), list[timedelta]()

    async def waited(time: timedelta) -> None:
        waits.append(time)
        clock.ahead += time

    monkeypatch.setattr(it.tool, "_clock", clock)
    monkeypatch.setattr("daper.stores.outside.waited", waited)
    first, goes_on = await hung(it, monkeypatch)
    done = await it.tool.apply(it.call)
    assert done.status is OutcomeStatus.APPLIED
    assert (await it.undo(done)).status is OutcomeStatus.UNDONE
    # Until no request of the first one can be under way any more.
    assert [timedelta() < each <= timedelta(seconds=40) for each in waits] == [True]
    goes_on.set()
    with pytest.raises(NoAnswer, match="not asked for in time"):
        await first
    assert not case.done(await world.state(it.workflow_id))
    assert (await it.tool.apply(it.call)).status is OutcomeStatus.ALREADY_APPLIED
    assert not case.done(await world.state(it.workflow_id))


async def test_what_was_asked_for_once_is_undone_without_waiting(
    world: StuckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = await stuck(world, next(each for each in CASES if each.tool == "pause_activity"), monkeypatch)

    async def waited(_: timedelta) -> None:
        pytest.fail("nothing else can be under way")

    monkeypatch.setattr("daper.stores.outside.waited", waited)
    assert (await it.undo(await it.tool.apply(it.call))).status is OutcomeStatus.UNDONE
