"""The HTTP side of the fake: connections, requests and answers as bytes."""

import json
import socket
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Final, Protocol, cast

from tests.llm.wire import Answer, Asked, Json, refused

NO_KEY: Final = "Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys."
# As OpenAI, Anthropic and Google call them.
COMPLETIONS: Final = ("/chat/completions", "/messages", ":generateContent")


@dataclass(kw_only=True)
class Seen:
    """One request and what became of it; times are of the monotonic clock."""

    asked: Asked
    began: float
    ended: float | None = None
    status: int | None = None
    went_away: bool = False


class Fake(Protocol):
    """Who knows what to answer."""

    models: Sequence[str]
    key: str | None
    listed: int
    poured: int

    def begin(self, body: Json, headers: dict[str, str]) -> Seen: ...
    def end(self, seen: Seen, *, status: int | None, went_away: bool) -> None: ...
    def answer(self, seen: Seen) -> Answer: ...
    def hold(self, answer: Answer, connection: socket.socket) -> bool: ...


class Server(ThreadingMixIn, TCPServer):
    """A thread for each connection; all of them are joined when it closes."""

    request_queue_size = 512
    allow_reuse_address = True
    daemon_threads = False

    def __init__(self, fake: Fake) -> None:
        self.fake = fake
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), Handler)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        with self._lock:
            self._open.add(cast("socket.socket", request))
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        with self._lock:
            self._open.discard(cast("socket.socket", request))
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves is no news."""

    def drop_all(self) -> None:
        """End every connection, also idle ones."""
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def fake(self) -> Fake:
        return cast(Server, self.server).fake

    def do_GET(self) -> None:
        """The list of models."""
        if self.fake.key not in (None, (self.headers.get("Authorization") or "").removeprefix("Bearer ")):
            return self._send(refused(401, NO_KEY, code="invalid_api_key"))
        if not self.path.endswith("/models"):
            return self._send(refused(404, f"Invalid URL (GET {self.path})"))
        self.fake.listed += 1
        models = [{"id": name, "object": "model", "created": 0, "owned_by": "test"} for name in self.fake.models]
        self._send(Answer(body=json.dumps({"object": "list", "data": models})))

    def do_POST(self) -> None:
        """A completion."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self.path.partition("?")[0].endswith(COMPLETIONS):
            return self._send(refused(404, f"Invalid URL (POST {self.path})"))
        try:
            asked = cast(Json, json.loads(body))
        except ValueError:
            return self._send(refused(400, "We could not parse the JSON body of your request."))
        seen = self.fake.begin(asked, {name.lower(): value for name, value in self.headers.items()})
        self._complete(seen)

    def _complete(self, seen: Seen) -> None:
        sent, status = False, None
        try:
            answer = self.fake.answer(seen)
            if self.fake.hold(answer, self.connection):
                self._send(answer)
                sent, status = True, answer.status
        except OSError:
            self.close_connection = True
        finally:
            self.close_connection = self.close_connection or not sent
            self.fake.end(seen, status=status, went_away=not sent)

    def _pour(self, answer: Answer, pieces: Iterable[bytes]) -> None:
        """One piece after the other. Raises OSError once whoever asked has gone away."""
        self.close_connection = True
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        if answer.in_head:
            self.flush_headers()
        else:
            self.end_headers()
        for piece in pieces:
            if not self.fake.hold(Answer(delay=answer.pause), self.connection):
                raise ConnectionResetError
            self.wfile.write(piece)
            self.fake.poured += len(piece)

    def _send(self, answer: Answer) -> None:
        if answer.pieces is not None:
            return self._pour(answer, answer.pieces())
        body = answer.body.encode() if answer.raw is None else answer.raw
        self.send_response_only(answer.status)
        headers = {
            "Date": self.date_time_string(),
            "Content-Type": "application/json",
            **answer.headers,
            "Content-Length": str(len(body)),
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if answer.cut_after is None else body[: answer.cut_after])
        self.wfile.flush()
        self.close_connection = self.close_connection or answer.cut_after is not None

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged; what was asked is in `seen`."""
