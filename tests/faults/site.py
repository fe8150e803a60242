"""Where a chaos run takes place: two workers on one store, a Temporal server kept in a file, a disk, and two clocks."""

import asyncio
import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final

from daper.adapters.temporal.kept_server import KeptServer
from daper.adapters.temporal.server_file import EmbeddedServer
from tests.faults.small_disk import refusing_disk, word_file
from tests.faults.victims_run import Victims, kill

WORKERS: Final = 2
_LOOK_S: Final = 0.1
_PAUSE_S: Final = 0.3
_BRIEF_S: Final = 0.0002
Tell = Callable[[str], None]


class Post:
    """The place of one worker: whoever ends there has somebody put in his place, unless the place is `taken`."""

    def __init__(self, number: int, *, victims: Victims, folder: Path, word: Path, tell: Tell) -> None:
        self.taken = asyncio.Lock()
        self.number = number
        self.ended = Counter[str]()
        self._victims = victims
        self._seconds = folder / f"clock-{number}"
        self._word = word
        self._tell = tell
        self._process: asyncio.subprocess.Process | None = None
        self.set_clock(0)

    @property
    def pid(self) -> int:
        """Of who works here; 0 for nobody."""
        return self._process.pid if self._process is not None else 0

    def set_clock(self, seconds: float) -> None:
        """How far the worker's clock is ahead, from now on."""
        self._seconds.write_text(str(seconds), "ascii")

    async def keep(self) -> None:
        """See to it that somebody works here, until cancelled."""
        while True:
            async with self.taken:
                if self._process is not None and self._process.returncode is not None:
                    self.ended[f"by itself ({self._process.returncode})"] += 1
                    self._tell(f"worker {self.number} ended by itself with {self._process.returncode}")
                    self._process = None
                if self._process is None:
                    await self.man()
            await asyncio.sleep(_LOOK_S)

    async def man(self) -> None:
        """Start a worker, again and again until one is ready. The place has to be taken."""
        while True:
            try:
                self._process = await self._victims.troubled(seconds=self._seconds, word=self._word)
            except TimeoutError as error:
                self.ended["before it was ready"] += 1
                self._tell(f"worker {self.number} could not start: {str(error)[-300:]}")
                await asyncio.sleep(_PAUSE_S)
            else:
                return

    async def kill(self) -> None:
        """Kill -9 the worker, and start another one. The place has to be taken."""
        if self._process is not None:
            await kill(self._process)
            self._process = None
        await self.man()

    def stop(self) -> bool:
        """Let the worker stand still, or say that nobody is there. The place has to be taken."""
        return self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> bool:
        if self._process is None or self._process.returncode is not None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, number)
        return True


class Site:
    """Everything that can be broken, and mended again."""

    def __init__(self, folder: Path, *, queue: str, tell: Tell) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.disk = refusing_disk(self.home)
        self.disk_taken = asyncio.Lock()
        self.server_taken = asyncio.Lock()
        (folder / "server").mkdir()
        self._kept = KeptServer(folder / "server", namespace="default")
        self._server: EmbeddedServer | None = None
        self._tell = tell
        self._tasks: list[asyncio.Task[None]] = []
        self.environment = {
            "DAPER_HOME": str(self.home),
            "TEMPORAL_TASK_QUEUE": queue,
            "USER_NAME": "harness",
            "HOME": str(folder),
        }
        self.posts: tuple[Post, ...] = ()

    @property
    def records(self) -> Path:
        """The folder of the records."""
        return self.home / "data" / "orders"

    async def open(self) -> None:
        """Start the server, then the workers."""
        self.environment["TEMPORAL_ADDRESS"] = (await self._open_server()).address
        victims = self._victims = Victims(self.folder, self.environment)
        self.posts = tuple(
            Post(number, victims=victims, folder=self.folder, word=word_file(self.home), tell=self._tell)
            for number in range(WORKERS)
        )
        self._tasks = [asyncio.create_task(post.keep()) for post in self.posts]

    async def kill_server(self, *, away: float) -> None:
        """Kill -9 the server, and start it again on its file and its address after so many seconds."""
        async with self.server_taken:
            assert self._server is not None
            before = self._server
            os.kill(before.pid, signal.SIGKILL)
            await asyncio.sleep(away)
            after = await self._open_server()
            assert after.address == before.address, f"the server came back at {after.address}, not {before.address}"

    def in_a_change(self, post: Post, *, within: float) -> bool:
        """Wait, in a thread, until a worker is in the middle of writing a change; whether it was in time."""
        lock, journal, deadline = self.records / "lock", self.records / "journal.json", time.monotonic() + within
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if journal.exists() and f"process {post.pid} " in lock.read_text("utf-8", "replace"):
                    return True
            time.sleep(_BRIEF_S)
        return False

    @contextlib.contextmanager
    def standstill(self) -> Generator[None]:
        """All workers stand still for a moment, wherever they are; for use in a thread."""
        free = [post for post in self.posts if not post.taken.locked()]
        for post in free:
            post.stop()
        try:
            yield
        finally:
            for post in free:
                post.go_on()

    async def rest(self) -> None:
        """All is well: somebody at each post, clocks right, the disk taking everything."""
        await asyncio.to_thread(self.disk.cease)
        for post in self.posts:
            post.set_clock(0)
            async with post.taken:
                post.go_on()

    async def end(self) -> None:
        """End all processes, and give the disk back."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.posts:
            await self._victims.end()
        await self._kept.stop()

    async def _open_server(self) -> EmbeddedServer:
        self._server, _ = await self._kept.open()
        return self._server
