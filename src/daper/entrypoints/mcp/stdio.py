"""Serves one client over this process's stdin and stdout, on which there is nothing but the protocol."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator

from mcp.server import MCPServer

from daper.core.access import Access
from daper.entrypoints.mcp.door import Caller, Door
from daper.entrypoints.mcp.form_states import form_key_of
from daper.entrypoints.mcp.server import build_server
from daper.entrypoints.mcp.terminal import Terminal, terminal_of
from daper.settings import Part, Settings, load_settings, shown_settings


async def serve_stdio(*, read_only: bool) -> None:
    """Serve until the client closes our stdin. The person is the one who runs this process. Raises SettingError."""
    settings = stdio_settings()
    door = Door(settings=settings, load=stdio_settings, who=_who, terminal=_terminal)
    server = build_server(
        door,
        approval=settings.chat_approval,
        read_only=read_only,
        lifespan=_nothing_else_printed,
        form_key=None if read_only else await asyncio.to_thread(form_key_of, settings),
    )
    try:
        await server.run_stdio_async()
    except* BrokenPipeError:  # the client is gone, and so is whoever would read of it
        pass


def stdio_settings() -> Settings:
    """What is configured, by the environment alone; what is wrong is told where it is needed. Raises SettingError.

    Not by a `.env`: a chat client starts us in whatever folder it works in, where its model may be able to write.
    """
    return load_settings(needs={Part.CHAT}, dotenv=False)


def _terminal(settings: Settings) -> Terminal:
    return terminal_of(settings, shown_settings(dotenv=False))


def _who(settings: Settings) -> Caller:
    return Caller(person=settings.person, access=frozenset(Access), configured=True)


@contextlib.asynccontextmanager
async def _nothing_else_printed(server: MCPServer[None]) -> AsyncGenerator[None]:
    """The transport has moved the file descriptors; what Python still buffers for stdout would follow the protocol."""
    with contextlib.redirect_stdout(sys.stderr):
        yield None
