"""A payment processor of somebody else: a real HTTP server on loopback that counts what it does, key by key."""

import json
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

KEY_HEADER: Final = "Idempotency-Key"


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """Its body as JSON."""
        return json.loads(self.body)


@dataclass
class Processor:
    """`behaviours`: how the next requests are answered, then `ok`. `acted`: how often it did what, by key.

    `remembers`: one key has one effect. `answers`: what is said of a key in place of the truth, status and text.
    """

    behaviours: list[str] = field(default_factory=list[str])
    remembers: bool = True
    answers: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    elsewhere: str = ""
    url: str = ""
    asked: list[Asked] = field(default_factory=list[Asked])
    acted: Counter[str] = field(default_factory=Counter[str])
    never: set[str] = field(default_factory=set[str])
    go: threading.Event = field(default_factory=threading.Event)
    gone: threading.Event = field(default_factory=threading.Event)
    secure: Callable[[ssl.SSLContext], None] = lambda context: None
    lock: threading.Lock = field(default_factory=threading.Lock)
    standing: int = 0
    """How many requests have been left without an answer."""

    @staticmethod
    def key_of(asked: Asked) -> str:
        """By which key it was asked."""
        return asked.headers.get(KEY_HEADER) or asked.path.partition("&request=")[2]

    @property
    def changes(self) -> list[Asked]:
        """The requests for a change."""
        return [each for each in self.asked if each.method != "GET"]

    def act(self, key: str) -> int:
        """Do it, as a processor that remembers keys does; what it has said never happens is refused."""
        with self.lock:
            if key in self.never:
                return 409
            if not (self.remembers and self.acted[key]):
                self.acted[key] += 1
            return 200

    def of(self, key: str) -> tuple[int, str]:
        """What became of a key; what has not happened never will."""
        with self.lock:
            if self.answers:
                return self.answers.pop(0)
            if self.acted[key]:
                return 200, json.dumps({"state": "done", "echo": [each.headers for each in self.asked[-3:]]})
            self.never.add(key)
            return 404, "{}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    processor: Processor

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._note(b"")
        self._answer(*self.processor.of(self.path.rpartition("/")[2]))

    def do_POST(self) -> None:
        self._change()

    def _note(self, body: bytes) -> Asked:
        asked = Asked(self.command, self.path, dict(self.headers), body)
        self.processor.asked.append(asked)
        return asked

    def _change(self) -> None:
        key = self.processor.key_of(self._note(self.rfile.read(int(self.headers.get("Content-Length") or 0))))
        with self.processor.lock:
            now = self.processor.behaviours.pop(0) if self.processor.behaviours else "ok"
        before, _, how = now.rpartition(" ")
        if before == "act":
            self.processor.act(key)
        getattr(self, f"_{how.replace('-', '_')}")(key)

    def _ok(self, key: str) -> None:
        self._answer(self.processor.act(key), "{}")

    def _500(self, key: str) -> None:
        self._answer(500, "trouble")

    def _422(self, key: str) -> None:
        self._answer(422, "no")

    def _409(self, key: str) -> None:
        self._answer(409, '{"error": "a request with this key is in progress"}')

    def _302(self, key: str) -> None:
        self.send_response(302)
        self.send_header("Location", self.processor.elsewhere)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _close(self, key: str) -> None:
        self.close_connection = True

    def _half(self, key: str) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        self.close_connection = True

    def _hang(self, key: str) -> None:
        """No answer at all; until whoever asks has gone."""
        self.processor.standing += 1
        self.connection.recv(1)
        self.close_connection = True
        self.processor.gone.set()

    def _late(self, key: str) -> None:
        """It acts when all others have gone home."""
        self.connection.recv(1)
        self.processor.go.wait()
        self.processor.act(key)
        self.close_connection = True
        self.processor.gone.set()

    def _flood(self, key: str) -> None:
        self.processor.act(key)
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        while self._sent(b"x" * 65536):
            pass

    def _drip(self, key: str) -> None:
        """A byte now and then, as long as anybody listens."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Drip: ")
        pause = threading.Event()
        while self._sent(b"x"):
            pause.wait(0.05)
        self.close_connection = True

    def _sent(self, data: bytes) -> bool:
        try:
            self.wfile.write(data)
        except OSError:
            return False
        return True

    def _answer(self, status: int, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Set-Cookie", "session=1")
        self.end_headers()
        self.wfile.write(data)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is nobody's error."""


@contextmanager
def processing(*behaviours: str) -> Generator[Processor]:
    """One that answers its first requests like this."""
    processor = Processor(list(behaviours))
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"processor": processor}))
    processor.url = f"http://127.0.0.1:{server.server_port}"

    def secure(context: ssl.SSLContext) -> None:
        server.socket = context.wrap_socket(server.socket, server_side=True)

    processor.secure = secure
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield processor
    finally:
        processor.go.set()
        server.shutdown()
        thread.join()
        server.server_close()
