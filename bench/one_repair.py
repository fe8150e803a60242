"""From a person's decision to its first effect, and repairs per second beside bare Temporal workflows.

On the JSON store, which changes one effect after the other and rewrites its files for each.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker
from tests.workflow.scripted import ScriptedOrders
from tests.workflow.shop import Shop, open_shop
from tests.workflow.wide_shop import install

from bench.bare import AFTER, BEFORE, BESIDE, Bare, nothing
from bench.server import loopback
from daper.clock import new_id
from daper.core.models import Verdict
from daper.core.outcomes import RepairResult
from daper.entrypoints.cli.exits import leave
from daper.ports import ToolCall
from daper.workflows.repair import RepairAgentWorkflow

DECISIONS = 100
AT_ONCE = 50
ORDERS_EACH = BESIDE
WITHIN_S = 300


async def decision_to_effect(client: Client, home: Path) -> tuple[list[float], list[float]]:
    """For each of many repairs, one after the other: seconds from the decision until the tool begins, and has done."""
    ids = install(home / "data" / "orders", orders=DECISIONS + 1, lines=3, name_length=20, mixed=False)
    orders = ScriptedOrders(home)
    marks: dict[str, float] = {}

    async def begins(_: ToolCall) -> None:
        marks["begins"] = time.perf_counter()

    async def done(_: ToolCall) -> None:
        marks["done"] = time.perf_counter()

    orders.script("request_payment_update", before=begins, after=done)
    began, ended = list[float](), list[float]()
    async with open_shop(WorkflowEnvironment.from_client(client), home, domains={"orders": orders}) as shop:
        for order_id in ids:
            repair_id = await shop.start(scope={"record_ids": [order_id]})
            plan = await shop.plan(repair_id)
            decided = time.perf_counter()
            await shop.decide(repair_id, plan, a1=Verdict.APPROVE)
            await shop.end(repair_id)
            began.append(marks["begins"] - decided)
            ended.append(marks["done"] - decided)
    return began[1:], ended[1:]  # the first one warms up


async def repairs_at_once(client: Client, home: Path) -> float:
    """Repairs per second, of four orders each."""
    ids = install(home / "data" / "orders", orders=(AT_ONCE + 1) * ORDERS_EACH, lines=3, name_length=20, mixed=False)
    batches = [list(ids[first : first + ORDERS_EACH]) for first in range(0, len(ids), ORDERS_EACH)]
    async with open_shop(WorkflowEnvironment.from_client(client), home) as shop:
        await _repair(shop, batches[-1])
        began = time.perf_counter()
        results = await asyncio.gather(*(_repair(shop, batch) for batch in batches[:-1]))
        took = time.perf_counter() - began
    assert all(result.counts.applied == ORDERS_EACH for result in results)
    return AT_ONCE / took


async def _repair(shop: Shop, ids: list[str]) -> RepairResult:
    repair_id = await shop.start(scope={"record_ids": ids}, auto_approve=True)
    return await shop.client.get_workflow_handle_for(RepairAgentWorkflow.run, repair_id).result()


async def bare_at_once(client: Client) -> float:
    """Bare workflows per second, with as many activities each as a repair of four orders."""
    queue, records = f"bare-{new_id()}", f"bare-{new_id()}--records"
    async with (
        Worker(client, task_queue=queue, workflows=[Bare]),
        Worker(client, task_queue=records, activities=[nothing]),
    ):

        async def once() -> None:
            await client.execute_workflow(Bare.run, records, id=f"bare-{new_id()}", task_queue=queue)

        await once()
        began = time.perf_counter()
        await asyncio.gather(*(once() for _ in range(AT_ONCE)))
        return AT_ONCE / (time.perf_counter() - began)


async def measure(root: Path) -> None:
    """Measure all and print it."""
    async with loopback(root / "server.log") as client:
        began, ended = await decision_to_effect(client, root / "decisions")
        print(f"decision to first effect, n={len(began)}, one at a time, JSON store")
        for name, values in (("tool begins", began), ("effect recorded", ended)):
            cuts = statistics.quantiles(values, n=100)
            print(f"  {name:16} p50 {cuts[49] * 1000:6.1f} ms   p99 {cuts[98] * 1000:6.1f} ms")
        bare = await bare_at_once(client)
        ours = await repairs_at_once(client, root / "at-once")
        print(
            f"{AT_ONCE} at once, {BEFORE + BESIDE + AFTER} activities each, {ORDERS_EACH} of them effects, JSON store"
        )
        print(f"  bare workflows   {bare:6.1f}/s\n  repairs          {ours:6.1f}/s   {ours / bare:.0%} of bare")


def main() -> int:
    """Measure within a bound."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(asyncio.wait_for(measure(Path(folder)), WITHIN_S))
    return 0


if __name__ == "__main__":
    leave(main())
