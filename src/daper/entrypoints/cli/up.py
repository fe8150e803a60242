"""`daper up`: a Temporal server kept in a file, its UI, a worker and the console, for one person on one machine."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, types

from daper.adapters.metrics.exporter import Exporter
from daper.adapters.privacy import make_private
from daper.adapters.temporal.connection import connect
from daper.adapters.temporal.file_lock import FileLock
from daper.adapters.temporal.kept_server import DATABASE, KeptServer, Wish
from daper.adapters.temporal.retention import keep_ended_for
from daper.adapters.temporal.server_file import EmbeddedServer, living_server
from daper.clock import utc_now
from daper.core.errors import DaperError, Occupied
from daper.entrypoints.cli.console import serve_beside
from daper.entrypoints.cli.exits import Exit, Interrupted, UsageError
from daper.entrypoints.cli.logs import log_to_stderr
from daper.entrypoints.cli.output import console, say
from daper.entrypoints.cli.parameters import Flag
from daper.entrypoints.cli.runner import run_to_end
from daper.entrypoints.cli.shutdown import Stopping
from daper.entrypoints.cli.work import told_of
from daper.entrypoints.worker import exporter_for, unserved, work_until_cancelled
from daper.settings import CONFIGURED, WORKING, Settings, load_settings
from daper.workers import DRAIN

if TYPE_CHECKING:
    from temporalio.client import Client

Port = Annotated[types.Port | None, Parameter(show_default=False)]
# The console, on these settings and this client; where it answers is told as a line.
Beside = Callable[[Settings, "Client", "asyncio.Future[str]"], Coroutine[None, None, None]]


def up(*, port: Port = None, ui_port: Port = None, console_port: Port = None, no_console: Flag = False) -> int:
    """A Temporal server with its UI, a worker and the console, until Ctrl-C. Other shells find it by themselves.

    Repairs are kept in temporal.db under DAPER_HOME, for 30 days after their end: what waits for a decision still waits
    at the next `daper up`. One server serves that file: one that is still running is taken over, one that dies is
    started again at the same address.

    Parameters
    ----------
    port
        Where Temporal listens on this machine; as the last time, else any free port.
    ui_port
        Where its UI listens; likewise.
    console_port
        Where the console listens: 7340, or another free port where somebody has that one.
    no_console
        Serve no console.
    """
    settings = load_settings(needs=WORKING)
    if settings.address_source == CONFIGURED:
        raise UsageError(
            f"Temporal is configured at {settings.address!r}, so no command would use a server of our own; "
            "for a worker there: daper worker; for one of our own, unset TEMPORAL_ADDRESS and the profile"
        )
    ports = {"--port": port, "--ui-port": ui_port, "--console-port": console_port}
    _refuse_twice({option: number for option, number in ports.items() if number})
    if no_console and console_port is not None:
        raise UsageError("--no-console and --console-port contradict each other; leave one of them out")
    log_to_stderr()
    kept = KeptServer(settings.home, namespace=settings.namespace, wish=Wish(port=port, ui_port=ui_port))
    stopping, exporter = Stopping(drain=DRAIN, at_once=kept.kill), exporter_for(settings)
    with _only_one(settings):
        try:
            beside = None if no_console else partial(serve_beside, port=console_port, exporter=exporter)
            run_to_end(_up(kept, stopping, exporter, beside), cancels=stopping.signalled)
        except Interrupted:
            stopping.drained()
    return Exit.OK


@contextmanager
def _only_one(settings: Settings) -> Generator[None]:
    """Holds the home. Raises Occupied, naming the other one and its server."""
    settings.home.mkdir(parents=True, exist_ok=True)
    make_private(settings.home)
    lock = FileLock(settings.home / "up.lock")
    descriptor = lock.take()
    if descriptor is None:
        server = living_server(settings.home)
        where = f": {'; '.join(_where(server))}" if server else ""
        raise Occupied(
            f"daper up runs already on {str(settings.home)!r} ({lock.text().strip()}){where}. "
            "End that one first, or start one more worker beside it: daper worker"
        )
    try:
        lock.sign(descriptor, f"process {os.getpid()} since {utc_now():%Y-%m-%d %H:%M:%S} UTC\n")
        yield
    finally:
        os.close(descriptor)


async def _up(kept: KeptServer, stopping: Stopping, exporter: Exporter | None, beside: Beside | None) -> None:
    try:
        try:
            await _serve(kept, exporter, beside)
        finally:
            await kept.stop()
    except* DaperError as errors:
        raise _first(errors) from errors
    except* asyncio.CancelledError:
        # Here, and not after the event loop: that would wait for every thread in which a tool still works.
        stopping.drained()


async def _serve(kept: KeptServer, exporter: Exporter | None, beside: Beside | None) -> None:
    server, found = await kept.open()
    # Now the settings find it, as those of every other command do.
    settings = load_settings(needs=WORKING)
    if settings.address != server.address:
        raise Occupied(f"somebody changed server.json in {str(settings.home)!r} just now; start again: daper up")
    client = await connect(settings)
    await keep_ended_for(client)
    screen = console()
    say(screen, f"Temporal: {server.address}, {'found running' if found else 'started'}, kept in {server.db}")
    say(screen, f"Temporal UI: {server.ui_url}")

    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    ready: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()

    def working(queues: tuple[str, ...], pages: str | None) -> None:
        ready.set_result([f"Worker ready on: {', '.join(queues)}", *unserved(settings), *told_of(pages).splitlines()])

    async def tell() -> None:
        lines = [*await ready, *([] if beside is None else [await told])]
        for line in (*lines, "In another shell: daper repair start, daper repair list. Ctrl-C ends all of this."):
            say(screen, line)

    async with asyncio.TaskGroup() as group:
        group.create_task(kept.keep())
        group.create_task(tell())
        if beside is not None:
            group.create_task(beside(settings, client, told))
        group.create_task(work_until_cancelled(client, settings, ready=working, exporter=exporter))


def _refuse_twice(ports: dict[str, int]) -> None:
    for one, other in combinations(ports, 2):
        if ports[one] == ports[other]:
            raise UsageError(f"{one} and {other} are both {ports[one]}; take two different ports")


def _first(errors: BaseExceptionGroup[DaperError]) -> BaseException:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _where(server: EmbeddedServer) -> tuple[str, ...]:
    return f"Temporal at {server.address}", f"its UI at {server.ui_url}", f"kept in {server.db or DATABASE!r}"
