"""Writes a file as a whole or not at all."""

import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

from daper.clock import new_id
from daper.core.system_errors import optional


def replace_file(path: Path, data: bytes, *, make_sure: Callable[[], None] = lambda: None) -> None:
    """Write a file as a whole: until then what was there before stays, also if this fails. Raises OSError.

    A new file may be read by whom the process lets by default, a replaced one by whom it was before. `make_sure` is
    asked when all is written and nothing is replaced yet; what it raises leaves everything as it was.
    """
    draft = path.with_name(f".{path.name}.{new_id()}")
    try:
        with open(draft, "xb") as file:
            with contextlib.suppress(FileNotFoundError), optional():
                os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
            file.write(data)
            file.flush()
            with optional():
                os.fsync(file.fileno())
        make_sure()
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    with optional():
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
