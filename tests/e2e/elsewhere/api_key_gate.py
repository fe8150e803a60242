"""A gate in front of a server that wants an API key with every call, as Temporal Cloud does.

It reads HTTP/2 itself: gRPC is HTTP/2, and a key that was missing in one call only would be seen nowhere else.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from hpack import Decoder

from tests.e2e.elsewhere.tls_proxy import connected_to, listening, until_one_ends

_PREFACE: Final = 24
_HEAD: Final = 9
_HEADERS, _CONTINUATION = 1, 9
_END_STREAM, _END_HEADERS, _PADDED, _PRIORITY = 1, 4, 8, 32
_UNAUTHENTICATED: Final = "16"


@dataclass(frozen=True)
class _Frame:
    kind: int
    flags: int
    stream: int
    payload: bytes

    def __bytes__(self) -> bytes:
        head = len(self.payload).to_bytes(3, "big") + bytes((self.kind, self.flags)) + self.stream.to_bytes(4, "big")
        return head + self.payload

    @property
    def block(self) -> bytes:
        """The piece of the header block in it."""
        if self.kind == _CONTINUATION:
            return self.payload
        begin, end = 0, len(self.payload)
        if self.flags & _PADDED:
            begin, end = 1, end - self.payload[0]
        return self.payload[begin + (5 if self.flags & _PRIORITY else 0) : end]


@dataclass
class Gate:
    """Lets calls through that carry the API key, answers UNAUTHENTICATED to all others, and counts both.

    `closes_after` so many calls, the key is withdrawn.
    """

    key: str
    closes_after: int | None = None
    let_through: int = 0
    refused: int = 0

    def admits(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether a call with these headers goes on."""
        admitted = (
            headers.get(b"authorization") == f"Bearer {self.key}".encode() and self.let_through != self.closes_after
        )
        self.let_through += admitted
        self.refused += not admitted
        return admitted

    @asynccontextmanager
    async def before(self, upstream: str) -> AsyncGenerator[str]:
        """The gate in front of a server, both in plaintext."""
        async with listening(lambda reader, writer: _Guarded(self, reader, writer).serve(upstream)) as address:
            yield address


class _Guarded:
    """One connection through the gate.

    After a refusal nothing of it goes on: what was refused is missing in the server's table of known headers.
    """

    def __init__(self, gate: Gate, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._gate, self._reader, self._writer = gate, reader, writer
        self._decoder = Decoder()
        self._shut = False
        self._refused: set[int] = set()

    async def serve(self, upstream: str) -> None:
        async with connected_to(upstream) as (up_reader, up_writer):
            up_writer.write(await self._reader.readexactly(_PREFACE))
            await until_one_ends(self._requests(up_writer), self._answers(up_reader))

    async def _requests(self, up_writer: asyncio.StreamWriter) -> None:
        while True:
            frames = await self._next()
            first = frames[0]
            if first.kind == _HEADERS and not self._admits(frames):
                self._refused.add(first.stream)
                self._writer.write(bytes(_Frame(_HEADERS, _END_STREAM | _END_HEADERS, first.stream, _refusal())))
            elif first.stream not in self._refused:
                up_writer.write(b"".join(map(bytes, frames)))
            await asyncio.gather(self._writer.drain(), up_writer.drain())

    async def _next(self) -> list[_Frame]:
        """A frame; headers whole."""
        frames = [await _read_frame(self._reader)]
        while frames[0].kind == _HEADERS and not frames[-1].flags & _END_HEADERS:
            frames.append(await _read_frame(self._reader))
        return frames

    def _admits(self, frames: list[_Frame]) -> bool:
        headers = dict(self._decoder.decode(b"".join(frame.block for frame in frames), raw=True))
        self._shut = not self._gate.admits(headers) or self._shut
        return not self._shut

    async def _answers(self, up_reader: asyncio.StreamReader) -> None:
        while True:  # by frames, so that a refusal stands between two of them
            self._writer.write(bytes(await _read_frame(up_reader)))
            await self._writer.drain()


def _refusal() -> bytes:
    """A header block that changes nobody's table: literals without indexing, after `:status: 200`."""
    told = {"content-type": "application/grpc", "grpc-status": _UNAUTHENTICATED, "grpc-message": "who are you?"}
    return b"\x88" + b"".join(b"\x00" + _short(name) + _short(value) for name, value in told.items())


def _short(text: str) -> bytes:
    """Less than 127 characters, as they are."""
    return bytes((len(text),)) + text.encode()


async def _read_frame(reader: asyncio.StreamReader) -> _Frame:
    head = await reader.readexactly(_HEAD)
    payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
    return _Frame(head[3], head[4], int.from_bytes(head[5:], "big"), payload)
