"""Many repairs at once, by rules and with a model: what it costs that the model takes its time.

Beside bare workflows of the same shape, on the same server.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from tests.workflow.shop import open_shop

from bench import whole_repairs
from bench.bare import open_bare, shape_of
from bench.figures import Table, Times, ratio, s
from bench.measurement import Measurement
from bench.model import CALLS_IN_A_ROW, answering
from bench.server import loopback

BARE, RULES, INSTANT, SLOW = (
    "bare workflows of the same shape",
    "rules alone",
    "a model that answers at once",
    "a model that answers after 500 ms",
)
# Seconds that an answer takes; None: rules alone.
DELAYS_S = {RULES: None, INSTANT: 0.0, SLOW: 0.5}


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many repairs at once, and how often."""

    at_once: int
    rounds: int


async def at_once(client: Client, home: Path, *, repairs: int, dry: bool, delay_s: float | None) -> tuple[float, float]:
    """Seconds for so many repairs of one order each, in a shop of their own; and for as many bare workflows."""
    ids = whole_repairs.install(home, orders=repairs + 1)
    with answering(delay_s or 0.0) as model:
        environ = None if delay_s is None else model.environ
        env = WorkflowEnvironment.from_client(client)
        async with open_shop(env, home, environ=environ) as shop, open_bare(client) as bare:
            warm = await whole_repairs.run(shop, ids[-1:], dry=dry)
            of_bare = await bare.run_at_once(await shape_of(client, warm.repair_id), workflows=repairs)
            took = await whole_repairs.at_once(shop, ([order_id] for order_id in ids[:-1]), dry=dry)
    model.refuse_repeated(calls=0 if delay_s is None else CALLS_IN_A_ROW * len(ids))
    return took, of_bare


async def compare(client: Client, root: Path, size: Size, *, dry: bool) -> Table:
    """The same repairs with rules, with a model that answers at once, and with one that takes half a second."""
    took: dict[str, list[float]] = {name: [] for name in (BARE, *DELAYS_S)}
    for number in range(size.rounds):
        for place, (name, delay_s) in enumerate(DELAYS_S.items()):
            home = root / f"{'dry' if dry else 'effects'}-{number}-{place}"
            whole, bare = await at_once(client, home, repairs=size.at_once, dry=dry, delay_s=delay_s)
            took[name].append(whole)
            took[BARE].append(bare)
    times = {name: Times.of(each) for name, each in took.items()}
    return Table(
        about=f"{size.at_once} repairs at once, one order each, "
        f"{'dry runs' if dry else 'with their effects, on the JSON store'}; median of {size.rounds}, in turn.",
        columns=("dry runs" if dry else "with effects", "time", "of bare", "of an instant model"),
        rows=tuple(
            (name, s(each.p50), ratio(each.p50, times[BARE].p50), ratio(each.p50, times[INSTANT].p50))
            for name, each in times.items()
        ),
    )


async def measure(root: Path, size: Size) -> AsyncGenerator[Table]:
    """Dry runs, and repairs with their effects."""
    async with loopback(root / "server.log") as client:
        for dry in (True, False):
            yield await compare(client, root, size, dry=dry)


if __name__ == "__main__":
    Measurement(
        about=__doc__ or "", measure=measure, whole=Size(at_once=100, rounds=2), quick=Size(at_once=3, rounds=1)
    ).main()
