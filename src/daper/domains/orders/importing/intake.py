"""Reading a file that a person names: a plain one, of a sane size, that nobody is writing."""

import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

LARGEST_FILE = 32 * 1024 * 1024  # bytes, of one that is read as a whole
LARGEST_STREAM = 2 * 1024 * 1024 * 1024  # of one that is gone through
_KINDS = {
    stat.S_IFDIR: "is a folder; name a file in it",
    stat.S_IFIFO: "is a pipe; write what comes out of it to a file first",
    stat.S_IFSOCK: "is a socket; name a file",
    stat.S_IFCHR: "is a device; name a file",
    stat.S_IFBLK: "is a device; name a file",
}


class NotReadable(Exception):
    """A file that cannot be imported; the message says why, and follows the name of the file."""


def size_of(path: Path) -> int:
    """How many bytes it has; 0 where nobody can tell."""
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return 0


def read_whole(path: Path) -> bytes:
    """The content of a plain file; links to one are followed. Never waits. Raises NotReadable."""
    with opened(path, largest=LARGEST_FILE) as file:
        size = os.fstat(file.fileno()).st_size
        return file.read(size + 1)


@contextmanager
def opened(path: Path, *, largest: int = LARGEST_STREAM) -> Generator[BinaryIO]:
    """A plain file to be read; one that is written to within the block is refused at its end. Raises NotReadable."""
    try:
        # Not blocking, because opening a pipe waits for somebody to write to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError:
        raise NotReadable("does not exist") from None
    except (OSError, ValueError) as error:
        raise NotReadable(f"cannot be read: {_why(error)}") from None
    try:
        before = os.fstat(descriptor)
        _refuse(before, largest)
        with open(descriptor, "rb", closefd=False) as file:
            yield file
            after = os.fstat(descriptor)
            end = file.tell() >= before.st_size and file.read(1)
    except OSError as error:
        raise NotReadable(f"cannot be read: {_why(error)}") from None
    finally:
        os.close(descriptor)
    if (after.st_mtime_ns, after.st_size) != (before.st_mtime_ns, before.st_size) or end:
        raise NotReadable("was written to while it was read. Try again once that is done")


def _refuse(found: os.stat_result, largest: int) -> None:
    kind = stat.S_IFMT(found.st_mode)
    if kind != stat.S_IFREG:
        raise NotReadable(_KINDS.get(kind, "is no plain file; name one"))
    if found.st_size > largest:
        raise NotReadable(f"has {found.st_size:,} bytes; at most {largest:,} can be imported")


def _why(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
