"""The oldest first, of whatever a filter has: parts of start time that hold about a page each, found by counting.

Not every server lists in an order that is asked for, and all of them count.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

Count = Callable[[str], Awaitable[int]]

FULL: Final = 1000
"""At most so many in a part, unless they began at nearly the same time."""

_ENOUGH: Final = 250
_MOST_COUNTS: Final = 40
_SHORTEST: Final = timedelta(milliseconds=1)
_FIRST: Final = datetime(2017, 1, 1, tzinfo=UTC)  # before it nobody had Temporal
_FAR: Final = 4.0  # times: of ages that are further apart, the middle is taken of their logarithms


@dataclass(frozen=True)
class TimeWindow:
    """A part of start time: `start` belongs to it, `end` does not; None where it has no bound."""

    start: datetime | None = None
    end: datetime | None = None

    @property
    def conditions(self) -> list[str]:
        """As conditions of a list filter."""
        since = [f'StartTime >= "{written(self.start)}"'] if self.start else []
        return [*since, f'StartTime < "{written(self.end)}"'] if self.end else since


def written(at: datetime) -> str:
    """A time as filters have it, to the microsecond."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def next_window(start: datetime | None, now: datetime, count: Count) -> TimeWindow:
    """The part that begins there and holds about a page; without an end where all that follows fits.

    `count` counts what meets a condition on start time. It may be wrong: parts never overlap, and leave nothing out.
    """
    total = await count(" AND ".join(TimeWindow(start).conditions))
    if total <= FULL:
        return TimeWindow(start)
    low, high = start or _FIRST, now
    at = low + (high - low) * (0.6 * FULL / total) if start else _between(low, high, now)
    for _ in range(_MOST_COUNTS):
        if high - low <= _SHORTEST:
            break
        found = await count(" AND ".join(TimeWindow(start, at).conditions))
        if _ENOUGH <= found <= FULL:
            return TimeWindow(start, at)
        low, high = (at, high) if found < _ENOUGH else (low, at)
        at = _between(low, high, now)
    return TimeWindow(start, high) if high < now else TimeWindow(start)


def _between(low: datetime, high: datetime, now: datetime) -> datetime:
    """Between two times: by their ages, where one is far older than the other."""
    older, younger = now - low, max(now - high, timedelta(seconds=1))
    if older / younger < _FAR:
        return low + (high - low) / 2
    return now - timedelta(seconds=(older.total_seconds() * younger.total_seconds()) ** 0.5)
