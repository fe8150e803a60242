"""Kills `daper up`, its server, or both, with -9 while repairs run; starts it again each time, and checks what is left.

`python -m tests.faults.up_harness --kills 10 --repairs 4 [--seed S]`; rows D1, D19.
"""

import argparse
import asyncio
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from temporalio.client import Client

from daper.adapters.temporal.connection import connect
from daper.adapters.temporal.server_file import EmbeddedServer, living_server
from daper.bootstrap import open_service
from daper.core.models import Person, Scope
from daper.core.outcomes import RepairResult
from daper.entrypoints.cli.exits import leave
from daper.service.requests import StartRepair
from daper.settings import Settings, load_settings
from daper.workflows.repair import RepairAgentWorkflow
from tests.faults.checks import Evidence, gather, problems
from tests.faults.generated_shop import GeneratedShop
from tests.faults.kill_harness import hanging
from tests.faults.victims_run import ROOT, kill, until

KINDS = ("up", "up and its server", "server")
_READY = "Worker ready on"
_PROGRAM = "from daper.entrypoints.cli.app import main; main()"


@dataclass(kw_only=True)
class Aftermath:
    """What a run did, and what is wrong with what it left."""

    seed: int
    kills: Counter[str]
    servers: int
    most_at_once: int
    looks: int
    addresses: set[str]
    seconds: float
    evidence: Evidence
    problems: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.kills.items()))
        return "\n".join(
            (
                f"seed {self.seed}: {self.kills.total()} kills ({kinds}), {len(self.evidence.results)} repairs, "
                f"{len(self.evidence.effects)} effects, {self.seconds:.1f} s",
                f"{self.servers} servers one after the other at {len(self.addresses)} address; "
                f"at most {self.most_at_once} at once on the file, in {self.looks} looks",
                *(f"WRONG: {problem}" for problem in self.problems),
                "nothing twice, nothing lost, every run ended" if not self.problems else "",
            )
        )


