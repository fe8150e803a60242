"""How long a person waits for a command: `daper --help`, and one repair from its start to its result.

Beside a bare python start, and beside a bare script that starts a bare workflow of the same shape.
"""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import bare
from bench.commands import DAPER, PYTHON, environment, run
from bench.figures import Table, in_turn, ratio, s
from bench.measurement import Measurement
from bench.server import loopback
from daper.settings import load_settings
from daper.workers import working

_START = (DAPER, "repair", "start", "--auto-approve", "--json")
_PROBLEMS = 4


@dataclass(frozen=True, kw_only=True)
class Size:
    """How often each is run."""

    rounds: int


async def measure(root: Path, size: Size) -> AsyncGenerator[Table]:
    """Each command in turn, with one server and one worker."""
    env = environment(root)
    async with loopback(root / "server.log") as client, bare.open_bare(client) as shop:
        address = client.service_client.config.target_host
        env["TEMPORAL_ADDRESS"] = address
        async with working(client, load_settings(environ=env, folder=root)):

            def repair() -> tuple[float, str]:
                run((DAPER, "records", "reset", "--yes"), env=env, cwd=root)
                took, printed = run(_START, env=env, cwd=root)
                result = json.loads(printed)
                assert result["counts"]["applied"] == _PROBLEMS, result["counts"]
                return took, result["repair_id"]

            _, repair_id = await asyncio.to_thread(repair)
            shape = await bare.shape_of(client, repair_id)
            client_of_bare = (sys.executable, "-c", bare.CLIENT, address, shop.queue, json.dumps(asdict(shape)))
            each = {
                "bare python start": lambda: run(PYTHON, env=env, cwd=root)[0],
                "`daper --help`": lambda: run((DAPER, "--help"), env=env, cwd=root)[0],
                "bare script, bare workflow": lambda: run(client_of_bare, env=env, cwd=root)[0],
                "`daper repair start --auto-approve`": lambda: repair()[0],
            }
            took = await asyncio.to_thread(in_turn, each, rounds=size.rounds)
    python, script = took["bare python start"].p50, took["bare script, bare workflow"].p50
    yield Table(
        about=f"Median of {size.rounds}, in turn. A running worker, six shipped orders, rules, the JSON store: "
        f"{shape.activities} activities, {shape.beside} of them effects. The bare workflow has as many.",
        columns=("", "time", "of a bare start", "of a bare script"),
        rows=tuple(
            (name, s(each.p50), ratio(each.p50, python), ratio(each.p50, script)) for name, each in took.items()
        ),
    )


if __name__ == "__main__":
    Measurement(about=__doc__ or "", measure=measure, whole=Size(rounds=9), quick=Size(rounds=1)).main()
