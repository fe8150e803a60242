"""Reporting records to an event-driven agent, in a shop of the tests."""

import asyncio
from datetime import timedelta

from temporalio.client import WorkflowHandle

from daper.clock import new_id
from daper.core.events import Event, EventDrivenRequest, EventDrivenView, Gathering
from daper.core.ids import event_driven_id
from daper.core.messages import asked_for
from daper.core.models import Scope
from daper.core.outcomes import RepairResult
from daper.service.launch import launch_of
from daper.service.requests import Started, StartRepair, Times
from daper.workflows.event_driven import RepairAgentWorkflowEventDriven
from tests.workflow.shop import DEADLINE, HARRY, Shop

BADGES, EGG, UNPAID, WAND = "ORD-002-HJG", "ORD-004-RHG", "ORD-001-HJP", "ORD-003-RBW"


# What is reported is not waited for to be more: a repair begins with each report, as far as there is room.
AT_ONCE = Gathering(window=timedelta())
ONE_AT_A_TIME = Gathering(window=timedelta(), most_open=1)


async def report(shop: Shop, *record_ids: str, **order: object) -> Started:
    """Report records to Harry, and say what was told."""
    return await named(shop, *record_ids, reported=True, **order)


async def named(shop: Shop, *record_ids: str, **order: object) -> Started:
    """Start a repair of records as Harry, and say what was told."""
    given = {"requested_by": HARRY, "domain": "orders", "scope": Scope(record_ids=record_ids), **order}
    with shop.env.with_time_skipping_disabled():
        return await shop.service.start(StartRepair.model_validate(given))


async def agent_of(shop: Shop) -> WorkflowHandle[RepairAgentWorkflowEventDriven, EventDrivenView]:
    """The handle of the agent that takes what Harry reports."""
    store_id = (await shop.domains["orders"].store()).store_id
    agent_id = event_driven_id(shop.settings.task_queue, HARRY, "orders", store_id)
    return shop.client.get_workflow_handle_for(RepairAgentWorkflowEventDriven.run, agent_id)


async def begun(shop: Shop, repair_id: str) -> None:
    """Wait until a repair of what was reported is there."""
    agent = await agent_of(shop)
    async with asyncio.timeout(DEADLINE):
        async for event in agent.fetch_history_events(wait_new_event=True):
            started = event.child_workflow_execution_started_event_attributes
            if started.workflow_execution.workflow_id == repair_id:
                return


async def approved(shop: Shop, repair_id: str) -> RepairResult:
    """Approve all of a repair once it is there; its result."""
    await begun(shop, repair_id)
    await shop.decide(repair_id, await shop.plan(repair_id))
    return await shop.end(repair_id)


async def event_of(shop: Shop, *, hours: int, **asked: object) -> Event:
    """An event that asks only for a plan; one with other hours is never gathered with it."""
    given = {"requested_by": HARRY, "domain": "orders", "scope": Scope(record_ids=(BADGES,)), "dry_run": True}
    order = StartRepair.model_validate({**given, "approval_timeout": timedelta(hours=hours), **asked})
    store = await shop.domains["orders"].store()
    launch = launch_of(order.under(shop.settings.policy, Times()), store, queue=shop.settings.task_queue, indexed=True)
    return Event(
        repair_id=f"repair-Harry-{new_id()}",
        call="test",
        asked=asked_for(launch.request),
        request=launch.request,
        gathering=AT_ONCE,
    )


async def report_to_short_runs(shop: Shop, first: Event, *others: Event, per_run: int = 1) -> str:
    """Report without the service, to an agent that continues as new after few repairs; the id of its first run."""
    agent = await agent_of(shop)
    request = EventDrivenRequest(
        user="Harry", domain="orders", store_id=first.request.store_id, repairs_per_run=per_run, gathering=AT_ONCE
    )
    with shop.env.with_time_skipping_disabled():
        handle = await shop.client.start_workflow(
            RepairAgentWorkflowEventDriven.run,
            request,
            id=agent.id,
            task_queue=shop.settings.task_queue,
            start_signal="report",
            start_signal_args=[first],
        )
        for each in others:
            await agent.signal(RepairAgentWorkflowEventDriven.report, each)
    assert handle.first_execution_run_id is not None
    return handle.first_execution_run_id
