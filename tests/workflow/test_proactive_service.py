"""What the service says of proactive agents: running, never started, stopping, another one's, or nobody at work."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from daper.core.errors import NotFound, Occupied, Unreachable, UserError
from daper.core.proactive import ProactiveRequest, ProactiveView
from daper.ports import ToolCall
from daper.service.requests import StartProactive
from daper.workflows.labels import PROACTIVE_NAME
from tests.workflow.agents import Agent
from tests.workflow.scripted import ScriptedOrders
from tests.workflow.shop import STICKY, Shop, open_shop


@workflow.defn(name=PROACTIVE_NAME, sandboxed=False)
class BrokenAgent:
    """A release with a bug."""

    @workflow.run
    async def run(self, request: ProactiveRequest) -> ProactiveView:
        raise RuntimeError("the release of last night has a bug")


async def test_starting_it_again_finds_the_one_that_runs(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    """Needs no worker; and another home asks for another store, so it is told for which one the agent runs."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    shop = Shop(temporal_env, here, domains=None, indexed=True)
    other = Shop(
        temporal_env, there, domains=None, indexed=True, environ={"TEMPORAL_TASK_QUEUE": shop.settings.task_queue}
    )
    agent = Agent(shop)

    first = await agent.start()
    again = await agent.start(interval="PT1H")
    elsewhere = await Agent(other, user=agent.user).start()

    assert first.agent_id == f"always-be-repairin-for-{agent.user}"
    assert not first.already_running
    assert first.queue == shop.settings.task_queue
    assert again == elsewhere == first.model_copy(update={"already_running": True})
    await agent.handle.terminate()


async def test_what_was_never_started_is_told_how_to_start_it(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    agent = Agent(Shop(temporal_env, tmp_path, domains=None, indexed=True))
    for call in (agent.status(), agent.check_now(), agent.stop()):
        with pytest.raises(
            NotFound, match=f"no proactive agent 'always-be-repairin-for-{agent.user}'; start one: daper"
        ):
            await call
    with pytest.raises(NotFound, match="no domain 'potions'"):
        await agent.start(domain="potions")


async def test_an_agent_that_is_not_there_is_told_with_the_one_that_may_be_meant(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    agent = Agent(shop)
    started = await agent.start()
    async with asyncio.timeout(30):
        while started.agent_id not in [line.agent_id for line in await shop.proactive.list()]:
            pass
    with pytest.raises(NotFound, match=f"start one: daper proactive start; did you mean '{started.agent_id}'"):
        await Agent(shop, user=agent.user[:-2] + agent.user[-1]).status()
    await agent.handle.terminate()


async def test_nothing_is_asked_of_an_agent_that_has_ended(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        agent = Agent(shop)
        await agent.start()
        await agent.stop()
        await agent.ended()
        for call in (agent.check_now(), agent.stop()):
            with pytest.raises(NotFound, match="is not running any more; start one: daper proactive start"):
                await call
    assert (await agent.status()).phase == "STOPPED", "needs no worker"


async def test_without_a_worker_the_status_says_which_to_start(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    agent = Agent(shop)
    await agent.start()
    with pytest.raises(Unreachable, match=f"no worker answered on queue '{shop.settings.task_queue}'; start one"):
        await agent.status()
    await agent.handle.terminate()


@pytest.mark.long
async def test_a_bug_in_the_agent_is_named(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    agent = Agent(shop)
    await agent.start()
    async with Worker(
        shop.client,
        task_queue=shop.settings.task_queue,
        workflows=[BrokenAgent],
        workflow_runner=UnsandboxedWorkflowRunner(),
        sticky_queue_schedule_to_start_timeout=STICKY,
    ):
        await shop.until_events(agent.handle.id, "EVENT_TYPE_WORKFLOW_TASK_FAILED")
        with pytest.raises(Unreachable, match=r"^proactive agent .* is stuck: the release of last night has a bug"):
            await agent.status()
        async with asyncio.timeout(30):
            while agent.handle.id not in " ".join(found := await shop.service.stuck(limit=1000)):
                assert all(" is stuck: " in line for line in found)
                await asyncio.sleep(0.05)
    await agent.handle.terminate()


@pytest.mark.long
async def test_an_agent_that_is_being_stopped_is_not_taken_for_one_that_runs(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    """Else somebody who starts it again would be told that it runs, and be left without any."""
    async with _with_an_effect_in_flight(temporal_env, tmp_path) as (agent, go_on):
        await agent.stop()
        view = await agent.until(lambda view: bool(view.stopping))
        assert (view.phase, bool(view.repair_id)) == ("STOPPING", True)

        for call in (agent.start(), agent.check_now()):
            with pytest.raises(UserError, match="is being stopped"):
                await call
        go_on.set()
        assert (await agent.ended()).results[0].counts.applied == 1, "what was in flight was settled"
        assert not (await agent.start()).already_running
        await agent.stop()
        await agent.ended()


async def test_two_names_that_make_one_id_are_told_apart(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    agent = Agent(shop)
    await agent.start()
    twin = Agent(shop, user=f"{agent.user}!")
    for call in (twin.start(), twin.status(), twin.stop(), twin.check_now()):
        with pytest.raises(Occupied, match=f"is the proactive agent of '{agent.user}' for 'orders'"):
            await call
    await agent.handle.terminate()


def test_no_agent_can_be_asked_to_approve_by_itself() -> None:
    assert not {name for model in (StartProactive, ProactiveRequest) for name in model.model_fields if "auto" in name}


@asynccontextmanager
async def _with_an_effect_in_flight(
    env: WorkflowEnvironment, home: Path
) -> AsyncGenerator[tuple[Agent, asyncio.Event], None]:
    """An agent whose cycle was approved, and has begun its one effect, which waits for the event."""
    orders = ScriptedOrders(home)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def hold(_: ToolCall) -> None:
        begun.set()
        await go_on.wait()

    orders.script("order_inventory", before=hold)
    async with open_shop(env, home, domains={"orders": orders}) as shop:
        for order_id in ("ORD-001-HJP", "ORD-003-RBW", "ORD-004-RHG"):
            shop.edit_order(order_id, status="completed")
        agent = Agent(shop)
        await agent.start()
        repair_id = await agent.cycle()
        await shop.decide(repair_id, await shop.plan(repair_id))
        async with asyncio.timeout(30):
            await begun.wait()
        yield agent, go_on


async def test_the_way_to_start_an_agent_of_another_domain_names_that(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    agent = Agent(Shop(temporal_env, tmp_path, domains=None, indexed=True))
    with pytest.raises(NotFound, match=r"start one: daper proactive start --domain alerts$"):
        await agent.shop.proactive.status(agent.user, "alerts")
