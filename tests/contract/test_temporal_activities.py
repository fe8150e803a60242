"""Activities of stuck workflows: paused ones go on, once, and are paused again where that did not help."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import PauseActivityRequest
from temporalio.testing import WorkflowEnvironment

from daper.clock import utc_now
from daper.core.outcomes import Holding, OutcomeStatus
from daper.ports import Undoable
from tests.stuck import StuckWorld, stuck_world


@pytest.fixture
async def world(real_time: WorkflowEnvironment, tmp_path: Path) -> AsyncGenerator[StuckWorld]:
    async with stuck_world(real_time.client, tmp_path, paused_after="1s") as made:
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
