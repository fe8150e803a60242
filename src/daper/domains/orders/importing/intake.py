"""Reading a file that a person names: a plain one, of a sane size, that nobody is writing."""

import os
import stat
from pathlib import Path

LARGEST_FILE = 32 * 1024 * 1024  # bytes
_KINDS = {
    stat.S_IFDIR: "is a folder; name a file in it",
    stat.S_IFIFO: "is a pipe; write what comes out of it to a file first",
    stat.S_IFSOCK: "is a socket; name a file",
    stat.S_IFCHR: "is a device; name a file",
    stat.S_IFBLK: "is a device; name a file",
}


class NotReadable(Exception):
    """A file that cannot be imported; the message says why, and follows the name of the file."""


def read_whole(path: Path) -> bytes:
    """The content of a plain file; links to one are followed. Never waits. Raises NotReadable."""
    try:
        # Not blocking, because opening a pipe waits for somebody to write to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError:
        raise NotReadable("does not exist") from None
    except (OSError, ValueError) as error:
        raise NotReadable(f"cannot be read: {_why(error)}") from None
    try:
        return _read(descriptor)
    except OSError as error:
        raise NotReadable(f"cannot be read: {_why(error)}") from None
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> bytes:
    before = os.fstat(descriptor)
    kind = stat.S_IFMT(before.st_mode)
    if kind != stat.S_IFREG:
        raise NotReadable(_KINDS.get(kind, "is no plain file; name one"))
    if before.st_size > LARGEST_FILE:
        raise NotReadable(f"has {before.st_size:,} bytes; at most {LARGEST_FILE:,} can be imported")
    with open(descriptor, "rb", closefd=False) as file:
        data = file.read(before.st_size + 1)
    after = os.fstat(descriptor)
    if (after.st_mtime_ns, after.st_size, len(data)) != (before.st_mtime_ns, before.st_size, before.st_size):
        raise NotReadable("was written to while it was read. Try again once that is done")
    return data


def _why(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
