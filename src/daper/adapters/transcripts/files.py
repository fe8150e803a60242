"""Each call of a language model as one JSON file that its owner alone can read, in one folder per repair."""

import asyncio
import contextlib
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from daper.adapters.regular_file import read_if_there
from daper.adapters.transcripts.documents import MORE, MOST_CALLS, MOST_REPAIRS, SAID_OF_MORE, name_of, written
from daper.adapters.transcripts.redaction import Redactor
from daper.clock import new_id
from daper.core.ids import file_stem
from daper.core.system_errors import optional, said, store_error
from daper.ports import Transcript

log = logging.getLogger(__name__)

_DOCUMENT = re.compile(rf"\d[^/]*\.json|{re.escape(MORE)}")
_OURS = re.compile(r".*-[0-9a-f]{8}", re.DOTALL)


class FileTranscripts:
    """`daper.ports.Transcripts` in `folder`. Nothing of `secrets`, and nothing that looks like a key, is written.

    A call that is written twice leaves one file. Several processes that write at once may pass a limit on files by
    one each.
    """

    def __init__(self, folder: Path, *, secrets: Sequence[str]) -> None:
        self._folder = folder
        self._redactor = Redactor(secrets)
        self._lock = Lock()

    async def write(self, entry: Transcript) -> None:
        """Keep one call. A disk that does not take it is logged, and nothing is raised."""
        await asyncio.to_thread(self._write, entry)

    async def names(self, repair_id: str) -> tuple[str, ...]:
        """What is kept of a repair, in the order of the calls. Raises a StoreError."""
        return await asyncio.to_thread(self._names, repair_id)

    async def read(self, repair_id: str, name: str) -> bytes | None:
        """One of these. Raises a StoreError."""
        return await asyncio.to_thread(self._read, repair_id, name)

    def _write(self, entry: Transcript) -> None:
        data = written(entry, self._redactor)
        try:
            with self._lock:
                self._keep(entry, data)
        except OSError as error:
            log.warning(
                "a call of a language model is not written down",
                extra={"call_id": entry.call_id, "reason": said(error)},
            )

    def _keep(self, entry: Transcript, data: bytes) -> None:
        home = self._folder / file_stem(entry.repair_id)
        if not home.is_dir():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make_room()
            home.mkdir(mode=0o700, exist_ok=True)
        path = home / name_of(entry)
        if path.exists() or sum(1 for _ in home.glob("*.json")) < MOST_CALLS:
            _write_whole(path, data)
        else:
            _say_more(home)

    def _names(self, repair_id: str) -> tuple[str, ...]:
        home = self._folder / file_stem(repair_id)
        try:
            found = [path.name for path in home.iterdir() if _DOCUMENT.fullmatch(path.name)]
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            raise store_error(error, f"the transcripts in {str(home)!r}") from error
        return tuple(sorted(found, key=lambda name: (name == MORE, name)))

    def _read(self, repair_id: str, name: str) -> bytes | None:
        path = self._folder / file_stem(repair_id) / name
        if not _DOCUMENT.fullmatch(name):
            return None
        try:
            return read_if_there(path)
        except OSError as error:
            raise store_error(error, f"the transcript {str(path)!r}") from error

    def _make_room(self) -> None:
        """Leave room for one more folder. What is not ours is neither counted nor touched."""
        folders = [path for path in self._folder.iterdir() if _OURS.fullmatch(path.name) and _is_folder(path)]
        folders.sort(key=_last_written)
        for path in folders[: max(len(folders) - MOST_REPAIRS + 1, 0)]:
            try:
                _remove(path)
            except OSError as error:
                log.warning("old transcripts stay", extra={"folder": str(path), "reason": said(error)})


def _write_whole(path: Path, data: bytes) -> None:
    """The file is there whole or not at all, and for its owner alone."""
    draft = path.with_name(f".{path.name}.{new_id()}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            with optional():
                os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def _say_more(home: Path) -> None:
    path = home / MORE
    if not path.exists():
        _write_whole(path, SAID_OF_MORE)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _last_written(path: Path) -> tuple[int, str]:
    with contextlib.suppress(FileNotFoundError):  # another process makes room as well
        return path.stat().st_mtime_ns, path.name
    return 0, path.name


def _remove(folder: Path) -> None:
    """Remove a folder of transcripts; one in which there is something else stays, with that in it."""
    for pattern in ("[0-9]*.json", ".*.json.*", "*-and-more.txt"):
        for path in folder.glob(pattern):
            path.unlink()
    folder.rmdir()
