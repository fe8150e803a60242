"""The real disk, counting what it changes, and doing something at the nth change: dying, or standing still."""

from collections.abc import Callable
from pathlib import Path

from daper.stores.jsonfiles.disk import PosixDisk


class StoppingDisk(PosixDisk):
    """Calls `stop` just before the change number `at` (0 is the first one), over all uses of one counter."""

    def __init__(self, *, at: int, stop: Callable[[], None]) -> None:
        self._left = at
        self._stop = stop

    def make_folder(self, path: Path) -> None:
        self._count()
        super().make_folder(path)

    def write_new(self, path: Path, data: bytes, *, mode: int | None = None) -> None:
        self._count()
        super().write_new(path, data, mode=mode)

    def fsync_file(self, path: Path) -> None:
        self._count()
        super().fsync_file(path)

    def fsync_dir(self, path: Path) -> None:
        self._count()
        super().fsync_dir(path)

    def rename(self, source: Path, target: Path) -> None:
        self._count()
        super().rename(source, target)

    def link(self, source: Path, target: Path) -> None:
        self._count()
        super().link(source, target)

    def remove(self, path: Path) -> None:
        self._count()
        super().remove(path)

    def _count(self) -> None:
        self._left -= 1
        if self._left == -1:
            self._stop()
