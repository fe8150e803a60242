"""How long a person waits for a command: `daper --help`, and one repair from its start to its result.

All in one run, beside a bare python start, since only the ratio says something on another machine.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.server import loopback
from daper.bootstrap import working
from daper.entrypoints.cli.exits import leave
from daper.settings import load_settings

TIMES = 5
DAPER = str(Path(sysconfig.get_path("scripts"), "daper"))
PYTHON = (sys.executable, "-c", "pass")
WITHIN_S = 60


def run(command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> tuple[float, bytes]:
    """How long a command takes, and what it prints. Raises CalledProcessError, or TimeoutExpired."""
    began = time.perf_counter()
    ran = subprocess.run(
        command, env=dict(env), cwd=cwd, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=WITHIN_S
    )
    return time.perf_counter() - began, ran.stdout


def median(once: Callable[[], float]) -> float:
    """The median of some runs, after one that does not count: it reads everything from the disk."""
    once()
    return statistics.median(once() for _ in range(TIMES))


async def measure(root: Path) -> list[tuple[str, float]]:
    """What was measured, in seconds, by name."""
    env = {
        "PATH": str(Path(DAPER).parent),
        "HOME": str(root),
        "DAPER_HOME": str(root / "daper"),
        "USER_NAME": "Harry",
        "LANG": "C.UTF-8",
    }

    def python() -> float:
        return run(PYTHON, env=env, cwd=root)[0]

    def help_text() -> float:
        return run((DAPER, "--help"), env=env, cwd=root)[0]

    def repair() -> float:
        run((DAPER, "records", "reset", "--yes"), env=env, cwd=root)
        took, printed = run((DAPER, "repair", "start", "--auto-approve", "--json"), env=env, cwd=root)
        applied = json.loads(printed)["counts"]["applied"]
        assert applied == 4, f"{applied} of 4 problems were repaired"
        return took

    rows = [("bare python start", await asyncio.to_thread(median, python))]
    rows.append(("daper --help", await asyncio.to_thread(median, help_text)))
    async with loopback(root / "server.log") as client:
        env["TEMPORAL_ADDRESS"] = client.service_client.config.target_host
        async with working(client, load_settings(environ=env, folder=root)):
            rows.append(("daper repair start --auto-approve", await asyncio.to_thread(median, repair)))
    return rows


def main() -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(measure(Path(folder)))
    bare = rows[0][1]
    print(f"median of {TIMES}; the repair: six orders, rules, JSON store, a running worker, an embedded server")
    for name, took in rows:
        print(f"{name:36}{took:8.3f} s{took / bare:8.1f} x")
    return 0


if __name__ == "__main__":
    leave(main())
