"""Each call of a language model as one JSON file that its owner alone can read, in one folder per repair."""

import asyncio
import contextlib
import logging
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from pydantic import JsonValue

from daper.adapters.transcripts.bounds import fitted
from daper.adapters.transcripts.redaction import Redactor
from daper.clock import new_id
from daper.core.ids import file_stem, safe_name
from daper.core.system_errors import optional, said
from daper.ports import Transcript

log = logging.getLogger(__name__)

MOST_CALLS = 1_000
"""Files of one repair; what is called later is not written down."""

MOST_REPAIRS = 200
"""Folders; the one that was written to the longest ago goes when a new one is made."""

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

    def _write(self, entry: Transcript) -> None:
        data = fitted(self._redactor.entries(_document(entry)))
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
        path = home / f"{_moment(entry.began)}-{entry.role}-{safe_name(entry.call_id[:8])}.json"
        if path.exists() or sum(1 for _ in home.glob("*.json")) < MOST_CALLS:
            _write_whole(path, data)
        else:
            _say_more(home)

    def _make_room(self) -> None:
        """Leave room for one more folder. What is not ours is neither counted nor touched."""
        folders = [path for path in self._folder.iterdir() if _OURS.fullmatch(path.name) and _is_folder(path)]
        folders.sort(key=_last_written)
        for path in folders[: max(len(folders) - MOST_REPAIRS + 1, 0)]:
            try:
                _remove(path)
            except OSError as error:
                log.warning("old transcripts stay", extra={"folder": str(path), "reason": said(error)})


def _document(entry: Transcript) -> dict[str, JsonValue]:
    return {
        "call_id": entry.call_id,
        "repair_id": entry.repair_id,
        "cycle_id": entry.cycle_id,
        "role": entry.role.value,
        "model": entry.model,
        "record_ids": list(entry.record_ids),
        "began": _in_utc(entry.began).isoformat(),
        "took_seconds": entry.took.total_seconds(),
        "prompt_digest": entry.prompt_digest,
        "spent": entry.spent.model_dump(mode="json"),
        "error": entry.error,
        "sent": entry.sent,
        "answer": entry.answer,
    }


def _in_utc(at: datetime) -> datetime:
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def _moment(at: datetime) -> str:
    return f"{_in_utc(at):%Y%m%dT%H%M%S.%f}"


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
    path = home / f"{MOST_CALLS}-and-more.txt"
    if not path.exists():
        _write_whole(path, f"This repair made more calls; the first {MOST_CALLS:,} are kept here.\n".encode())


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
