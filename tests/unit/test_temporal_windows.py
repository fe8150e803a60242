"""The oldest come first, in parts that hold about a page, whatever a server counts."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from daper.domains.temporal.windows import FULL, TimeWindow, next_window, written

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


class Cluster:
    """Counts the workflows that began at these times."""

    def __init__(self, begun: list[datetime], *, wrong: float = 1.0) -> None:
        self.begun = begun
        self.counts = 0
        self._wrong = wrong

    def held(self, window: TimeWindow) -> list[datetime]:
        return [
            at for at in self.begun if (not window.start or at >= window.start) and (not window.end or at < window.end)
        ]

    async def count(self, condition: str) -> int:
        self.counts += 1
        bounds = dict(re.findall(r'StartTime (>=|<) "([^"]+)"', condition))
        low, high = (datetime.fromisoformat(bounds[sign]) if sign in bounds else None for sign in (">=", "<"))
        return round(len(self.held(TimeWindow(low, high))) * self._wrong)


async def windows_of(cluster: Cluster) -> list[TimeWindow]:
    found = [await next_window(None, NOW, cluster.count)]
    while found[-1].end is not None:
        found.append(await next_window(found[-1].end, NOW, cluster.count))
        assert len(found) < 200
    return found


def spread(number: int, over: timedelta) -> list[datetime]:
    return [NOW - over * (at / number) for at in range(number)]


CASES = {
    "none": [],
    "few": spread(5, timedelta(days=1)),
    "a page": spread(FULL, timedelta(days=1)),
    "all in ten minutes": spread(10_000, timedelta(minutes=10)),
    "all in a second": spread(10_000, timedelta(seconds=1)),
    "old and new": [*spread(5_000, timedelta(days=900)), *spread(5_000, timedelta(hours=1))],
    "at one moment": [NOW - timedelta(hours=3)] * 5_000,
    "in the future": [NOW + timedelta(hours=3)] * 5_000,
}


@pytest.mark.parametrize("name", CASES)
async def test_each_is_in_one_part_and_the_older_parts_come_first(name: str) -> None:
    cluster = Cluster(CASES[name])
    windows = await windows_of(cluster)
    held = [cluster.held(window) for window in windows]
    assert sorted(at for part in held for at in part) == sorted(cluster.begun)
    for older, newer in pairwise(held):
        assert not older or not newer or max(older) < min(newer)
    if name not in ("at one moment", "in the future"):
        assert max(map(len, held)) <= FULL
    assert cluster.counts <= 12 + 8 * len(windows) or name in ("at one moment", "in the future", "all in a second")


@pytest.mark.parametrize("wrong", [0.0, 0.5, 20.0])
async def test_a_count_that_is_wrong_loses_nothing(wrong: float) -> None:
    cluster = Cluster(spread(3_000, timedelta(days=3)), wrong=wrong)
    windows = await windows_of(cluster)
    assert sum(len(cluster.held(window)) for window in windows) == 3_000


def test_a_time_is_written_as_filters_have_it() -> None:
    assert written(datetime(2026, 7, 1, 12, 0, 0, 5, tzinfo=UTC)) == "2026-07-01T12:00:00.000005Z"
