"""`daper worker` whose first effect stands still in the middle, until it is let go by SIGUSR1.

`python -m tests.e2e.held_worker [SECONDS]`, how long it drains.
"""

import signal
import sys
from datetime import timedelta
from pathlib import Path

from daper import workers
from daper.entrypoints.cli.app import run
from daper.entrypoints.cli.exits import leave
from daper.stores.jsonfiles import store
from daper.stores.jsonfiles.disk import PosixDisk

GO_ON = signal.SIGUSR1
HELD = "an effect stands still"


class HeldDisk(PosixDisk):
    """Stands still once, when a change of the orders is decided and not yet to be seen."""

    held = False

    def rename(self, source: Path, target: Path) -> None:
        if target.name == "orders.json" and not HeldDisk.held:
            HeldDisk.held = True
            sys.stderr.write(f"{HELD}\n")
            sys.stderr.flush()
            signal.sigwait({GO_ON})
        super().rename(source, target)


def main(arguments: list[str]) -> int:
    # Blocked in every thread from the start, so that it is never missed.
    signal.pthread_sigmask(signal.SIG_BLOCK, {GO_ON})
    if arguments:
        workers.DRAIN = timedelta(seconds=float(arguments[0]))  # pyright: ignore[reportConstantRedefinition]
    store.PosixDisk = HeldDisk  # type: ignore[misc]
    return run(["worker"])


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
