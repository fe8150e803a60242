"""`daper worker`."""

import asyncio
import sys

from daper.adapters.temporal.connection import connect
from daper.bootstrap import DRAIN
from daper.entrypoints.cli.exits import Exit, Interrupted
from daper.entrypoints.cli.logs import log_to_stderr
from daper.entrypoints.cli.runner import run_to_end
from daper.entrypoints.cli.shutdown import Stopping
from daper.entrypoints.worker import work_until_cancelled
from daper.settings import WORKING, Settings, load_settings


def work() -> int:
    """Run a worker against the configured Temporal until Ctrl-C or SIGTERM.

    It works on the task queue and on the queue of each store under DAPER_HOME. Told to stop, it lets effects in flight
    finish, for up to 20 seconds; told again, it ends at once, and another worker goes on with them.
    """
    log_to_stderr()
    stopping = Stopping(drain=DRAIN)
    try:
        run_to_end(_work(load_settings(needs=WORKING), stopping), cancels=stopping.signalled)
    except Interrupted:
        stopping.drained()
    return Exit.OK


async def _work(settings: Settings, stopping: Stopping) -> None:
    def ready(queues: tuple[str, ...]) -> None:
        where = f"[{settings.address}], Namespace: [{settings.namespace}] ({settings.address_source})"
        sys.stderr.write(f"Client connection: {where}\nWorker ready on: {', '.join(queues)}\n")
        sys.stderr.flush()

    client = await connect(settings)
    try:
        await work_until_cancelled(client, settings, ready=ready)
    except asyncio.CancelledError:
        # Here, and not after the event loop: that would wait for every thread in which a tool still works.
        stopping.drained()
