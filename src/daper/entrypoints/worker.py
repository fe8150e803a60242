"""Runs a worker until it is cancelled; then it drains."""

import asyncio
from collections.abc import Callable

from temporalio.client import Client

from daper.bootstrap import working
from daper.settings import Settings


async def work_until_cancelled(client: Client, settings: Settings, *, ready: Callable[[tuple[str, ...]], None]) -> None:
    """Work on the settings' queue and the queues of the local stores; `ready` is told the queues once it does."""
    async with working(client, settings) as queues:
        ready(queues)
        await asyncio.Event().wait()
