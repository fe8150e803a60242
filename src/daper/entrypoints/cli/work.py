"""`daper worker`."""

import logging
import sys

from daper.adapters.temporal.connect import connect
from daper.core.text import visible
from daper.entrypoints.cli.exits import Exit, Interrupted
from daper.entrypoints.cli.running import run_to_end
from daper.entrypoints.worker import work_until_cancelled
from daper.settings import Settings, load_settings


class _Plain(logging.Formatter):
    """Log lines in which nothing is hidden: they may quote a record, or a stranger's exception."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as it would be, each of its lines made visible."""
        lines = super().format(record).splitlines()
        return "\n".join(visible(line, longest=2000) for line in lines)


def work() -> int:
    """Run a worker against the configured Temporal until Ctrl-C or SIGTERM; effects in flight finish first.

    It works on the task queue and on the queue of each store under DAPER_HOME.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Plain("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    try:
        run_to_end(_work(load_settings()))
    except Interrupted:
        sys.stderr.write("worker stopped\n")
    return Exit.OK


async def _work(settings: Settings) -> None:
    def ready(queues: tuple[str, ...]) -> None:
        where = f"[{settings.address}], Namespace: [{settings.namespace}] ({settings.address_source})"
        sys.stderr.write(f"Client connection: {where}\nWorker ready on: {', '.join(queues)}\n")
        sys.stderr.flush()

    await work_until_cancelled(await connect(settings), settings, ready=ready)
