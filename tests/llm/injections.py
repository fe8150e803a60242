"""All injections, and the model that obeys every one that it reads."""

import os
import re
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from tests.llm.brains import good
from tests.llm.corpus.disguises import DISGUISES
from tests.llm.corpus.orders import ORDERS
from tests.llm.corpus.payload import Attack, Payload, Place
from tests.llm.corpus.replies import REPLIES
from tests.llm.corpus.tongues import TONGUES
from tests.llm.corpus.verdicts import VERDICTS
from tests.llm.reading import Prompt
from tests.llm.thinking import Brain
from tests.llm.wire import Json

PAYLOADS: Final[tuple[Payload, ...]] = (*VERDICTS, *REPLIES, *ORDERS, *TONGUES, *DISGUISES)
SPREAD: Final = int(os.environ.get("DAPER_TEST_INJECTIONS_EVERY", "4"))
BY_MARKER: Final = {payload.marker: payload for payload in PAYLOADS}
_MARKER = re.compile(r"zx[1-9][0-9]")


def spread(payloads: Iterable[Payload]) -> Iterator[Payload]:
    """The first of each class of attack and in each place, and every fourth of a class; in `make faults`, all."""
    seen, places = Counter[Attack](), set[Place]()
    for payload in payloads:
        where = {place for place, _ in payload.parts}
        if seen[payload.attack] % SPREAD == 0 or where - places:
            yield payload
            places |= where
        seen[payload.attack] += 1


def found_in(text: str) -> tuple[Payload, ...]:
    """The payloads whose markers stand in a text, in the order of the text, each once."""
    markers = dict.fromkeys(_MARKER.findall(text))
    return tuple(BY_MARKER[marker] for marker in markers if marker in BY_MARKER)


class Hijacked:
    """A brain that obeys every payload in its prompt, one after the other.

    `read` counts, for each role, how often each payload was there: whether an attack was made at all.
    """

    def __init__(self, brain: Brain = good, *, only: Payload | None = None) -> None:
        self._brain = brain
        self._only = only
        self.read: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()

    def __call__(self, prompt: Prompt) -> Json:
        reply = self._brain(prompt)
        for payload in found_in(prompt.text):
            seen = (prompt.role, payload.name)
            with self._lock:
                self.read[seen] = self.read.get(seen, 0) + 1
            if self._only is None or payload == self._only:
                reply = payload.obeyed(prompt.role, reply, prompt.record_ids)
        return reply

    def names_read(self, role: str | None = None) -> frozenset[str]:
        """The payloads that it has read, in one role or in any."""
        return frozenset(name for where, name in self.read if role in (None, where))
