"""Activities of stuck workflows: paused ones go on, once, and are paused again where that did not help."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import JsonValue
from temporalio import workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import PauseActivityRequest, ResetActivityRequest
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError
from temporalio.testing import WorkflowEnvironment

from daper.clock import utc_now
from daper.core.outcomes import Holding, OutcomeStatus
from daper.ports import Undoable
from tests.stuck import PATIENCE, StuckWorld, step, stuck_world


@workflow.defn(name="Forgiving")
class Forgiving:
    """Goes on whatever becomes of its activity, which fails for good by `Final` alone."""

    @workflow.run
    async def run(self) -> str:
        policy = RetryPolicy(initial_interval=timedelta(hours=1), non_retryable_error_types=["Final"])
        with suppress(ActivityError):
            return await workflow.execute_activity(
                step, "pay", activity_id="pay", start_to_close_timeout=timedelta(seconds=20), retry_policy=policy
            )
        return "gave up"


@workflow.defn(name="Again")
class Again:
    """Once its activity has failed for good, it asks for another one of the same id, which fails alike."""

    @workflow.run
    async def run(self) -> None:
        policy = RetryPolicy(initial_interval=timedelta(hours=1), non_retryable_error_types=["Final"])
        for name in ("pay", "pay another"):
            with suppress(ActivityError):
                await workflow.execute_activity(
                    step, name, activity_id="pay", start_to_close_timeout=timedelta(seconds=20), retry_policy=policy
                )


@pytest.fixture
async def world(real_time: WorkflowEnvironment, tmp_path: Path) -> AsyncGenerator[StuckWorld]:
    async with stuck_world(
        real_time.client, tmp_path, workflows=[Forgiving, Again], paused_after="1s", retrying_attempts="1"
    ) as made:
        yield made


async def paused(world: StuckWorld) -> str:
    world.outside.failing["pay"] = "CardDeclined"
    handle = await world.start(["pay"])
    await world.until(handle.id, lambda state: any(each.attempt > 2 for each in state.activities))
    await world.client.workflow_service.pause_activity(
        PauseActivityRequest(
            namespace=world.client.namespace,
            execution=WorkflowExecution(workflow_id=handle.id),
            id="pay",
            identity="somebody",
            reason="wait for the bank",
        )
    )
    await world.until(
        handle.id,
        lambda state: any(
            each.paused and each.pause and each.pause.at and (utc_now() - each.pause.at).total_seconds() > 1
            for each in state.activities
        ),
    )
    return handle.id


async def test_a_paused_activity_is_found_let_go_on_once_and_paused_again(world: StuckWorld) -> None:
    workflow_id = await paused(world)
    records = await world.domain.context([workflow_id])
    [finding] = world.domain.detect(records, utc_now())
    assert finding.kind == "paused-and-forgotten"
    assert "wait for the bank" in " ".join(finding.evidence)
    [proposal] = world.domain.propose([finding], records).proposals
    tool = world.domain.tools[proposal.tool]
    assert isinstance(tool, Undoable)
    call = await world.call(proposal.tool, workflow_id, activities=["pay"])
    done = await tool.apply(call)
    assert done.status is OutcomeStatus.APPLIED
    assert (await tool.apply(call)).status is OutcomeStatus.ALREADY_APPLIED
    assert (await tool.holds(call, done)).holding is Holding.YES
    undone = await tool.undo(call, done, key="back")
    assert undone.status is OutcomeStatus.UNDONE, undone
    assert (await world.state(workflow_id)).activities[0].paused


@pytest.mark.parametrize(
    ("failing", "outcome", "holding", "told"),
    [
        ({"pay": "Final"}, "gave up", Holding.NO, "it failed for good: application Final"),
        ({}, "pay", Holding.YES, "the activity is over"),
    ],
    ids=["for good", "not any more"],
)
async def test_an_activity_that_is_over_because_it_failed_for_good_was_not_repaired(
    world: StuckWorld, failing: dict[str, str], outcome: str, holding: Holding, told: str
) -> None:
    world.outside.failing = {"pay": "CardDeclined"}
    handle = await world.client.start_workflow(Forgiving.run, id=f"forgiving-{uuid4()}", task_queue=world.queue)
    await world.until(handle.id, lambda state: any(each.attempt > 1 and each.next_at for each in state.activities))
    call = await world.call("reset_activity", handle.id, activities=["pay"], restore_original_options=False)
    world.outside.failing = failing
    tool = world.domain.tools["reset_activity"]
    done = await tool.apply(call)
    assert done.status is OutcomeStatus.APPLIED, done.evidence
    assert await handle.result() == outcome
    word = await tool.holds(call, done)
    assert (word.holding, word.evidence) == (holding, told)


async def with_another(world: StuckWorld, workflow_id: str) -> None:
    """Let the activity fail for good; another one has its id then, and fails as that did."""
    world.outside.failing["pay"] = "Final"
    await world.client.workflow_service.reset_activity(
        ResetActivityRequest(
            namespace=world.client.namespace, execution=WorkflowExecution(workflow_id=workflow_id), id="pay"
        )
    )
    async with asyncio.timeout(PATIENCE):
        while not any("another" in each for each in world.outside.ran):  # noqa: ASYNC110 - a worker does it
            await asyncio.sleep(0.02)
    await world.until(workflow_id, lambda state: any(each.next_at for each in state.activities))


async def stuck_again(world: StuckWorld) -> str:
    world.outside.failing = {"pay": "CardDeclined", "pay another": "CardDeclined"}
    handle = await world.client.start_workflow(Again.run, id=f"again-{uuid4()}", task_queue=world.queue)
    await world.until(handle.id, lambda state: any(each.attempt > 1 and each.next_at for each in state.activities))
    return handle.id


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("reset_activity", {"restore_original_options": False}),
        ("pause_activity", {}),
        ("change_activity_options", {"start_to_close": 30}),
    ],
)
async def test_another_activity_that_has_its_id_by_now_is_not_taken_for_the_one_that_was_seen(
    world: StuckWorld, tool: str, arguments: dict[str, JsonValue]
) -> None:
    workflow_id = await stuck_again(world)
    call = await world.call(tool, workflow_id, activities=["pay"], **arguments)
    await with_another(world, workflow_id)
    before = await world.state(workflow_id)
    done = await world.domain.tools[tool].apply(call)
    assert done.status is OutcomeStatus.FAILED
    assert "it is over, or is not there any more" in " ".join(done.evidence)
    assert (await world.state(workflow_id)).activities == before.activities


async def test_another_activity_that_has_its_id_by_now_is_not_paused_again_instead_of_it(world: StuckWorld) -> None:
    workflow_id = await stuck_again(world)
    await world.client.workflow_service.pause_activity(
        PauseActivityRequest(
            namespace=world.client.namespace, execution=WorkflowExecution(workflow_id=workflow_id), id="pay"
        )
    )
    call = await world.call("unpause_activity", workflow_id, activities=["pay"])
    unpause = world.domain.tools["unpause_activity"]
    assert isinstance(unpause, Undoable)
    done = await unpause.apply(call)
    assert done.status is OutcomeStatus.APPLIED, done.evidence
    await with_another(world, workflow_id)
    before = await world.state(workflow_id)
    assert "the activity is over" in (await unpause.holds(call, done)).evidence
    undone = await unpause.undo(call, done, key="back")
    assert undone.status is not OutcomeStatus.UNDONE, undone
    assert (await world.state(workflow_id)).activities == before.activities
