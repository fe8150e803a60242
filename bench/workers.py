"""Repairs per second with one worker process, and with more of them, on PostgreSQL; beside as many bare ones.

All on one machine, with Temporal and PostgreSQL: more processes than cores only share them.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from tests.workflow.shop import Shop, only_orders

from bench import whole_repairs
from bench.bare import BareShop, new_queue, shape_of
from bench.figures import Table, Times, ratio
from bench.measurement import Measurement
from bench.places import POSTGRESQL, Place, open_places
from bench.server import loopback
from bench.throughput import ORDERS_EACH, Round
from bench.worker_processes import bare_workers, workers
from daper.settings import load_settings


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many worker processes, how many repairs at once, and how often."""

    workers: tuple[int, ...]
    at_once: int
    rounds: int


async def run(client: Client, place: Place, *, number: int, at_once: int) -> Round:
    """One round with so many workers, in a shop of its own."""
    ids = whole_repairs.install_at(place, orders=(number + at_once) * ORDERS_EACH)
    batches = [ids[start : start + ORDERS_EACH] for start in range(0, len(ids), ORDERS_EACH)]
    shop, address = open_shop(client, place), client.service_client.config.target_host
    async with workers(place, shop, address, number=number):
        await whole_repairs.at_once(shop, batches[1:number])
        shape = await shape_of(client, (await whole_repairs.run(shop, batches[0])).repair_id)
        repairs = await whole_repairs.at_once(shop, batches[number:])
    bare = BareShop(client, new_queue())
    async with bare_workers(place.home / "bare", address, bare.queue, number=number):
        await bare.run_at_once(shape, workflows=number)
        took = await bare.run_at_once(shape, workflows=at_once)
    return Round(bare=took, repairs=repairs, activities=shape.activities)


def open_shop(client: Client, place: Place) -> Shop:
    """A shop whose workers are elsewhere."""
    settings = load_settings(environ={"DAPER_HOME": str(place.home), **place.environ}, folder=place.home)
    env = WorkflowEnvironment.from_client(client)
    return Shop(env, place.home, domains=only_orders(settings), indexed=True, environ=place.environ)


async def measure(root: Path, size: Size) -> AsyncGenerator[Table]:
    """Round after round, each number of workers in turn."""
    rounds: dict[int, list[Round]] = {number: [] for number in size.workers}
    with open_places(root, [POSTGRESQL]) as places:
        async with loopback(root / "server.log") as client:
            for _ in range(size.rounds):
                for number, done in rounds.items():
                    done.append(await run(client, places.new(POSTGRESQL), number=number, at_once=size.at_once))
    repairs = {number: size.at_once / Times.of(one.repairs for one in done).p50 for number, done in rounds.items()}
    bare = {number: size.at_once / Times.of(one.bare for one in done).p50 for number, done in rounds.items()}
    fewest = size.workers[0]
    yield Table(
        about=f"{size.at_once} repairs of four orders at once, PostgreSQL; median of {size.rounds}, in turn.",
        columns=(
            "worker processes",
            "repairs per second",
            "of the fewest",
            "bare, per second",
            "of the fewest",
            "of bare",
        ),
        rows=tuple(
            (
                str(number),
                f"{repairs[number]:.1f}",
                ratio(repairs[number], repairs[fewest]),
                f"{bare[number]:.1f}",
                ratio(bare[number], bare[fewest]),
                ratio(repairs[number], bare[number]),
            )
            for number in size.workers
        ),
    )


if __name__ == "__main__":
    Measurement(
        about=__doc__ or "",
        measure=measure,
        whole=Size(workers=(1, 2, 4), at_once=50, rounds=3),
        quick=Size(workers=(1, 2), at_once=3, rounds=1),
    ).main()
