"""What an open page of a repair is told: what changed, and nothing else; and never the form that somebody fills in."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import httpx

from daper.core.commands import Said
from daper.core.decisions import record
from daper.core.errors import Unreachable
from daper.core.models import Decision, Person, Verdict
from daper.core.phases import Phase, PhaseEntry
from daper.core.views import RepairView
from daper.entrypoints.web.live_repair import News, known_of, news
from daper.entrypoints.web.repair_page import Look, RepairPage, repair_page
from daper.service.requests import Silence
from tests.console.in_process import URL
from tests.console.standing import Standing, standing_app, waiting
from tests.unit.sized_repairs import STARTED, a_plan, ended_repair, waiting_repair


def _standing(orders: int = 2) -> Standing:
    return Standing(waiting_repair(orders, hostile=False), a_plan(orders, hostile=False))


def _deciding(look: Look) -> RepairPage:
    return repair_page(look, may_decide=True)


def _reading(look: Look) -> RepairPage:
    return repair_page(look, may_decide=False)


def _view(repairs: Standing) -> RepairView:
    assert isinstance(repairs.now, RepairView)
    return repairs.now


async def _next(every: AsyncGenerator[News]) -> News:
    async with asyncio.timeout(60):
        return await anext(every)


async def test_what_did_not_change_is_not_told_and_the_end_ends_it() -> None:
    repairs = _standing()
    shown = known_of(_reading(repairs.now))
    ended = ended_repair(2, hostile=False)
    running = _view(repairs).model_copy(update={"actions_to_run": 2, "actions_done": 1})
    for told in (repairs.now, running, running, ended):
        repairs.told.put_nowait(told)
    async with aclosing(news(repairs, repairs.now.repair_id, shown, _reading)) as every:
        assert (await _next(every)).parts == ("state",)
        last = await _next(every)
        assert last.ended
        assert set(last.parts) >= {"state", "plans", "decisions", "timeline", "more"}
        assert await anext(every, None) is None
    assert repairs.following == 0


async def test_a_form_stays_whatever_happens_and_what_happened_is_said() -> None:
    repairs = _standing()
    shown = known_of(_deciding(repairs.now))
    plan = repairs.plan
    decision = Decision(
        plan_digest=plan.digest, verdicts={"a1": Verdict.APPROVE}, by=Person(name="Luna"), door="console"
    )
    decided = _view(repairs).model_copy(
        update={"phase": Phase.PENDING_REPAIR, "decision": record(plan, decision, STARTED)}
    )
    repairs.told.put_nowait(decided)
    repairs.told.put_nowait(decided.model_copy(update={"actions_done": 1}))
    async with aclosing(news(repairs, repairs.now.repair_id, shown, _deciding)) as every:
        first = await _next(every)
        assert "plans" not in first.parts
        assert "Luna" in first.changed
        second = await _next(every)
        assert "plans" not in second.parts
        assert second.changed
        # Whoever comes again with what was told last is told nothing twice.
        repairs.told.put_nowait(decided.model_copy(update={"actions_done": 1}))
        repairs.told.put_nowait(ended_repair(2, hostile=False))
        async with aclosing(news(repairs, repairs.now.repair_id, second.known, _deciding)) as again:
            assert (await _next(again)).parts == ()
            assert "plans" not in (await _next(again)).parts


async def test_a_plan_that_comes_to_a_page_without_a_form_is_shown_at_once() -> None:
    repairs = _standing()
    planning = _view(repairs).model_copy(update={"phase": Phase.PLANNING_REPAIR, "plan": None, "decide_by": None})
    repairs.told.put_nowait(repairs.now)
    async with aclosing(news(repairs, repairs.now.repair_id, known_of(_deciding(planning)), _deciding)) as every:
        told = await _next(every)
    assert "plans" in told.parts
    assert told.changed == ""


async def test_silence_is_told_and_taken_back_and_what_cannot_be_asked_ends_it() -> None:
    repairs = _standing()
    shown = known_of(_reading(repairs.now))
    repairs.told.put_nowait(Silence(message=Said("no worker answers")))
    repairs.told.put_nowait(repairs.now)
    repairs.told.put_nowait(Unreachable("Temporal is away"))
    async with aclosing(news(repairs, repairs.now.repair_id, shown, _reading)) as every:
        assert (await _next(every)).quiet == "no worker answers"
        back = await _next(every)
        assert (back.quiet, back.parts) == ("", ())
        away = await _next(every)
        assert away.quiet == "Temporal is away"
        assert await anext(every, None) is None
    # The page comes again once it answers: what was said is taken back, though nothing else is new.
    repairs.told.put_nowait(repairs.now)
    async with aclosing(news(repairs, repairs.now.repair_id, away.known, _reading)) as every:
        again = await _next(every)
        assert (again.quiet, again.parts) == ("", ())
        assert again.known == back.known


async def test_the_stream_of_a_page_begins_and_says_so_where_nobody_answers(tmp_path: Path) -> None:
    """Refused at once, the page would take it for the console itself that is away."""
    repairs = _standing()

    async def line(repair_id: str) -> None:
        raise Unreachable(f"Temporal was asked about {repair_id}, and does not answer")

    repairs.line = line  # type: ignore[method-assign]  # as the service has it, without a server
    repairs.told.put_nowait(Unreachable("Temporal is away"))
    transport = httpx.ASGITransport(standing_app(tmp_path, repairs))
    async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
        answer = await client.get(f"/repairs/{repairs.now.repair_id}/events", timeout=60)
    assert answer.status_code == 200
    assert "Temporal is away" in answer.text


async def test_a_plan_of_several_pages_is_read_once_for_all_looks() -> None:
    repairs = _standing(200)
    asked: list[int] = []
    look = repairs.look

    async def counting(repair_id: str, page: object = None) -> Look:
        asked.append(1)
        return await look(repair_id, page)  # type: ignore[arg-type]  # as the service has it

    repairs.look = counting  # type: ignore[method-assign]  # to count what a page of it costs
    shown = known_of(_deciding(repairs.now))
    for done in range(1, 5):
        repairs.told.put_nowait(_view(repairs).model_copy(update={"actions_to_run": 4, "actions_done": done}))
    async with aclosing(news(repairs, repairs.now.repair_id, shown, _deciding)) as every:
        for _ in range(4):
            assert (await _next(every)).parts == ("state",)
    assert len(asked) == -(-len(repairs.plan.actions) // 100)


def test_the_end_of_a_repair_stands_once_in_its_timeline_whether_or_not_the_result_has_it() -> None:
    result = ended_repair(3)
    end = PhaseEntry(phase=result.phase, at=result.ended_at)
    before = PhaseEntry(phase=Phase.PENDING_REPORT, at=result.ended_at)
    for kept in ((before,), (before, end)):
        page = repair_page(result.model_copy(update={"timeline": kept}), may_decide=False)
        assert page.timeline == (before, end)


def test_a_decision_on_many_actions_is_told_in_short() -> None:
    plan = a_plan(9, hostile=False)
    ids = [action.id for action in plan.actions]
    verdicts = {each: Verdict.REJECT if each == ids[-1] else Verdict.APPROVE for each in ids}
    decision = Decision(plan_digest=plan.digest, verdicts=verdicts, by=Person(name="Luna"), door="cli")
    look = waiting(plan, waiting_repair(9, hostile=False))
    decided = record(plan, decision, STARTED)
    [told] = repair_page(look.model_copy(update={"decision": decided}), may_decide=False).decisions
    assert (told.approved, told.rejected) == (f"{ids[0]}-{ids[-2]}", ids[-1])
