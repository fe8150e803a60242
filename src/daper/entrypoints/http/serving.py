"""Serves an application until it is cancelled."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Generator
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from daper.entrypoints.http.connections import QUEUE, Connections, ServerConfig

_DRAIN_S: Final = 3


class _Uvicorn(uvicorn.Server):
    """The command handles signals, and cancels this."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve. Who cannot be taken at once waits in the system's queue, which uvicorn made a short one."""
        await super().startup(sockets)
        for listening in sockets or ():
            listening.listen(QUEUE)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture none."""
        yield


async def serve_until_cancelled(
    app: ASGIApp, listening: socket.socket, connections: Connections, *, began: Callable[[], None]
) -> None:
    """Serve until cancelled; what is being answered then may be answered, for some seconds."""
    server = _Uvicorn(ServerConfig(app, connections, drain_s=_DRAIN_S))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    began()
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        # Whoever still waits or listens is cut off: that is no error, and of each there would be a traceback.
        for name in ("uvicorn.error", "mcp"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        server.should_exit = True
        await serving
        raise
