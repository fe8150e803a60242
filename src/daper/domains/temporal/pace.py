"""How often a process asks a cluster: never more often than is set, however many ask at once."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar

from daper.clock import ticks

_TAKEN: ContextVar[int] = ContextVar("taken", default=0)


class Pace:
    """Lets so many calls through in a second, one after another, in the order in which they come.

    `at_once`: so many more at first, and again after as long a rest as they take.
    """

    def __init__(self, per_second: int, *, at_once: int = 0) -> None:
        self._apart = 1 / per_second
        self._slack = at_once / per_second
        self._next = 0.0

    @asynccontextmanager
    async def at_once(self, calls: int) -> AsyncGenerator[None]:
        """Take the turns of so many calls first: none of them waits here, whatever others ask meanwhile."""
        for _ in range(calls):
            await self.turn()
        token = _TAKEN.set(calls)
        try:
            yield
        finally:
            _TAKEN.reset(token)

    async def turn(self) -> None:
        """Wait until it is this call's turn."""
        if taken := _TAKEN.get():
            _TAKEN.set(taken - 1)
            return
        now = ticks()
        at = max(now - self._slack, self._next)
        self._next = at + self._apart
        if at > now:
            await asyncio.sleep(at - now)

    def rest(self, seconds: float) -> None:
        """Let nobody through for a while: whoever is asked has said that it is too much."""
        self._next = max(self._next, ticks() + seconds)
