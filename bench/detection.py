"""Looking for problems among many orders: how long it takes and how much memory, where there are ever more orders.

Each look is a process of its own. Beside it a plain driver reads the same rows, and parses them.
"""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

from bench.big_shop import BigShop
from bench.figures import Table, mb, ratio, s
from bench.measurement import Measurement
from bench.places import NAMES, POSTGRESQL, SQLITE, Place, open_places
from bench.programs.detecting import Detected

_STORES = (SQLITE, POSTGRESQL)


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many orders there are, and how many have a problem; where all are open, at most so many."""

    orders: tuple[int, ...]
    problems: int
    most_open: int


async def detect(place: Place) -> Detected:
    """In a process of its own; how far it is goes to the standard error. Raises RuntimeError."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.programs.detecting", place.store, str(place.home), place.url),
        stdout=asyncio.subprocess.PIPE,
        stdin=asyncio.subprocess.DEVNULL,
    )
    said, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"it ended with {process.returncode}")
    return Detected(**json.loads(said))


async def measure(root: Path, size: Size) -> AsyncGenerator[Table]:
    """Both forms of a shop in both databases, from the smallest on."""
    with open_places(root, _STORES) as places:
        for all_open in (False, True):
            rows: list[tuple[str, ...]] = []
            for store in _STORES:
                smallest: Detected | None = None
                for orders in (each for each in size.orders if not all_open or each <= size.most_open):
                    place = places.new(store)
                    place.install(BigShop(orders=orders, problems=size.problems, open=all_open))
                    found = await detect(place)
                    assert found.problems == size.problems, found
                    smallest = smallest or found
                    rows.append(_row(f"{NAMES[store]}, {orders:,}", found, smallest))
            yield Table(
                about=f"{size.problems} problems, the other orders "
                f"{'open as well: each has to be looked at' if all_open else 'closed'}.",
                columns=("orders", "looked at", "time", "bare", "of bare", "memory, at most", "of the fewest", "bare"),
                rows=tuple(rows),
            )


def _row(name: str, found: Detected, smallest: Detected) -> tuple[str, ...]:
    return (
        name,
        f"{found.looked_at:,}",
        s(found.seconds),
        s(found.bare_seconds),
        ratio(found.seconds, found.bare_seconds),
        mb(found.memory),
        ratio(found.memory, smallest.memory),
        mb(found.bare_memory),
    )


if __name__ == "__main__":
    Measurement(
        about=__doc__ or "",
        measure=measure,
        whole=Size(orders=(10_000, 100_000, 1_000_000), problems=500, most_open=100_000),
        quick=Size(orders=(100, 700), problems=8, most_open=700),
    ).main()
