"""A SQLite file on the disk: which one a path names, and what its errors and those of the disk mean."""

from pathlib import Path

from daper.core import system_errors
from daper.core.errors import StoreBusy, StoreChanged, StoreDamaged, StoreError
from daper.core.system_errors import Trouble, trouble


def identity(path: Path) -> tuple[int, int] | None:
    """Which file a path names now; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def refuse_replaced(path: Path, opened: tuple[int, int] | None, what: str) -> None:
    """Raises StoreChanged where the path names another file than when it was opened: what is written would be lost."""
    if opened is None or identity(path) != opened:
        raise StoreChanged(f"{what} {str(path)!r} was removed or replaced meanwhile; nothing was written. Try again")


def store_error(error: Exception, named: str, busy_seconds: float, *, path: Path) -> StoreError:
    """What an error of SQLite or of the disk means for the file at `path`, and what to do about it."""
    found = system_errors.store_error(error, named, path=path)
    if isinstance(found, StoreBusy):
        return StoreBusy(f"{named} has been busy for {busy_seconds:.0f} s; try again")
    if trouble(error, path) is Trouble.DAMAGED:
        return StoreDamaged(f"{named} is no database ({error}); move it away, and a new one is made")
    return found
