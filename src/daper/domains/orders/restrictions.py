"""What the free-form restrictions of an inventory row say: who has to approve, and whether it may be sold at all."""

import re
from collections.abc import Iterable, Mapping
from typing import cast

from daper.domains.orders.statuses import normal

_MINISTRY = re.compile(
    r"ministry[\s_-]+(of[\s_-]+magic[\s_-]+)?(approval|consent)|consent of the ministry", re.IGNORECASE
)
_PROHIBITED = re.compile(r"\b(prohibited|banned|illegal)\b", re.IGNORECASE)
_NO = frozenset({"", "0", "no", "none", "false", "not-required", "not-needed"})


def asks_ministry(value: object) -> bool:
    """Whether a requirement or restriction, of whatever shape, says that the Ministry has to approve."""
    return any(_MINISTRY.search(text) for text in _texts(value))


def prohibits(words: Iterable[str], restrictions: object) -> bool:
    """Whether one of the words says so, or a restriction is exactly that word."""
    return any(_PROHIBITED.search(word) for word in words) or any(
        _PROHIBITED.fullmatch(text.strip()) for text in _texts(restrictions)
    )


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        # A JSON object of any shape: its keys stand for the flags that are set.
        flags = cast("Mapping[object, object]", value)
        return [str(key) for key, flag in flags.items() if flag is not None and normal(str(flag)) not in _NO]
    if isinstance(value, list | tuple):
        # A JSON list of any shape.
        members = cast("list[object] | tuple[object, ...]", value)
        return [text for member in members for text in _texts(member)]
    return []
