"""What somebody may have done to the files of a shop: each is to be found by whoever counts what is left."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.faults.generated_shop import GeneratedShop

Tamper = Callable[[Path, str], None]
"""Done in a folder to what the effect of a key left."""


def copied(shop: GeneratedShop, folder: Path) -> GeneratedShop:
    """The same shop with files of its own, in a folder, to be tampered with."""
    shutil.copytree(shop.folder, folder / "store")
    return dataclasses.replace(shop, folder=folder / "store")


def forget_row(folder: Path, key: str) -> None:
    """Its row of the ledger is gone."""
    (folder / "ledger" / f"{key}.json").unlink()


def lose_message(folder: Path, key: str) -> None:
    """Its message is gone."""
    (folder / "outbox" / f"{key[:16]}-1.json").unlink()


def repeat_message(folder: Path, key: str) -> None:
    """Its message was sent twice."""
    shutil.copy(folder / "outbox" / f"{key[:16]}-1.json", folder / "outbox" / f"{key[:16]}-2.json")
