"""Reads a file that people put somewhere: what is there and cannot be read is never taken for absent."""

import errno
import os
import stat
from pathlib import Path
from typing import Final

_KINDS: Final = (
    (stat.S_ISDIR, "it is a folder"),
    (stat.S_ISFIFO, "it is a pipe, and no file"),
    (stat.S_ISSOCK, "it is a socket, and no file"),
    (stat.S_ISCHR, "it is a device, and no file"),
    (stat.S_ISBLK, "it is a device, and no file"),
)


def read_if_there(path: Path) -> bytes | None:
    """The content of a file; None only where there is nothing by that name.

    Raises OSError, whose `strerror` says what is there instead: a link that leads nowhere, a folder, a pipe (nobody
    waits for one), or what may not be read.
    """
    try:
        # A pipe that nobody writes to would be waited for without end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno not in {errno.ENOENT, errno.ENOTDIR}:
            raise OSError(error.errno, _why_not(path) or error.strerror, str(path)) from error
        if is_there(path):
            raise OSError(errno.ENOENT, "it is a link that leads nowhere", str(path)) from error
        return None
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, _kind(mode) or "it is no file", str(path))
        with open(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)


def is_there(path: Path) -> bool:
    """Whether there is anything by that name, be it a link that leads nowhere; so also where nobody may look."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _why_not(path: Path) -> str | None:
    """What stands in the way of opening: some kinds of file cannot be."""
    try:
        return _kind(path.stat().st_mode)
    except OSError:
        return None


def _kind(mode: int) -> str | None:
    return next((said for is_kind, said in _KINDS if is_kind(mode)), None)
