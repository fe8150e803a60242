"""The connections of the HTTP server: what is begun has to be finished soon, and there are never too many of them."""

import asyncio
import resource
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

HEAD_S: Final = 10.0  # for the head of a request, and from one request to the next
BODY_S: Final = 30.0  # for its body
MOST: Final = 2000
AT_ONCE: Final = 4  # taken in one turn of the loop, so that they are never many more than they may be
QUEUE: Final = 1024  # who waits to be taken
_OTHERS: Final = 160  # files that the process itself has open, and connections that are just being closed


class _Stage(Enum):
    """What a connection waits for; in the order in which they go when there are too many."""

    HEAD = "head"
    BODY = "body"
    STREAM = "stream"  # a client that only listens
    ANSWER = "answer"


_GO: Final = (_Stage.HEAD, _Stage.BODY, _Stage.STREAM)


def most_connections() -> int:
    """How many connections leave the process enough of the files that it may have open (RLIMIT_NOFILE)."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return MOST
    return max(2, min(MOST, max(files - _OTHERS, files // 2)))


class Connections:
    """All that are open, at most so many. For one more, the one goes that has been idle for longest.

    Idle is whoever has not sent a whole request; after these, whoever only listens. What is being answered stays.
    """

    def __init__(self, most: int, *, head_s: float = HEAD_S, body_s: float = BODY_S) -> None:
        self.most = most
        self._within = {_Stage.HEAD: head_s, _Stage.BODY: body_s}
        # Of each stage, in the order in which they came to it.
        self._open: dict[_Stage, dict[Connection, None]] = {stage: {} for stage in _Stage}

    def __len__(self) -> int:
        return sum(map(len, self._open.values()))

    def enter(self, connection: "Connection", stage: _Stage) -> None:
        """One more, or one that comes to another stage."""
        self.leave(connection)
        self._open[stage][connection] = None
        if len(self) > self.most:
            oldest = next((each for each in self._idle() if each is not connection), connection)
            self.leave(oldest)
            oldest.drop()

    def within(self, stage: "_Stage") -> float | None:
        """After how many seconds a connection that still waits for that is closed; None: it may wait."""
        return self._within.get(stage)

    def leave(self, connection: "Connection") -> None:
        """It is closed, or about to be."""
        for known in self._open.values():
            known.pop(connection, None)

    def _idle(self) -> "Iterator[Connection]":
        return (connection for stage in _GO for connection in self._open[stage])


class ServerConfig(uvicorn.Config):
    """How we are served: over HTTP alone, by connections that know each other."""

    def __init__(self, app: Any, connections: Connections, *, drain_s: int) -> None:  # Any: an ASGI application
        super().__init__(
            app,
            http=Connection,
            ws="none",
            log_config=None,
            access_log=False,
            backlog=AT_ONCE,
            timeout_graceful_shutdown=drain_s,
        )
        self.connections = connections


class Connection(H11Protocol):
    """One connection. It is closed when the head or the body of a request is not there in time."""

    # Any: as uvicorn has it.
    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        if not isinstance(config, ServerConfig):
            raise TypeError("connections need the configuration that has all of them")
        self._all = config.connections
        self._stage: _Stage | None = None
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """It waits for a head."""
        super().connection_made(transport)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._all.leave(self)
        self._hurry(None)
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """More of a request came."""
        super().handle_events()
        self._look()

    def on_response_complete(self) -> None:
        """It was answered, and waits for the next."""
        super().on_response_complete()
        self._look()

    def drop(self) -> None:
        """Close it at once, whatever it does."""
        self._hurry(None)
        self.transport.abort()

    def _look(self) -> None:
        if self.transport.is_closing():  # what was no HTTP at all has been refused
            return
        stage = self._now()
        if stage is self._stage:
            return
        self._stage = stage
        self._hurry(self._all.within(stage))
        self._all.enter(self, stage)

    def _now(self) -> _Stage:
        if self.conn.their_state is h11.IDLE:
            return _Stage.HEAD
        if self.conn.their_state is h11.SEND_BODY:
            return _Stage.BODY
        return _Stage.STREAM if self.scope["method"] == "GET" else _Stage.ANSWER

    def _hurry(self, seconds: float | None) -> None:
        if self._late is not None:
            self._late.cancel()
        self._late = None if seconds is None else self.loop.call_later(seconds, self.drop)
