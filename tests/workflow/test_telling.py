"""People are told, beside the repair: each event once, whatever becomes of whom is told."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import trustme
from pydantic import ValidationError
from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from daper import bootstrap
from daper.activities.delivery import TellingActivities
from daper.clock import new_id, utc_now
from daper.core.errors import TargetRefused
from daper.core.models import Verdict
from daper.core.notices import Notice, Occasion, trial_message
from daper.core.people import SignalCallback
from daper.core.phases import Phase
from daper.core.policy import ApprovalPolicy
from daper.service.callback import call_back
from daper.workflows.options import FAILURES_TOLD, tell
from daper.workflows.queues import activity_queue, people_queue
from tests.ports import free_port
from tests.receiving import HANG, PASSWORD, SECRET, Hook, Post, hook, mail_lines, mail_server, webhook_lines
from tests.receiving import write_people as write
from tests.replay.kept import readable
from tests.workflow.agents import HOUR, Agent, CrashingRepair, worker_with
from tests.workflow.shop import Shop, open_shop

OWL = {"OWL_SECRET": SECRET, "SMTP_PASSWORD": PASSWORD}


@asynccontextmanager
async def owl_shop(
    env: WorkflowEnvironment, home: Path, *answers: int, timeout_s: int = 20
) -> AsyncGenerator[tuple[Shop, Hook]]:
    """A shop in which `owl` can be told, by a webhook that answers so."""
    async with hook(*answers) as server:
        write(home, owl=webhook_lines(server.url, timeout_s=timeout_s))
        async with open_shop(env, home, environ=OWL) as shop:
            yield shop, server


@pytest.mark.long
async def test_a_plan_that_waits_and_its_end_are_told_with_what_to_do(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with owl_shop(temporal_env, tmp_path) as (shop, server):
        repair_id = await shop.start(tell=["owl"])
        plan = await shop.plan(repair_id)
        assert await server.until(1) == [Occasion.PLAN_WAITS]
        await shop.decide(repair_id, plan)
        result = await shop.end(repair_id)

    assert server.kinds == [Occasion.PLAN_WAITS, Occasion.REPAIR_DONE]
    assert all(request.signed for request in server.requests)
    assert len({request.headers["webhook-id"] for request in server.requests}) == 2
    asked = server.requests[0].document
    assert asked["commands"] == [
        f"daper repair show {repair_id}",
        f"daper repair approve {repair_id}",
        f"daper repair reject {repair_id}",
    ]
    told = str(asked["text"])
    assert "orders: a plan of 4 actions waits for a decision" in told
    assert "decide until: " in told
    assert "a2 order_inventory for ORD-002-HJG (Hermione Jean Granger)" in told
    assert "risk medium" in told
    assert "problem: The payment of 56.52 has not come in." in told
    assert result.notices == ()


@pytest.mark.long
async def test_who_does_not_answer_is_reminded_at_half_the_time_and_told_when_it_is_over(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with owl_shop(temporal_env, tmp_path) as (shop, server):
        repair_id = await shop.start(tell=["owl"])
        await shop.plan(repair_id)
        handle = shop.client.get_workflow_handle(repair_id)
        await temporal_env.fast_forward(handle, 5 * HOUR)
        assert (await shop.until(repair_id, lambda _: True)).message == ""
        assert await server.until(1) == [Occasion.PLAN_WAITS]
        await temporal_env.fast_forward(handle, 2 * HOUR)
        assert (await server.until(2))[1:] == [Occasion.PLAN_STILL_WAITS]
        look = await shop.until(repair_id, lambda _: True)
        assert (look.phase, look.message) == (Phase.PENDING_APPROVAL, "")
        await temporal_env.fast_forward(handle, 4 * HOUR)
        assert (await shop.until(repair_id, lambda _: True)).phase is Phase.PENDING_APPROVAL
        await temporal_env.fast_forward(handle, 2 * HOUR)
        result = await shop.end(repair_id)

    assert (result.phase, result.reason) == (Phase.APPROVAL_EXPIRED, "nobody decided within 12:00:00")
    assert server.kinds == [Occasion.PLAN_WAITS, Occasion.PLAN_STILL_WAITS, Occasion.PLAN_EXPIRED]
    reminder, first = server.requests[1].document["data"], server.requests[0].document["data"]
    assert isinstance(reminder, dict)
    assert isinstance(first, dict)
    assert reminder["decide_by"] == first["decide_by"]


@pytest.mark.long
async def test_the_policy_says_when_who_does_not_answer_is_reminded(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    policy = ApprovalPolicy(reminders=(0.25, 0.75))
    async with owl_shop(temporal_env, tmp_path) as (shop, server):
        repair_id = await shop.start(tell=["owl"], policy=policy)
        await shop.plan(repair_id)
        handle = shop.client.get_workflow_handle(repair_id)
        for hours, told in ((2, 1), (2, 2), (4, 2), (2, 3), (3, 4)):
            await temporal_env.fast_forward(handle, hours * HOUR)
            await server.until(told)
        await shop.end(repair_id)

    assert server.kinds == [
        Occasion.PLAN_WAITS,
        Occasion.PLAN_STILL_WAITS,
        Occasion.PLAN_STILL_WAITS,
        Occasion.PLAN_EXPIRED,
    ]
    assert len({request.headers["webhook-id"] for request in server.requests}) == 4


async def test_who_decided_is_not_reminded(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with owl_shop(temporal_env, tmp_path) as (shop, server):
        repair_id = await shop.start(tell=["owl"])
        plan = await shop.plan(repair_id)
        await shop.decide(repair_id, plan, a1=Verdict.REJECT, a2=Verdict.REJECT, a3=Verdict.REJECT, a4=Verdict.REJECT)
        result = await shop.end(repair_id)
    assert result.phase is Phase.REJECTED
    assert server.kinds == [Occasion.PLAN_WAITS, Occasion.PLAN_REJECTED]


@pytest.mark.long
async def test_a_decision_after_the_reminder_counts(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with owl_shop(temporal_env, tmp_path) as (shop, server):
        repair_id = await shop.start(tell=["owl"])
        plan = await shop.plan(repair_id)
        await temporal_env.fast_forward(shop.client.get_workflow_handle(repair_id), 7 * HOUR)
        await server.until(2)
        await shop.decide(repair_id, plan)
        assert (await shop.end(repair_id)).counts.applied == 4
    assert server.kinds == [Occasion.PLAN_WAITS, Occasion.PLAN_STILL_WAITS, Occasion.REPAIR_DONE]


@pytest.mark.parametrize("way", ["stop", pytest.param("cancel", marks=pytest.mark.long)])
async def test_a_stop_is_told_too(temporal_env: WorkflowEnvironment, tmp_path: Path, way: str) -> None:
    async with owl_shop(temporal_env, tmp_path, 200, 500) as (shop, server):
        repair_id = await shop.start(tell=["owl"])
        await shop.plan(repair_id)
        await server.until(1)
        if way == "stop":
            await shop.service.stop(repair_id, by="Ginny", reason="wrong shop")
        else:
            await shop.client.get_workflow_handle(repair_id).cancel()
        assert (await shop.end(repair_id)).phase is Phase.CANCELLED
    assert server.kinds == [Occasion.PLAN_WAITS, Occasion.REPAIR_STOPPED, Occasion.REPAIR_STOPPED], (
        "tried again after the end"
    )
    assert "The repair was stopped" in str(server.requests[-1].document["text"])


async def test_a_failure_is_told_and_nothing_to_do_is_no_news(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with owl_shop(temporal_env, tmp_path) as (shop, server):
        failed = await shop.end(await shop.start(tell=["owl"], scope={"record_ids": ["ORD-666-XXX"]}))
        assert failed.phase is Phase.REPAIR_FAILED
        assert server.kinds == [Occasion.REPAIR_FAILED]
        assert "ORD-666-XXX" in str(server.requests[0].document["text"])
        fine = await shop.end(await shop.start(tell=["owl"], scope={"status": "completed"}))
        assert fine.phase is Phase.NO_REPAIR_NEEDED
    assert server.kinds == [Occasion.REPAIR_FAILED]


async def test_what_policy_approves_waits_for_nobody_and_only_its_end_is_told(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with owl_shop(temporal_env, tmp_path) as (shop, server):
        await shop.end(await shop.start(tell=["owl"], auto_approve=True))
    assert server.kinds == [Occasion.REPAIR_DONE]


@pytest.mark.long
async def test_a_server_that_fails_twice_is_told_at_the_third_try_under_the_same_id(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with owl_shop(temporal_env, tmp_path, 500, 500) as (shop, server):
        result = await shop.end(await shop.start(tell=["owl"], auto_approve=True))
    assert server.kinds == [Occasion.REPAIR_DONE] * 3
    assert len({request.headers["webhook-id"] for request in server.requests}) == 1
    assert len({request.body for request in server.requests}) == 1
    assert result.notices == ()


@pytest.mark.long
async def test_a_server_that_hangs_once_is_tried_again(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with owl_shop(temporal_env, tmp_path, HANG, timeout_s=1) as (shop, server):
        result = await shop.end(await shop.start(tell=["owl"], auto_approve=True))
    assert [request.headers["webhook-id"] for request in server.requests] == [
        server.requests[0].headers["webhook-id"]
    ] * 2
    assert result.notices == ()


async def test_a_server_that_refuses_is_asked_once_and_shown(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with owl_shop(temporal_env, tmp_path, 410, 400) as (shop, server):
        repair_id = await shop.start(tell=["owl", "nobody"])
        plan = await shop.plan(repair_id)
        look = await shop.until(repair_id, lambda look: len(look.notices) == 2)
        assert set(look.notices) == {
            "owl was not told (plan-waits): the server answered 410 Gone",
            f"nobody was not told (plan-waits): there is no target 'nobody'; {tmp_path}/people.toml has: owl",
        }
        await shop.decide(repair_id, plan)
        result = await shop.end(repair_id)
    assert (result.phase, result.counts.applied, result.needs_person) == (Phase.REPORT_COMPLETED, 4, False)
    assert server.kinds == [Occasion.PLAN_WAITS, Occasion.REPAIR_DONE]
    assert "owl was not told (repair-done): the server answered 400 Bad Request" in result.notices
    written = await shop.reports.read(repair_id)
    assert written is not None
    assert len(written.notices) == 2, "what was known when the report was written"


@pytest.mark.long
async def test_whoever_cannot_be_told_delays_no_effect(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    """Every effect is done, and verified and reported, while the first message is still being tried."""
    async with owl_shop(temporal_env, tmp_path, *[500] * 100) as (shop, server):
        repair_id = await shop.start(tell=["owl"])
        await shop.decide(repair_id, await shop.plan(repair_id))
        look = await shop.until(repair_id, lambda look: look.phase is Phase.REPORT_COMPLETED)
        assert look.message == "it has ended; those who are told of it are being told"
        assert shop.effects() == 4
        server.answers.clear()
        assert (await shop.end(repair_id)).notices == ()
        closed = await closed_activities(shop, repair_id)

    assert closed.count("apply_action") == 4
    assert closed[-3:] == ["write_report", "tell_person", "tell_person"]


def test_a_repair_waits_ten_minutes_at_most_for_those_it_tells() -> None:
    """Also where no worker takes the messages. Time is not skipped while an activity waits, so it is looked up."""
    assert tell("any").get("schedule_to_close_timeout") == timedelta(minutes=10)


async def closed_activities(shop: Shop, repair_id: str) -> list[str]:
    """The names of the activities of a repair, in the order in which they ended."""
    history = await shop.client.get_workflow_handle(repair_id).fetch_history()
    scheduled: dict[int, str] = {}
    closed: list[str] = []
    for event in history.events:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            scheduled[event.event_id] = event.activity_task_scheduled_event_attributes.activity_type.name
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            closed.append(scheduled[event.activity_task_completed_event_attributes.scheduled_event_id])
    return closed


@workflow.defn(name="AskingAgent", sandboxed=False)
class AskingAgent:
    """Somebody else's workflow, which is called back."""

    def __init__(self) -> None:
        self.told: list[Notice] = []

    @workflow.run
    async def run(self, wanted: int) -> list[Notice]:
        await workflow.wait_condition(lambda: len(self.told) >= wanted)
        return self.told

    @workflow.signal
    def daper_says(self, message: Notice) -> None:
        self.told.append(message)


