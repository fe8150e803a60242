"""The only door to the store's files, so that a test can fail it at every write, fsync and rename."""

import os
import stat
from pathlib import Path
from typing import NamedTuple, Protocol

from daper.core.system_errors import optional


class FileStat(NamedTuple):
    """What tells that a file is still the one that was read, and its permissions."""

    mtime_ns: int
    size: int
    inode: int
    mode: int
    device: int = 0


class Disk(Protocol):
    """What the store needs of a file system. Everything but `read_bytes` and `stat` raises OSError when it cannot.

    What a file system has not at all is done without: a mode that cannot be set, a folder that cannot be synced.
    """

    def read_bytes(self, path: Path) -> bytes | None:
        """The content, or None when there is no such file."""
        ...

    def stat(self, path: Path) -> FileStat | None:
        """What identifies the file's present content, or None when there is no such file."""
        ...

    def list_names(self, folder: Path) -> list[str]:
        """The names in a folder, sorted; none when there is no such folder."""
        ...

    def make_folder(self, path: Path) -> None:
        """Make a folder and its parents; there already is fine."""
        ...

    def write_new(self, path: Path, data: bytes, *, mode: int | None = None) -> None:
        """Create a file, without syncing it. FileExistsError when it is there: nothing is ever written in place."""
        ...

    def fsync_file(self, path: Path) -> None:
        """Make a file's content durable."""
        ...

    def fsync_dir(self, path: Path) -> None:
        """Make a folder's names durable."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Rename atomically, replacing the target."""
        ...

    def link(self, source: Path, target: Path) -> None:
        """A second name for the same content."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a name; gone already is fine."""
        ...


class PosixDisk:
    """The real one."""

    def read_bytes(self, path: Path) -> bytes | None:
        """The content, or None when there is no such file."""
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None

    def stat(self, path: Path) -> FileStat | None:
        """What identifies the file's present content, or None when there is no such file."""
        try:
            found = path.stat()
        except FileNotFoundError:
            return None
        return FileStat(found.st_mtime_ns, found.st_size, found.st_ino, stat.S_IMODE(found.st_mode), found.st_dev)

    def list_names(self, folder: Path) -> list[str]:
        """The names in a folder, sorted; none when there is no such folder."""
        try:
            return sorted(os.listdir(folder))
        except FileNotFoundError:
            return []

    def make_folder(self, path: Path) -> None:
        """Make a folder and its parents; there already is fine."""
        path.mkdir(parents=True, exist_ok=True)

    def write_new(self, path: Path, data: bytes, *, mode: int | None = None) -> None:
        """Create a file, without syncing it. FileExistsError when it is there."""
        # Born with no more rights than it is to keep: where they cannot be set, nobody gets more.
        how = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with open(os.open(path, how, 0o666 if mode is None else mode), "wb") as file:
            if mode is not None:
                with optional():
                    os.fchmod(file.fileno(), mode)
            file.write(data)

    def fsync_file(self, path: Path) -> None:
        """Make a file's content durable."""
        _fsync(path, os.O_RDONLY)

    def fsync_dir(self, path: Path) -> None:
        """Make a folder's names durable."""
        with optional():
            _fsync(path, os.O_RDONLY | os.O_DIRECTORY)

    def rename(self, source: Path, target: Path) -> None:
        """Rename atomically, replacing the target."""
        source.replace(target)

    def link(self, source: Path, target: Path) -> None:
        """A second name for the same content."""
        os.link(source, target)

    def remove(self, path: Path) -> None:
        """Remove a name; gone already is fine."""
        path.unlink(missing_ok=True)


def _fsync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        with optional():
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
