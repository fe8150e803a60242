"""Any application over loopback, as the doors are served."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.types import ASGIApp

from daper.entrypoints.http import Address, Connections, serve_until_cancelled


@asynccontextmanager
async def listening(app: ASGIApp, address: Address) -> AsyncGenerator[int]:
    """Serve it; the port."""
    with address.listen() as bound:
        began = asyncio.Event()
        serving = asyncio.create_task(serve_until_cancelled(app, bound, Connections(100), began=began.set))
        await began.wait()
        try:
            yield bound.getsockname()[1]
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
