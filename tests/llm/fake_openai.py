"""A server that speaks as OpenAI's does, on a free port of this machine, and answers as a test tells it."""

import selectors
import socket
import threading
from collections.abc import Callable, Sequence
from time import monotonic
from types import TracebackType
from typing import Self

from tests.llm.serving import NO_KEY, Seen, Server
from tests.llm.wire import Answer, Asked, Behaviour, Json, refused

PATIENCE = 30.0


class FakeOpenAI:
    """`POST .../chat/completions` and `GET .../models`, while it is entered.

    Leaving it drops every connection. It raises AssertionError if a behaviour has raised something.
    """

    def __init__(self, behaviour: Behaviour, *, models: Sequence[str] = ("fake-1",), key: str | None = None) -> None:
        self.behaviour = behaviour
        self.models: Sequence[str] = tuple(models)
        self.key: str | None = key
        self.seen: list[Seen] = []
        self.listed = 0
        self.poured = 0
        self.most_at_once = 0
        self.faults: list[BaseException] = []
        self._changed = threading.Condition()
        self._now = 0
        self._attempts: dict[tuple[str, str, str], int] = {}
        self._wakers: dict[int, socket.socket] = {}
        self._released = False
        self._closing = False
        self._server = Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """The base URL for a client."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @property
    def count(self) -> int:
        """How many completions were asked for."""
        return len(self.seen)

    @property
    def asked(self) -> list[Asked]:
        """Every request for a completion so far."""
        return [seen.asked for seen in list(self.seen)]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if self.faults and error is None:
            raise AssertionError(f"a behaviour raised {self.faults[0]!r}") from self.faults[0]

    def close(self) -> None:
        """Stop, and drop every connection; also those that hang."""
        self._wake(closing=True)
        self._server.shutdown()
        self._server.drop_all()
        self._server.server_close()
        self._thread.join(PATIENCE)

    def release(self) -> None:
        """Let every answer go that hangs; later ones do not hang any more."""
        self._wake(closing=False)

    def until(self, reached: Callable[["FakeOpenAI"], bool], *, within: float = PATIENCE) -> None:
        """Wait until something holds; it is looked at whenever a request begins or ends. Raises AssertionError."""
        with self._changed:
            assert self._changed.wait_for(lambda: reached(self), within), f"never came there: {self.count} requests"

    def begin(self, body: Json, headers: dict[str, str]) -> Seen:
        """Note a request."""
        with self._changed:
            plain = Asked(body=body)
            same = (plain.model, plain.system, plain.user)
            self._attempts[same] = self._attempts.get(same, 0) + 1
            asked = Asked(body=body, headers=headers, number=self.count + 1, attempt=self._attempts[same])
            seen = Seen(asked=asked, began=monotonic())
            self.seen.append(seen)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            self._changed.notify_all()
        return seen

    def end(self, seen: Seen, *, status: int | None, went_away: bool) -> None:
        """Note what became of a request."""
        with self._changed:
            seen.ended, seen.status, seen.went_away = monotonic(), status, went_away and not self._closing
            self._now -= 1
            self._changed.notify_all()

    def answer(self, seen: Seen) -> Answer:
        """What the behaviour says; an exception in it is kept, and answered as an error of the server."""
        if self.key is not None and seen.asked.key != self.key:
            return refused(401, NO_KEY, code="invalid_api_key")
        try:
            return self.behaviour(seen.asked)
        except BaseException as error:  # noqa: BLE001 - whatever a test's own behaviour raises is told when it ends
            self.faults.append(error)
            return refused(500, f"the behaviour raised {error!r}", kind="server_error")

    def hold(self, answer: Answer, connection: socket.socket) -> bool:
        """Wait as long as the answer wants; whether it is still to be sent. False: the client or the server left."""
        if not answer.hang and not answer.delay:
            return not self._closing
        mine, waker = socket.socketpair()
        with mine, waker, selectors.DefaultSelector() as selector:
            with self._changed:
                if self._closing or (answer.hang and self._released):
                    return not self._closing
                self._wakers[id(waker)] = waker
            selector.register(mine, selectors.EVENT_READ)
            selector.register(connection, selectors.EVENT_READ)
            try:
                return self._wait(selector, answer, connection, mine)
            finally:
                with self._changed:
                    del self._wakers[id(waker)]

    def _wait(
        self, selector: selectors.BaseSelector, answer: Answer, connection: socket.socket, mine: socket.socket
    ) -> bool:
        until = None if answer.hang else monotonic() + answer.delay
        while until is None or monotonic() < until:
            ready = {key.fileobj for key, _ in selector.select(None if until is None else until - monotonic())}
            if self._closing or connection in ready:
                return False
            if ready and answer.hang:
                return True
            if ready:
                mine.recv(1)  # told to release what hangs; a delay goes on
        return True

    def _wake(self, *, closing: bool) -> None:
        with self._changed:
            self._closing = self._closing or closing
            self._released = True
            for waker in self._wakers.values():
                waker.sendall(b"!")
