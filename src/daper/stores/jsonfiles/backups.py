"""What is replaced as a whole is kept: the files as they were, in a dated folder beside them."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from daper.stores.jsonfiles.disk import Disk
from daper.stores.jsonfiles.journal import Replacement

BACKUPS = "backups"


def backup(folder: Path, files: Sequence[str], *, disk: Disk, at: datetime) -> tuple[Path, list[Replacement]]:
    """Where a backup of these files would be, and what has to be written for it; nothing where none of them is there.

    It becomes real in the same change that replaces the files, so there is no replacing without it.
    """
    name, number = f"{at:%Y-%m-%dT%H-%M-%SZ}", 1
    while disk.stat(folder / (where := f"{BACKUPS}/{name}" if number == 1 else f"{BACKUPS}/{name}-{number}")):
        number += 1
    copies: list[Replacement] = []
    for file in files:
        known, data = disk.stat(folder / file), disk.read_bytes(folder / file)
        if known is not None and data is not None:
            copies.append(Replacement(path=f"{where}/{file}", before=None, after=data, mode=known.mode))
    return folder / where, copies
