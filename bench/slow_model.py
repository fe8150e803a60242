"""A few repairs with a model that takes its time: how often it is called, and how repairs by rules fare beside them.

Those are beside bare workflows of the same shape; the slow ones beside what three answers in a row take.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from tests.workflow.shop import Shop, open_shop

from bench import whole_repairs
from bench.bare import BareShop, Shape, open_bare, shape_of
from bench.figures import Table, Times, ratio, s
from bench.measurement import Measurement
from bench.model import CALLS_IN_A_ROW, answering
from bench.server import loopback


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many repairs of how many orders, how slow the model is, and how many repairs are timed beside them."""

    repairs: int
    orders: int  # of each: more than one prompt holds, so that one cycle also asks twice at once
    answer_s: float
    beside: int


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """Repairs by rules and bare workflows, one at a time, in turn."""

    shop: Shop
    bare: BareShop
    shape: Shape
    ids: list[str]

    async def once(self) -> tuple[float, float]:
        """Seconds that a bare workflow takes, and then a repair."""
        return await self.bare.run(self.shape), await whole_repairs.at_once(self.shop, [[self.ids.pop()]])


@dataclass(frozen=True, kw_only=True)
class Slow:
    """What came of the slow ones."""

    took: float
    calls: int
    most_at_once: int
    uncertain: int
    beside: list[tuple[float, float]]


async def run_slow(client: Client, home: Path, size: Size, neighbours: Neighbours) -> Slow:
    """The repairs with the slow model, and what is timed meanwhile."""
    ids = whole_repairs.install(home, orders=size.repairs * size.orders)
    batches = [ids[first : first + size.orders] for first in range(0, len(ids), size.orders)]
    beside = list[tuple[float, float]]()
    with answering(size.answer_s) as model:
        async with open_shop(WorkflowEnvironment.from_client(client), home, environ=model.environ) as shop:
            began = time.perf_counter()
            running = asyncio.gather(*(whole_repairs.run(shop, batch, dry=True) for batch in batches))
            await asyncio.to_thread(model.fake.until, lambda fake: fake.count >= size.repairs)
            for _ in range(size.beside):
                beside.append(await neighbours.once())
                # Spread over all that the slow ones do, also the moments between their calls.
                await asyncio.wait({running}, timeout=CALLS_IN_A_ROW * size.answer_s / size.beside / 2)
                if running.done():
                    break
            results = await running
            took = time.perf_counter() - began
    model.refuse_repeated(calls=sum(result.usage.total.calls for result in results))
    model.refuse_repeated(calls=sum(result.usage.total.calls for result in results))
    return Slow(
        took=took,
        calls=model.fake.count,
        most_at_once=model.fake.most_at_once,
        uncertain=sum(result.usage.total.uncertain for result in results),
        beside=beside,
    )


async def measure(root: Path, size: Size) -> AsyncGenerator[Table]:
    """The neighbours alone, then the slow ones with the neighbours beside them."""
    ids = whole_repairs.install(root / "rules", orders=1 + 2 * size.beside)
    async with (
        loopback(root / "server.log") as client,
        open_shop(WorkflowEnvironment.from_client(client), root / "rules") as shop,
        open_bare(client) as bare,
    ):
        warm = await whole_repairs.run(shop, [ids.pop()])
        neighbours = Neighbours(shop=shop, bare=bare, shape=await shape_of(client, warm.repair_id), ids=ids)
        alone = [await neighbours.once() for _ in range(size.beside)]
        slow = await run_slow(client, root / "slow", size, neighbours)
    limit = CALLS_IN_A_ROW * size.answer_s
    yield Table(
        about=f"{size.repairs} repairs of {size.orders} orders each at once, dry runs, {size.answer_s:g} s an answer. "
        f"{slow.calls} calls, each made once and in the ledger, {slow.most_at_once} at once at most, "
        f"{slow.uncertain} uncertain.",
        columns=("slow model", "time", "of three answers"),
        rows=(
            ("three answers in a row", s(limit), ratio(limit, limit)),
            ("the repairs, until all are over", s(slow.took), ratio(slow.took, limit)),
        ),
    )
    yield Table(
        about="On the same Temporal and in the same process, one at a time, with their effects; "
        f"n = {len(alone)} before and {len(slow.beside)} meanwhile.",
        columns=(
            "beside a slow model",
            "before, median",
            "longest",
            "meanwhile, median",
            "longest",
            "median, of before",
        ),
        rows=tuple(
            _row(name, Times.of(one[place] for one in alone), Times.of(one[place] for one in slow.beside))
            for place, name in enumerate(("bare workflows of the same shape", "repairs by rules"))
        ),
    )


def _row(name: str, before: Times, meanwhile: Times) -> tuple[str, ...]:
    shown = (s(value) for times in (before, meanwhile) for value in (times.p50, times.longest))
    return (name, *shown, ratio(meanwhile.p50, before.p50))


if __name__ == "__main__":
    Measurement(
        about=__doc__ or "",
        measure=measure,
        whole=Size(repairs=6, orders=30, answer_s=25.0, beside=15),
        quick=Size(repairs=2, orders=30, answer_s=1.5, beside=3),
    ).main()
