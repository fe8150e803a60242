"""Repairs per second where many are started at once, beside bare Temporal workflows of the same shape.

On two servers in turn: one that looks for what is due at its own pace, and one that does so at ours. On each store: the
JSON files, which change one effect after the other and are rewritten for each; a SQLite file, in which one transaction
writes at a time; a PostgreSQL server.
"""

from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from tests.workflow.shop import open_shop

from bench import whole_repairs
from bench.bare import open_bare, shape_of
from bench.figures import Table, Times, ratio
from bench.measurement import Measurement
from bench.places import NAMES, STORES, Place, open_places
from bench.server import OURS, OWN, both_paces

ORDERS_EACH = 4


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many repairs at once, how often, and on which stores."""

    at_once: int
    rounds: int
    store: tuple[str, ...] = STORES


@dataclass(frozen=True, kw_only=True)
class Round:
    """Seconds for so many at once, and how many activities each of them has."""

    bare: float
    repairs: float
    activities: int


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Of a store, or of bare workflows: so many per second at each pace."""

    name: str
    per_second: dict[str, float]
    of_bare: dict[str, float]

    def cells(self) -> Iterator[str]:
        """As a row of the table."""
        yield self.name
        for pace, rate in self.per_second.items():
            yield f"{rate:.1f}"
            yield ratio(self.of_bare[pace], 1)
        yield ratio(self.per_second[OURS], self.per_second[OWN])


async def run(client: Client, place: Place, *, at_once: int) -> Round:
    """One round in a shop of its own."""
    ids = whole_repairs.install_at(place, orders=(at_once + 1) * ORDERS_EACH)
    first, *batches = (ids[start : start + ORDERS_EACH] for start in range(0, len(ids), ORDERS_EACH))
    env = WorkflowEnvironment.from_client(client)
    async with open_shop(env, place.home, environ=place.environ) as shop, open_bare(client) as bare:
        warm = await whole_repairs.run(shop, first)
        shape = await shape_of(client, warm.repair_id)
        return Round(
            bare=await bare.run_at_once(shape, workflows=at_once),
            repairs=await whole_repairs.at_once(shop, batches),
            activities=shape.activities,
        )


async def measure(root: Path, size: Size) -> AsyncGenerator[Table]:
    """Round after round, each store on one server and then on the other."""
    rounds: dict[tuple[str, str], list[Round]] = {(store, pace): [] for store in size.store for pace in (OWN, OURS)}
    with open_places(root, size.store) as places:
        async with both_paces(root) as clients:
            for _ in range(size.rounds):
                for (store, pace), done in rounds.items():
                    done.append(await run(clients[pace], places.new(store), at_once=size.at_once))
    activities = {one.activities for done in rounds.values() for one in done}
    yield Table(
        about=f"{size.at_once} at once, {' or '.join(map(str, sorted(activities)))} activities each; median of "
        f"{size.rounds} of each store on each server, in turn; each beside bare ones of its own.",
        columns=("", f"{OWN}, per second", "of bare", f"{OURS}, per second", "of bare", "of that at its own"),
        rows=tuple(tuple(each.cells()) for each in _rates(rounds, size)),
    )


def _rates(rounds: dict[tuple[str, str], list[Round]], size: Size) -> Iterator[Rates]:
    def median(of: str, store: str | None, pace: str) -> float:
        done = [one for (at, its), each in rounds.items() if at == (store or at) and its == pace for one in each]
        return Times.of(one.bare if of == "bare" else one.repairs for one in done).p50

    paces = (OWN, OURS)
    yield Rates(
        name="bare workflows, activities that do nothing",
        per_second={pace: size.at_once / median("bare", None, pace) for pace in paces},
        of_bare=dict.fromkeys(paces, 1.0),
    )
    for store in size.store:
        yield Rates(
            name=f"repairs of four orders, four effects each: {NAMES[store]}",
            per_second={pace: size.at_once / median("repairs", store, pace) for pace in paces},
            of_bare={pace: median("bare", store, pace) / median("repairs", store, pace) for pace in paces},
        )


if __name__ == "__main__":
    Measurement(
        about=__doc__ or "", measure=measure, whole=Size(at_once=50, rounds=3), quick=Size(at_once=3, rounds=1)
    ).main()
