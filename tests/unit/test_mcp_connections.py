"""Connections of the HTTP server: who does not go on is let go, and somebody else gets in."""

import asyncio
import contextlib
import resource
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import uvicorn
from starlette.types import Message, Receive, Scope, Send

from daper.entrypoints.http.connections import MOST, Connections, ServerConfig, most_connections

WHOLE = b"GET /at-once HTTP/1.1\r\nHost: x\r\n\r\n"


@dataclass
class Served:
    """A small application that is served: at once, or for as long as `hold` is not set."""

    hold: asyncio.Event
    port: int = 0
    clients: "list[Client]" = field(default_factory=list["Client"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/refused":
            await _answer(send, 401)
            return
        while (await receive()).get("more_body"):
            pass
        if scope["path"] == "/held":
            await self.hold.wait()
        await _answer(send, 200)

    async def begin(self, sent: bytes) -> "Client":
        """Somebody who connects, and says this."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(sent)
        self.clients.append(Client(reader, writer))
        return self.clients[-1]


@dataclass
class Client:
    """A connection of somebody's."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def status(self) -> int:
        """How it is answered; 0 where it is let go."""
        with contextlib.suppress(ConnectionError):
            line = await self.reader.readline()
            if line:
                await self.reader.readuntil(b"\r\n\r\n")
                return int(line.split()[1])
        return 0


async def _answer(send: Send, status: int) -> None:
    start: Message = {"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]}
    await send(start)
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def served(*, most: int = 8, head_s: float = 60, body_s: float = 60) -> AsyncGenerator[Served]:
    """The application behind a server with these limits."""
    app = Served(asyncio.Event())
    listening = socket.create_server(("127.0.0.1", 0))
    app.port = listening.getsockname()[1]
    server = uvicorn.Server(ServerConfig(app, Connections(most, head_s=head_s, body_s=body_s), drain_s=1))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        async with asyncio.timeout(30):
            yield app
    finally:
        app.hold.set()
        for client in app.clients:
            client.writer.close()
            with contextlib.suppress(ConnectionError):
                await client.writer.wait_closed()
        server.should_exit = True
        await serving


@pytest.mark.parametrize(
    "unfinished",
    [b"", b"POST /at-once HTTP/1.1\r\nX: ", b"POST /at-once HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab"],
    ids=["nothing", "half a head", "half a body"],
)
async def test_a18_somebody_else_gets_in_beside_many_who_do_not_go_on(unfinished: bytes) -> None:
    async with served(most=8) as app:
        others = [await app.begin(unfinished) for _ in range(50)]
        for _ in range(3):
            assert await (await app.begin(WHOLE)).status() == 200
        assert await others[0].status() == 0


async def test_a18_who_is_being_answered_stays_and_who_only_listens_goes_after_all_others() -> None:
    async with served(most=4) as app:
        asks = await app.begin(b"POST /held HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        listens = [await app.begin(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(2)]
        halves = [await app.begin(b"POST /at") for _ in range(3)]
        assert [await each.status() for each in halves[:2]] == [0, 0]
        assert await (await app.begin(WHOLE)).status() == 200  # in the place of the third one
        more = [await app.begin(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(3)]
        assert [await each.status() for each in listens] == [0, 0]
        app.hold.set()
        assert [await each.status() for each in (asks, *more)] == [200] * 4


@pytest.mark.parametrize(
    "unfinished",
    [
        b"",
        b"POST /at-once HT",
        b"POST /at-once HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab",
        WHOLE + b"GET /at-on",
    ],
    ids=["nothing", "half a head", "half a body", "half a second head"],
)
async def test_a18_who_does_not_go_on_is_let_go_after_a_while(unfinished: bytes) -> None:
    async with served(head_s=0.2, body_s=0.2) as app:
        slow = await app.begin(unfinished)
        answered = [await slow.status(), await slow.status()]
        assert answered[-1] == 0
        assert await (await app.begin(WHOLE)).status() == 200


@pytest.mark.parametrize(
    "begun",
    [b"GET /at-once HTTP/1.1\r\nX: ", b"POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"],
    ids=["a head", "a body after the answer"],
)
async def test_a18_a_byte_now_and_then_is_no_way_to_stay(begun: bytes) -> None:
    async with served(head_s=0.3, body_s=0.3) as app:
        slow = await app.begin(begun)

        async def drip() -> None:
            while True:
                slow.writer.write(b"x")
                await slow.writer.drain()
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        with contextlib.suppress(ConnectionError):
            await slow.reader.read()  # to the end
        dripping.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await dripping


@pytest.mark.parametrize(
    ("files", "most"), [(64, 32), (256, 128), (1024, 864), (100_000, MOST), (resource.RLIM_INFINITY, MOST)]
)
def test_a18_the_cap_leaves_the_process_files_of_its_own(
    monkeypatch: pytest.MonkeyPatch, files: int, most: int
) -> None:
    def getrlimit(_: int) -> tuple[int, int]:
        return files, files

    monkeypatch.setattr(resource, "getrlimit", getrlimit)
    assert most_connections() == most
