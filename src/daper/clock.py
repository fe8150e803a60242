"""The wall clock, the clock that deadlines are set by, and fresh ids, for everything outside workflows.

A deadline is set by Temporal's clock. This machine's may be hours ahead of it or behind, and may be put right at any
moment; so whoever works for Temporal takes the time of its server, and counts on from there.
"""

import sys
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True)
class _Told:
    """What another clock said, and where ours stood then."""

    at: datetime
    ticks: float
    ahead: timedelta


_told: ContextVar[_Told | None] = ContextVar("told", default=None)


def utc_now() -> datetime:
    """The time now by this machine's clock, aware, in UTC. No deadline is judged by it: see `agreed_now`."""
    return datetime.now(UTC)  # noqa: TID251 - this is the one place


def agreed_now() -> datetime:
    """The time now by the clock that deadlines are set by: inside `timed_by` that one, elsewhere this machine's."""
    told = _told.get()
    return utc_now() if told is None else told.at + timedelta(seconds=ticks() - told.ticks)


def ahead() -> timedelta | None:
    """How far this machine's clock was ahead of the one that deadlines are set by, when that was told; None if never.

    It may be less: between the telling and the work some time may have passed.
    """
    told = _told.get()
    return None if told is None else told.ahead


@contextmanager
def timed_by(at: datetime) -> Generator[None]:
    """Within, also in its threads, `agreed_now` goes on from `at`, which the clock that deadlines are set by shows."""
    before = _told.set(_Told(at, ticks(), utc_now() - at))
    try:
        yield
    finally:
        _told.reset(before)


def ticks() -> float:
    """Seconds that go on at one pace whatever becomes of the wall clock, also while the machine sleeps."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":  # where time.monotonic() stands still while it sleeps
        return time.clock_gettime(time.CLOCK_MONOTONIC)
    return time.monotonic()


def new_id() -> str:
    """A fresh random id, 36 characters."""
    return str(uuid.uuid4())  # noqa: TID251 - this is the one place
