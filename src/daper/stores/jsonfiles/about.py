"""What a store says of itself, and whether its folder is the one that it remembers, a moved one, or a copy."""

from enum import StrEnum
from pathlib import Path

from daper.core.commands import CommandLine
from daper.core.errors import StoreDamaged
from daper.ports.store import StoreAbout
from daper.stores.jsonfiles import rowfiles
from daper.stores.jsonfiles.disk import Disk, FileStat
from daper.stores.jsonfiles.documents import absent

ABOUT_FILE = "store.json"


class Whereabouts(StrEnum):
    """How the folder that a store is in relates to the one that it remembers."""

    HOME = "home"
    MOVED = "moved"
    COPY = "copy"


def read_about(folder: Path, disk: Disk) -> StoreAbout:
    """What the store in a folder says of itself. Raises StoreDamaged when it says nothing, or nonsense."""
    path = folder / ABOUT_FILE
    data = disk.read_bytes(path)
    if data is None:
        raise absent(path)
    return rowfiles.from_bytes(StoreAbout, data, path=path)


def written(folder: Path) -> str:
    """A folder as its store remembers it."""
    return str(folder.resolve()).encode("utf-8", "backslashreplace").decode()


def whereabouts(about: StoreAbout, folder: Path, disk: Disk) -> Whereabouts:
    """Where the store in `folder` is. What cannot be told apart from a copy counts as one."""
    if about.folder == written(folder):
        return Whereabouts.HOME
    if not about.folder:
        return Whereabouts.MOVED  # written before folders were remembered
    remembered = Path(about.folder)
    try:
        if disk.stat(remembered / ABOUT_FILE) is None:
            return Whereabouts.MOVED
        if _same(disk.stat(remembered), disk.stat(folder)):
            return Whereabouts.HOME  # by another path, as a mount gives it
        original = read_about(remembered, disk)
    except (OSError, StoreDamaged):
        return Whereabouts.COPY
    return Whereabouts.COPY if original.store_id == about.store_id else Whereabouts.MOVED


def refuse_copy(about: StoreAbout, folder: Path, disk: Disk) -> None:
    """Raises StoreDamaged, with the way out, for a folder that is a copy of one that is still there."""
    if whereabouts(about, folder, disk) is Whereabouts.COPY:
        raise StoreDamaged(
            f"{str(folder)!r} is a copy of {about.folder!r}: both have the store id {about.store_id!r}, so that a plan "
            "for one could run in the other. Nothing was changed. To give this copy an id of its own, with "
            "its ledger and outbox kept: ",
            CommandLine("records", "adopt"),
            "; or go on with the original",
        )


def _same(one: FileStat | None, other: FileStat | None) -> bool:
    # Of the folders: the files of a copy that is made of hard links are the same ones.
    return one is not None and other is not None and (one.inode, one.device) == (other.inode, other.device)
