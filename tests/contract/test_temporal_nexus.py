"""Workflows that wait for others: for a Nexus operation that fails again and again, or for a child that is stuck."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import nexusrpc
from nexusrpc.handler import StartOperationContext, service_handler, sync_operation
from temporalio import workflow
from temporalio.api.nexus.v1 import EndpointSpec, EndpointTarget
from temporalio.api.operatorservice.v1 import CreateNexusEndpointRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from daper.clock import utc_now
from daper.core.models import Finding
from tests.stuck import PATIENCE, Errand, StuckWorld, stuck_world

OPEN: set[str] = set()  # the endpoints whose bank is open


@nexusrpc.service
class Bank:
    """Takes money."""

    charge: nexusrpc.Operation[str, str]


@service_handler(service=Bank)
class BankHandler:
    """Fails until it is open."""

    @sync_operation
    async def charge(self, context: StartOperationContext, endpoint: str) -> str:
        if endpoint not in OPEN:
            raise nexusrpc.HandlerError("the bank is \x1b[2J closed", type=nexusrpc.HandlerErrorType.UNAVAILABLE)
        return "charged"


@workflow.defn(name="Payment")
class Payment:
    """Charges through Nexus."""

    @workflow.run
    async def run(self, endpoint: str) -> str:
        bank = workflow.create_nexus_client(service=Bank, endpoint=endpoint)
        return await bank.execute_operation(Bank.charge, endpoint)


@workflow.defn(name="Parent")
class Parent:
    """Waits for an errand."""

    @workflow.run
    async def run(self, steps: list[str]) -> None:
        await workflow.execute_child_workflow(Errand.run, steps, id=f"{workflow.info().workflow_id}-child")


@asynccontextmanager
async def payment(client: Client, folder: Path) -> AsyncGenerator[tuple[StuckWorld, WorkflowHandle[Payment, str], str]]:
    """One that waits for an operation that has failed twice."""
    endpoint = f"bank-{uuid4()}"
    async with stuck_world(client, folder, workflows=(Payment,), too_long="Payment=1s", retrying_attempts="1") as world:
        bank = f"{world.queue}-bank"
        target = EndpointTarget(worker=EndpointTarget.Worker(namespace=client.namespace, task_queue=bank))
        await client.operator_service.create_nexus_endpoint(
            CreateNexusEndpointRequest(spec=EndpointSpec(name=endpoint, target=target))
        )
        async with Worker(client, task_queue=bank, nexus_service_handlers=[BankHandler()]):
            handle = await client.start_workflow(Payment.run, endpoint, id=f"payment-{uuid4()}", task_queue=world.queue)
            await world.until(handle.id, lambda state: any(each.attempt > 1 for each in state.operations))
            yield world, handle, endpoint


async def problems(world: StuckWorld, workflow_id: str, kind: str) -> list[Finding]:
    found = world.domain.detect(await world.domain.context([workflow_id]), utc_now())
    return [each for each in found if each.kind == kind]


async def until_found(world: StuckWorld, workflow_id: str, kind: str) -> Finding:
    async with asyncio.timeout(PATIENCE):
        while not (found := await problems(world, workflow_id, kind)):  # noqa: ASYNC110 - a server is asked
            await asyncio.sleep(0.05)
    return found[0]


async def test_a_nexus_operation_that_fails_again_and_again_is_found_and_left_to_a_person(
    real_time: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with payment(real_time.client, tmp_path) as (world, handle, endpoint):
        finding = await until_found(world, handle.id, "operation-retrying")
        assert finding.issue.startswith("Nexus operation Bank.charge is at its attempt ")
        told = " | ".join(finding.evidence)
        assert endpoint in told
        assert "closed" in told
        assert "\x1b" not in told
        records = await world.domain.context([handle.id])
        made = world.domain.propose([finding], records)
        assert made.proposals == ()
        assert "whoever serves it" in made.for_person[finding.fingerprint]
        late = await until_found(world, handle.id, "too-long")
        assert "it waits for Nexus operation Bank.charge" in " | ".join(late.evidence)
        OPEN.add(endpoint)
        assert await handle.result() == "charged"
        assert await problems(world, handle.id, "operation-retrying") == []


async def test_a_parent_waits_for_its_child_and_the_child_has_the_problem(
    real_time: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with stuck_world(
        real_time.client, tmp_path, workflows=(Parent,), too_long="Parent=1s", retrying_attempts="2"
    ) as world:
        world.outside.failing["pay"] = "CardDeclined"
        parent = await world.client.start_workflow(Parent.run, ["pay"], id=f"parent-{uuid4()}", task_queue=world.queue)
        await until_found(world, f"{parent.id}-child", "activity-retrying")
        assert await problems(world, parent.id, "activity-retrying") == []
        late = await until_found(world, parent.id, "too-long")
        assert f"it waits for 1 child workflow: {parent.id}-child" in " | ".join(late.evidence)
        world.outside.failing.clear()
        await parent.result()
