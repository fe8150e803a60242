"""How far this machine's clock is ahead of Temporal's, by what the work for Temporal shows of it."""

import logging
from datetime import timedelta
from typing import Final

from daper.core.errors import ClockMoved
from daper.core.text import ahead_words

log = logging.getLogger(__name__)

TOLERANCE: Final = timedelta(seconds=10)  # also what a busy worker takes to begin
_MOST_PENDING: Final = 1000


class ServerClock:
    """Tells a clock that is off from work that comes late: a machine that slept gets what it was sent before.

    Work comes after it was sent, never before: so the clock is ahead by at most what each work shows. Where one shows
    more than was known, it is either; only what was sent anew tells which.
    """

    def __init__(self) -> None:
        self._known = timedelta()
        self._pending: dict[str, timedelta] = {}

    def check(self, key: str, shown: timedelta) -> None:
        """Note what an attempt with this key shows. Raises ClockMoved where another attempt has to show it again."""
        before = self._pending.pop(key, None)
        confirmed = before is not None and abs(shown - before) <= TOLERANCE
        if confirmed or shown - self._known <= TOLERANCE:
            if abs(shown - self._known) > TOLERANCE:
                log.warning("the clock of this machine is off", extra={"ahead_of_temporal": str(shown)})
            self._known = shown if confirmed else min(self._known, shown)
            return
        if len(self._pending) >= _MOST_PENDING:
            self._pending.pop(next(iter(self._pending)))
        self._pending[key] = shown
        raise ClockMoved(
            f"the clock of this machine is {ahead_words(shown)} Temporal's, or this came late; it is tried again, "
            "because an approval is valid by Temporal's clock"
        )
