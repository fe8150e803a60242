"""`daper console`: pages in a browser; also beside `daper up` and the demo."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

from cyclopts import Parameter, types

from daper.adapters.metrics.exporter import open_exporter
from daper.adapters.privacy import make_private
from daper.core.errors import DaperError, Occupied, UserError
from daper.core.text import visible
from daper.core.urls import is_web_address, masked_url
from daper.entrypoints.cli.exits import Exit, UsageError
from daper.entrypoints.cli.logs import log_to_stderr
from daper.entrypoints.cli.runner import run_to_end
from daper.settings import Part, Settings, load_settings

if TYPE_CHECKING:
    from temporalio.client import Client

    from daper.adapters.metrics.exporter import Exporter
    from daper.entrypoints.http import Address

PORT: Final = 7340
LOOPBACK: Final = "127.0.0.1"
_NEEDS: Final = frozenset({Part.USER, Part.DATABASE, Part.TEMPORAL, Part.CONSOLE})
_LONGEST = 600

Ready = Callable[[str, bool], None]


def console(
    *,
    host: str = LOOPBACK,
    port: Annotated[types.Port | None, Parameter(show_default=False)] = None,
    public_url: Annotated[str | None, Parameter(show_default=False)] = None,
) -> int:
    """Pages in a browser, on a phone too: what waits for you, what a plan would change, and your decision on it.

    It serves until Ctrl-C. By itself only this machine can come, and nobody signs in: whoever can run a program here
    can decide. As soon as somebody has a token (daper mcp token add), everybody signs in with theirs. `daper up` serves
    it too.

    Parameters
    ----------
    host
        Where to listen; another address than this machine's own needs tokens.
    port
        The port to listen on: 7340, or that of a DAPER_CONSOLE_URL on this machine; 0 is a free one.
    public_url
        By which URL browsers come, if a proxy is before it: https://daper.example.org. By itself DAPER_CONSOLE_URL.
    """
    log_to_stderr(quiet=True)
    if public_url is not None and not (is_web_address(public_url) and urlsplit(public_url).path in {"", "/"}):
        shown = repr(masked_url(public_url)[:200])
        raise UsageError(f"--public-url {shown} must be a URL without a path, like https://daper.example.org")
    settings = load_settings(needs=_NEEDS)
    make_private(settings.home)

    def ready(url: str, guarded: bool) -> None:
        sys.stderr.write(f"{where_told(url, guarded)}; Ctrl-C ends it\n")
        sys.stderr.flush()

    counts = open_exporter()  # before the first connection
    run_to_end(serve_pages(settings, host=host, port=port, public_url=public_url, ready=ready, exporter=counts))
    return Exit.OK


def where_told(url: str, guarded: bool) -> str:
    """The line that says where it answers, and who may come."""
    who = "everybody signs in" if guarded else "for this machine alone, nobody signs in"
    return f"Console: {url} ({who})"


async def serve_pages(
    settings: Settings,
    *,
    ready: Ready,
    host: str = LOOPBACK,
    port: int | None = None,
    public_url: str | None = None,
    client: "Client | None" = None,
    exporter: "Exporter | None" = None,
) -> None:
    """Serve until cancelled. Raises UserError where the extra is missing, and whatever `serve_console` raises."""
    try:
        from daper.entrypoints.http import Address
        from daper.entrypoints.web.server import serve_console
    except ImportError as error:
        raise UserError(f"daper console needs the extra console: pip install 'daper[console]' ({error})") from error

    address = _address(Address(host=host, port=PORT, public_url=public_url), settings.console.url, port)
    await serve_console(settings, address, ready=ready, client=client, exporter=exporter)


async def serve_beside(
    settings: Settings,
    client: "Client",
    told: "asyncio.Future[str]",
    *,
    port: int | None = None,
    exporter: "Exporter | None" = None,
) -> None:
    """Serve beside a worker until cancelled; `told` gets the line that says where it answers, or why it does not.

    Without it the worker goes on; but a `port` that somebody asked for and cannot have is raised (Occupied).
    """

    def ready(url: str, guarded: bool) -> None:
        told.set_result(where_told(url, guarded))

    try:
        settings.need(Part.USER, Part.CONSOLE)
        try:
            await serve_pages(settings, port=port, ready=ready, client=client, exporter=exporter)
        except Occupied:
            if port is not None:
                raise
            await serve_pages(settings, port=0, ready=ready, client=client, exporter=exporter)
    except Occupied:
        raise
    except DaperError as error:
        if told.done():
            raise
        told.set_result(f"Console: not served. {visible(str(error), longest=_LONGEST)}")


def _address(asked: "Address", configured: str | None, port: int | None) -> "Address":
    """Where to listen, by what was asked for, or else by what is configured."""
    if asked.public_url is not None:
        asked = replace(asked, public_url=asked.public_url.rstrip("/"))
    elif configured is not None:
        parts = urlsplit(configured)
        here = replace(asked, host=parts.hostname or "").is_loopback
        asked = replace(asked, port=parts.port or asked.port) if here else replace(asked, public_url=configured)
    return asked if port is None else replace(asked, port=port)
