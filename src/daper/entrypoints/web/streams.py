"""Streams of events: one ends when its person is signed out meanwhile, and says so."""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Message, Send

from daper.clock import ticks

LOOK_AGAIN_S: Final = 5.0
_EVENTS: Final = "text/event-stream"


class Stream:
    """Sends an answer on. Of one that goes on, nothing more is sent once `still` says no; it is asked now and then.

    `last`: the event that such a stream ends with.
    """

    def __init__(self, send: Send, *, still: Callable[[], Awaitable[bool]], last: bytes) -> None:
        self._send = send
        self._still = still
        self._last = last
        self._looked: float | None = None  # None: it is an answer that ends by itself
        self._over = False

    async def __call__(self, message: Message) -> None:
        """Send it, or end the answer."""
        if message["type"] == "http.response.start":
            if Headers(raw=message.get("headers", [])).get("content-type", "").startswith(_EVENTS):
                self._looked = ticks()
        elif self._over:
            return
        elif self._looked is not None and ticks() - self._looked >= LOOK_AGAIN_S:
            self._looked = ticks()
            if not await self._still():
                self._over = True
                await self._send({"type": "http.response.body", "body": self._last, "more_body": False})
                return
        await self._send(message)
