"""The proof that a form carries: what changes anything was sent by a page of ours that this visitor saw."""

import secrets
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import Message, Receive

from daper.entrypoints.web.visitors import Visitor
from daper.entrypoints.web.ways import API

FIELD: Final = "csrf"
HEADER: Final = "x-csrf"
MOST_BYTES: Final = 1024 * 1024
_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"


class TooLong(Exception):
    """More was sent than any form of ours has."""


@dataclass
class Body:
    """What was sent, all of it, for whoever looks into it first and for whoever comes after."""

    data: bytes
    receive: Receive
    _told: bool = False

    async def __call__(self) -> Message:
        """As the server tells it to an application."""
        if self._told:
            return await self.receive()
        self._told = True
        return {"type": "http.request", "body": self.data, "more_body": False}


async def body_of(receive: Receive) -> Body:
    """Take all of it. Raises TooLong."""
    data = bytearray()
    while True:
        message = await receive()
        data += message.get("body", b"")
        if len(data) > MOST_BYTES:
            raise TooLong
        if message["type"] != "http.request" or not message.get("more_body", False):
            return Body(bytes(data), receive)


def needs_proof(path: str, headers: Headers, visitor: Visitor) -> bool:
    """Whether a browser may have sent it without its person.

    Not where a token came with it, nor where no browser sent it and no session counts. And JSON goes to another site
    only after a browser has asked that site, which we never allow.
    """
    if visitor.signed_in and not visitor.session:
        return False
    if path.startswith(API) and _kind(headers) == _JSON:
        return False
    return bool(visitor.session) or "origin" in headers or "sec-fetch-site" in headers


def proven(headers: Headers, body: bytes, key: str) -> bool:
    """Whether it carries the key, in a form or in a header."""
    said = headers.get(HEADER, "")
    if not said and _kind(headers) == _FORM:
        said = parse_qs(body.decode("utf-8", "replace")).get(FIELD, [""])[0]
    return secrets.compare_digest(said.encode(), key.encode())


def _kind(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()
