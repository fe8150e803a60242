"""A person who takes three minutes, at a client that gives up on a call after one; and how long a client waits first.

The official client over stdio, with the handshake and without: it starts a repair, waits for the plan, then asks again
and again with `wait_for_repair` until the person has made up their mind, has the person confirm in the form, and reads
the report. Besides: from the start of `daper mcp` to the answer to `initialize`. Beside a bare server of the same SDK.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp import Client
from mcp.client import ClientRequestContext
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.types import ElicitRequestParams, ElicitResult

from bench.commands import DAPER, PYTHON, WITHIN_S, environment, run
from bench.figures import Table, Times, in_turn, ms, ratio, s
from bench.measurement import Measurement
from bench.server import loopback
from daper.settings import load_settings
from daper.workers import working

CLIENT_GIVES_UP_S = 60
BARE_CALLS = 20
OURS = (DAPER, "mcp")
BARE_TOOL = "nothing"
BARE = (
    sys.executable,
    "-c",
    f"from mcp.server import MCPServer\nserver = MCPServer('bare')\n@server.tool()\ndef {BARE_TOOL}() -> str:\n"
    "    return ''\nserver.run()",
)
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
ERAS = {"with a handshake": "legacy", "without": "auto"}


@dataclass(frozen=True, kw_only=True)
class Size:
    """How often each start is timed, how long the person takes, and how long one call waits for them."""

    rounds: int
    person_takes_s: float
    wait_s: int


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


@asynccontextmanager
async def calling(command: Sequence[str], env: Mapping[str, str], cwd: Path, *, mode: str) -> AsyncGenerator[Calls]:
    """A client of the server that this command is."""
    program, *arguments = command
    server = stdio_client(StdioServerParameters(command=program, args=arguments, env=dict(env), cwd=cwd))
    async with Client(
        server, mode=mode, read_timeout_seconds=CLIENT_GIVES_UP_S, elicitation_callback=confirm
    ) as client:
        yield Calls(client)


async def story(call: Calls, size: Size) -> None:
    """One repair, from its start to its report."""
    repair_id = (await call("start_repair"))["repair_id"]
    state = await call("wait_for_repair", repair_id=repair_id)
    digest = state["plan_digest"]
    decided_at = time.perf_counter() + size.person_takes_s
    while time.perf_counter() < decided_at:
        state = await call("wait_for_repair", repair_id=repair_id, seen_plan=digest, seconds=size.wait_s)
        assert (state["needs_person"], state["plan_digest"]) == (True, digest), state
    decision = await call("approve_repair", repair_id=repair_id, plan_digest=digest)
    assert decision["decided"], decision
    ended = await call("wait_for_repair", repair_id=repair_id, seen_plan=digest)
    assert ended["phase"] == "REPORT-COMPLETED", ended
    report = await call("get_repair_report", repair_id=repair_id)
    assert "4 of 4 proposed actions took effect" in report["text"]


def greeted(command: Sequence[str], env: Mapping[str, str], cwd: Path) -> float:
    """From the start of a server's process to its answer to `initialize`."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, env=dict(env), cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
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


def starts(env: Mapping[str, str], cwd: Path, *, rounds: int) -> Table:
    """How long a client waits for its server."""
    each = {
        "bare python start": lambda: run(PYTHON, env=env, cwd=cwd)[0],
        "bare server of the SDK, start to `initialize` answered": lambda: greeted(BARE, env, cwd),
        "`daper mcp`, start to `initialize` answered": lambda: greeted(OURS, env, cwd),
    }
    took = in_turn(each, rounds=rounds)
    python, server = list(took.values())[:2]
    return Table(
        about=f"Median of {rounds}, in turn, over stdio.",
        columns=("", "time", "of a bare start", "of a bare server"),
        rows=tuple(
            (name, s(times.p50), ratio(times.p50, python.p50), ratio(times.p50, server.p50))
            for name, times in took.items()
        ),
    )


async def told(env: Mapping[str, str], root: Path, era: str, size: Size) -> tuple[str, ...]:
    """A row about one story, and bare calls before it."""
    async with calling(BARE, env, root, mode=ERAS[era]) as bare:
        for _ in range(BARE_CALLS):
            await bare(BARE_TOOL)
    await asyncio.to_thread(run, (DAPER, "records", "reset", "--yes"), env=env, cwd=root)
    async with calling(OURS, env, root, mode=ERAS[era]) as ours:
        await story(ours, size)
    _, longest = max(ours.took, key=lambda each: each[1])
    ready = Times.of(took for tool, took in ours.took if tool != "wait_for_repair")
    bare_call = Times.of(took for _, took in bare.took)
    return (era, str(len(ours.took)), s(longest), ms(ready.longest), ms(bare_call.p50))


async def measure(root: Path, size: Size) -> AsyncGenerator[Table]:
    """The starts, then the story in both eras of the protocol."""
    env = environment(root)
    yield await asyncio.to_thread(starts, env, root, rounds=size.rounds)
    async with loopback(root / "server.log") as client:
        env["TEMPORAL_ADDRESS"] = client.service_client.config.target_host
        async with working(client, load_settings(environ=env, folder=root)):
            rows = [await told(env, root, era, size) for era in ERAS]
    yield Table(
        about=f"A person who takes {size.person_takes_s:g} s to decide, at a client that gives up on a call after "
        f"{CLIENT_GIVES_UP_S} s; no call was lost.",
        columns=("protocol", "calls", "longest call", "longest that does not wait", "bare call, median"),
        rows=tuple(rows),
    )


if __name__ == "__main__":
    Measurement(
        about=__doc__ or "",
        measure=measure,
        whole=Size(rounds=7, person_takes_s=180, wait_s=20),
        quick=Size(rounds=1, person_takes_s=2, wait_s=1),
    ).main()
