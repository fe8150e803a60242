"""Repairs per second where many are started at once, beside bare Temporal workflows of the same shape.

On two servers in turn: one that looks for what is due at its own pace, and one that does so at ours. On the JSON store,
which changes one effect after the other and rewrites its files for each.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from tests.workflow.shop import open_shop

from bench import whole_repairs
from bench.bare import open_bare, shape_of
from bench.figures import Table, Times, ratio
from bench.measurement import Measurement
from bench.server import OURS, OWN, both_paces

ORDERS_EACH = 4


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many repairs at once, and how often."""

    at_once: int
    rounds: int


@dataclass(frozen=True, kw_only=True)
class Round:
    """Seconds for so many at once, and how many activities each of them has."""

    bare: float
    repairs: float
    activities: int


async def run(client: Client, home: Path, *, at_once: int) -> Round:
    """One round in a shop of its own."""
    ids = whole_repairs.install(home, orders=(at_once + 1) * ORDERS_EACH)
    first, *batches = (ids[place : place + ORDERS_EACH] for place in range(0, len(ids), ORDERS_EACH))
    async with open_shop(WorkflowEnvironment.from_client(client), home) as shop, open_bare(client) as bare:
        warm = await whole_repairs.run(shop, first)
        shape = await shape_of(client, warm.repair_id)
        return Round(
            bare=await bare.run_at_once(shape, workflows=at_once),
            repairs=await whole_repairs.at_once(shop, batches),
            activities=shape.activities,
        )


async def measure(root: Path, size: Size) -> AsyncGenerator[Table]:
    """Round after round, each on one server and then on the other."""
    rounds: dict[str, list[Round]] = {OWN: [], OURS: []}
    async with both_paces(root) as clients:
        for number in range(size.rounds):
            for pace, client in clients.items():
                home = root / f"round-{number}-{'ours' if pace == OURS else 'own'}"
                rounds[pace].append(await run(client, home, at_once=size.at_once))
    bare = {pace: size.at_once / Times.of(one.bare for one in each).p50 for pace, each in rounds.items()}
    repairs = {pace: size.at_once / Times.of(one.repairs for one in each).p50 for pace, each in rounds.items()}
    yield Table(
        about=f"{size.at_once} at once, {rounds[OURS][-1].activities} activities each; median of {size.rounds} "
        "on each server, in turn.",
        columns=("", f"{OWN}, per second", "of bare", f"{OURS}, per second", "of bare", "of that at its own"),
        rows=tuple(
            (
                name,
                *(shown for pace in rounds for shown in (f"{rates[pace]:.1f}", ratio(rates[pace], bare[pace]))),
                ratio(rates[OURS], rates[OWN]),
            )
            for name, rates in (
                ("bare workflows, activities that do nothing", bare),
                ("repairs of four orders, four effects each", repairs),
            )
        ),
    )


if __name__ == "__main__":
    Measurement(
        about=__doc__ or "", measure=measure, whole=Size(at_once=50, rounds=3), quick=Size(at_once=3, rounds=1)
    ).main()
