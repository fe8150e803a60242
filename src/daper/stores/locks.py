"""`flock` on what a path names: a lock of something that was removed or replaced meanwhile keeps nobody out."""

import fcntl
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

POLL_SECONDS = 0.015


def locked(descriptor: int) -> bool:
    """Whether the lock is now held by this descriptor; False while somebody else holds it. Raises OSError."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def locked_by(descriptor: int, deadline: float) -> bool:
    """The same, waiting for it until then, by the monotonic clock. Raises OSError."""
    while not locked(descriptor):
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def names(path: Path, descriptor: int) -> bool:
    """Whether the path still names what the descriptor has open."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def open_folder(folder: Path) -> int:
    """A folder as one locks it: it cannot be removed without all that is in it. Raises OSError."""
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


@contextmanager
def alone(path: Path, *, make: bool = True) -> Generator[Callable[[], bool]]:
    """Hold the lock of a file, waiting without end. Yields what says whether it is still held.

    It is not held any more where somebody removed the file: the next one may be in already. `make`: the file is made if
    it is not there; else raises FileNotFoundError.
    """
    how = os.O_RDWR | os.O_CREAT if make else os.O_RDONLY
    while True:
        descriptor = os.open(path, how | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if names(path, descriptor):
                yield partial(names, path, descriptor)
                return
        finally:
            os.close(descriptor)
