"""Whether a worker takes work at this moment, and if not, why."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from daper.core.errors import DaperError
from daper.core.text import visible

LOOKS_FOR: Final = timedelta(seconds=3)
"""How long each thing that it needs may take to answer."""

Look = Callable[[], Awaitable[None]]

_STARTING: Final = "it starts, and polls no queue yet"
_DRAINING: Final = "it was told to stop: what it has begun may finish, and nothing more begins"
_LONGEST: Final = 500


class Readiness:
    """Not ready before `begun`, nor after `drain`; between them, while everything it needs answers."""

    def __init__(self, *, within: timedelta = LOOKS_FOR) -> None:
        self._stage = _STARTING
        self._within = within
        self._looks: Mapping[str, Look] = {}
        self._notes: Callable[[], Sequence[str]] = tuple[str, ...]
        self._looking: dict[str, asyncio.Task[str]] = {}

    def begun(self, looks: Mapping[str, Look], *, notes: Callable[[], Sequence[str]] = tuple[str, ...]) -> None:
        """It polls; `looks`, by what they look at, raise where that does not answer.

        `notes`: what whoever runs it should know, though it takes work; it may block.
        """
        self._stage, self._looks, self._notes = "", looks, notes

    async def notes(self) -> tuple[str, ...]:
        """Those, each in one line."""
        return tuple(visible(note, longest=_LONGEST) for note in await asyncio.to_thread(self._notes))

    def drain(self) -> None:
        """It takes nothing more."""
        self._stage = _DRAINING
        for task in self._looking.values():
            task.cancel()

    async def obstacle(self) -> str:
        """Why it is not ready, in one line without a secret; "" where it is.

        At one thing it looks once at a time: who asks meanwhile shares that look, however long it takes to end.
        """
        if self._stage:
            return self._stage
        found = await asyncio.gather(*(self._at(name, look) for name, look in self._looks.items()))
        return self._stage or visible("; ".join(each for each in found if each), longest=_LONGEST)

    async def _at(self, name: str, look: Look) -> str:
        task = self._looking.get(name)
        if task is None or task.done():
            task = self._looking[name] = asyncio.create_task(_obstacle(name, look))
        # Not cut off: the thread in which it may stand would stay, and with each look one more.
        await asyncio.wait({task}, timeout=self._within.total_seconds())
        if not task.done():
            return f"{name}: no answer within {self._within.total_seconds():g} s"
        return "" if task.cancelled() else task.result()


async def _obstacle(name: str, look: Look) -> str:
    try:
        await look()
    except DaperError as error:
        return f"{name}: {error}"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is not ready; the text may hold anything
        return f"{name}: {type(error).__name__}"
    return ""
