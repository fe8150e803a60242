"""How somebody edits the records by hand: with no lock, saving a new file or writing over the old one."""

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from daper.domains.orders.world import ORDERS_FILE

_TRIES: Final = 20
_WITHIN_S: Final = 6.0
_CHANGE_ENDS_WITHIN_S: Final = 3.0
_LOOK_S: Final = 0.0002


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How it is saved. `over`: over the file, which is half there for so many seconds; else a new one takes its place.

    `standstill`: to save in the middle of a change of daper, which stands still meanwhile; else between two of them.
    """

    over: float | None
    standstill: Callable[[], AbstractContextManager[None]] | None


def note(folder: Path, order_id: str, mark: str, manner: Manner) -> int | None:
    """Put a word into the notes of an order. How often it had to be done again, because a change that was made in the
    same moment took no notice of it; None where it was so each time. Raises OSError when the disk refuses.
    """
    draft = (folder / ORDERS_FILE).with_suffix(".draft")
    try:
        for times in range(_TRIES):
            _save(folder, order_id, mark, manner, draft)
            if _is_there(folder, mark):
                return times
    finally:
        draft.unlink(missing_ok=True)
    return None


def _save(folder: Path, order_id: str, mark: str, manner: Manner, draft: Path) -> None:
    path, journal = folder / ORDERS_FILE, folder / "journal.json"
    deadline = time.monotonic() + _WITHIN_S
    while manner.standstill is not None and time.monotonic() < deadline:
        if journal.exists():
            with manner.standstill():
                if journal.exists():
                    _put(path, _noted(path.read_text("utf-8"), order_id, mark), manner, draft)
                    return
        time.sleep(_LOOK_S)
    while True:
        before = path.read_text("utf-8")
        after = _noted(before, order_id, mark)
        if not journal.exists() and path.read_text("utf-8") == before:  # else an editor would have asked
            _put(path, after, manner, draft)
            return
        time.sleep(_LOOK_S)


def _put(path: Path, text: str, manner: Manner, draft: Path) -> None:
    if manner.over is None:
        draft.write_text(text, "utf-8")
        draft.replace(path)
    else:
        _write_over(path, text, seconds=manner.over)


def _is_there(folder: Path, mark: str) -> bool:
    """Whether it is in the records once the change of that moment is over, or put aside by whoever recovered."""
    deadline = time.monotonic() + _CHANGE_ENDS_WITHIN_S
    while (folder / "journal.json").exists() and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
    return any(mark in path.read_text("utf-8") for path in (folder / ORDERS_FILE, *folder.glob("*.edited-*")))


def _noted(text: str, order_id: str, mark: str) -> str:
    begin = text.index('"notes": "', text.index(f'"order_id": "{order_id}"')) + len('"notes": "')
    return f"{text[:begin]}{mark} {text[begin:]}"


def _write_over(path: Path, text: str, *, seconds: float) -> None:
    data = text.encode()
    descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    try:
        os.write(descriptor, data[: len(data) // 2])
        time.sleep(seconds)
        os.write(descriptor, data[len(data) // 2 :])
    finally:
        os.close(descriptor)
