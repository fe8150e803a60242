"""`daper up`: a Temporal server kept in a file, its UI, and a worker, for one person on one machine."""

import asyncio
import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

from cyclopts import Parameter, types

from daper.adapters.metrics.exporter import Exporter
from daper.adapters.privacy import make_private
from daper.adapters.temporal.connection import connect
from daper.adapters.temporal.file_lock import FileLock
from daper.adapters.temporal.kept_server import DATABASE, KeptServer, Wish
from daper.adapters.temporal.retention import keep_ended_for
from daper.adapters.temporal.server_file import EmbeddedServer, living_server
from daper.bootstrap import DRAIN
from daper.clock import utc_now
from daper.core.errors import DaperError, Occupied
from daper.entrypoints.cli.exits import Exit, Interrupted, UsageError
from daper.entrypoints.cli.logs import log_to_stderr
from daper.entrypoints.cli.output import console, say
from daper.entrypoints.cli.runner import run_to_end
from daper.entrypoints.cli.shutdown import Stopping
from daper.entrypoints.cli.work import told_of
from daper.entrypoints.worker import exporter_for, work_until_cancelled
from daper.settings import CONFIGURED, WORKING, Settings, load_settings

Port = Annotated[types.Port | None, Parameter(show_default=False)]


def up(*, port: Port = None, ui_port: Port = None) -> int:
    """A Temporal server with its UI, and a worker, until Ctrl-C. Other shells find it with nothing configured.

    Repairs are kept in temporal.db under DAPER_HOME, for 30 days after their end: what waits for a decision still waits
    at the next `daper up`. One server serves that file: one that is still running is taken over, one that dies is
    started again at the same address.

    Parameters
    ----------
    port
        Where Temporal listens on this machine; as the last time, else any free port.
    ui_port
        Where its UI listens; likewise.
    """
    settings = load_settings(needs=WORKING)
    if settings.address_source == CONFIGURED:
        raise UsageError(
            f"Temporal is configured at {settings.address!r}, so no command would use a server of our own; "
            "for a worker there: daper worker; for one of our own, unset TEMPORAL_ADDRESS and the profile"
        )
    if port and port == ui_port:
        raise UsageError(f"--port and --ui-port are both {port}; Temporal and its UI need two different ports")
    log_to_stderr()
    kept = KeptServer(settings.home, namespace=settings.namespace, wish=Wish(port=port, ui_port=ui_port))
    stopping, exporter = Stopping(drain=DRAIN, at_once=kept.kill), exporter_for(settings)
    with _only_one(settings):
        try:
            run_to_end(_up(kept, stopping, exporter), cancels=stopping.signalled)
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


async def _up(kept: KeptServer, stopping: Stopping, exporter: Exporter | None) -> None:
    try:
        try:
            await _serve(kept, exporter)
        finally:
            await kept.stop()
    except* DaperError as errors:
        raise _first(errors) from errors
    except* asyncio.CancelledError:
        # Here, and not after the event loop: that would wait for every thread in which a tool still works.
        stopping.drained()


async def _serve(kept: KeptServer, exporter: Exporter | None) -> None:
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

    def ready(queues: tuple[str, ...], pages: str | None) -> None:
        say(screen, f"Worker ready on: {', '.join(queues)}")
        if pages:
            say(screen, told_of(pages).rstrip())
        say(screen, "In another shell: daper repair start, daper repair list. Ctrl-C ends all of this.")

    async with asyncio.TaskGroup() as group:
        group.create_task(kept.keep())
        group.create_task(work_until_cancelled(client, settings, ready=ready, exporter=exporter))


def _first(errors: BaseExceptionGroup[DaperError]) -> BaseException:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _where(server: EmbeddedServer) -> tuple[str, ...]:
    return f"Temporal at {server.address}", f"its UI at {server.ui_url}", f"kept in {server.db or DATABASE!r}"
