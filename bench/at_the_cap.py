"""One cycle at the cap: wide orders with one problem each, approved by policy. Its time, and what it weighs.

Beside a bare workflow of the same shape, and beside a bare write of all records for each effect.
"""

import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from tests.workflow.shop import open_shop
from tests.workflow.wide_shop import install, weigh

from bench import whole_repairs
from bench.bare import open_bare, shape_of, written
from bench.figures import Table, ratio, s
from bench.measurement import Measurement
from bench.server import loopback
from daper.core.models import MOST_PROBLEMS
from daper.workflows.repair import RepairAgentWorkflow


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many problems; one cycle for each number."""

    problems: tuple[int, ...]


async def cycle(client: Client, home: Path, problems: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """One cycle over so many problems: a row of times, and one of what it weighs."""
    install(home / "data" / "orders", orders=problems)
    async with open_shop(WorkflowEnvironment.from_client(client), home) as shop, open_bare(client) as bare:
        began = time.perf_counter()
        repair_id = await shop.start(
            auto_approve=True,
            scope={"limit": problems},
            policy={"auto_max_actions": problems, "auto_max_spend": Decimal(10**9)},
        )
        result = await client.get_workflow_handle_for(RepairAgentWorkflow.run, repair_id).result()
        took = time.perf_counter() - began
        assert (result.counts.applied, shop.effects()) == (problems, problems), result.counts
        shape = await shape_of(client, repair_id)
        of_bare = await bare.run(shape)
        size = whole_repairs.size_of(shop)
        of_disk = sum(written(home, size) for _ in range(problems))
        weight = await weigh(client, repair_id)
    return (
        (f"{problems:,}", s(took), s(of_bare), f"{size / 1e6:.1f} MB", s(of_disk), ratio(took, of_bare + of_disk)),
        (
            f"{problems:,}",
            f"{weight.events:,}",
            f"{weight.history / 1e6:.2f} MB",
            *(f"{size / 1e3:,.0f} kB" for size in (weight.largest, weight.largest_unpacked, weight.view)),
        ),
    )


async def measure(root: Path, size: Size) -> AsyncGenerator[Table]:
    """One cycle for each number of problems."""
    async with loopback(root / "server.log") as client:
        rows = [await cycle(client, root / f"shop-{problems}", problems) for problems in size.problems]
    times, weights = zip(*rows, strict=True)
    yield Table(
        about="One cycle, as many effects as problems.",
        columns=("problems", "time", "bare workflow", "all records", "bare: so often written", "of both bare ones"),
        rows=times,
    )
    yield Table(
        about="What it weighs in Temporal.",
        columns=("problems", "events", "history", "largest payload", "before compression", "largest view"),
        rows=weights,
    )


if __name__ == "__main__":
    Measurement(
        about=__doc__ or "", measure=measure, whole=Size(problems=(150, MOST_PROBLEMS)), quick=Size(problems=(8,))
    ).main()
