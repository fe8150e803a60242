"""One cycle at the cap: 500 wide orders with one problem each, approved by policy. Its time, and what it weighs."""

import argparse
import asyncio
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from temporalio.testing import WorkflowEnvironment
from tests.workflow import shop as shops
from tests.workflow.wide_shop import install, weigh

from bench.server import loopback
from daper.core.models import MOST_PROBLEMS
from daper.entrypoints.cli.exits import leave

WITHIN_S = 1200


async def measure(problems: int, home: Path) -> str:
    """Run one cycle over so many problems; a line that says what it took."""
    install(home / "data" / "orders", orders=problems)
    async with (
        loopback(home / "server.log") as client,
        shops.open_shop(WorkflowEnvironment.from_client(client), home) as shop,
    ):
        began = time.perf_counter()
        repair_id = await shop.start(
            auto_approve=True,
            scope={"limit": problems},
            policy={"auto_max_actions": problems, "auto_max_spend": Decimal(10**9)},
        )
        result = await client.get_workflow_handle_for(shops.RepairAgentWorkflow.run, repair_id).result()
        took = time.perf_counter() - began
        weight = await weigh(client, repair_id)
        effects = f"{result.counts.applied} effects, {shop.effects()} in the ledger"
        return f"{problems} problems, {effects}: {took:.1f} s; {weight}"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=MOST_PROBLEMS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(asyncio.run(asyncio.wait_for(measure(given.problems, Path(folder)), WITHIN_S)))
    return 0


if __name__ == "__main__":
    leave(main())
