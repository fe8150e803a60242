"""A lock on a file that a process holds for as long as it lives, whose text says who that is."""

import os
from pathlib import Path
from typing import Final

from daper.core.system_errors import Trouble, trouble
from daper.stores.locks import locked, names, open_folder

_LONGEST: Final = 64 * 1024


class FileLock:
    """`flock` on a file. The kernel's lock is what counts; the text is for those who wait.

    Nobody should remove the file. Who does so nevertheless makes nothing free for whoever has seen it held.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: int | None = None  # what was held when it was last looked at, whatever its name means now

    def take(self) -> int | None:
        """A descriptor that holds the lock until its last copy is closed; None if somebody else holds it.

        The text stays what the last holder wrote, until this one writes its own.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if not locked(descriptor):
                os.close(descriptor)
                return None
            if names(self._path, descriptor):
                return descriptor
            os.close(descriptor)  # the file was removed meanwhile: nobody else would see the lock

    def take_folder(self) -> int | None:
        """A descriptor that holds the lock of the file's folder; None if somebody else does, whose file was removed.

        To be held beside the other one: a folder stays where it is, whatever becomes of a file in it. Where a file
        system locks no folders, the descriptor holds nothing.
        """
        descriptor = open_folder(self._path.parent)
        try:
            free = locked(descriptor)
        except OSError as error:
            if trouble(error) is not Trouble.NOT_SUPPORTED:
                os.close(descriptor)
                raise
            return descriptor
        if not free:
            os.close(descriptor)
            return None
        return descriptor

    def is_held(self) -> bool:
        """Whether somebody holds it now. Only for whoever alone may take it: a look from two sides disturbs."""
        again = self._seen is not None
        if self._seen is None:
            try:
                self._seen = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                return False
        if not locked(self._seen):
            return True
        os.close(self._seen)
        self._seen = None
        return again and self.is_held()  # there may be another file by that name now

    def sign(self, descriptor: int, text: str) -> None:
        """Write who holds it."""
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode("utf-8", "replace"), 0)

    def text(self) -> str:
        """What the holder, or the last one, wrote."""
        if self._seen is not None:
            return os.pread(self._seen, _LONGEST, 0).decode("utf-8", "replace")
        try:
            return self._path.read_text("utf-8", "replace")
        except FileNotFoundError:
            return ""
