"""A person who takes three minutes, at a client that gives up on a call after one; and how long a client waits first.

The official client over stdio, with the handshake and without: it starts a repair, waits for the plan, then asks again
and again with `wait_for_repair` until the person has made up their mind, has the person confirm in the form, and reads
the report. Besides: from the start of `daper mcp` to the answer to `initialize`, beside bare starts in the same run.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mcp import Client
from mcp.client import ClientRequestContext
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.types import ElicitRequestParams, ElicitResult

from bench.server import loopback
from bench.start_up import DAPER, WITHIN_S, run
from daper.bootstrap import working
from daper.entrypoints.cli.exits import leave
from daper.settings import load_settings

PERSON_TAKES_S = 180
CLIENT_GIVES_UP_S = 60
TIMES = 7
GREETING = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "bench", "version": "1"},
    },
}


class Calls:
    """A client's calls, each timed."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.took: list[tuple[str, float]] = []

    # Any: documents and arguments of many shapes.
    async def __call__(self, tool: str, **arguments: Any) -> Any:
        """What a tool answers."""
        began = time.perf_counter()
        result = await self._client.call_tool(tool, arguments)
        self.took.append((tool, time.perf_counter() - began))
        assert not result.is_error, result
        return result.structured_content


async def confirm(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    """The person says yes to what the form shows."""
    return ElicitResult(action="accept", content={"confirm": True})


async def story(env: Mapping[str, str], root: Path, *, mode: str, person_takes: float) -> Calls:
    """One repair, from its start to its report."""
    server = stdio_client(StdioServerParameters(command=DAPER, args=["mcp"], env=dict(env), cwd=root))
    async with Client(
        server, mode=mode, read_timeout_seconds=CLIENT_GIVES_UP_S, elicitation_callback=confirm
    ) as client:
        call = Calls(client)
        repair_id = (await call("start_repair"))["repair_id"]
        state = await call("wait_for_repair", repair_id=repair_id)
        digest = state["plan_digest"]
        decided_at = time.perf_counter() + person_takes
        while time.perf_counter() < decided_at:
            state = await call("wait_for_repair", repair_id=repair_id, seen_plan=digest)
            assert (state["needs_person"], state["plan_digest"]) == (True, digest), state
        decision = await call("approve_repair", repair_id=repair_id, plan_digest=digest)
        assert decision["decided"], decision
        ended = await call("wait_for_repair", repair_id=repair_id, seen_plan=digest)
        assert ended["phase"] == "REPORT-COMPLETED", ended
        report = await call("get_repair_report", repair_id=repair_id)
        assert "4 of 4 proposed actions took effect" in report["text"]
    return call


def greeted(env: Mapping[str, str], cwd: Path) -> float:
    """From the start of the process to its answer to `initialize`."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [DAPER, "mcp"], env=dict(env), cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(GREETING).encode() + b"\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    took = time.perf_counter() - began
    assert b"serverInfo" in answer, answer
    process.communicate(timeout=WITHIN_S)
    return took


def starts(env: Mapping[str, str], cwd: Path) -> list[tuple[str, float]]:
    """The median of some starts of each, in turn; the first of each does not count, it reads from the disk."""
    each: dict[str, Callable[[], float]] = {
        "bare python start": lambda: run((sys.executable, "-c", "pass"), env=env, cwd=cwd)[0],
        "python -c 'import mcp.server'": lambda: run((sys.executable, "-c", "import mcp.server"), env=env, cwd=cwd)[0],
        "daper mcp, start to initialize answered": lambda: greeted(env, cwd),
    }
    rounds = [{name: once() for name, once in each.items()} for _ in range(TIMES + 1)][1:]
    return [(name, statistics.median(took[name] for took in rounds)) for name in each]


async def measure(root: Path, person_takes: float) -> None:
    """Measure and print."""
    env = {
        "PATH": str(Path(DAPER).parent),
        "HOME": str(root),
        "DAPER_HOME": str(root / "daper"),
        "USER_NAME": "Harry",
        "LANG": "C.UTF-8",
    }
    rows = await asyncio.to_thread(starts, env, root)
    print(f"median of {TIMES}, in turn")
    for name, took in rows:
        print(f"{name:42}{took:8.3f} s{took / rows[0][1]:8.1f} x{took / rows[1][1]:8.2f} x")
    async with loopback(root / "server.log") as client:
        env["TEMPORAL_ADDRESS"] = client.service_client.config.target_host
        async with working(client, load_settings(environ=env, folder=root)):
            for mode in ("legacy", "auto"):
                await asyncio.to_thread(run, (DAPER, "records", "reset", "--yes"), env=env, cwd=root)
                calls = (await story(env, root, mode=mode, person_takes=person_takes)).took
                tool, longest = max(calls, key=lambda each: each[1])
                print(
                    f"{mode}: the person took {person_takes:g} s, {len(calls)} calls, none lost; "
                    f"the longest took {longest:.1f} s ({tool}), and the client gives up after {CLIENT_GIVES_UP_S} s"
                )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--person-takes", type=float, default=PERSON_TAKES_S, help="seconds")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), parser.parse_args().person_takes))
    return 0


if __name__ == "__main__":
    leave(main())
