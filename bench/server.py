"""A server of our own on 127.0.0.1 for as long as something is measured."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.client import Client

from daper.adapters.temporal.codec import data_converter
from daper.adapters.temporal.embedded import embedded_server


@asynccontextmanager
async def loopback(log_file: Path) -> AsyncGenerator[Client]:
    """A client of an embedded server that ends with the block."""
    async with embedded_server(log_file=log_file) as server:
        yield await Client.connect(server.address, data_converter=data_converter())
