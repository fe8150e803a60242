"""One holder at a time, over threads and processes. A holder that dies lets go."""

import fcntl
import os
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from daper.clock import utc_now
from daper.core.errors import StoreBusy
from daper.core.text import visible

_PAUSE_SECONDS = 0.015
_in_process: dict[Path, threading.Lock] = {}
_registry = threading.Lock()


class FolderLock:
    """The exclusive lock of a folder: `flock` on its file `lock`, which is never removed, and one lock per process.

    The file says who holds it; that is for people, the kernel's lock is what counts.
    """

    def __init__(self, folder: Path, *, wait: timedelta) -> None:
        self._folder = folder
        self._path = folder / "lock"
        self._wait = wait.total_seconds()
        with _registry:
            self._threads = _in_process.setdefault(folder.resolve(), threading.Lock())

    @contextmanager
    def hold(self) -> Generator[None]:
        """Hold the lock. Raises StoreBusy, naming the holder, when it is not free within the wait."""
        deadline = time.monotonic() + self._wait
        if not self._threads.acquire(timeout=self._wait):
            raise self._busy()
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                self._take(descriptor, deadline)
                try:
                    yield
                finally:
                    os.ftruncate(descriptor, 0)
            finally:
                os.close(descriptor)  # also lets go of the lock
        finally:
            self._threads.release()

    def _take(self, descriptor: int, deadline: float) -> None:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise self._busy() from None
                time.sleep(_PAUSE_SECONDS)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, _holder().encode("utf-8", "replace"), 0)

    def _busy(self) -> StoreBusy:
        try:
            holder = visible(self._path.read_text("utf-8", "replace").strip()) or "somebody"
        except OSError:
            holder = "somebody"
        return StoreBusy(
            f"the records in {str(self._folder)!r} are held by {holder}; waited {self._wait:g} s. "
            "Try again; if it stays so, look at that process"
        )


def _holder() -> str:
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:3]])
    return f"process {os.getpid()} ({command}) since {utc_now():%Y-%m-%d %H:%M:%S} UTC\n"
