"""What a worker process has in memory after one repair, where there are few orders and where there are many.

Beside it a worker for bare workflows, after one of the same shape.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client

from bench import memory, whole_repairs
from bench.bare import BareShop, new_queue, shape_of
from bench.big_shop import BigShop
from bench.figures import Table, mb, ratio
from bench.measurement import Measurement
from bench.places import JSON, NAMES, STORES, Place, open_places
from bench.server import loopback
from bench.worker_processes import bare_workers, workers
from bench.workers import open_shop


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many orders there are, how many at most in JSON files, and how many of them are repaired."""

    orders: tuple[int, ...]
    most_in_json: int
    repaired: int


async def after_a_repair(client: Client, place: Place, *, orders: int, repaired: int) -> tuple[int, int]:
    """Bytes that a worker has, and that a bare one has."""
    shop = BigShop(orders=orders, problems=repaired)
    place.install(shop)
    opened, address = open_shop(client, place), client.service_client.config.target_host
    async with workers(place, opened, address, number=1) as [pid]:
        done = await whole_repairs.run(opened, shop.ids())
        ours = memory.held(pid)
    bare = BareShop(client, new_queue())
    async with bare_workers(place.home / "bare", address, bare.queue, number=1) as [pid]:
        await bare.run(await shape_of(client, done.repair_id))
        return ours, memory.held(pid)


async def measure(root: Path, size: Size) -> AsyncGenerator[Table]:
    """Each store with each number of orders."""
    rows: list[tuple[str, ...]] = []
    with open_places(root, STORES) as places:
        async with loopback(root / "server.log") as client:
            for store in STORES:
                smallest = 0
                for orders in (each for each in size.orders if store != JSON or each <= size.most_in_json):
                    place = places.new(store)
                    ours, bare = await after_a_repair(client, place, orders=orders, repaired=size.repaired)
                    smallest = smallest or ours
                    name = f"{NAMES[store]}, {orders:,}"
                    rows.append((name, mb(ours), ratio(ours, smallest), mb(bare), ratio(ours, bare)))
    yield Table(
        about=f"After one repair of {size.repaired} orders.",
        columns=("orders", "a worker", "of the fewest orders", "a bare worker", "of bare"),
        rows=tuple(rows),
    )


if __name__ == "__main__":
    Measurement(
        about=__doc__ or "",
        measure=measure,
        whole=Size(orders=(1_000, 10_000, 100_000), most_in_json=10_000, repaired=8),
        quick=Size(orders=(50, 100), most_in_json=100, repaired=4),
    ).main()
