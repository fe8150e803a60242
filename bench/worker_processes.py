"""Workers as processes of their own: ours, and those of bare workflows."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.faults.victims_run import until
from tests.workflow.shop import Shop

from bench.commands import DAPER, environment
from bench.places import Place
from bench.programs.bare_worker import READY

_READY_WITHIN_S = 120
_ROOT = Path(__file__).parents[1]


@asynccontextmanager
async def workers(place: Place, shop: Shop, address: str, *, number: int) -> AsyncGenerator[Sequence[int]]:
    """So many `daper worker` for the home of a shop; the ids of their processes."""
    env = {
        **environment(place.home),
        "DAPER_HOME": str(place.home),
        "TEMPORAL_ADDRESS": address,
        "TEMPORAL_TASK_QUEUE": shop.settings.task_queue,
        **place.environ,
    }
    async with _processes((DAPER, "worker"), env, place.home, number=number) as ids:
        yield ids


@asynccontextmanager
async def bare_workers(home: Path, address: str, queue: str, *, number: int) -> AsyncGenerator[Sequence[int]]:
    """As many workers for bare workflows."""
    env = {**environment(home), "PYTHONPATH": str(_ROOT)}
    command = (sys.executable, "-m", "bench.programs.bare_worker", address, queue)
    async with _processes(command, env, home, number=number) as ids:
        yield ids


@asynccontextmanager
async def _processes(
    command: Sequence[str], env: dict[str, str], folder: Path, *, number: int
) -> AsyncGenerator[Sequence[int]]:
    started: list[Process] = []
    try:
        for _ in range(number):
            started.append(await _started(command, env, folder / f"worker-{len(started)}.log"))
        yield [process.pid for process in started]
    finally:
        for process in started:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _started(command: Sequence[str], env: dict[str, str], log: Path) -> Process:
    """A worker that is ready. Raises RuntimeError for one that is not in time."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *command, env=env, cwd=log.parent, stdin=PIPE, stdout=DEVNULL, stderr=errors
        )
    ready = await until(
        lambda: process.returncode is not None or READY in log.read_text("utf-8"), within=_READY_WITHIN_S
    )
    if not ready or process.returncode is not None:
        raise RuntimeError(f"a worker is not ready ({process.returncode}): see {str(log)!r}")
    return process
