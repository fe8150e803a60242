"""What the store writes beside the records: one ledger row per effect, one message per letter sent."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import ValidationError

from daper.core.base import Wire
from daper.core.errors import ActionFailed, StoreDamaged
from daper.core.outcomes import Effect
from daper.domains.orders.jsonstore import jsontext

_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


class LedgerRow(Wire):
    """What happened for one key, for good. A tombstone: nothing happened, and nothing may any more.

    `originals`: the JSON text of the fields as they were before the effect, exactly; what undoing gives back.
    """

    key: str
    kind: Literal["effect", "tombstone", "undo"]
    tool: str = ""
    record_id: str = ""
    at: datetime
    effect: Effect
    originals: str = ""


class Message(Wire):
    """One message that an effect sent, as it lies in the outbox. `sequence`: the how manieth it is, from 1 on."""

    key: str
    to: str
    subject: str
    body: str
    record_id: str
    at: datetime
    simulated: bool = False
    sequence: int = 0


Row = TypeVar("Row", bound=Wire)


def row_path(key: str) -> str:
    """The file of a key's ledger row, within the store. Raises ActionFailed for a key that is no file name."""
    return f"ledger/{_checked(key)}.json"


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
