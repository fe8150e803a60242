"""Where the SDK's core writes what it and we count: an exporter of its own on loopback, which our page reads."""

import asyncio
import functools
import socket
from dataclasses import dataclass
from typing import Final

from temporalio.runtime import PrometheusConfig

from daper.adapters.temporal.logs import core_logs_as_python_does
from daper.core.errors import Occupied
from daper.core.measures import MEASURES

_HERE: Final = "127.0.0.1"
_TRIES: Final = 5
_PATIENCE_S: Final = 5.0


@dataclass(frozen=True)
class Exporter:
    """What this process counts, in Prometheus' text format."""

    port: int

    async def text(self) -> bytes:
        """As it stands now. Raises OSError, TimeoutError among them."""
        async with asyncio.timeout(_PATIENCE_S):
            reader, writer = await asyncio.open_connection(_HERE, self.port)
            try:
                writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")  # of that version, so that it ends with its connection
                head, _, text = (await reader.read()).partition(b"\r\n\r\n")
            finally:
                writer.transport.abort()
        if b" 200 " not in head.partition(b"\r\n")[0]:
            raise OSError("the exporter gives no figures")
        return text


@functools.cache
def open_exporter() -> Exporter:
    """Let the core count from now on. Has to come before the first connection of the process; done once.

    Raises Occupied where it finds no port of this machine.
    """
    for _ in range(_TRIES):
        port = free_port()
        try:
            core_logs_as_python_does(metrics=shown_at(port))
        except ValueError as error:
            if "in use" not in str(error):
                raise
        else:
            return Exporter(port)
    raise Occupied(f"no port of {_HERE} stayed free for what this process counts; start it again")


def shown_at(port: int) -> PrometheusConfig:
    """How the core is to show figures, at a port of this machine: by the names and buckets of `core.measures`."""
    return PrometheusConfig(
        bind_address=f"{_HERE}:{port}",
        counters_total_suffix=True,
        unit_suffix=True,
        durations_as_seconds=True,
        histogram_bucket_overrides={measure.base: measure.buckets for measure in MEASURES if measure.buckets},
    )


def free_port() -> int:
    """A port of this machine that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind((_HERE, 0))
        port: int = probe.getsockname()[1]
        return port
