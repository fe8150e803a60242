"""Canonical JSON text and digests. A digest is over text that was made once and kept, never over a model."""

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{value!r} has no canonical JSON form")
        return format(value, "f")
    raise TypeError(f"{value!r} has no canonical JSON form")


def canonical(value: object) -> str:
    """The canonical JSON text of a value: sorted keys, no spaces, decimals as strings.

    Raises TypeError for what has no such form, ValueError for NaN and infinities.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain)


def digest(text: str | bytes) -> str:
    """sha256 of a text or of bytes, 64 characters of lower-case hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text).hexdigest()


def content_version(record: Mapping[str, object]) -> str:
    """The version of a record by what it holds: for stores that people change with tools of their own."""
    return digest(canonical(record))[:32]


def effect_key(cycle_id: str, action_digest: str) -> str:
    """The one key of one effect: the same approved action of the same cycle always has the same key."""
    return digest(canonical({"cycle": cycle_id, "action": action_digest}))


def undo_key(key: str) -> str:
    """The key of undoing the effect that has `key`."""
    return digest(canonical({"undo": key}))
