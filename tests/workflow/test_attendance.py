"""A queue on which nobody works is told of by whoever waits for it: which one, and what to start."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from daper.core.commands import Said
from daper.core.phases import Phase
from daper.core.views import RepairView
from daper.entrypoints.checks.everything import check_temporal
from daper.service import attendance
from daper.service.attendance import SELDOM, TELL_AFTER, Attendance, Quiet
from daper.service.inquiry import ANSWER_WITHIN
from daper.service.requests import Silence, StartProactive
from daper.settings import load_settings
from daper.workflows.proactive import RepairAgentWorkflowProactive
from daper.workflows.queues import activity_queue, models_queue, people_queue
from daper.workflows.repair import RepairAgentWorkflow
from tests.workflow.chat import chat_with
from tests.workflow.shop import DEADLINE, HARRY, STICKY, Shop, open_shop
from tests.workflow.timetable import EVERY_YEAR, Timetable


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits looks at once who is there."""
    monkeypatch.setattr(attendance, "TELL_AFTER", timedelta(milliseconds=20))


@pytest.fixture
async def elsewhere(temporal_env: WorkflowEnvironment, tmp_path: Path, soon: None) -> AsyncGenerator[Shop]:
    """A shop whose task queue is served by somebody else's worker: nobody works on the queue of its records."""
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    async with Worker(
        shop.client,
        task_queue=shop.settings.task_queue,
        workflows=[RepairAgentWorkflow, RepairAgentWorkflowProactive],
        sticky_queue_schedule_to_start_timeout=STICKY,
    ):
        yield shop


async def of_its_records(shop: Shop) -> str:
    """What is to be said where nobody works for the shop's records."""
    store = await shop.domains["orders"].store()
    queue = activity_queue(shop.settings.task_queue, store.store_id)
    return (
        f"no worker answered on queue {queue!r}, which is for the records in {shop.home / 'data' / 'orders'}; "
        "start one where they are, with their DAPER_HOME and settings: daper worker; "
        "one that runs was started without these, or says what it lacks"
    )


def test_a17_it_is_told_within_five_seconds() -> None:
    # A look asks Temporal twice at most, and each time takes no longer than a look at a repair may; mostly both take
    # some milliseconds.
    assert TELL_AFTER + timedelta(seconds=1) < timedelta(seconds=5)
    assert timedelta(seconds=3) >= ANSWER_WITHIN


async def test_a17_who_follows_is_told_which_queue_nobody_serves_and_goes_on_once_somebody_does(
    temporal_env: WorkflowEnvironment, tmp_path: Path, soon: None
) -> None:
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    repair_id = await shop.start()
    said = ""
    async with asyncio.timeout(DEADLINE), aclosing(shop.service.follow(repair_id)) as following:
        async with shop.workflow_worker():
            async for look in following:
                if isinstance(look, Silence):
                    said = look.message
                    break
                # None may have been told yet: the first waits for the worker, and the silence only for its pause.
                assert isinstance(look, RepairView)
                assert look.phase is Phase.INITIALIZING
        assert said == await of_its_records(shop)
        async with shop.worker():
            async for later in following:
                if isinstance(later, RepairView) and later.phase is Phase.PENDING_APPROVAL:
                    break


async def test_a17_a_chat_is_told_at_the_start_and_at_each_wait(elsewhere: Shop) -> None:
    async with chat_with(elsewhere) as chat:
        with elsewhere.env.with_time_skipping_disabled():
            begun = await chat.call("start_repair")
            waited = await chat.call("wait_for_repair", repair_id=begun["repair_id"], seconds=1)

    assert begun["message"] == await of_its_records(elsewhere)
    assert waited["message"] == begun["message"]
    assert waited["phase"] == Phase.INITIALIZING


async def test_a17_a_wait_that_is_shorter_than_the_pause_tells_too(
    elsewhere: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attendance, "TELL_AFTER", timedelta(hours=1))
    repair_id = await elsewhere.start()
    async with chat_with(elsewhere) as chat:
        waited = await chat.call("wait_for_repair", repair_id=repair_id, seconds=1)

    assert waited["message"] == await of_its_records(elsewhere)


