"""Schedules on a real server, in real time: their runs are repairs like any other, one at a time, and ask a person."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.testing import WorkflowEnvironment

from daper.activities import diagnosis
from daper.adapters.temporal.codec import data_converter
from daper.adapters.temporal.kept_server import KeptServer
from daper.clock import utc_now
from daper.core.errors import NotFound, Occupied, UserError
from daper.core.models import Scope
from daper.core.partition import Partition, within
from daper.core.phases import Phase
from daper.core.schedules import When, at_intervals, by_cron
from daper.entrypoints.cli.schedule_lines import view_lines
from daper.service.schedule_orders import PutSchedule, ScheduleRef
from tests.workflow.shop import DEADLINE, GINNY, HARRY, Shop, open_shop
from tests.workflow.timetable import EVERY_SECOND, EVERY_YEAR, Timetable, timetable
from tests.workflow.wide_shop import install


@asynccontextmanager
async def kept_server(home: Path) -> AsyncGenerator[WorkflowEnvironment]:
    """A server that keeps what it has in a file, until left."""
    server = KeptServer(home, namespace="default")
    try:
        address = (await server.open())[0].address
        yield WorkflowEnvironment.from_client(await Client.connect(address, data_converter=data_converter()))
    finally:
        await server.stop()


def quiet_shop(env: WorkflowEnvironment, home: Path) -> Shop:
    """A shop with nobody at work."""
    return Shop(env, home, domains=None, indexed=True)


@pytest.mark.long
async def test_a_run_waits_for_a_person_as_any_repair_and_the_next_ones_are_skipped_meanwhile(
    real_time: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(real_time, tmp_path) as shop, timetable(shop) as made:
        await made.create()
        run = await made.until_run(Phase.PENDING_APPROVAL)
        assert run.open
        assert run.repair_id.startswith(f"repair-{made.name}-")
        skipped = await made.until(lambda view: view.skipped >= 2)
        assert (skipped.started, len(skipped.runs)) == (1, 1)
        async with asyncio.timeout(DEADLINE):
            while run.repair_id not in [line.repair_id for line in await shop.service.list()]:
                pass  # Temporal lists it a moment later

        await shop.decide(run.repair_id, await shop.plan(run.repair_id))
        ended = await shop.end(run.repair_id)
        assert (ended.phase, ended.counts.applied, ended.user) == (Phase.REPORT_COMPLETED, 4, "Harry")
        after = await made.until(lambda view: view.started > 1)
        assert after.runs[-1].phase == "REPORT-COMPLETED"
        assert after.runs[0].started_at > after.runs[-1].started_at, "the newest first"


@pytest.mark.long
@pytest.mark.parametrize("indexed", [True, False])
async def test_dry_runs_follow_one_another_and_tell_how_they_ended(
    real_time: WorkflowEnvironment, tmp_path: Path, indexed: bool
) -> None:
    async with open_shop(real_time, tmp_path, indexed=indexed) as shop, timetable(shop) as made:
        await made.create(dry_run=True, scope=Scope(record_ids=("ORD-001-HJP",)))
        view = await made.until(lambda view: [run.phase for run in view.runs].count("PLAN-ONLY") == 2)
        assert len({run.repair_id for run in view.runs}) == len(view.runs)
        looked = await shop.service.look(view.runs[-1].repair_id)
        assert looked.phase is Phase.PLAN_ONLY


@pytest.mark.long
async def test_ticks_without_a_worker_leave_one_run_which_the_next_worker_takes_up(
    real_time: WorkflowEnvironment, tmp_path: Path
) -> None:
    shop = quiet_shop(real_time, tmp_path)
    async with timetable(shop) as made:
        await made.create(when=EVERY_YEAR)
        await shop.schedules.upsert(made.order(when=EVERY_SECOND))
        view = await made.until(lambda view: view.skipped >= 3)
        assert (view.started, [run.phase for run in view.runs]) == (1, ["not begun"])
        async with shop.worker():
            assert (await shop.plan(view.runs[0].repair_id)).total_actions == 4
        assert (await made.look()).started == 1


@pytest.mark.long
async def test_a_run_that_nobody_answers_expires_and_is_no_failure_of_the_schedule(
    real_time: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(real_time, tmp_path) as shop, timetable(shop) as made:
        await made.create(approval_timeout=timedelta(seconds=1))
        await made.until_run(Phase.APPROVAL_EXPIRED)
        view = await made.until(lambda view: view.started > 1)
        assert not view.paused
        assert shop.effects() == 0


@pytest.mark.long
async def test_a_paused_schedule_begins_nothing_until_it_is_resumed(
    real_time: WorkflowEnvironment, tmp_path: Path
) -> None:
    """Nor does one that is to run seldom from now on."""
    shop = quiet_shop(real_time, tmp_path)
    async with timetable(shop) as made, timetable(shop) as slowed, timetable(shop) as clock:
        await clock.create()
        await slowed.create()
        await shop.schedules.upsert(slowed.order(when=EVERY_YEAR))
        seen = await slowed.look()
        created = await made.create(paused=True, note="not before the term begins")
        assert (created.paused, created.note, created.next_runs) == (True, "not before the term begins", ())
        before = (await clock.look()).skipped
        await clock.until(lambda view: view.skipped >= before + 2)
        assert (await made.look()).started == 0
        after = await slowed.look()
        ticks = (after.started + after.skipped) - (seen.started + seen.skipped)
        assert ticks <= 1, "but for one that was due already"

        resumed_at = utc_now().replace(microsecond=0)
        assert await shop.schedules.resume(made.ref, by="Ginny", reason="it began") == made.name
        resumed = await made.until(lambda view: view.started == 1)
        assert (resumed.paused, resumed.note) == (False, "resumed by Ginny: it began")
        assert resumed.next_runs
        due = resumed.runs[0].repair_id.removeprefix(f"repair-{made.name}-")
        assert datetime.fromisoformat(due) >= resumed_at, "what the pause left out is not made up for"

        await shop.schedules.pause(made.ref, by="Ginny", reason="snow")
        paused = await made.look()
        assert (paused.paused, paused.note) == (True, "paused by Ginny: snow")
        assert paused.runs[0].open, "what began before goes on"
        async with asyncio.timeout(DEADLINE):
            while (made.name, True, None) not in [
                (line.schedule_id, line.paused, line.next_run) for line in await shop.schedules.list()
            ]:
                pass  # Temporal lists it a moment later


async def test_an_upsert_changes_times_action_and_policy_and_keeps_pause_and_note(
    real_time: WorkflowEnvironment, tmp_path: Path
) -> None:
    shop = quiet_shop(real_time, tmp_path)
    async with timetable(shop) as made:
        when = at_intervals(timedelta(hours=1))
        first, was_made = await shop.schedules.upsert(made.order(when=when, paused=True, note="by hand"))
        assert (was_made, first.when, first.words) == (True, when, "every 1 hour (UTC)")
        assert {(later - sooner) for sooner, later in pairwise((await made.described()).info.next_action_times)} == {
            timedelta(hours=1)
        }

        changed = made.order(
            when=by_cron("30 7 * * MON-FRI", "Europe/London"),
            scope=Scope(status="pending-payment", limit=7),
            dry_run=True,
            approval_timeout=timedelta(hours=3),
            catch_up=timedelta(minutes=20),
        )
        told, was_made = await shop.schedules.upsert(changed)
        view = await made.look()
        assert (was_made, told) == (False, view)
        assert view.words == "Monday to Friday at 07:30 Europe/London"
        assert (view.paused, view.note, view.updated_at is not None) == (True, "by hand", True)
        assert (view.scope, view.dry_run, view.catch_up) == (changed.scope, True, timedelta(minutes=20))
        request = await made.request()
        assert (request.approval_timeout, request.scope, request.dry_run) == (timedelta(hours=3), changed.scope, True)

        await shop.schedules.resume(made.ref, by="Harry")
        runs = (await made.look()).next_runs
        assert len(runs) == 5
        assert {run.minute for run in runs} == {30}
        assert max(run.weekday() for run in runs) <= 4
        view, _ = await shop.schedules.upsert(made.order(when=at_intervals(timedelta(days=1), timedelta(hours=7))))
        assert {(run.hour, run.minute) for run in view.next_runs} == {(7, 0)}
        assert (view.dry_run, view.scope, view.note) == (False, Scope(), "resumed by Harry")
        assert (first.overlap, view.overlap) == ("skip", "skip")


@pytest.mark.long
async def test_a_run_is_started_at_once_and_skipped_while_another_is_open(
    real_time: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(real_time, tmp_path) as shop, timetable(shop) as made:
        await made.create(when=EVERY_YEAR, paused=True)
        first = await shop.schedules.trigger(made.ref)
        assert first.repair_id is not None
        plan = await shop.plan(first.repair_id)

        second = await shop.schedules.trigger(made.ref)
        assert (second.repair_id, second.skipped, second.open_repairs) == (None, True, (first.repair_id,))

        await shop.decide(first.repair_id, plan)
        await shop.end(first.repair_id)
        third = await shop.schedules.trigger(made.ref)
        assert third.repair_id not in {None, first.repair_id}


@pytest.mark.long
async def test_each_run_takes_on_what_the_ones_before_it_left(
    real_time: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosis, "MOST_PROBLEMS", 5)
    ids = install(tmp_path / "data" / "orders", orders=12, lines=1, mixed=False)
    async with open_shop(real_time, tmp_path) as shop, timetable(shop) as made:
        await made.create(when=EVERY_YEAR, scope={"limit": 5})
        taken: list[tuple[str, ...]] = []
        for left in (7, 2, 0):
            repair_id = (await shop.schedules.trigger(made.ref)).repair_id
            assert repair_id is not None
            plan = await shop.plan(repair_id)
            taken.append(tuple(action.record_id for action in plan.actions))
            assert plan.left_out == left
            await shop.decide(repair_id, plan)
            await shop.end(repair_id)
        assert [len(each) for each in taken] == [5, 5, 2]
        assert sorted(each for some in taken for each in some) == sorted(ids)


async def test_a_schedule_keeps_to_its_part_of_the_records(real_time: WorkflowEnvironment, tmp_path: Path) -> None:
    ids, part = install(tmp_path / "data" / "orders", orders=8, lines=1), Partition(number=2, of=2)
    async with open_shop(real_time, tmp_path) as shop, timetable(shop) as made:
        view = await made.create(when=EVERY_YEAR, scope={"partition": part.model_dump()}, dry_run=True)
        assert any(line.startswith("Records: all in part 2/2, at most 50 problems") for line in view_lines(view))
        repair_id = (await shop.schedules.trigger(made.ref)).repair_id
        assert repair_id is not None
        result = await shop.end(repair_id)
        assert {finding.record_id for finding in result.findings} == set(within(part, ids))


async def test_two_runs_asked_for_within_a_second_have_two_ids(real_time: WorkflowEnvironment, tmp_path: Path) -> None:
    """Temporal puts only the second into an id; two repairs of one id would have one report."""
    async with open_shop(real_time, tmp_path) as shop, timetable(shop) as made:
        await made.create(when=EVERY_YEAR)
        ids: list[str | None] = []
        for _ in range(2):
            ids.append((await shop.schedules.trigger(made.ref)).repair_id)
            await shop.client.get_workflow_handle(ids[-1] or "").terminate()
        assert len({*ids, None}) == 3


@pytest.mark.long
async def test_what_is_open_when_its_schedule_is_deleted_goes_on(
    real_time: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(real_time, tmp_path) as shop, timetable(shop) as made:
        await made.create()
        run = await made.until_run(Phase.PENDING_APPROVAL)
        gone = await shop.schedules.delete(made.ref)
        assert (gone.schedule_id, gone.words) == (made.name, "every 1 second (UTC)")
        assert gone.open_repairs == (run.repair_id,)

        await shop.decide(run.repair_id, await shop.plan(run.repair_id))
        assert (await shop.end(run.repair_id)).phase is Phase.REPORT_COMPLETED
        there_is_none = f"^there is no schedule '{made.name}'; see: daper schedule list$"
        for call in (made.look(), shop.schedules.trigger(made.ref), shop.schedules.delete(made.ref)):
            with pytest.raises(NotFound, match=there_is_none):
                await call
        for steer in (shop.schedules.pause, shop.schedules.resume):
            with pytest.raises(NotFound, match=there_is_none):
                await steer(made.ref, by="Harry")
        assert (await made.create(when=EVERY_YEAR)).started == 0, "its name is free again"


async def test_what_is_there_already_or_cannot_be_is_refused(real_time: WorkflowEnvironment, tmp_path: Path) -> None:
    shop = quiet_shop(real_time, tmp_path)
    async with timetable(shop) as made:
        with pytest.raises(UserError, match=r"Temporal does not take this schedule: .*time zone Mars/X"):
            await made.create(when=When(cron="0 7 * * *", time_zone="Mars/X"))
        with pytest.raises(NotFound, match="no domain 'potions'"):
            await made.create(domain="potions")
        with pytest.raises(UserError, match="'a/b' cannot be the name of a schedule"):
            await made.create(name="a/b")
        await made.create(when=EVERY_YEAR)
        with pytest.raises(UserError, match=f"already a schedule '{made.name}'.*daper schedule upsert"):
            await made.create()
        with pytest.raises(UserError, match=r"Temporal does not take this schedule: .*time zone Mars/X"):
            await shop.schedules.upsert(made.order(when=When(cron="0 7 * * *", time_zone="Mars/X")))
        with pytest.raises(Occupied, match="is that of 'Harry', and you are 'Ginny'"):
            await shop.schedules.upsert(made.order(requested_by=GINNY))
        async with asyncio.timeout(30):
            while made.name not in [line.schedule_id for line in await shop.schedules.list()]:
                pass
        slip = ScheduleRef(user="Harry", domain="orders", name=made.name[:-2] + made.name[-1])
        with pytest.raises(NotFound, match=f"see: daper schedule list; did you mean '{made.name}'"):
            await shop.schedules.describe(slip)
        assert (await made.look()).user == "Harry"


async def test_two_names_that_make_one_id_are_told_apart(real_time: WorkflowEnvironment, tmp_path: Path) -> None:
    shop = quiet_shop(real_time, tmp_path)
    luna = HARRY.model_copy(update={"name": "Luna [bold]"})
    twin = HARRY.model_copy(update={"name": "Luna bold"})
    await shop.schedules.create(PutSchedule(requested_by=luna, domain="orders", when=EVERY_YEAR))
    order = PutSchedule(requested_by=twin, domain="orders")
    calls = (shop.schedules.create(order), shop.schedules.upsert(order), shop.schedules.delete(order.ref))
    for call in calls:
        with pytest.raises(Occupied, match=re.escape("is the schedule of 'Luna [bold]' for 'orders'")):
            await call
    gone = await shop.schedules.delete(ScheduleRef(user="Luna [bold]", domain="orders"))
    assert gone.schedule_id == "repair-schedule-Luna-bold"


async def test_a_schedule_of_something_else_is_left_alone(real_time: WorkflowEnvironment, tmp_path: Path) -> None:
    shop = quiet_shop(real_time, tmp_path)
    async with timetable(shop) as made:
        foreign = await shop.client.create_schedule(
            made.name,
            Schedule(
                action=ScheduleActionStartWorkflow("Payroll", id="payroll", task_queue="elsewhere"),
                spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(days=1))]),
            ),
        )
        for call in (made.create(), made.look(), shop.schedules.trigger(made.ref), shop.schedules.delete(made.ref)):
            with pytest.raises(NotFound, match="does not start repairs"):
                await call
        async with asyncio.timeout(DEADLINE):
            while made.name not in [each.id async for each in await shop.client.list_schedules()]:
                pass  # Temporal lists it a moment later
        assert made.name not in [line.schedule_id for line in await shop.schedules.list()]
        await foreign.delete()


async def test_no_schedule_approves_by_policy_and_one_that_was_made_to_is_not_begun_from_here(
    real_time: WorkflowEnvironment, tmp_path: Path
) -> None:
    shop = quiet_shop(real_time, tmp_path)
    async with timetable(shop) as made:
        await made.create(when=EVERY_YEAR, auto_approve=True)
        asked = await made.request()
        assert (asked.auto_approve, asked.again) == (False, False)

        async def corrupt(given: ScheduleUpdateInput) -> ScheduleUpdate:
            schedule = given.description.schedule
            assert isinstance(schedule.action, ScheduleActionStartWorkflow)
            bad = asked.model_copy(update={"auto_approve": True})
            return ScheduleUpdate(schedule=replace(schedule, action=replace(schedule.action, args=[bad])))

        await shop.client.get_schedule_handle(made.name).update(corrupt)
        assert "was set from outside to approve by policy" in (await made.look()).trouble
        with pytest.raises(UserError, match="was set from outside to approve by policy"):
            await shop.schedules.trigger(made.ref)
        with pytest.raises(UserError, match="was set from outside to approve by policy"):
            await shop.schedules.resume(made.ref, by="Harry")
        mended, _ = await shop.schedules.upsert(made.order(when=EVERY_YEAR))
        assert (mended.trouble, mended.started) == ("", 0)
        assert not (await made.request()).auto_approve


@pytest.mark.parametrize(
    ("expression", "kept"),
    [
        ("0 7 * * 1-5", "0 7 * * 1-5"),
        ("*/15 7,9-11 * jan-mar *", "*/15 7,9-11 * 1-3 *"),
        ("5 4 1,15 */2 *", "5 4 1,15 */2 *"),
        ("0 0 * * 5-7", "0 0 * * 0,5-6"),
        ("0 10-20/5 29 2 *", "0 10-20/5 29 2 *"),
        ("3/20 0 * * 0-7", "3-59/20 0 * * *"),
        ("@hourly", "0 * * * *"),
    ],
)
async def test_the_cron_expression_that_temporal_keeps_is_told_again(
    real_time: WorkflowEnvironment, tmp_path: Path, expression: str, kept: str
) -> None:
    async with timetable(quiet_shop(real_time, tmp_path)) as made:
        view = await made.create(when=by_cron(expression))
        assert view.when == When(cron=kept)
        assert view.next_runs[0] > utc_now()


async def test_the_clock_of_a_time_zone_is_that_of_its_summer(real_time: WorkflowEnvironment, tmp_path: Path) -> None:
    async with timetable(quiet_shop(real_time, tmp_path)) as made:
        view = await made.create(when=by_cron("0 7 1 1,7 *", "Europe/London"))
        assert {(run.month, run.hour) for run in view.next_runs} == {(1, 7), (7, 6)}


async def test_what_a_schedule_starts_is_what_repair_start_starts(
    real_time: WorkflowEnvironment, tmp_path: Path
) -> None:
    """But for the id: so lists, chats that join an open repair, and the Temporal UI know it."""
    async with open_shop(real_time, tmp_path) as shop, timetable(shop) as made:
        await made.create(when=EVERY_YEAR)
        scheduled = (await shop.schedules.trigger(made.ref)).repair_id or ""
        started = await shop.start()
        mine, other = [await shop.client.get_workflow_handle(each).describe() for each in (scheduled, started)]
        assert mine.task_queue == other.task_queue
        assert await mine.static_summary() == await other.static_summary()
        memos = [await each.memo() for each in (mine, other)]
        assert [memo["daper_request"] for memo in memos] == [memos[0]["daper_request"]] * 2
        assert {memo["daper_user"] for memo in memos} == {"Harry"}
        await shop.service.stop(started, by="Harry")


@pytest.mark.long
async def test_a_run_that_was_due_while_temporal_was_away_begins_late_and_once(tmp_path: Path) -> None:
    home = tmp_path / "server"
    home.mkdir()
    name, due = await _due_while_away(home, tmp_path)
    await asyncio.sleep(max(0.0, (due - utc_now()).total_seconds()))
    async with kept_server(home) as env:
        again = Timetable(quiet_shop(env, tmp_path), name=name)
        view = await again.until(lambda view: view.started > 0)
        assert (view.started, view.missed, view.skipped) == (1, 0, 0)
        assert view.runs[0].repair_id.endswith(f"{due:%Y-%m-%dT%H:%M:%SZ}")
        assert view.runs[0].started_at > due
        await again.shop.schedules.delete(again.ref)


async def _due_while_away(server: Path, home: Path) -> tuple[str, datetime]:
    """A schedule that is due once its server went away, and when; made anew with more time where that took too long."""
    hour, lead = timedelta(hours=1), timedelta(seconds=2)
    while True:
        due = utc_now().replace(microsecond=0) + lead
        async with kept_server(server) as env:
            made = Timetable(quiet_shop(env, home))
            await made.create(when=at_intervals(hour, (due - datetime.fromtimestamp(0, UTC)) % hour))
        if utc_now() < due:
            return made.name, due
        lead *= 2
