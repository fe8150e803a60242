"""`daper repair show` of a plan with ever more actions that waits: the command from its start to its end.

Beside a bare python start. What a plan is asked for in pages, and told, grows with it; the start of a command does not.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from temporalio.testing import WorkflowEnvironment
from tests.workflow.shop import open_shop

from bench.big_shop import BigShop
from bench.commands import DAPER, PYTHON, environment, run
from bench.figures import Table, in_turn, ratio, s
from bench.measurement import Measurement
from bench.places import SQLITE, open_places
from bench.server import loopback

_WORDS = ((), ("--all",), ("--json",))


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many actions each plan has, the fewest first, and how often each is shown."""

    actions: tuple[int, ...]
    rounds: int


async def measure(root: Path, size: Size) -> AsyncGenerator[Table]:
    """Each plan in turn, with one server and one worker."""
    fewest, most = min(size.actions), max(size.actions)
    shop = BigShop(orders=2 * (fewest + most), problems=fewest + most)
    ids, env = shop.ids(), environment(root)
    async with loopback(root / "server.log") as client:
        with open_places(root, (SQLITE,)) as places:
            place = places.new(SQLITE)
            place.install(shop)
            opened = open_shop(WorkflowEnvironment.from_client(client), place.home, environ=place.environ)
            async with opened as worker:
                env |= place.environ | {
                    "DAPER_HOME": str(place.home),
                    "TEMPORAL_ADDRESS": client.service_client.config.target_host,
                    "TEMPORAL_TASK_QUEUE": worker.settings.task_queue,
                }
                shown: dict[str, tuple[str, ...]] = {}
                for actions, named in ((fewest, ids[:fewest]), (most, ids[fewest:])):
                    repair_id = await worker.start(scope={"record_ids": tuple(named), "limit": actions})
                    plan = await worker.plan(repair_id)
                    assert plan.total_actions == actions, plan.total_actions
                    for words in _WORDS:
                        name = " ".join(("`daper repair show`", *(f"`{word}`" for word in words)))
                        shown[f"{actions:,} actions: {name}"] = (DAPER, "repair", "show", repair_id, *words)
                each = {"bare python start": PYTHON, **shown}
                took = await asyncio.to_thread(
                    in_turn,
                    {name: _timed(command, env, root) for name, command in each.items()},
                    rounds=size.rounds,
                )
    python = took.pop("bare python start").p50
    names = [*took]
    few = {name.partition(": ")[2]: took[name].p50 for name in names[: len(_WORDS)]}
    yield Table(
        about=f"Median of {size.rounds}, in turn. Plans that wait, of orders in SQLite; a running worker.",
        columns=("actions: command", "time", "of a bare start", "of the fewest actions"),
        rows=(
            ("bare python start", s(python), ratio(1, 1), ratio(1, 1)),
            *(
                (
                    name,
                    s(took[name].p50),
                    ratio(took[name].p50, python),
                    ratio(took[name].p50, few[name.partition(": ")[2]]),
                )
                for name in names
            ),
        ),
    )


def _timed(command: Sequence[str], env: Mapping[str, str], root: Path) -> Callable[[], float]:
    return lambda: run(command, env=env, cwd=root)[0]


if __name__ == "__main__":
    Measurement(
        about=__doc__ or "",
        measure=measure,
        whole=Size(actions=(5, 500), rounds=9),
        quick=Size(actions=(2, 8), rounds=1),
    ).main()
