"""One cycle over the problems of a large shop, by rules, approved by policy; beside a bare workflow of its shape."""

import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from tests.workflow.shop import open_shop

from bench.bare import open_bare, shape_of
from bench.big_shop import BigShop
from bench.figures import Table, ratio, s
from bench.measurement import Measurement
from bench.places import JSON, NAMES, STORES, Place, open_places
from bench.server import loopback
from daper.workflows.repair import RepairAgentWorkflow


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many orders, and how many of them have a problem; in JSON files, of which each effect writes all, fewer."""

    orders: int
    problems: int
    problems_in_json: int


async def cycle(client: Client, place: Place, shop: BigShop) -> tuple[str, ...]:
    """One cycle in one store."""
    place.install(shop)
    async with (
        open_shop(WorkflowEnvironment.from_client(client), place.home, environ=place.environ) as opened,
        open_bare(client) as bare,
    ):
        began = time.perf_counter()
        repair_id = await opened.start(
            auto_approve=True,
            scope={"limit": shop.problems},
            policy={"auto_max_actions": shop.problems, "auto_max_spend": Decimal(10**9)},
        )
        result = await client.get_workflow_handle_for(RepairAgentWorkflow.run, repair_id).result()
        took = time.perf_counter() - began
        assert result.counts.applied == shop.problems, (result.counts, result.phase, result.reason)
        of_bare = await bare.run(await shape_of(client, repair_id))
    return (
        NAMES[place.store],
        f"{shop.orders:,}",
        f"{shop.problems:,}",
        s(took),
        s(of_bare),
        ratio(took, of_bare),
        f"{took / shop.problems * 1000:,.0f} ms",
    )


async def measure(root: Path, size: Size) -> AsyncGenerator[Table]:
    """One cycle in each store."""
    with open_places(root, STORES) as places:
        async with loopback(root / "server.log") as client:
            rows: list[tuple[str, ...]] = []
            for store in STORES:
                problems = size.problems_in_json if store == JSON else size.problems
                rows.append(await cycle(client, places.new(store), BigShop(orders=size.orders, problems=problems)))
    yield Table(
        about="One cycle, as many effects as problems: half of them payments, the others restocks and approvals.",
        columns=("store", "orders", "problems", "time", "bare workflow", "of bare", "for each problem"),
        rows=tuple(rows),
    )


if __name__ == "__main__":
    Measurement(
        about=__doc__ or "",
        measure=measure,
        whole=Size(orders=10_000, problems=500, problems_in_json=50),
        quick=Size(orders=100, problems=8, problems_in_json=4),
    ).main()
