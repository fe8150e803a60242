"""Starting and killing the victims: real processes, each in a group of its own, killed with -9."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.faults.victims import DONE, STOPPED

ROOT = Path(__file__).parents[2]
_POLL = 0.005
_READY = "Worker ready on"


class Victims:
    """All processes that were started, so that none is left over."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self._home = home
        self._environment = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), **environment}
        self._started: list[asyncio.subprocess.Process] = []

    async def worker(self, operation: int | None = None) -> asyncio.subprocess.Process:
        """A worker that is ready; with `operation`, one that dies at that change of the disk. TimeoutError."""
        return await self._worker("worker", *([] if operation is None else [str(operation)]))

    async def worker_at(self, step: int) -> asyncio.subprocess.Process:
        """A worker that is ready, and dies at that step to a database or to another system. TimeoutError."""
        return await self._worker("worker", "step", str(step))

    async def worker_at_change(self, step: int) -> asyncio.subprocess.Process:
        """A worker that is ready, and dies around a change of a Temporal cluster. TimeoutError."""
        return await self._worker("worker", "change", str(step))

    async def troubled(self, *, seconds: Path, word: Path) -> asyncio.subprocess.Process:
        """A worker that is ready, with the clock of one file and the disk of another. TimeoutError."""
        return await self._worker("worker", str(seconds), str(word))

    async def _worker(self, *arguments: str) -> asyncio.subprocess.Process:
        log = self._home / f"worker-{len(self._started)}.log"
        process = await self._start(*arguments, log=log)
        ready = await until(lambda: process.returncode is not None or _READY in log.read_text("utf-8"), within=30)
        if not ready or (process.returncode not in (None, -signal.SIGKILL)):
            await kill(process)
            raise TimeoutError(f"worker {process.pid} did not get ready: {log.read_text('utf-8')[-500:]!r}")
        return process

    async def holder(self, folder: Path, key: str, operation: int) -> asyncio.subprocess.Process | None:
        """A process that holds the store, stopped in the middle of a change; None if it was done before that."""
        return await self._holder("hold", str(folder), key, str(operation))

    async def rows_holder(self, file: Path, key: str, operation: int) -> asyncio.subprocess.Process | None:
        """The same, of the rows of the domain that a file declares."""
        return await self._holder("hold-rows", str(file), key, str(operation))

    async def _holder(self, *arguments: str) -> asyncio.subprocess.Process | None:
        process = await self._start(*arguments, log=self._home / "holders.log")
        assert process.stdout is not None
        said = (await process.stdout.readline()).decode().strip()
        if said.startswith(STOPPED):
            return process
        await process.wait()
        if said != DONE:
            raise RuntimeError(f"the holder {arguments!r} said {said!r}; see {str(self._home / 'holders.log')!r}")
        return None

    async def applier(self) -> asyncio.subprocess.Process:
        """A process that takes attempts on its standard input."""
        return await self._start("apply", log=self._home / "appliers.log")

    async def rows_applier(self, file: Path) -> asyncio.subprocess.Process:
        """The same, of the tools of the domain that a file declares."""
        return await self._start("apply-rows", str(file), log=self._home / "appliers.log")

    async def end(self) -> None:
        """Kill whatever is left."""
        for process in self._started:
            await kill(process)

    async def _start(self, *arguments: str, log: Path) -> asyncio.subprocess.Process:
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.faults.victims", *arguments),
                cwd=self._home,
                env=self._environment,
                stdin=asyncio.subprocess.PIPE if arguments[0].startswith("apply") else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL if arguments[0] == "worker" else asyncio.subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        self._started.append(process)
        return process


async def kill(process: asyncio.subprocess.Process) -> None:
    """Kill -9 the process and its group, whatever it is doing; gone already is fine."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


async def until(condition: Callable[[], bool], *, within: float) -> bool:
    """Wait until something is so; False when it is not so in time."""
    try:
        async with asyncio.timeout(within):
            while not condition():  # noqa: ASYNC110 - what is waited for happens in other processes
                await asyncio.sleep(_POLL)
    except TimeoutError:
        return False
    return True
