"""Which message of its key each one is. It follows from the order of sending, also of those that lie there for long."""

from collections import Counter
from collections.abc import Iterable

from daper.ports.store import Message


def numbered(messages: Iterable[Message]) -> list[Message]:
    """The same messages, which are in the order of sending, each with its number among those of its key."""
    seen = Counter[str]()
    found: list[Message] = []
    for message in messages:
        seen[message.key] += 1
        found.append(message.model_copy(update={"number": seen[message.key]}))
    return found
