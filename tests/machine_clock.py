"""A machine whose clock is off, as everything in this process sees it."""

from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo

import pytest

SetClock = Callable[[timedelta], None]


def clock_setter(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Sets the clock of this machine ahead by so much of what it really is; what only counts seconds goes on."""
    off = timedelta()

    class Off(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) + off

    def set_clock(ahead: timedelta) -> None:
        nonlocal off
        off = ahead

    monkeypatch.setattr("daper.clock.datetime", Off)
    return set_clock
