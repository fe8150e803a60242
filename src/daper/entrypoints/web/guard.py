"""What stands before every page: where it may come from, who sent it, and what a browser may do with it."""

import asyncio
import logging
from functools import partial
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daper.core.errors import DaperError
from daper.entrypoints.http.address import origins_of
from daper.entrypoints.web.api.problems import Kind
from daper.entrypoints.web.console import Console
from daper.entrypoints.web.form_proof import TooLong, body_of, needs_proof, proven
from daper.entrypoints.web.refusals import sign_in_first, signed_out, told, too_often, unproven
from daper.entrypoints.web.streams import Stream
from daper.entrypoints.web.visitors import NOBODY, Visitor
from daper.entrypoints.web.ways import STATIC, is_open

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_SAFE: Final = frozenset({"GET", "HEAD"})
_OURS: Final = frozenset({None, "same-origin", "none"})

log = logging.getLogger(__name__)


class Guard:
    """Stands before all of the console: names, origins, the person, the proof of a form; and the headers of answers."""

    def __init__(self, app: ASGIApp, *, console: Console) -> None:
        self._app = app
        self._console = console
        self._origins = frozenset(origins_of(console.hosts))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand it on, or refuse it.

        400 for a foreign name, 403 for what another site's page sends and for a form without its proof, 401 for whoever
        has to sign in, 429 for who was wrong too often, 413 for what is too long.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with_headers = partial(_send_with_headers, scope, send)
        headers = Headers(scope=scope)
        if (refusal := self._refuse_source(scope, headers)) is not None:
            await refusal(scope, receive, with_headers)
            return
        state = scope.setdefault("state", {})
        state["visitor"] = NOBODY
        if str(scope["path"]).startswith(STATIC):
            await self._app(scope, receive, with_headers)
            return
        visitor = await self._visitor(scope, headers)
        if isinstance(visitor, Visitor):
            state["visitor"] = visitor
            await self._let_in(scope, receive, with_headers, visitor)
        else:
            await visitor(scope, receive, with_headers)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send, visitor: Visitor) -> None:
        headers = Headers(scope=scope)
        if scope["method"] not in _SAFE and needs_proof(str(scope["path"]), headers, visitor):
            try:
                receive = body = await body_of(receive)
            except TooLong:
                await told(str(scope["path"]), Kind.TOO_LONG, "this is too long")(scope, receive, send)
                return
            key = await asyncio.to_thread(self._console.reception.form_key, visitor)
            if not proven(headers, body.data, key):
                await unproven(Request(scope))(scope, receive, send)
                return

        async def still() -> bool:
            return await asyncio.to_thread(self._console.reception.visitor, headers) is not None

        last = signed_out(str(scope["path"]))
        await self._app(scope, receive, Stream(send, still=still, last=last))

    async def _visitor(self, scope: Scope, headers: Headers) -> Visitor | Response:
        """Who came, or what whoever came is answered."""
        reception, address = self._console.reception, str((scope.get("client") or ("",))[0])
        brings = "authorization" in headers
        if brings and (wait := reception.attempts.wait(address)):
            return too_often(Request(scope), wait)
        try:
            visitor = await asyncio.to_thread(reception.visitor, headers)
        except DaperError:
            log.exception("nobody can tell who comes to the console")
            said = "nobody can tell who you are just now; what is wrong is in the console's log"
            return told(str(scope["path"]), Kind.UNAVAILABLE, said)
        if visitor is not None:
            return visitor
        if brings:
            reception.attempts.wrong(address)
        elif is_open(str(scope["path"])):
            return NOBODY
        return await sign_in_first(Request(scope))

    def _refuse_source(self, scope: Scope, headers: Headers) -> Response | None:
        path = str(scope["path"])
        if headers.get("host", "") not in self._console.hosts:
            return told(path, Kind.OTHER_NAME, "the console is not known by this name")
        if scope["method"] not in _SAFE and not self._is_ours(headers):
            return told(path, Kind.FOREIGN, "this came from another site's page; nothing was done")
        return None

    def _is_ours(self, headers: Headers) -> bool:
        """Whether a page of ours sent it: every browser says where it comes from."""
        origin = headers.get("origin")
        return (origin is None or origin in self._origins) and headers.get("sec-fetch-site") in _OURS


async def _send_with_headers(scope: Scope, send: Send, message: Message) -> None:
    if message["type"] == "http.response.start":
        headers = MutableHeaders(scope=message)
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        if not str(scope["path"]).startswith(STATIC):
            headers.setdefault("cache-control", "no-store")
    await send(message)
