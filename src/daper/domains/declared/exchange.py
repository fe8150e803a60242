"""One request to an outside system, and its answer: bounded in bytes and time, and nowhere but where it is sent.

No redirect is followed, no proxy and no cookie is used. Blocks: call it in a thread.
"""

import http.client
import socket
import ssl
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

from daper import __version__
from daper.core.errors import ActionFailed, NoAnswer
from daper.deadline import cut_off
from daper.domains.declared.request import Request

LARGEST_ANSWER: Final = 64 * 1024
_OWN: Final = {"User-Agent": f"daper/{__version__}", "Accept": "application/json", "Connection": "close"}


class NotSent(ActionFailed):
    """Nobody was reached, so that nothing was sent."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a system answered. `cut`: there was more than is read. What it says may repeat a secret: it is not shown."""

    status: int
    content: bytes = field(default=b"", repr=False)
    cut: bool = False


def exchange(request: Request, *, within: timedelta) -> Answer:
    """Send it once, and read the whole answer, all within this time.

    Raises NotSent, and NoAnswer where nobody can tell whether it was taken: no answer, one
    that broke off, none in time. Neither repeats what the other side said.
    """
    parts = urlsplit(request.url)
    host = parts.hostname or ""
    secure = parts.scheme == "https"
    ends = monotonic() + within.total_seconds()
    connection = http.client.HTTPConnection(host, parts.port or (443 if secure else 80))
    open_now: list[socket.socket] = []
    with ExitStack() as stack:
        stack.callback(connection.close)
        stack.enter_context(cut_off(lambda: open_now[-1] if open_now else None, after=within))
        try:
            connection.sock = _connected(host, connection.port, ends, open_now, stack)
            if secure:
                connection.sock = _secured(connection.sock, host, open_now, stack)
            _left(ends)
        except ssl.SSLCertVerificationError as error:
            raise NotSent(f"{host}: its certificate is refused, nothing was sent: {error.verify_message}") from None
        except (OSError, ValueError) as error:  # a name that no network knows is a ValueError
            raise NotSent(f"{host} could not be reached, nothing was sent: {_reason(error)}") from None
        try:
            target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
            connection.request(request.method, target, request.body or None, {**_OWN, **request.headers})
            return _read(connection.getresponse(), ends)
        except (OSError, ValueError, http.client.HTTPException) as error:  # what was shut down is a ValueError to TLS
            late = monotonic() >= ends
            why = f"no whole answer within {within.total_seconds():g} s" if late else f"no answer: {_reason(error)}"
            raise NoAnswer(f"{host}: {why}; only it can tell what became of the request") from None


def _connected(host: str, port: int, ends: float, open_now: list[socket.socket], stack: ExitStack) -> socket.socket:
    """A connection to the first of its addresses that takes one."""
    last: OSError = OSError("it has no address")
    for family, kind, protocol, _, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        made = stack.enter_context(socket.socket(family, kind, protocol))
        made.settimeout(_left(ends))
        open_now.append(made)
        try:
            made.connect(place)
        except OSError as error:
            last = error
            continue
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made
    raise last


def _secured(plain: socket.socket, host: str, open_now: list[socket.socket], stack: ExitStack) -> socket.socket:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    made = stack.enter_context(context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False))
    open_now.append(made)
    made.do_handshake()
    return made


def _read(answer: http.client.HTTPResponse, ends: float) -> Answer:
    """All of it, up to what is read; one that breaks off is none."""
    content = bytearray()
    while len(content) <= LARGEST_ANSWER and (piece := answer.read1(LARGEST_ANSWER + 1 - len(content))):
        content += piece
    cut = len(content) > LARGEST_ANSWER
    # The end of a connection that was shut down for being late looks like the end of an answer; and read1 lets one
    # through that is shorter than it said.
    if not cut and (answer.length or monotonic() >= ends):
        raise http.client.IncompleteRead(b"")
    return Answer(status=answer.status, content=bytes(content[:LARGEST_ANSWER]), cut=cut)


def _left(ends: float) -> float:
    left = ends - monotonic()
    if left <= 0:
        raise TimeoutError("it took too long")
    return left


def _reason(error: Exception) -> str:
    told = getattr(error, "strerror", None)
    return str(told or (error if isinstance(error, TimeoutError) else type(error).__name__))


def named(status: int) -> str:
    """A status in words."""
    return f"{status} {http.client.responses.get(status, '')}".strip()
