"""How often models are asked in a minute: over all workers of a store, and by nothing that asks none."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from daper.adapters.temporal.codec import data_converter
from daper.clock import new_id
from daper.core.messages import CycleRef, DivideInput
from daper.core.usage import Role
from daper.workers import working
from daper.workflows.queues import activity_queue, models_queue
from tests.llm.shops import GOOD, repaired
from tests.workflow.shop import Shop

A_SECOND = 4
PIECES = 13
AT_ONCE = A_SECOND + 1
"""With how many the server begins: what a second may have, and one."""


@workflow.defn(name="Pieces")
class Pieces:
    """Many pieces of work for one queue, all at once; how each ends is nobody's business."""

    @workflow.run
    async def run(self, queue: str, number: int) -> None:
        """Ends when all have."""
        cycle = CycleRef(
            repair_id="r", cycle_id="c", domain="nobody's", store_id="s", today=datetime(2026, 1, 1, tzinfo=UTC)
        )
        pieces = (
            workflow.execute_activity(
                "divide_work",
                DivideInput(cycle=cycle, role=Role.PLAN),
                task_queue=queue,
                start_to_close_timeout=timedelta(minutes=1),
                retry_policy=RetryPolicy(maximum_attempts=1),
            )
            for _ in range(number)
        )
        await asyncio.gather(*pieces, return_exceptions=True)


@pytest.mark.long
async def test_a_limit_of_calls_in_a_minute_holds_over_two_workers(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    environ = {"DAPER_LLM_PER_MINUTE": str(60 * A_SECOND), "DAPER_LLM_AT_ONCE": "1"}
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True, environ=environ)
    queue = models_queue(activity_queue(shop.settings.task_queue, (await shop.domains["orders"].store()).store_id))
    other = await Client.connect(
        temporal_env.client.service_client.config.target_host, identity="the other", data_converter=data_converter()
    )

    asks = Worker(shop.client, task_queue=new_id(), workflows=[Pieces], workflow_runner=UnsandboxedWorkflowRunner())
    async with shop.worker(), working(other, shop.settings, domains=shop.domains), asks:
        with temporal_env.with_time_skipping_disabled():
            handle = await shop.client.start_workflow(
                Pieces.run, args=[queue, PIECES], id=new_id(), task_queue=asks.task_queue
            )
            await handle.result()
        began = [
            (event.event_time.ToDatetime(), event.activity_task_started_event_attributes.identity)
            async for event in handle.fetch_history_events()
            if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED
        ]

    times = sorted(at for at, _ in began)
    # By the server's clock: what the two began, less the first few, took as long as one may take for so many.
    assert len(times) == PIECES
    assert (times[-1] - times[0]).total_seconds() * A_SECOND >= PIECES - 1 - AT_ONCE
    assert len(Counter(identity for _, identity in began)) == 2


@pytest.mark.long
async def test_all_on_the_queue_that_the_limit_is_for_asks_a_model(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    result, fake = await repaired(temporal_env, tmp_path, GOOD)

    scheduled = [
        event.activity_task_scheduled_event_attributes
        async for event in temporal_env.client.get_workflow_handle(result.repair_id).fetch_history_events()
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    ]
    for_models = [each.activity_type.name for each in scheduled if each.task_queue.name.endswith(models_queue(""))]
    assert "divide_work" in {each.activity_type.name for each in scheduled}
    assert "divide_work" not in for_models
    assert len(for_models) == fake.count > 0
