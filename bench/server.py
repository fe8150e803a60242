"""A server of our own on 127.0.0.1 for as long as something is measured."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.client import Client

from daper.adapters.temporal.codec import data_converter
from daper.adapters.temporal.embedded import embedded_server
from daper.adapters.temporal.program import LOOKS_PER_SECOND, QUEUE_PACE

OWN, OURS = "the server's own pace", "ours"
# What the server does when nobody tells it a pace (Temporal 1.2x: `history.*ProcessorMaxPollRPS`). The last of two
# values for one key counts.
_OWN_LOOKS_PER_SECOND = 20
_OWN_PACE = tuple(part.replace(f"={LOOKS_PER_SECOND}", f"={_OWN_LOOKS_PER_SECOND}") for part in QUEUE_PACE)


@asynccontextmanager
async def loopback(log_file: Path, *, own_pace: bool = False) -> AsyncGenerator[Client]:
    """A client of an embedded server that ends with the block; `own_pace`: of one that keeps its own, not ours."""
    async with embedded_server(log_file=log_file, extra_args=_OWN_PACE if own_pace else ()) as server:
        yield await Client.connect(server.address, data_converter=data_converter())


@asynccontextmanager
async def both_paces(root: Path) -> AsyncGenerator[dict[str, Client]]:
    """A server that keeps its own pace and one that keeps ours, side by side: what is measured on them in turn."""
    async with loopback(root / "own.log", own_pace=True) as own, loopback(root / "ours.log") as ours:
        yield {OWN: own, OURS: ours}
