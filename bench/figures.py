"""Figures, and how they are shown: times with their median and percentile, and tables in Markdown."""

import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Times:
    """Seconds that something took, each time. Raises ValueError for none."""

    seconds: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.seconds:
            raise ValueError("nothing was timed")

    @classmethod
    def of(cls, seconds: Iterable[float]) -> "Times":
        """The times as they came."""
        return cls(tuple(seconds))

    @property
    def p50(self) -> float:
        """The median."""
        return statistics.median(self.seconds)

    @property
    def p99(self) -> float:
        """What 99 of 100 stay below; of a few times, hardly less than the longest."""
        if len(self.seconds) == 1:
            return self.longest
        return statistics.quantiles(self.seconds, n=100, method="inclusive")[98]

    @property
    def longest(self) -> float:
        """The longest."""
        return max(self.seconds)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table as it can stand in the docs: `about` says what was measured, and how often."""

    about: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        head, *rows = (f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in (self.columns, *self.rows))
        return "\n".join((self.about, "", head, f"|{'---|' * len(self.columns)}", *rows))


def in_turn(each: Mapping[str, Callable[[], float]], *, rounds: int) -> dict[str, Times]:
    """What each takes, one after the other and that so many times: what else the machine does hits all of them.

    A first round does not count, in which they read from the disk.
    """
    took = [{name: once() for name, once in each.items()} for _ in range(rounds + 1)][1:]
    return {name: Times.of(one[name] for one in took) for name in each}


def ms(seconds: float) -> str:
    """Milliseconds; below ten, with a decimal."""
    return f"{seconds * 1000:,.{1 if seconds < 0.01 else 0}f} ms"


def s(seconds: float) -> str:
    """Seconds; below ten with three digits."""
    return f"{seconds:,.{1 if seconds >= 10 else 2 if seconds >= 1 else 3}f} s"


def mb(size: int) -> str:
    """Megabytes."""
    return f"{size / 1e6:,.0f} MB"


def ratio(value: float, of: float) -> str:
    """How many times as much; from 100 on without decimals."""
    times = value / of
    return f"{times:,.{0 if times >= 100 else 1 if times >= 10 else 2}f}"
