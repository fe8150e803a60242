"""A shop whose records are workflows: some that get stuck, the domain that looks at them, and all that repairs them."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import PauseActivityRequest, UnpauseActivityRequest
from temporalio.testing import WorkflowEnvironment

from daper.bootstrap import open_domains
from daper.clock import utc_now
from daper.domains.temporal.domain import TemporalDomain
from daper.domains.temporal.tools.base import WorkflowTool
from daper.settings import load_settings
from tests.stuck import StuckWorld, stuck_world
from tests.workflow.shop import Shop, open_shop

SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class StuckShop:
    """Workflows, and who repairs them."""

    world: StuckWorld
    shop: Shop

    async def paused(self, *workflow_ids: str, step: str = "pay") -> None:
        """Workflows with an activity that was paused for longer than is forgotten, and would not fail any more."""
        world = self.world
        world.outside.failing[step] = "CardDeclined"
        for workflow_id in workflow_ids:
            await world.start([step], workflow_id=workflow_id)
        for workflow_id in workflow_ids:
            await world.until(workflow_id, lambda state: any(each.attempt > 1 for each in state.activities))
            await world.client.workflow_service.pause_activity(
                PauseActivityRequest(
                    namespace=world.client.namespace,
                    execution=WorkflowExecution(workflow_id=workflow_id),
                    id=step,
                    identity="somebody",
                    reason="wait for the bank",
                )
            )
        for workflow_id in workflow_ids:
            await self.forgotten(workflow_id)
        world.outside.failing.clear()

    async def retrying(self, *workflow_ids: str) -> None:
        """Workflows with an activity that failed alike, and is not tried again for an hour."""
        self.world.outside.failing["slow"] = "CardDeclined"
        for workflow_id in workflow_ids:
            await self.world.start(["slow"], workflow_id=workflow_id)
        for workflow_id in workflow_ids:
            await self.world.until(workflow_id, lambda state: any(each.attempt > 1 for each in state.activities))

    async def forgotten(self, workflow_id: str) -> None:
        """Wait until its pause is long enough to count."""
        await self.world.until(
            workflow_id,
            lambda state: any(
                each.pause and each.pause.at and utc_now() - each.pause.at > SECOND for each in state.activities
            ),
        )

    async def let_go_on(self, workflow_id: str) -> None:
        """A stranger does what a plan has in mind."""
        await self.world.client.workflow_service.unpause_activity(
            UnpauseActivityRequest(
                namespace=self.world.client.namespace,
                execution=WorkflowExecution(workflow_id=workflow_id),
                id="pay",
                identity="a stranger",
            )
        )

    async def status(self, workflow_id: str) -> str:
        """As the server says."""
        return (await self.world.state(workflow_id)).status


@asynccontextmanager
async def stuck_shop(
    env: WorkflowEnvironment,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    environ: Mapping[str, str] | None = None,
    workflows: Sequence[type] = (),
    **options: str,
) -> AsyncGenerator[StuckShop]:
    """One with a worker for its workflows and one for repairs, in which effects are looked at soon."""
    monkeypatch.setattr(WorkflowTool, "settling", timedelta(milliseconds=300))
    async with stuck_world(env.client, folder / "world", workflows=workflows) as world:
        given = {"query": f'TaskQueue = "{world.queue}"', "paused_after": "1s", **options}
        environ = {
            "DAPER_HOME": str(folder / "home"),
            "TEMPORAL_ADDRESS": env.client.service_client.config.target_host,
            **(environ or {}),
            **{f"DAPER_TEMPORAL_{name.upper()}": value for name, value in given.items()},
        }
        domain = open_domains(load_settings(environ=environ, folder=folder))["temporal"]
        assert isinstance(domain, TemporalDomain)
        async with open_shop(env, folder / "home", domains={"temporal": domain}, environ=environ) as shop:
            yield StuckShop(replace(world, domain=domain), shop)
