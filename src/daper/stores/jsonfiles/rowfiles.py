"""The files beside the records: one for each row of the ledger, one for each message sent."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from daper.core.base import Wire
from daper.core.errors import ActionFailed, StoreDamaged
from daper.stores import jsontext

LEDGER = "ledger"
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


Row = TypeVar("Row", bound=Wire)


def row_path(key: str) -> str:
    """The file of a key's ledger row, within the store. Raises ActionFailed for a key that is no file name."""
    return f"{LEDGER}/{_checked(key)}.json"


def keys(names: Iterable[str]) -> Iterator[str]:
    """The keys whose ledger rows files of these names are; what is none is left out."""
    for name in names:
        key, dot, _ = name.rpartition(".json")
        if dot and _KEY.fullmatch(key):
            yield key


def message_path(key: str, number: int) -> str:
    """The file of a key's message with this number, within the store."""
    return f"outbox/{_checked(key)[:16]}-{number}.json"


def to_bytes(row: Wire) -> bytes:
    """A row as a person can read it."""
    return jsontext.dump(row.model_dump(mode="json"))


def from_bytes(kind: type[Row], data: bytes, *, path: Path) -> Row:
    """A row as it was written. Raises StoreDamaged when it is none any more."""
    try:
        return kind.model_validate(json.loads(data))
    except (ValueError, RecursionError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise StoreDamaged(
            f"{str(path)!r} is not what the store wrote there ({why}). It was left untouched; bring it back from a "
            "copy, or move it away if you know that it does not matter"
        ) from None


def _checked(key: str) -> str:
    if _KEY.fullmatch(key) is None:
        raise ActionFailed(f"{key!r} is no key of an effect: letters, digits, '_', '.', '-', at most 128")
    return key
