"""One holder at a time, over threads and processes. A holder that dies lets go."""

import os
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from daper.clock import utc_now
from daper.core.errors import StoreBusy, StoreUnavailable
from daper.core.system_errors import Trouble, trouble
from daper.core.text import visible
from daper.stores.locks import locked_by, names, open_folder

_in_process: dict[Path, threading.Lock] = {}
_registry = threading.Lock()


class FolderLock:
    """The exclusive lock of a folder: `flock` on its file `lock` and on the folder itself, and one lock per process.

    The file says who holds it, for people. It may be removed or replaced at any time: the folder stays locked, which
    cannot go without all that is in it. Where a file system locks no folders, the file alone counts.
    """

    def __init__(self, folder: Path, *, wait: timedelta) -> None:
        self._folder = folder
        self._path = folder / "lock"
        self._wait = wait.total_seconds()
        self._held: tuple[Path, int] | None = None
        with _registry:
            self._threads = _in_process.setdefault(folder.resolve(), threading.Lock())

    @contextmanager
    def hold(self) -> Generator[None]:
        """Hold the lock. Raises StoreBusy, naming the holder, when it is not free within the wait."""
        deadline = time.monotonic() + self._wait
        if not self._threads.acquire(timeout=self._wait):
            raise self._busy()
        try:
            with self._locked(deadline) as (file, held):
                _sign(file, _holder())
                self._held = held
                try:
                    yield
                finally:
                    self._held = None
                    _sign(file, "")
        finally:
            self._threads.release()

    def make_sure(self) -> None:
        """Raises StoreUnavailable where what is held is not what the path names any more: others may be in there."""
        if self._held is None or not names(*self._held):
            raise StoreUnavailable(
                f"{str(self._folder)!r} was removed or replaced by another folder while it was being changed; nothing "
                "more was written. What had begun is finished or dropped as a whole where it is now"
            )

    @contextmanager
    def _locked(self, deadline: float) -> Generator[tuple[int, tuple[Path, int]]]:
        """Yields the descriptor of the file, and what has to stay where it is: the folder, or the file."""
        while True:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                self._wait_for(file, deadline)
                if names(self._path, file):
                    with self._folder_locked(deadline) as folder:
                        held = (self._folder, folder) if folder is not None else (self._path, file)
                        if names(*held):
                            yield file, held
                            return
            finally:
                os.close(file)  # also lets go of the lock
            if time.monotonic() >= deadline:
                raise self._busy()

    @contextmanager
    def _folder_locked(self, deadline: float) -> Generator[int | None]:
        folder = open_folder(self._folder)
        try:
            yield folder if self._can_lock(folder, deadline) else None
        finally:
            os.close(folder)

    def _can_lock(self, folder: int, deadline: float) -> bool:
        """Lock the folder; False on a file system that locks none."""
        try:
            self._wait_for(folder, deadline)
        except OSError as error:
            if trouble(error) is not Trouble.NOT_SUPPORTED:
                raise
            return False
        return True

    def _wait_for(self, descriptor: int, deadline: float) -> None:
        if not locked_by(descriptor, deadline):
            raise self._busy()

    def _busy(self) -> StoreBusy:
        try:
            holder = visible(self._path.read_text("utf-8", "replace").strip()) or "somebody"
        except OSError:
            holder = "somebody"
        return StoreBusy(
            f"the records in {str(self._folder)!r} are held by {holder}; waited {self._wait:g} s. "
            "Try again; if it stays so, look at that process"
        )


def _sign(file: int, text: str) -> None:
    """Write who holds it. A full disk takes no names, and that is no reason to give up a lock, or a finished change."""
    with suppress(OSError):
        os.ftruncate(file, 0)
        os.pwrite(file, text.encode("utf-8", "replace"), 0)


def _holder() -> str:
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:3]])
    return f"process {os.getpid()} ({command}) since {utc_now():%Y-%m-%d %H:%M:%S} UTC\n"
