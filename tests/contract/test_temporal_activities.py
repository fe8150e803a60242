"""Activities of stuck workflows: paused ones go on, once, and are paused again where that did not help."""

from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio import workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import PauseActivityRequest
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError
from temporalio.testing import WorkflowEnvironment

from daper.clock import utc_now
from daper.core.outcomes import Holding, OutcomeStatus
from daper.ports import Undoable
from tests.stuck import StuckWorld, step, stuck_world


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


@pytest.fixture
async def world(real_time: WorkflowEnvironment, tmp_path: Path) -> AsyncGenerator[StuckWorld]:
    async with stuck_world(
        real_time.client, tmp_path, workflows=[Forgiving], paused_after="1s", retrying_attempts="1"
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
