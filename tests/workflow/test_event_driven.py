"""What a person names begins at once; what systems report is gathered, and begins beside what is open."""

import asyncio
import os
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from daper.clock import new_id
from daper.core.errors import NotBegun, NotFound, Unreachable, UserError
from daper.core.events import EventDrivenRequest, Gathering
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.service.inquiry import Asking, Question
from daper.service.requests import Collected, Silence, Started
from daper.service.rpc_errors import Subject
from daper.workflows.event_driven import RepairAgentWorkflowEventDriven
from daper.workflows.repair import RepairAgentWorkflow
from tests.receiving import HANG, SECRET, hook, webhook_lines, write_people
from tests.workflow.events import (
    AT_ONCE,
    BADGES,
    EGG,
    ONE_AT_A_TIME,
    UNPAID,
    WAND,
    agent_of,
    approved,
    begun,
    event_of,
    named,
    report,
    report_to_short_runs,
)
from tests.workflow.shop import DEADLINE, GINNY, HARRY, Shop, open_shop
from tests.workflow.wide_shop import install

WINDOW = timedelta(seconds=10)
ONE_OF_ONE = "the end of one of 1 open repair"


async def collected_here(shop: Shop) -> tuple[Collected, ...]:
    """What Temporal's list, which lags behind, says in the end."""
    async with asyncio.timeout(DEADLINE):
        while True:
            found, trouble = await shop.service.collected()
            assert trouble == ""
            if found:
                return found


def looked_at(result: RepairResult) -> set[str]:
    return {finding.record_id for finding in result.findings}


