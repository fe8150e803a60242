"""A disk that refuses when it is told to: small file systems of its own, or else a word that a worker's store obeys."""

import contextlib
import errno
import os
import shutil
import subprocess
import time
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from daper.stores.jsonfiles.disk import PosixDisk

_BLOCKS: Final = (1 << 20, 1 << 12)
_FILLER: Final = "filler"
_REMOUNT_WITHIN_S: Final = 5.0


class Refusal(StrEnum):
    """In which way a disk refuses."""

    RECORDS_FULL = "the disk of the records is full"
    HOME_FULL = "the disk of memory and reports is full"
    READ_ONLY = "the disk of the records is read-only"


class RefusingDisk(Protocol):
    """What a home lies on."""

    name: str

    def refuse(self, how: Refusal) -> None:
        """Refuse, or go on to: what was freed meanwhile is taken again."""
        ...

    def cease(self) -> None:
        """Take everything again."""
        ...

    def end(self) -> None:
        """Give back what it took of the machine. Nobody may use it any more."""
        ...


def refusing_disk(home: Path) -> RefusingDisk:
    """File systems of the home's own where this user may have them, else `WordDisk`."""
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        return SmallDisk(home)
    return WordDisk(home)


class SmallDisk:
    """A file system in memory for a home, and in it one for its records."""

    name = "file systems in memory"

    def __init__(self, home: Path) -> None:
        self._home, self._data = home, home / "data"
        self._mounted: list[Path] = []
        try:
            for folder in (self._home, self._data):
                folder.mkdir(parents=True, exist_ok=True)
                _run("mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(folder))
                self._mounted.append(folder)
        except BaseException:
            self.end()
            raise

    def refuse(self, how: Refusal) -> None:
        """Raises TimeoutError where somebody has a file open for writing all the time."""
        if how is Refusal.READ_ONLY:
            self._remount("ro")
        else:
            _fill(self._home if how is Refusal.HOME_FULL else self._data)

    def cease(self) -> None:
        """Make it writable, and empty of what filled it."""
        self._remount("rw")
        for folder in self._mounted:
            (folder / _FILLER).unlink(missing_ok=True)

    def end(self) -> None:
        """Unmount, whatever is open there."""
        for folder in reversed(self._mounted):
            subprocess.run(["umount", "-l", str(folder)], check=False)  # noqa: S607 - found before
        self._mounted.clear()

    def _remount(self, how: str) -> None:
        deadline = time.monotonic() + _REMOUNT_WITHIN_S
        while True:
            try:
                _run("mount", "-o", f"remount,{how}", str(self._data))
            except subprocess.CalledProcessError as error:  # a change is being written
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{str(self._data)!r} cannot be made {how}") from error
                time.sleep(0.01)
            else:
                return


class WordDisk:
    """A file beside the home, whose word `ObedientDisk` obeys in the workers. Nothing but their records is refused."""

    name = "an obedient disk"

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._word = word_file(home)

    def refuse(self, how: Refusal) -> None:
        """Say so."""
        self._word.write_text("EROFS" if how is Refusal.READ_ONLY else "ENOSPC", "ascii")

    def cease(self) -> None:
        """Say nothing any more."""
        self._word.unlink(missing_ok=True)

    def end(self) -> None:
        """Nothing was taken."""


class ObedientDisk(PosixDisk):
    """The real disk, which changes nothing while a word says so."""

    def __init__(self, word: Path) -> None:
        self._word = word

    def make_folder(self, path: Path) -> None:
        self._ask(path)
        super().make_folder(path)

    def write_new(self, path: Path, data: bytes, *, mode: int | None = None) -> None:
        self._ask(path)
        super().write_new(path, data, mode=mode)

    def rename(self, source: Path, target: Path) -> None:
        self._ask(target, only="EROFS")
        super().rename(source, target)

    def link(self, source: Path, target: Path) -> None:
        self._ask(target)
        super().link(source, target)

    def remove(self, path: Path) -> None:
        self._ask(path, only="EROFS")
        super().remove(path)

    def _ask(self, path: Path, *, only: str = "") -> None:
        with contextlib.suppress(FileNotFoundError):
            word = self._word.read_text("ascii")
            if word and only in ("", word):
                code = getattr(errno, word)
                raise OSError(code, os.strerror(code), str(path))


def word_file(home: Path) -> Path:
    """Where the word of a home's disk is."""
    return home.with_name(f"{home.name}.refuses")


def _fill(folder: Path) -> None:
    descriptor = os.open(folder / _FILLER, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        for block in _BLOCKS:
            with contextlib.suppress(OSError):
                while os.write(descriptor, b"\0" * block):
                    pass
    finally:
        os.close(descriptor)


def _run(program: str, *arguments: str) -> None:
    found = shutil.which(program)
    if found is None:
        raise FileNotFoundError(program)
    subprocess.run([found, *arguments], check=True, capture_output=True)
