"""The console of the demo: served beside it, opened in a browser where there is one."""

import asyncio
import sys
import threading
import webbrowser
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from rich.console import Console

from daper.core.views import RepairView
from daper.entrypoints.cli.console import serve_pages
from daper.entrypoints.cli.output import say
from daper.entrypoints.cli.runner import ask_line
from daper.settings import Settings

if TYPE_CHECKING:
    from temporalio.client import Client

# They would take the terminal that the demo is shown on.
_ON_A_TERMINAL: Final = frozenset({"www-browser", "links", "elinks", "lynx", "w3m"})


class DemoConsole:
    """Where the demo's plan is decided, and how a person gets there."""

    def __init__(self, url: str, screen: Console, *, quiet: bool) -> None:
        self._url = url
        self._screen = screen
        self._quiet = quiet

    async def decided_there(self, look: RepairView) -> None:
        """Say where the plan is, open it, and wait until this is cancelled: when somebody decided."""
        link = f"{self._url}/repairs/{quote(look.repair_id, safe='')}"
        self._tell(f"Decide in the console: {link}")
        open_in_browser(link)
        await asyncio.Event().wait()

    async def looked_at(self) -> None:
        """Wait until nobody looks any more: for Enter, or a signal."""
        self._tell(f"The console shows what became of it, until you press Enter: {self._url}")
        with suppress(asyncio.CancelledError):
            await ask_line("")

    def _tell(self, line: str) -> None:
        if self._quiet:  # what is printed there is one JSON document
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
        else:
            say(self._screen, line)


@asynccontextmanager
async def demo_console(
    settings: Settings, client: "Client", screen: Console, *, quiet: bool
) -> AsyncGenerator[DemoConsole]:
    """The console on a free port, for as long as this lasts. Raises UserError where the extra is missing."""
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve_pages(settings, port=0, client=client, ready=lambda url, guarded: told.set_result(url))
    )
    try:
        await asyncio.wait({serving, told}, return_when=asyncio.FIRST_COMPLETED)
        if not told.done():
            await serving  # which raises
        yield DemoConsole(told.result(), screen, quiet=quiet)
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


def open_in_browser(link: str) -> bool:
    """Open it where there is a browser with a window, or one that BROWSER names; whether there is."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    if getattr(browser, "name", "") in _ON_A_TERMINAL:
        return False
    # Some return only when they are closed.
    threading.Thread(target=browser.open, args=(link,), daemon=True).start()
    return True