class Upper:
    """Keeps one `daper up` alive on a home, and counts the servers on its file."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {"DAPER_HOME": str(home), "USER_NAME": "harness", "HOME": str(home), "PATH": os.defpath}
        self.pids: set[int] = set()
        self.addresses: set[str] = set()
        self.most_at_once = self.looks = 0
        self._started = 0
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and wait until its worker is ready. TimeoutError with what it said."""
        log = self.home / f"up-{self._started}.log"
        self._started += 1
        with log.open("wb") as output:
            self._process = process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", _PROGRAM, "up"),
                cwd=self.home,
                env={**self.environment, "PYTHONPATH": str(ROOT)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        await until(lambda: process.returncode is not None or _READY in log.read_text("utf-8"), within=40)
        if process.returncode is not None or _READY not in log.read_text("utf-8"):
            raise TimeoutError(f"daper up did not get ready: {log.read_text('utf-8')[-800:]!r}")
        self._note()

    async def strike(self, kind: str) -> None:
        """Kill in that way, and see to it that an `up` is ready again."""
        assert self._process is not None
        server = self._server()
        if kind == "up":
            await kill(self._process)
        elif kind == "server":
            os.kill(server.pid, signal.SIGKILL)
            if not await until(lambda: self._pid() not in (None, server.pid), within=40):
                raise TimeoutError("the server did not come back")
            self._note()
            return
        else:
            os.kill(server.pid, signal.SIGKILL)
            await kill(self._process)
        await self.start()

    async def end(self) -> None:
        """End both, whatever they do."""
        if self._process is not None:
            await kill(self._process)
        for pid in self._holders():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @asynccontextmanager
    async def watched(self) -> AsyncGenerator[None]:
        """Count, all the while, how many servers have the file open."""
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watching.cancel()

    async def _watch(self) -> None:
        while True:
            self.most_at_once = max(self.most_at_once, len(await asyncio.to_thread(self._holders)))
            self.looks += 1
            await asyncio.sleep(0.01)

    def _holders(self) -> set[int]:
        database, found = str(self.home / "temporal.db"), set[int]()
        for path in Path("/proc").glob("[0-9]*/comm"):
            with contextlib.suppress(OSError):
                if path.read_text().strip() != "temporal":
                    continue
                if any(os.readlink(each) == database for each in path.with_name("fd").iterdir()):
                    found.add(int(path.parts[2]))
        return found

    def _server(self) -> EmbeddedServer:
        server = living_server(self.home)
        assert server is not None, "nothing is announced"
        return server

    def _pid(self) -> int | None:
        server = living_server(self.home)
        return server.pid if server else None

    def _note(self) -> None:
        server = self._server()
        self.pids.add(server.pid)
        self.addresses.add(server.address)


async def run(*, kinds: Sequence[str], repairs: int, seed: int, home: Path, within: float = 300) -> Aftermath:
    """One kill of each kind given, each while a new wave of repairs runs; then wait until all have ended."""
    upper, rng, began = Upper(home), random.Random(seed), time.monotonic()
    shop = GeneratedShop(folder=home / "data" / "orders")
    shop.install()
    try:
        async with asyncio.timeout(within), upper.watched():
            await upper.start()
            results = await _waves(upper, shop, kinds, repairs=repairs, rng=rng)
    finally:
        await upper.end()
    evidence = gather(shop, results)
    return Aftermath(
        seed=seed,
        kills=Counter(kinds),
        servers=len(upper.pids),
        most_at_once=upper.most_at_once,
        looks=upper.looks,
        addresses=upper.addresses,
        seconds=time.monotonic() - began,
        evidence=evidence,
        problems=problems(shop, evidence),
    )


async def _waves(
    upper: Upper, shop: GeneratedShop, kinds: Sequence[str], *, repairs: int, rng: random.Random
) -> list[RepairResult]:
    ids: list[str] = []
    for wave, kind in enumerate(kinds):
        settings = load_settings(environ=upper.environment, folder=upper.home)
        client = await connect(settings)
        ids += await _start(client, settings, shop.add_wave(wave, repairs))
        rows = _rows(shop) + rng.randint(0, 2 * repairs)
        await until(lambda rows=rows: _rows(shop) >= rows, within=rng.uniform(0.3, 2))
        await upper.strike(kind)
    client = await connect(load_settings(environ=upper.environment, folder=upper.home))
    handles = [client.get_workflow_handle_for(RepairAgentWorkflow.run, repair_id) for repair_id in ids]
    try:
        return list(await asyncio.gather(*(handle.result() for handle in handles)))
    except asyncio.CancelledError:  # it took too long
        sys.stdout.write(f"waiting: {await hanging(client, ids)}\n")
        raise


async def _start(client: Client, settings: Settings, waves: Sequence[tuple[str, ...]]) -> list[str]:
    service = await open_service(settings, client=client)
    by = Person(name="harness")
    orders = [
        StartRepair(requested_by=by, domain="orders", scope=Scope(record_ids=records), auto_approve=True)
        for records in waves
    ]
    return [(await service.start(order)).repair_id for order in orders]


def _rows(shop: GeneratedShop) -> int:
    folder = shop.folder / "ledger"
    return sum(1 for _ in folder.iterdir()) if folder.exists() else 0


def main() -> int:
    """Run once and say what happened; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--repairs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--within", type=float, default=300, help="seconds; more where the machine has other work")
    given = parser.parse_args()
    kinds = [KINDS[number % 2] for number in range(given.kills)]
    random.Random(given.seed).shuffle(kinds)
    sys.stdout.write(f"seed {given.seed}\n")
    sys.stdout.flush()
    with tempfile.TemporaryDirectory() as home:
        going = run(kinds=kinds, repairs=given.repairs, seed=given.seed, home=Path(home), within=given.within)
        aftermath = asyncio.run(going)
    sys.stdout.write(f"{aftermath}\n")
    return 1 if aftermath.problems or aftermath.most_at_once > 1 else 0


if __name__ == "__main__":
    leave(main())
