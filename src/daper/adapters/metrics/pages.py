"""A few small pages over HTTP, for probes and scrapers: bounded in everything, and with no way to change anything.

One request a connection, GET or HEAD. Whoever asks has some seconds to do it and to take the answer.
"""

import asyncio
import errno
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from daper.core.errors import Occupied, SettingError

JSON: Final = "application/json"
MOST_AT_ONCE: Final = 32
"""Connections; one more is closed unheard."""

_LONGEST_HEAD: Final = 8192
_PATIENCE_S: Final = 10.0
_ENDS_HEAD: Final = b"\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    """What a page says."""

    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    media: str = JSON


Page = Callable[[], Awaitable[Answer]]


@asynccontextmanager
async def pages_at(host: str, port: int, pages: Mapping[str, Page]) -> AsyncGenerator[str]:
    """Serve pages by their paths, until left; yields the address, `host:port`. Port 0 is any free one.

    Raises Occupied where somebody else has the port, SettingError where the address is not this machine's.
    """
    served = _Pages(pages)
    try:
        server = await asyncio.start_server(served.serve, host, port, limit=_LONGEST_HEAD)
    except OSError as error:
        raise _refused(host, port, error) from error
    try:
        bound = server.sockets[0].getsockname()
        yield f"[{bound[0]}]:{bound[1]}" if ":" in bound[0] else f"{bound[0]}:{bound[1]}"
    finally:
        server.close()
        served.end()


class _Pages:
    def __init__(self, pages: Mapping[str, Page]) -> None:
        self._pages = pages
        self._open: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its request to its end."""
        task = asyncio.current_task()
        if task is None or len(self._open) >= MOST_AT_ONCE:
            writer.transport.abort()
            return
        self._open.add(task)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                writer.write(await self._answer(reader))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (OSError, TimeoutError, EOFError):
            pass  # whoever asked is gone, or too slow: nobody waits for the answer
        finally:
            writer.transport.abort()
            self._open.discard(task)

    def end(self) -> None:
        """Leave nobody waiting."""
        for task in self._open:
            task.cancel()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(_ENDS_HEAD)
        except asyncio.LimitOverrunError:
            return _told(_refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
        words = head.split(b"\r\n", 1)[0].split(b" ")
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            return _told(_refusal(HTTPStatus.BAD_REQUEST))
        method, target, _ = words
        page = self._pages.get(target.partition(b"?")[0].decode("latin-1"))
        if page is None:
            return _told(_refusal(HTTPStatus.NOT_FOUND))
        if method not in (b"GET", b"HEAD"):
            return _told(_refusal(HTTPStatus.METHOD_NOT_ALLOWED), more="Allow: GET, HEAD\r\n")
        return _told(await page(), head_only=method == b"HEAD")


def _refusal(status: HTTPStatus) -> Answer:
    return Answer(f"{status.phrase}\n".encode(), status, "text/plain; charset=utf-8")


def _told(answer: Answer, *, head_only: bool = False, more: str = "") -> bytes:
    head = (
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}\r\nContent-Type: {answer.media}\r\n"
        f"Content-Length: {len(answer.body)}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
        f"{more}Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + (b"" if head_only else answer.body)


def _refused(host: str, port: int, error: OSError) -> Exception:
    where = f"DAPER_WORKER_ADDRESS is '{f'[{host}]' if ':' in host else host}:{port}'"
    if error.errno == errno.EADDRINUSE:
        return Occupied(
            f"{where}, and another process has that port, perhaps another worker; "
            "give each one of its own, or port 0 for any free one"
        )
    why = error.strerror or str(error)
    return SettingError(f"{where}, where this machine cannot serve ({why}); name an address of its own, or off")
