"""Workflows that get stuck in every way, with a worker of their own: what the domain of Temporal finds and repairs."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from pydantic import JsonValue
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from daper.clock import utc_now
from daper.core.guard import refuse_arguments
from daper.core.limits import Exactly
from daper.domains.temporal.domain import TemporalDomain
from daper.domains.temporal.entry import open_domain
from daper.domains.temporal.tools.base import workflow_in
from daper.domains.temporal.workflow import WorkflowState
from daper.ports import ToolCall

PATIENCE = 60.0


@dataclass
class Outside:
    """What the activities do, and what they are told to do: `failing` names those that fail, and with which type."""

    failing: dict[str, str] = field(default_factory=dict[str, str])
    message: str = "the owl is lost"
    ran: list[str] = field(default_factory=list[str])
    held: set[str] = field(default_factory=set[str])
    wedged: bool = False
    gate: asyncio.Event = field(default_factory=asyncio.Event)


WORLD: dict[str, Outside] = {}  # by task queue: a workflow has no other way to what a test wants of it


@activity.defn(name="step")
async def step(name: str) -> str:
    outside = WORLD[activity.info().task_queue]
    outside.ran.append(f"{activity.info().workflow_id} {name}")
    if name.startswith("held") and activity.info().attempt > 1:
        await outside.gate.wait()
        return name
    if name in outside.held:
        await outside.gate.wait()
    if name in outside.failing:
        raise ApplicationError(outside.message, type=outside.failing[name])
    return name


@workflow.defn(name="Errand")
class Errand:
    """Does its steps one after another; `wait` waits for the signal `go`; steps that begin with ! may fail for good.

    Those that begin with `slow` are tried again after an hour; those with `held` wait at their second attempt.
    """

    def __init__(self) -> None:
        self.gone = False
        self.heard: list[str] = []

    @workflow.run
    async def run(self, steps: list[str]) -> list[str]:
        done: list[str] = []
        for each in steps:
            if WORLD[workflow.info().task_queue].wedged:
                raise RuntimeError("a bug in the code")
            if each == "wait":
                await workflow.wait_condition(lambda: self.gone)
                continue
            done.append(
                await workflow.execute_activity(
                    step,
                    each,
                    activity_id=each,
                    start_to_close_timeout=timedelta(seconds=20),
                    retry_policy=RetryPolicy(
                        initial_interval=timedelta(hours=1) if each.startswith("slow") else timedelta(milliseconds=20),
                        backoff_coefficient=1.0,
                        maximum_attempts=1 if each.startswith("!") else 0,
                    ),
                )
            )
        return done

    @workflow.signal
    def go(self, word: str = "") -> None:
        self.heard.append(word)
        self.gone = True


@dataclass(frozen=True)
class StuckWorld:
    """A cluster with a worker for `Errand` on a queue of its own, and the domain that looks at that queue.

    `workers`: others that a test starts, until the world is left.
    """

    client: Client
    queue: str
    domain: TemporalDomain
    outside: Outside
    workers: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start(self, steps: list[str], *, workflow_id: str = "") -> WorkflowHandle[Errand, list[str]]:
        return await self.client.start_workflow(
            Errand.run, steps, id=workflow_id or f"errand-{uuid4()}", task_queue=self.queue
        )

    async def state(self, workflow_id: str) -> WorkflowState:
        record = workflow_in(await self.domain.context([workflow_id]), workflow_id)
        assert record is not None
        return record.state

    async def until(self, workflow_id: str, condition: Callable[[WorkflowState], bool]) -> WorkflowState:
        """The state in which it is so; the workflow need not have begun."""
        async with asyncio.timeout(PATIENCE):
            while True:
                record = workflow_in(await self.domain.context([workflow_id]), workflow_id)
                if record is not None and condition(record.state):
                    return record.state
                await asyncio.sleep(0.05)

    async def call(self, tool: str, workflow_id: str, /, **arguments: JsonValue) -> ToolCall:
        """A call as a plan would make it of the workflow as it is now."""
        records = await self.domain.context([workflow_id])
        terms = self.domain.tools[tool].terms(workflow_id, arguments, records)
        assert not terms.obstacle, terms.obstacle
        known = {name: limit.value for name, limit in terms.limits.items() if isinstance(limit, Exactly)}
        arguments = {**known, **arguments}
        assert refuse_arguments(arguments, self.domain.tools[tool].args, terms.limits) is None
        return ToolCall(
            key=uuid4().hex,
            record_id=workflow_id,
            arguments=arguments,
            expected=terms.reads,
            today=utc_now(),
        )


@asynccontextmanager
async def stuck_world(
    client: Client,
    folder: Path,
    *,
    workflows: Sequence[type] = (),
    activities: Sequence[Callable[..., object]] = (),
    **options: str,
) -> AsyncGenerator[StuckWorld]:
    """One with a worker, until left."""
    queue = f"errands-{uuid4()}"
    WORLD[queue] = Outside()

    async def connect(place: Mapping[str, str]) -> object:
        return client

    domain = open_domain(folder, {"query": f'TaskQueue = "{queue}"', **options})
    domain.reach_by(connect)
    async with (
        Worker(
            client,
            task_queue=queue,
            workflows=[Errand, *workflows],
            activities=[step, *activities],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ),
        AsyncExitStack() as workers,
    ):
        yield StuckWorld(client=client, queue=queue, domain=domain, outside=WORLD[queue], workers=workers)