async def test_what_a_person_names_begins_at_once_beside_all_that_is_open(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        told = [await named(shop, record_id) for record_id in (BADGES, EGG, UNPAID)]
        assert {(each.created, each.waits_for) for each in told} == {(True, "")}
        assert len({each.repair_id for each in told}) == 3
        for each, record_id in zip(told, (BADGES, EGG, UNPAID), strict=True):
            assert {action.record_id for action in (await shop.plan(each.repair_id)).actions} == {record_id}
        with pytest.raises(NotFound):
            await shop.service.line((await agent_of(shop)).id)


async def test_what_is_reported_within_the_window_becomes_one_repair_when_that_is_over(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        first = await report(shop, BADGES, auto_approve=True)
        second = await report(shop, EGG, BADGES, auto_approve=True)
        assert (first.created, second.created) == (True, False)
        assert first.repair_id == second.repair_id
        assert first.waits_for.startswith("more reports, until ")
        [collected] = await collected_here(shop)
        assert (collected.user, collected.repair_id, collected.waits_for) == ("Harry", first.repair_id, first.waits_for)
        assert (collected.record_ids, collected.events) == ((BADGES, EGG), 2)
        with pytest.raises(NotBegun, match=f"has not begun: it waits for {first.waits_for}"):
            await shop.service.look(first.repair_id)

        await temporal_env.fast_forward(await agent_of(shop), WINDOW)
        await begun(shop, first.repair_id)
        assert looked_at(await shop.end(first.repair_id)) == {BADGES, EGG}
        assert shop.effects() == 2
        assert await shop.service.collected() == ((), "")


@pytest.mark.long
async def test_whoever_follows_what_was_reported_is_told_what_it_waits_for_and_sees_it_begin(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        told = await report(shop, BADGES, auto_approve=True)
        looks = shop.service.follow(told.repair_id)
        waits = await anext(looks)
        assert isinstance(waits, Silence)
        assert f"it waits for {told.waits_for}" in waits.message
        await temporal_env.fast_forward(await agent_of(shop), WINDOW)
        async with asyncio.timeout(DEADLINE):
            last = [look async for look in looks][-1]
        assert isinstance(last, RepairResult)
        assert last.phase is Phase.REPORT_COMPLETED


async def test_a_hundred_records_begin_before_the_window_is_over(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path, gathering=Gathering(window=WINDOW, most_records=3)) as shop:
        first = await report(shop, BADGES, EGG)
        second, third = await report(shop, UNPAID), await report(shop, WAND)
        assert second.repair_id == first.repair_id
        assert (third.created, third.waits_for != "") == (True, True)
        await begun(shop, first.repair_id)
        plan = await shop.plan(first.repair_id)
        assert {action.record_id for action in plan.actions} == {BADGES, EGG, UNPAID}
        [left] = (await (await agent_of(shop)).query(RepairAgentWorkflowEventDriven.view)).waiting
        assert left.record_ids == (WAND,)


async def test_what_is_reported_begins_beside_a_plan_that_waits_and_nothing_is_left_running(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path, gathering=AT_ONCE) as shop:
        first, second = await report(shop, BADGES), await report(shop, EGG)
        assert {(each.created, each.waits_for) for each in (first, second)} == {(True, "")}
        await shop.plan(first.repair_id)
        assert looked_at(await approved(shop, second.repair_id)) == {EGG}
        result = await approved(shop, first.repair_id)
        assert (result.phase, looked_at(result)) == (Phase.REPORT_COMPLETED, {BADGES})
        assert "DETECTING-PROBLEMS" not in result.durations
        async with asyncio.timeout(DEADLINE):
            left = await (await agent_of(shop)).result()
        assert (left.open, left.waiting) == ((), ())


@pytest.mark.parametrize(
    "way",
    [pytest.param("stopped", marks=pytest.mark.long), "terminated", pytest.param("approved", marks=pytest.mark.long)],
)
async def test_what_is_over_the_bound_waits_and_begins_however_another_ends(
    temporal_env: WorkflowEnvironment, tmp_path: Path, way: str
) -> None:
    async with open_shop(temporal_env, tmp_path, gathering=ONE_AT_A_TIME) as shop:
        first = await report(shop, BADGES)
        plan = await shop.plan(first.repair_id)
        second, third = await report(shop, EGG), await report(shop, UNPAID, EGG)
        assert (second.created, second.waits_for) == (True, ONE_OF_ONE)
        assert third == second.model_copy(update={"created": False})
        [collected] = await collected_here(shop)
        assert (collected.record_ids, collected.events, collected.waits_for) == ((EGG, UNPAID), 2, ONE_OF_ONE)
        person = await named(shop, WAND)
        assert person.waits_for == "", "a person waits for nobody's reports"
        if way == "terminated":
            await shop.client.get_workflow_handle(first.repair_id).terminate()
        elif way == "stopped":
            await shop.service.stop(first.repair_id, by="Harry")
        else:
            await shop.decide(first.repair_id, plan)
        await begun(shop, second.repair_id)
        assert (await shop.plan(second.repair_id)).total_actions == 2


async def test_a_dry_run_is_never_gathered(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        dry = await report(shop, UNPAID, dry_run=True)
        assert dry.waits_for == ""
        assert (await shop.end(dry.repair_id)).phase is Phase.PLAN_ONLY


@pytest.mark.long
async def test_one_key_is_one_repair_also_when_it_was_gathered_into_another(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path, gathering=ONE_AT_A_TIME) as shop:
        first = await report(shop, BADGES, request_key="monday")
        again = await asyncio.gather(*(report(shop, BADGES, request_key="monday") for _ in range(20)))
        assert again == [first.model_copy(update={"created": False})] * 20
        second = await report(shop, EGG, request_key="tuesday")
        third = await report(shop, UNPAID, request_key="wednesday")
        assert third.repair_id == second.repair_id
        assert await report(shop, UNPAID, request_key="wednesday") == third
        with pytest.raises(UserError, match=r"'wednesday' of Harry belongs to repair .* asked for something else"):
            await report(shop, WAND, request_key="wednesday")

        await approved(shop, first.repair_id)
        await approved(shop, second.repair_id)
        for key, record_id in (("monday", BADGES), ("tuesday", EGG), ("wednesday", UNPAID)):
            told = await report(shop, record_id, request_key=key)
            expected = first if key == "monday" else second
            assert told == expected.model_copy(update={"created": False, "waits_for": ""}), key


@pytest.mark.long
async def test_it_remembers_keys_for_a_day_and_ends(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with open_shop(temporal_env, tmp_path, gathering=ONE_AT_A_TIME) as shop:
        first = await report(shop, BADGES)
        second = await report(shop, EGG)
        await report(shop, UNPAID)
        await approved(shop, first.repair_id)
        await approved(shop, second.repair_id)
        agent = await agent_of(shop)
        assert (await agent.query(RepairAgentWorkflowEventDriven.view)).waiting == ()
        await shop.env.fast_forward(agent, timedelta(hours=25))
        async with asyncio.timeout(DEADLINE):
            assert (await agent.result()).open == ()


@pytest.mark.long
async def test_a_flood_from_many_hands_loses_no_record_and_asks_twice_for_none(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    records = (BADGES, EGG, UNPAID, WAND)
    async with open_shop(temporal_env, tmp_path) as shop:
        told = await asyncio.gather(*(report(shop, records[number % 4], auto_approve=True) for number in range(20)))
        [repair_id] = {each.repair_id for each in told}
        assert [each.created for each in told].count(True) == 1
        await temporal_env.fast_forward(await agent_of(shop), WINDOW)
        await begun(shop, repair_id)
        assert looked_at(await shop.end(repair_id)) == set(records)


async def test_a_record_that_does_not_exist_keeps_no_other_from_its_repair(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        told = await named(shop, "ORD-404-XXX", BADGES, auto_approve=True)
        result = await shop.end(told.repair_id)
        assert result.phase is Phase.REPORT_COMPLETED
        assert looked_at(result) == {BADGES}
        assert result.counts.applied == 1
        assert result.needs_person
        assert "orders has no record 'ORD-404-XXX': nothing was done about it" in result.troubles


@pytest.mark.long
async def test_without_a_worker_it_says_that_it_is_kept_and_it_is(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True, gathering=AT_ONCE)
    for record_id, key in ((BADGES, "monday"), (EGG, "tuesday")):
        with pytest.raises(Unreachable, match="what was reported is kept, and repaired once a worker takes it: no wor"):
            await report(shop, record_id, request_key=key)
    async with shop.worker():
        told = [await report(shop, BADGES, request_key="monday"), await report(shop, EGG, request_key="tuesday")]
        for repair_id in {each.repair_id for each in told}:
            await begun(shop, repair_id)
        plans = [await shop.plan(repair_id) for repair_id in {each.repair_id for each in told}]
        assert {action.record_id for plan in plans for action in plan.actions} == {BADGES, EGG}
        assert {each.created for each in told} == {False}


async def test_cancelled_it_drops_what_has_not_begun_and_tells_it_and_the_repair_goes_on(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path, gathering=ONE_AT_A_TIME) as shop:
        first = await report(shop, BADGES)
        plan = await shop.plan(first.repair_id)
        second = await report(shop, EGG)
        agent = await agent_of(shop)
        await agent.cancel()
        async with asyncio.timeout(DEADLINE):
            left = await agent.result()
        assert (left.open, [batch.repair_id for batch in left.waiting]) == ((first.repair_id,), [second.repair_id])
        await shop.decide(first.repair_id, plan)
        assert (await shop.end(first.repair_id)).phase is Phase.REPORT_COMPLETED


@pytest.mark.long
async def test_over_many_runs_no_event_is_lost(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    """It continues as new after each repair, with events of different rights: each is a repair of its own."""
    async with open_shop(temporal_env, tmp_path) as shop:
        events = [await event_of(shop, hours=number) for number in range(1, 6)]
        await report_to_short_runs(shop, *events)
        for each in events:
            async with asyncio.timeout(DEADLINE):
                while not await _is_there(shop, each.repair_id):
                    pass
            assert (await shop.end(each.repair_id)).phase is Phase.PLAN_ONLY
        assert (await (await agent_of(shop)).query(RepairAgentWorkflowEventDriven.view)).waiting == ()


async def test_a_key_of_an_event_that_waits_is_refused_to_another_request(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        waiting = await report(shop, EGG, request_key="tuesday")
        with pytest.raises(UserError, match="asked for something else"):
            await report(shop, EGG, request_key="tuesday", dry_run=True)
        again = await named(shop, EGG, request_key="tuesday")
        assert again == waiting.model_copy(update={"created": False}), "a person's key is one repair, whoever tells it"


@pytest.mark.long
async def test_what_was_gathered_is_not_lost_when_its_id_is_taken_meanwhile(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """Whoever took it: the repair begins under another id, and by its old one it is found."""
    async with open_shop(temporal_env, tmp_path, gathering=ONE_AT_A_TIME) as shop:
        first = await report(shop, BADGES)
        second = await report(shop, EGG, request_key="tuesday")
        assert (await report(shop, UNPAID)).repair_id == second.repair_id
        taken = (await event_of(shop, hours=1)).request
        await shop.client.start_workflow(
            RepairAgentWorkflow.run, taken, id=second.repair_id, task_queue=shop.settings.task_queue
        )
        await shop.end(second.repair_id)
        await shop.decide(first.repair_id, await shop.plan(first.repair_id))
        agent = await agent_of(shop)
        async with asyncio.timeout(DEADLINE):
            others = {first.repair_id, second.repair_id}
            while not (another := {*(await agent.query(RepairAgentWorkflowEventDriven.view)).open} - others):
                pass
        [repair_id] = another
        await begun(shop, repair_id)
        assert {action.record_id for action in (await shop.plan(repair_id)).actions} == {EGG, UNPAID}
        place = await agent.query(RepairAgentWorkflowEventDriven.place, second.repair_id)
        assert place is not None
        assert place.repair_id == repair_id


async def test_two_persons_whose_names_make_one_id_have_a_row_each(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """And so have Harry who is logged in, and somebody who claims to be Harry."""
    async with open_shop(temporal_env, tmp_path, gathering=ONE_AT_A_TIME) as shop:
        for name, how in (
            ("Harry", "os-user"),
            ("Ginny", "claimed"),
            ("Harry P", "token"),
            ("Harry-P", "token"),
            ("Harry-P", "claimed"),
        ):
            told = await report(shop, BADGES, requested_by={"name": name, "how": how})
            assert told.waits_for == "", (name, how)


@pytest.mark.long
async def test_what_was_reported_by_the_thousand_while_no_worker_was_there_is_taken(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """All of it comes with one task, which Temporal's SDK gives two seconds."""
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    agent, like = await agent_of(shop), await event_of(shop, hours=1)
    with temporal_env.with_time_skipping_disabled():
        await shop.client.start_workflow(
            RepairAgentWorkflowEventDriven.run,
            EventDrivenRequest(user="Harry", domain="orders", store_id=like.request.store_id),
            id=agent.id,
            task_queue=shop.settings.task_queue,
        )
    ids = iter([f"repair-Harry-{new_id()}" for _ in range(2500)])

    async def tell() -> None:
        for repair_id in ids:
            event = like.model_copy(update={"repair_id": repair_id})
            await agent.signal(RepairAgentWorkflowEventDriven.report, event)

    await asyncio.gather(*(tell() for _ in range(30)))
    async with shop.worker(), asyncio.timeout(DEADLINE):
        async for each in agent.fetch_history_events(wait_new_event=True):
            assert not each.HasField("workflow_task_failed_event_attributes")
            if each.HasField("child_workflow_execution_started_event_attributes"):
                return


@pytest.mark.long
async def test_cancelled_as_it_begins_a_repair_it_begins_it_and_tells_what_it_drops(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """Reported and cancelled before a worker came, so that all of it is one task."""
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True, gathering=ONE_AT_A_TIME)
    for order in ({}, {"again": True}):
        with pytest.raises(Unreachable, match="is kept, and repaired once a worker takes it"):
            await report(shop, BADGES, **order)
    agent = await agent_of(shop)
    await agent.cancel()
    async with shop.worker(), asyncio.timeout(DEADLINE):
        left = await agent.result()
        assert [batch.request.again for batch in left.waiting] == [True]
        [repair_id] = left.open
        assert (await shop.plan(repair_id)).total_actions == 1


@pytest.mark.long
async def test_who_hangs_while_being_told_of_one_repair_does_not_hold_up_the_next(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with hook(HANG) as server:
        write_people(tmp_path, owl=webhook_lines(server.url))
        async with open_shop(temporal_env, tmp_path, environ={"OWL_SECRET": SECRET}, gathering=ONE_AT_A_TIME) as shop:
            first = await report(shop, BADGES, tell=["owl"], approval_timeout=timedelta(hours=1))
            await server.until(1)
            second = await report(shop, EGG)
            assert second.waits_for == ONE_OF_ONE
            await shop.decide(first.repair_id, await shop.plan(first.repair_id))
            await begun(shop, second.repair_id)
            assert (await shop.plan(second.repair_id)).total_actions == 1
            assert await shop.service.ended(first.repair_id) is None, "it still tells of its plan"
            server.holding.set()
            assert (await shop.end(first.repair_id)).phase is Phase.REPORT_COMPLETED


async def test_what_waits_is_listed_whoever_does_not_answer(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        for who in (HARRY, GINNY):
            await report(shop, EGG, requested_by=who)
        async with asyncio.timeout(DEADLINE):
            while len(await collected_here(shop)) < 2:
                pass
        silent, ask = (await agent_of(shop)).id, Asking.ask

        async def asked(self: Asking, workflow_id: str, of: Subject, question: Question[object]) -> object:
            if workflow_id == silent:
                raise Unreachable("it is stuck")
            return await ask(self, workflow_id, of, question)

        monkeypatch.setattr(Asking, "ask", asked)
        collected, trouble = await shop.service.collected()
    assert ([each.user for each in collected], trouble) == (["Ginny"], "it is stuck")


@pytest.mark.parametrize("args", [[], [None]], ids=["none", "null"])
async def test_a_report_of_nothing_is_dropped(
    temporal_env: WorkflowEnvironment, tmp_path: Path, args: list[object]
) -> None:
    """As the Temporal UI sends a signal, if nobody gives it an input."""
    async with open_shop(temporal_env, tmp_path) as shop:
        await report(shop, BADGES)
        agent = await agent_of(shop)
        await agent.signal("report", args=args)
        await report(shop, EGG)
        assert [batch.events for batch in (await agent.query(RepairAgentWorkflowEventDriven.view)).waiting] == [2]


@pytest.mark.long
async def test_what_is_reported_as_a_repair_ends_begins(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    """Its agent learns of the end a moment later than whoever follows the repair."""
    async with open_shop(temporal_env, tmp_path, gathering=ONE_AT_A_TIME) as shop:
        for record_id in (BADGES, EGG, UNPAID, WAND):
            told = await report(shop, record_id, auto_approve=True)
            assert told.created
            await begun(shop, told.repair_id)
            assert looked_at(await shop.end(told.repair_id)) == {record_id}


# The JSON store writes all orders for each effect: a thousand of them take minutes, which `make faults` has.
MANY_REPORTS = int(os.environ.get("DAPER_TEST_REPORTS", "240"))


@pytest.mark.long
@pytest.mark.parametrize(
    ("reports", "most_open", "most_records"),
    [(24, 3, 5), (MANY_REPORTS, 20, 25)],
    ids=["some", "many"],
)
async def test_of_many_reports_at_once_none_is_lost_none_is_repaired_twice_and_few_repairs_are_open(
    temporal_env: WorkflowEnvironment, tmp_path: Path, reports: int, most_open: int, most_records: int
) -> None:
    ids = install(tmp_path / "data" / "orders", orders=reports, lines=1, name_length=10, mixed=False)
    how = Gathering(window=timedelta(), most_open=most_open, most_records=most_records)
    async with open_shop(temporal_env, tmp_path, gathering=how) as shop:
        told = await asyncio.gather(*(until_taken(shop, record_id) for record_id in ids))
        agent, looked = await agent_of(shop), set[str]()
        planned: list[str] = []
        while True:
            view = await agent.query(RepairAgentWorkflowEventDriven.view)
            assert len(view.open) <= most_open
            for repair_id in set(view.open) - looked:
                looked.add(repair_id)
                async with asyncio.timeout(DEADLINE):
                    while not await _is_there(shop, repair_id):  # its agent may have continued as new since
                        pass
                plan = await shop.plan(repair_id)
                assert plan.suppressed == ()
                planned += [action.record_id for action in plan.actions]
                await shop.service.stop(repair_id, by="Harry")
                await shop.end(repair_id)
            if looked >= {each.repair_id for each in told} and not view.waiting:
                break
        assert sorted(planned) == sorted(ids)


async def until_taken(shop: Shop, record_id: str) -> Started:
    """Report a record, again with the same key where Temporal or the worker has too much to do to answer."""
    while True:
        with suppress(Unreachable):
            return await report(shop, record_id, request_key=record_id)


@pytest.mark.long
async def test_what_an_earlier_run_began_frees_its_place_also_where_it_was_terminated(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """The agent has continued as new since, so that Temporal tells it no end; and nobody else can of this one."""
    async with open_shop(temporal_env, tmp_path, gathering=ONE_AT_A_TIME) as shop:
        event = (await event_of(shop, hours=1, dry_run=False)).model_copy(update={"gathering": ONE_AT_A_TIME})
        first_run = await report_to_short_runs(shop, event)
        agent = await agent_of(shop)
        async with asyncio.timeout(DEADLINE):
            while (await agent.describe()).run_id == first_run:
                pass
        await shop.plan(event.repair_id)
        second = await report(shop, EGG, auto_approve=True)
        assert second.waits_for == ONE_OF_ONE
        assert (await agent.query(RepairAgentWorkflowEventDriven.view)).open == (event.repair_id,)
        await shop.client.get_workflow_handle(event.repair_id).terminate()
        await temporal_env.fast_forward(agent, timedelta(minutes=1))
        async with asyncio.timeout(DEADLINE):
            while not await _is_there(shop, second.repair_id):
                pass
        assert looked_at(await shop.end(second.repair_id)) == {EGG}


async def _is_there(shop: Shop, repair_id: str) -> bool:
    try:
        await shop.service.line(repair_id)
    except NotFound:
        return False
    return True