@pytest.mark.long
async def test_another_workflow_is_called_back_by_signal_also_under_a_name(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    caller, queue = f"caller-{new_id()}", f"callers-{new_id()}"
    write(tmp_path, agent=f'type = "signal-workflow"\nworkflow_id = "{caller}"\nname = "daper_says"')
    async with (
        Worker(temporal_env.client, task_queue=queue, workflows=[AskingAgent]),
        open_shop(temporal_env, tmp_path, environ=OWL) as shop,
    ):
        with temporal_env.with_time_skipping_disabled():
            handle = await shop.client.start_workflow(AskingAgent.run, 4, id=caller, task_queue=queue)
        callback = SignalCallback(workflow_id=caller, name="daper_says")
        repair_id = await shop.start(tell=["agent"], callback=callback)
        await shop.decide(repair_id, await shop.plan(repair_id))
        result = await shop.end(repair_id)
        async with asyncio.timeout(60):
            told = await handle.result()
    assert sorted(message.event for message in told) == [Occasion.PLAN_WAITS] * 2 + [Occasion.REPAIR_DONE] * 2
    assert {message.subject_id for message in told} == {repair_id}
    assert result.notices == ()


async def test_a_callback_to_a_workflow_that_is_gone_is_shown(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        callback = SignalCallback(workflow_id="long-gone", name="daper_says")
        result = await shop.end(await shop.start(callback=callback, auto_approve=True))
    assert result.phase is Phase.REPORT_COMPLETED
    assert result.notices == ("the callback was not told (repair-done): workflow 'long-gone' is not running",)


async def test_a_callback_can_be_tried_out_without_a_repair(temporal_env: WorkflowEnvironment) -> None:
    caller, queue = f"caller-{new_id()}", f"callers-{new_id()}"
    callback, message = SignalCallback(workflow_id=caller, name="daper_says"), trial_message("Harry", at=utc_now())
    with pytest.raises(TargetRefused, match="is not running"):
        await call_back(temporal_env.client, callback, message)
    async with Worker(temporal_env.client, task_queue=queue, workflows=[AskingAgent]):
        handle = await temporal_env.client.start_workflow(AskingAgent.run, 1, id=caller, task_queue=queue)
        await call_back(temporal_env.client, callback, message)
        assert [each.event for each in await handle.result()] == [Occasion.TEST]


@pytest.mark.long
async def test_a_mail_server_that_is_down_gets_one_mail_when_it_is_up(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """And the history, which others may read, holds neither address nor password."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    port, post = free_port(), Post()
    post.answers = ["451 come again"]
    write(tmp_path, smtp=mail_lines(port, tmp_path / "ca.pem"), harry='type = "email"\nto = "harry@planted.example"')
    async with open_shop(temporal_env, tmp_path, environ=OWL) as shop:
        repair_id = await shop.start(tell=["harry"], auto_approve=True)
        handle = shop.client.get_workflow_handle(repair_id)
        async with asyncio.timeout(60):
            while not any(  # noqa: ASYNC110 - only Temporal knows
                each.attempt > 1 for each in (await handle.describe()).raw_description.pending_activities
            ):
                await asyncio.sleep(0.05)
        async with mail_server(ca.issue_cert("127.0.0.1"), post=post, port=port):
            result = await shop.end(repair_id)
        kept_text = await readable(await handle.fetch_history())

    [mail] = post.mails
    assert mail["Subject"] == "daper: orders: the repair is done"
    assert result.notices == ()
    attached = list(mail.iter_attachments())
    assert [each.get_content_type() for each in attached] == ["application/pdf"]
    assert bytes(attached[0].get_payload(decode=True)).startswith(b"%PDF")  # pyright: ignore[reportArgumentType]  # bytes
    assert repair_id in kept_text
    assert "planted" not in kept_text
    assert PASSWORD not in kept_text


@asynccontextmanager
async def telling_worker(shop: Shop) -> AsyncGenerator[None]:
    """A worker that tells people, and does nothing else."""
    queue = activity_queue(shop.settings.task_queue, (await shop.domains["orders"].store()).store_id)
    telling = TellingActivities(notifier=bootstrap.open_notifier(shop.settings))
    async with Worker(shop.client, task_queue=people_queue(queue), activities=[telling.tell_person]):
        yield


@pytest.mark.long
async def test_an_agent_whose_cycles_fail_calls_a_person_once_for_each_streak(
    future_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with hook() as server:
        write(tmp_path, owl=webhook_lines(server.url))
        shop = Shop(future_env, tmp_path, domains=None, indexed=True, environ=OWL)
        async with worker_with(shop, CrashingRepair), telling_worker(shop):
            agent = Agent(shop)
            await agent.start(interval=HOUR, tell=["owl"])
            for failures in range(1, FAILURES_TOLD + 2):
                view = await agent.waits(after=failures)
                assert view.failures_in_a_row == failures
                await agent.check_now()
            await server.until(1)
            await agent.stop()
            view = await agent.ended()
    assert view.cycles > FAILURES_TOLD
    assert server.kinds == [Occasion.CYCLES_FAIL]
    assert "orders: 3 cycles in a row could not go on" in str(server.requests[0].document["text"])
    assert view.notices == ()


@pytest.mark.long
async def test_a_proactive_agent_hands_on_who_is_told(future_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with owl_shop(future_env, tmp_path) as (shop, server):
        agent = Agent(shop)
        await agent.start(tell=["owl"])
        await agent.reject(await agent.cycle())
        await agent.waits(after=1)
        assert server.kinds == [Occasion.PLAN_WAITS, Occasion.PLAN_REJECTED]
        await agent.stop()
        await agent.ended()


@pytest.mark.parametrize("name", ["stop", pytest.param("check_now", marks=pytest.mark.long)])
async def test_a_callback_that_leads_to_a_repair_or_an_agent_neither_stops_nor_nudges_it(
    temporal_env: WorkflowEnvironment, tmp_path: Path, name: str
) -> None:
    """What is told of a repair would do for a reason to stop another one."""
    async with open_shop(temporal_env, tmp_path) as shop:
        agent = Agent(shop)
        started = await agent.start()
        cycle = await agent.cycle()
        await shop.plan(cycle)
        for victim in (started.agent_id, cycle):
            nothing = {"record_ids": ["ORD-404-XXX"]}
            caller = await shop.start(scope=nothing, callback={"workflow_id": victim, "name": name})
            await shop.until_events(caller, "EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED")
        assert (await agent.view()).nudges == 0
        await shop.decide(cycle, await shop.plan(cycle))
        assert (await shop.end(cycle)).phase is Phase.REPORT_COMPLETED
        assert (await agent.waits(after=1)).stopping == ""
        await agent.stop()
        await agent.ended()


@pytest.mark.parametrize("times", [pytest.param(1, marks=pytest.mark.long), 2])
async def test_cancelled_while_people_are_told_of_its_end_a_repair_keeps_its_result(
    temporal_env: WorkflowEnvironment, tmp_path: Path, times: int
) -> None:
    async with owl_shop(temporal_env, tmp_path, HANG) as (shop, server):
        repair_id = await shop.start(tell=["owl"], auto_approve=True)
        await server.until(1)
        for _ in range(times):
            await shop.client.get_workflow_handle(repair_id).cancel()
            await shop.until_events(repair_id, "EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED")
        server.holding.set()
        result = await shop.end(repair_id)
    assert (result.phase, result.counts.applied, result.reason) == (Phase.REPORT_COMPLETED, 4, "")


def test_a_callback_that_temporal_would_not_take_is_refused_before_anything_begins() -> None:
    with pytest.raises(ValidationError, match="longer than 1000 bytes"):
        SignalCallback(workflow_id="ü" * 501, name="told")
