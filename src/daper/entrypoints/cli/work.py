"""`daper worker`."""

import asyncio
import sys

from daper.adapters.metrics.exporter import Exporter
from daper.adapters.metrics.worker_pages import PATHS
from daper.adapters.temporal.connection import connect
from daper.entrypoints.cli.exits import Exit, Interrupted
from daper.entrypoints.cli.logs import log_to_stderr
from daper.entrypoints.cli.runner import run_to_end
from daper.entrypoints.cli.shutdown import Stopping
from daper.entrypoints.worker import exporter_for, unserved, work_until_cancelled
from daper.settings import WORKING, Settings, load_settings
from daper.workers import DRAIN


def work() -> int:
    """Run a worker against the configured Temporal until Ctrl-C or SIGTERM.

    It works on the task queue and on the queue of each store under DAPER_HOME. Told to stop, it lets effects in flight
    finish, for up to 20 seconds; told again, it ends at once, and another worker goes on with them.

    It prints where it tells of itself: /health, that it lives; /ready, 200 while it takes work, else 503 and the
    reason; /metrics, what it counts. DAPER_WORKER_ADDRESS says where that is: by itself a free port for this machine
    alone, 0.0.0.0:9464 for whoever reaches it, off for nowhere. Start as many workers as you like.
    """
    log_to_stderr()
    settings = load_settings(needs=WORKING)
    stopping, exporter = Stopping(drain=DRAIN), exporter_for(settings)
    try:
        run_to_end(_work(settings, stopping, exporter), cancels=stopping.signalled)
    except Interrupted:
        stopping.drained()
    return Exit.OK


async def _work(settings: Settings, stopping: Stopping, exporter: Exporter | None) -> None:
    lacking = unserved(settings)

    def ready(queues: tuple[str, ...], pages: str | None) -> None:
        where = f"[{settings.address}], Namespace: [{settings.namespace}] ({settings.address_source})"
        lines = (f"Client connection: {where}", f"Worker ready on: {', '.join(queues)}", *lacking)
        sys.stderr.write("".join(f"{line}\n" for line in lines) + told_of(pages))
        sys.stderr.flush()

    client = await connect(settings)
    try:
        await work_until_cancelled(client, settings, ready=ready, exporter=exporter)
    except asyncio.CancelledError:
        # Here, and not after the event loop: that would wait for every thread in which a tool still works.
        stopping.drained()


def told_of(pages: str | None) -> str:
    """The line that says where a worker tells of itself, or none."""
    return f"Health, readiness, metrics: {', '.join(f'http://{pages}{path}' for path in PATHS)}\n" if pages else ""
