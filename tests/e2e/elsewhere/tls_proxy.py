"""TLS in front of a server in plaintext, as it stands in front of a Temporal that is elsewhere."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

_CHUNK: Final = 65536
_HOST: Final = "127.0.0.1"
# A server elsewhere is some way off: its alert does not overtake the client's first call.
_WAY_BACK_S: Final = 0.02

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(handle: Handle) -> AsyncGenerator[str]:
    """Accepts connections on a free port, yields its address; what is open is cut when this is left."""
    tasks: set[asyncio.Task[None]] = set()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handle(reader, writer)
        except (OSError, EOFError, ssl.SSLError, asyncio.CancelledError):  # the other side is gone, or we are to end
            pass
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(accepted, _HOST, 0)
    try:
        yield f"{_HOST}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)


@asynccontextmanager
async def tls_before(upstream: str, context: ssl.SSLContext, *, tells_why: bool = True) -> AsyncGenerator[str]:
    """A server that speaks TLS as `context` says, before one in plaintext.

    A handshake that fails ends in an alert, as servers of Temporal do it; without `tells_why` in silence.
    """

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = _Session(context, reader, writer)
        try:
            await session.handshake()
        except ssl.SSLError:
            if tells_why:
                await session.tell_why()
            return
        async with connected_to(upstream) as (up_reader, up_writer):
            await until_one_ends(_pump(session.read, up_writer), _pump_into(up_reader, session.write))

    async with listening(handle) as address:
        yield address


class _Session:
    """One TLS connection, by hand: asyncio's own sends no alert when a handshake fails."""

    def __init__(self, context: ssl.SSLContext, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    async def handshake(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._exchange()
            else:
                return await self._flush()

    async def read(self) -> bytes:
        while True:
            try:
                return self._tls.read(_CHUNK)
            except ssl.SSLWantReadError:
                await self._exchange()

    async def write(self, data: bytes) -> None:
        self._tls.write(data)
        await self._flush()

    async def tell_why(self) -> None:
        await asyncio.sleep(_WAY_BACK_S)
        await self._flush()
        self._writer.write_eof()
        while await self._reader.read(_CHUNK):  # closed earlier, what is unread would make the alert a reset
            pass

    async def _exchange(self) -> None:
        await self._flush()
        if data := await self._reader.read(_CHUNK):
            self._incoming.write(data)
        else:
            raise EOFError

    async def _flush(self) -> None:
        self._writer.write(self._outgoing.read())
        await self._writer.drain()


@asynccontextmanager
async def connected_to(upstream: str) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to the server behind; closed when this is left."""
    host, _, port = upstream.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()


async def until_one_ends(one: Awaitable[None], other: Awaitable[None]) -> None:
    """Both directions of a connection; when one ends, neither goes on."""
    tasks = [asyncio.ensure_future(one), asyncio.ensure_future(other)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(read: Callable[[], Awaitable[bytes]], writer: asyncio.StreamWriter) -> None:
    while data := await read():
        writer.write(data)
        await writer.drain()


async def _pump_into(reader: asyncio.StreamReader, write: Callable[[bytes], Awaitable[None]]) -> None:
    while data := await reader.read(_CHUNK):
        await write(data)
