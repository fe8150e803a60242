"""How a worker is stopped: the first signal lets effects in flight finish, another one ends it at once."""

import contextlib
import signal
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from daper.entrypoints.cli.exits import Exit, leave

# `timeout` signals a process and then its group; a terminal and who runs us in it may both tell us: one wish, not two.
_ONE_WISH_S: Final = 1.0


class Stopping:
    """Answers each signal, and says what it does; for `run_to_end`.

    The process always ends here, and does not wait for threads: what still runs when the time is over is cut short, as
    by a crash, which the ledger of effects is made for.
    """

    def __init__(
        self,
        *,
        drain: timedelta,
        at_once: Callable[[], None] = lambda: None,
        now: Callable[[], float] = time.monotonic,
        leave: Callable[[int], object] = leave,
    ) -> None:
        """`at_once` is done before the process ends without draining."""
        self._drain = drain.total_seconds()
        self._at_once = at_once
        self._now = now
        self._leave = leave
        self._began: float | None = None

    def signalled(self, number: int) -> bool:
        """Whether to begin to drain now."""
        now = self._now()
        if self._began is None:
            self._began = now
            _say(f"stopping: effects in flight may finish, for up to {self._drain:g} s; again to end at once")
            return True
        # A terminal that goes away says so more than once.
        if number != signal.SIGHUP and now - self._began > _ONE_WISH_S:
            _say("worker ended at once; another worker goes on with the effects in flight")
            self._at_once()
            self._leave(128 + number)
        return False

    def drained(self) -> None:
        """Say how it went, and end the process."""
        over = self._began is not None and self._now() - self._began >= self._drain
        _say("worker stopped" + ("; another worker goes on with what did not finish in time" if over else ""))
        self._leave(Exit.OK)


def _say(line: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # the terminal may be gone, and that is why we end
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
