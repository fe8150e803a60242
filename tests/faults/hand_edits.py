"""How somebody edits the records by hand: with no lock, saving a new file or writing over the old one."""

import os
import time
from pathlib import Path

from daper.domains.orders.world import ORDERS_FILE

_TRIES = 50
_PAUSE_S = 0.02


def note(folder: Path, order_id: str, mark: str, *, over: float | None = None) -> bool:
    """Put a word into the notes of an order, between two changes of daper; whether it was there to be read afterwards.

    `over`: write over the file, which is half there for so many seconds; else a whole one takes its place. Raises
    OSError when the disk refuses.
    """
    path = folder / ORDERS_FILE
    for _ in range(_TRIES):
        before = path.read_text("utf-8")
        after = _noted(before, order_id, mark)
        draft = path.with_name(f"{path.name}~")
        try:
            if over is None:
                draft.write_text(after, "utf-8")
            if not (folder / "journal.json").exists() and path.read_text("utf-8") == before:
                if over is None:
                    draft.replace(path)
                else:
                    _write_over(path, after, seconds=over)
                if mark in path.read_text("utf-8"):
                    return True
        finally:
            draft.unlink(missing_ok=True)
        time.sleep(_PAUSE_S)
    return False


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