async def test_a17_an_agent_that_is_started_or_looked_at_says_so(elsewhere: Shop) -> None:
    order = StartProactive(requested_by=HARRY, domain="orders")
    with elsewhere.env.with_time_skipping_disabled():
        started = await elsewhere.proactive.start(order)

    assert await elsewhere.proactive.unserved(started.store_id) == await of_its_records(elsewhere)
    async with asyncio.timeout(DEADLINE):
        while not (found := await elsewhere.proactive.status("Harry", "orders")).trouble:
            pass  # its first repair begins
    assert found.trouble == await of_its_records(elsewhere)
    await elsewhere.client.get_workflow_handle(started.agent_id).terminate()


async def test_a17_a_schedule_says_on_which_queue_its_runs_would_wait(elsewhere: Shop) -> None:
    made = await elsewhere.schedules.create(Timetable(elsewhere).order(when=EVERY_YEAR))

    assert made.lacking == await of_its_records(elsewhere)


async def test_a17_with_a_worker_nobody_is_told_anything(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    store = await shop.domains["orders"].store()
    async with shop.worker():
        repair_id = await shop.start()
        await shop.plan(repair_id)

        assert await shop.service.unserved(store.store_id) == ""
        assert await shop.service.unattended(repair_id) == ""


async def test_a17_the_task_queue_itself_is_named_with_the_store_s(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    store = await shop.domains["orders"].store()
    repair_id = await shop.start()

    queue = f"no worker answered on queue {shop.settings.task_queue!r}; start one: daper up, or daper worker"
    assert await shop.service.unserved(store.store_id) == f"{queue}; {await of_its_records(shop)}"
    assert await shop.service.unattended(repair_id) == queue
    await shop.client.get_workflow_handle(repair_id).terminate()


@pytest.mark.parametrize("beside", [models_queue, people_queue])
async def test_a17_so_are_the_queues_for_models_and_for_people_and_those_of_other_records(
    temporal_env: WorkflowEnvironment, tmp_path: Path, beside: Callable[[str], str]
) -> None:
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    store = await shop.domains["orders"].store()
    said = Attendance(shop.client, queue=shop.settings.task_queue, domains=shop.domains)
    own, others = (activity_queue(shop.settings.task_queue, each) for each in (store.store_id, "another"))

    mine, theirs = await said.of_queues(beside(own)), await said.of_queues(beside(others))

    assert f"{beside(own)!r}, which is for the records in {shop.home / 'data' / 'orders'}; start one" in mine
    assert f"{beside(others)!r}, which is for records that are not here; start one where they are" in theirs


async def test_a17_what_is_lacking_is_said_once_and_looked_for_ever_more_seldom() -> None:
    pauses: list[timedelta] = []
    found = iter(["", "a", "a", "b", "", "a"])

    async def look() -> Said:
        return Said(next(found))

    async def changes_within(span: timedelta) -> bool:
        pauses.append(span)
        return len(pauses) > 6

    quiet = Quiet(look)
    said = [await quiet.lacking(changes_within) for _ in range(4)]

    assert said == ["a", "b", "a", ""]
    assert pauses[:3] == [TELL_AFTER, 2 * TELL_AFTER, 4 * TELL_AFTER]
    assert max(pauses) <= SELDOM


async def test_doctor_says_of_a_worker_that_runs_without_the_settings_for_some_records(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        environ = {
            "DAPER_HOME": str(tmp_path),
            "TEMPORAL_ADDRESS": shop.client.service_client.config.target_host,
            "TEMPORAL_NAMESPACE": shop.client.namespace,
            "TEMPORAL_TASK_QUEUE": shop.settings.task_queue,
        }
        settings = load_settings(environ=environ, folder=tmp_path)
        orders = await shop.domains["orders"].store()
        checks = await check_temporal(settings, {"orders": orders.store_id, "owls": "another-store"})
    workers = {check.name.removeprefix(f"worker on {shop.settings.task_queue}"): check for check in checks}
    assert workers[""].ok
    assert workers[f"--{orders.store_id}"].ok
    lacking = workers["--another-store"]
    assert not lacking.ok
    assert f"A worker runs on {shop.settings.task_queue}, and not for the records of owls: set there" in lacking.what
