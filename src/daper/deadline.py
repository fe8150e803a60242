"""A bound on a whole exchange with a server: one that sends a byte now and then would outlast any other timeout."""

import contextlib
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta

LONGEST_EXCHANGE = timedelta(seconds=90)


@contextmanager
def cut_off(find: Callable[[], socket.socket | None], *, after: timedelta = LONGEST_EXCHANGE) -> Generator[None]:
    """Shut the socket down if the block is not left in time; whoever reads from it gets an OSError or the end."""

    def cut() -> None:
        found = find()
        if found is not None:
            with contextlib.suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(after.total_seconds(), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
