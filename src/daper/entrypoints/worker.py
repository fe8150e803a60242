"""Runs a worker until it is cancelled; then it drains."""

import asyncio
import re
from collections.abc import Callable

from temporalio.client import Client

from daper.bootstrap import working
from daper.core.commands import CommandLine
from daper.core.errors import Unreachable
from daper.settings import Settings


async def work_until_cancelled(client: Client, settings: Settings, *, ready: Callable[[tuple[str, ...]], None]) -> None:
    """Work on the settings' queue and the queues of the local stores; `ready` is told the queues once it does.

    Raises Unreachable when Temporal does not let it work (any more): a key was withdrawn, a namespace is gone.
    """
    try:
        async with working(client, settings) as queues:
            ready(queues)
            await asyncio.Event().wait()
    except RuntimeError as error:
        # The SDK tries for a minute, and then raises a bare RuntimeError around what it was answered.
        answer = re.search(r"Status \{ code: (\w+)", f"{error} {error.__cause__}")
        if answer is None:
            raise
        where = f"Temporal at {settings.address!r} ({settings.address_source}), namespace {settings.namespace!r}"
        raise Unreachable(
            f"{where} does not let this worker work ({answer[1]}); see: ", CommandLine("doctor")
        ) from error
