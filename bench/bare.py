"""What the same costs without daper: bare workflows of the shape of a repair, a bare decision, a bare write.

No import of daper: Temporal's sandbox would import it anew for each bare workflow.
"""

import asyncio
import os
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.worker import Worker

_EFFECT = "apply_action"
_SOON = timedelta(seconds=60)

# As a program: it starts one bare workflow and waits for its result. Arguments: address, queue, shape as JSON.
CLIENT = """
import asyncio, json, os, sys, uuid
from temporalio.client import Client

async def main():
    address, queue, shape = sys.argv[1:]
    client = await Client.connect(address)
    await client.execute_workflow("Bare", json.loads(shape), id=f"bare-{uuid.uuid4()}", task_queue=queue)

asyncio.run(main())
os._exit(0)
"""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How many activities a workflow runs, one after the other, beside each other, and one after the other again."""

    before: int
    beside: int
    after: int

    @property
    def activities(self) -> int:
        """All of them."""
        return self.before + self.beside + self.after


async def shape_of(client: Client, repair_id: str) -> Shape:
    """The shape of a repair that has ended, whose effects run beside each other."""
    names = list[str]()
    async for event in client.get_workflow_handle(repair_id).fetch_history_events():
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            names.append(event.activity_task_scheduled_event_attributes.activity_type.name)
    before = names.index(_EFFECT) if _EFFECT in names else len(names)
    beside = names.count(_EFFECT)
    return Shape(before=before, beside=beside, after=len(names) - before - beside)


@activity.defn
async def nothing() -> None:
    """Does nothing."""


@workflow.defn
class Bare:
    """Activities that do nothing, in the shape of a repair."""

    @workflow.run
    async def run(self, shape: Shape) -> None:
        """Run them all, on the queue of the records, which is another one than the workflow's."""
        for _ in range(shape.before):
            await self._once()
        await asyncio.gather(*(self._once() for _ in range(shape.beside)))
        for _ in range(shape.after):
            await self._once()

    async def _once(self) -> None:
        queue = _records(workflow.info().task_queue)
        await workflow.execute_activity(nothing, task_queue=queue, start_to_close_timeout=_SOON)


@workflow.defn
class BareDecision:
    """Waits for a decision, and runs one activity."""

    def __init__(self) -> None:
        self._decided = False

    @workflow.run
    async def run(self) -> float:
        """When the activity began."""
        await workflow.wait_condition(lambda: self._decided)
        queue = _records(workflow.info().task_queue)
        return await workflow.execute_activity(begins, task_queue=queue, start_to_close_timeout=_SOON)

    @workflow.update
    def decide(self) -> None:
        """Decide."""
        self._decided = True


@activity.defn
async def begins() -> float:
    """When it begins."""
    return time.perf_counter()


class BareShop:
    """Workers for bare workflows on one server: one for workflows and one for activities, as a repair has them."""

    def __init__(self, client: Client, queue: str) -> None:
        self._client = client
        self.queue = queue

    async def warm_up(self) -> None:
        """Run a small one."""
        await self.run(Shape(before=1, beside=0, after=0))

    async def run(self, shape: Shape) -> float:
        """Seconds that one bare workflow takes, from its start to its result."""
        began = time.perf_counter()
        await self._client.execute_workflow(Bare.run, shape, id=f"bare-{uuid.uuid4()}", task_queue=self.queue)
        return time.perf_counter() - began

    async def run_at_once(self, shape: Shape, *, workflows: int) -> float:
        """Seconds until so many are over that were started at once."""
        began = time.perf_counter()
        await asyncio.gather(*(self.run(shape) for _ in range(workflows)))
        return time.perf_counter() - began

    async def decide(self) -> float:
        """Seconds from a decision to the moment in which an activity begins."""
        handle = await self._client.start_workflow(BareDecision.run, id=f"bare-{uuid.uuid4()}", task_queue=self.queue)
        decided = time.perf_counter()
        await handle.execute_update(BareDecision.decide)
        return await handle.result() - decided


@asynccontextmanager
async def open_bare(client: Client) -> AsyncGenerator[BareShop]:
    """Workers that end with the block, each warmed up by one workflow."""
    async with bare_workers(client, new_queue()) as shop:
        await shop.warm_up()
        yield shop


@asynccontextmanager
async def bare_workers(client: Client, queue: str) -> AsyncGenerator[BareShop]:
    """The same for a queue, and cold."""
    async with (
        Worker(client, task_queue=queue, workflows=[Bare, BareDecision]),
        Worker(client, task_queue=_records(queue), activities=[nothing, begins]),
    ):
        yield BareShop(client, queue)


def new_queue() -> str:
    """A queue that nobody has."""
    return f"bare-{uuid.uuid4()}"


def written(folder: Path, size: int) -> float:
    """Seconds until so many bytes are on the disk in place of others: a new file, fsync, a rename, fsync."""
    data, fresh = os.urandom(size), folder / "bare.new"
    began = time.perf_counter()
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(folder / "bare")
    opened = os.open(folder, os.O_RDONLY)
    os.fsync(opened)
    os.close(opened)
    return time.perf_counter() - began


def _records(queue: str) -> str:
    return f"{queue}--records"
