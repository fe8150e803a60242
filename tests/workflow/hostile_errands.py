"""Errands whose every text is somebody's attack: ids, names of activities, types and messages of failures, pauses."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import PauseActivityRequest
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.stuck import WORLD, Errand, Outside
from tests.stuck_letters import HOSTILE
from tests.workflow.stuck_shop import StuckShop, stuck_shop

MOST = 200  # letters of an id


@activity.defn(name="step")
async def refused(text: str) -> str:
    """Twice soon, and then not for long."""
    raise ApplicationError(
        text,
        type=text[:100] or "empty",
        category=ApplicationErrorCategory.BENIGN,
        next_retry_delay=None if activity.info().attempt < 2 else timedelta(hours=1),
    )


def ids_of(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{number} {text[:MOST]}" for number, text in enumerate(texts))


@asynccontextmanager
async def hostile_errands(
    env: WorkflowEnvironment,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    texts: tuple[str, ...] = HOSTILE,
    **environ: str,
) -> AsyncGenerator[StuckShop]:
    """An errand for each text, by `ids_of`: every other one is paused, the others are tried again and again."""
    queue = f"hostile-{folder.name}"
    WORLD[queue] = Outside()
    query = f'TaskQueue = "{queue}"'
    runner = UnsandboxedWorkflowRunner()
    async with (
        stuck_shop(env, folder, monkeypatch, environ=environ, query=query, retrying_attempts="2") as stuck,
        Worker(env.client, task_queue=queue, workflows=[Errand], activities=[refused], workflow_runner=runner),
    ):
        names = ids_of(texts)
        for name, text in zip(names, texts, strict=True):
            await env.client.start_workflow(Errand.run, [text or "-"], id=name, task_queue=queue)
        for number, (name, text) in enumerate(zip(names, texts, strict=True)):
            await stuck.world.until(name, lambda state: any(each.attempt > 2 for each in state.activities))
            if number % 2:
                await env.client.workflow_service.pause_activity(
                    PauseActivityRequest(
                        namespace=env.client.namespace,
                        execution=WorkflowExecution(workflow_id=name),
                        id=text or "-",
                        identity=text[:300],
                        reason=text[:900],
                    )
                )
        for name in names[1::2]:
            await stuck.forgotten(name)
        yield stuck
