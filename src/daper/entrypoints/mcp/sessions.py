"""The sessions of the HTTP server: each person may have so many, and so many requests at once."""

import asyncio
import json
from dataclasses import dataclass
from typing import Final

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

IDLE_S: Final = 30 * 60.0  # after that a session ends in which nothing is asked, and nobody listens
MOST_EACH: Final = 100
MOST_IN_ALL: Final = 1000

_SESSION: Final = b"mcp-session-id"
_TOO_MANY: Final = 429
_NOT_FOUND: Final = 404


@dataclass(kw_only=True)
class _Session:
    person: str
    used: float
    asking: int = 0  # requests that are being answered; who only listens asks nothing


class Sessions:
    """Stands before the application of the SDK, behind whoever knows the person.

    A session over the most that a person may have ends the one that this person used least lately; where all of them
    are being used, it is refused, with 429. `requests_each`: how many requests of a person are answered at once, all
    sorts of them together; None where nobody knows who comes.
    """

    def __init__(self, app: ASGIApp, *, most_each: int = MOST_EACH, requests_each: int | None = None) -> None:
        self._app = app
        self._most_each = most_each
        self._requests_each = requests_each
        self._open: dict[str, _Session] = {}
        self._asking: dict[str, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse with 429."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        person = _person(scope)
        known = self._of(person).get(_session_id(scope))  # one of somebody else's is none
        if why := self._refuses(person, opens=not _session_id(scope)):
            await _refuse(send, why)
            return
        listens = scope["method"] == "GET"
        self._asking[person] = self._asking.get(person, 0) + 1
        if known and not listens:
            known.asking += 1
        try:
            await self._app(scope, receive, self._watching(scope, person, send))
        finally:
            self._asking[person] -= 1
            if not self._asking[person]:
                del self._asking[person]
            if known:
                known.used = _now()
                known.asking -= not listens

    def _refuses(self, person: str, *, opens: bool) -> str:
        most = self._requests_each
        if most is not None and self._asking.get(person, 0) >= most:
            return f"{person} has {most} requests open; end some, or wait for their answers"
        mine = self._of(person)
        if opens and len(mine) >= self._most_each and all(session.asking for session in mine.values()):
            return f"{person or 'this machine'} has {len(mine)} sessions, and all of them are being used; end some"
        return ""

    def _of(self, person: str) -> dict[str, _Session]:
        return {each: session for each, session in self._open.items() if session.person == person}

    def _watching(self, scope: Scope, person: str, send: Send) -> Send:
        """Learns from an answer which session began, or is over."""

        async def watching(message: Message) -> None:
            if message["type"] == "http.response.start":
                asked = _session_id(scope)
                begun = _header(message["headers"], _SESSION)
                if asked in self._of(person) and (message["status"] == _NOT_FOUND or scope["method"] == "DELETE"):
                    self._open.pop(asked, None)
                elif begun and not asked:
                    await self._begin(begun, person, scope)
            await send(message)

        return watching

    async def _begin(self, session_id: str, person: str, scope: Scope) -> None:
        self._forget_ended()
        self._open[session_id] = _Session(person=person, used=_now())
        mine = self._of(person)
        if len(mine) <= self._most_each:
            return
        idle = [each for each in mine if each != session_id and not mine[each].asking]
        if idle:
            await self._end(min(idle, key=lambda each: mine[each].used), scope)

    async def _end(self, session_id: str, scope: Scope) -> None:
        """As its own client would: with what the protocol has for it, as the same person."""
        self._open.pop(session_id, None)
        kept = [(name, value) for name, value in scope["headers"] if name in {b"host", b"origin", b"authorization"}]
        headers = [*kept, (_SESSION, session_id.encode()), (b"content-length", b"0")]

        async def nothing() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def unheard(_: Message) -> None:
            pass

        await self._app({**scope, "method": "DELETE", "headers": headers}, nothing, unheard)

    def _forget_ended(self) -> None:
        """Those of which the SDK has ended: nobody asked in them for long. One in which somebody listens may go too."""
        now = _now()
        for each in [each for each, session in self._open.items() if now - session.used > 2 * IDLE_S]:
            if not self._open[each].asking:
                del self._open[each]


def _person(scope: Scope) -> str:
    user = scope.get("user")
    return user.access_token.client_id if isinstance(user, AuthenticatedUser) else ""


def _session_id(scope: Scope) -> str:
    return _header(scope["headers"], _SESSION)


def _header(headers: list[tuple[bytes, bytes]], wanted: bytes) -> str:
    return next((value.decode("latin-1") for name, value in headers if name.lower() == wanted), "")


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _refuse(send: Send, why: str) -> None:
    error = {"jsonrpc": "2.0", "id": None, "error": {"code": -32000, "message": why}}
    headers = [(b"content-type", b"application/json"), (b"retry-after", b"10"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": _TOO_MANY, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(error).encode()})
