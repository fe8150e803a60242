"""The real console in this process, on a shop: browsers come over loopback."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from temporalio.client import Client

from daper.entrypoints.http import Address
from daper.entrypoints.web.server import serve_console
from daper.settings import Settings
from tests.workflow.shop import Shop


@asynccontextmanager
async def serving(settings: Settings, client: Client, *, port: int = 0, host: str = "127.0.0.1") -> AsyncGenerator[str]:
    """The console, as `daper console` runs it; the URL where it answers. `port`: where one answered before."""
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve_console(
            settings,
            Address(host=host, port=port),
            client=client,
            ready=lambda url, guarded: told.set_result(url),
        )
    )
    try:
        await asyncio.wait({serving, told}, return_when=asyncio.FIRST_COMPLETED)
        yield told.result() if told.done() else await serving  # type: ignore[misc]  # which raises
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


def served(shop: Shop, *, port: int = 0, host: str = "127.0.0.1") -> AbstractAsyncContextManager[str]:
    """The same, on a shop."""
    return serving(shop.settings, shop.client, port=port, host=host)
