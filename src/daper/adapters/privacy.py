"""One rule for what is kept under DAPER_HOME: its owner alone can read it."""

import logging
import os
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

_OTHERS: Final = 0o077
# What daper keeps there, with what belongs to it (a database's -wal, a lock). A home may hold other things.
_OURS: Final = (
    "data",
    "domains",
    "reports",
    "transcripts",
    "logs",
    "daper.db",
    "memory.db",  # as former versions kept it, and so the next two
    "spending.db",
    "answers.db",
    "temporal.db",
    "mcp-tokens.json",
    "mcp-forms.key",
    "server.json",
    "up.lock",
    "people.toml",
    "policy.toml",
)

_lent: int | None = None  # the mask that the process was started with


def keep_new_files_private() -> None:
    """From now on, whatever this process and those it starts make is for the owner alone. For a process of our own."""
    global _lent
    before = os.umask(_OTHERS)
    _lent = before if _lent is None else _lent


@contextmanager
def private_files() -> Generator[None]:
    """What is made in here is for the owner alone, whatever else this process makes."""
    before = os.umask(_OTHERS)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def as_the_person_shares() -> Generator[None]:
    """What is made in here gets the mode that the person's files have elsewhere: a file that they named."""
    if _lent is None:
        yield
        return
    ours = os.umask(_lent)
    try:
        yield
    finally:
        os.umask(ours)


def make_private(home: Path) -> None:
    """Take from others what they may do to what daper keeps in a home, and to the folder if it is daper's alone.

    Links are not followed: what somebody put elsewhere stays as it is. Best effort: where the system knows no modes,
    or a file is another's, it stays as it is.
    """
    try:
        entries = sorted(os.listdir(home))
    except OSError:
        return
    for name in entries:
        if _is_ours(name):
            for path in _all_of(home / name):
                _tighten(path)
    if all(map(_is_ours, entries)):
        _tighten(home)


def _is_ours(name: str) -> bool:
    plain = name.removeprefix(".")
    return any(plain == ours or plain.startswith((f"{ours}.", f"{ours}-")) for ours in _OURS)


def _all_of(path: Path) -> Iterator[Path]:
    yield path
    if path.is_dir() and not path.is_symlink():
        for folder, folders, files in os.walk(path):
            yield from (Path(folder, name) for name in (*folders, *files))


def _tighten(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode) and mode & _OTHERS:
            path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
    except OSError as error:
        log.debug("a file keeps its mode", extra={"path": str(path), "reason": error.strerror})
