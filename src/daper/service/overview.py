"""How it goes: what was found and repaired over time, how decisions were made, and whether everything answers."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from daper.core.base import Wire
from daper.core.errors import DaperError
from daper.core.figures import DayFigures, Figures
from daper.core.models import Scope
from daper.core.text import counted
from daper.ports import ReportFigures, Window
from daper.service.records import RecordsService
from daper.service.repairs import RepairService

SPANS: Final[Mapping[str, int]] = {"30": 30, "90": 90, "365": 365}
"""Days that can be looked at, by their name in an address."""

_BY_DAY: Final = 31
_BY_WEEK: Final = 120
_DAY: Final = timedelta(days=1)
_WAITS: Final = (("≤1m", 60), ("≤10m", 600), ("≤1h", 3600), ("≤4h", 4 * 3600), ("≤1d", 24 * 3600))
_LATER: Final = "later"


class Health(Wire):
    """Whether something answers, in words."""

    name: str
    ok: bool
    what: str


class Stretch(Wire):
    """Some days together: a day, a week or a month, by its first day."""

    label: str
    figures: DayFigures


class Overview(Wire):
    """The figures of some days up to today (UTC). `waits`: how many plans were decided within which time.

    `trouble`: why there are none.
    """

    figures: Figures = Figures()
    stretches: tuple[Stretch, ...] = ()
    waits: tuple[tuple[str, int], ...] = ()
    trouble: str = ""


async def overview(kept: ReportFigures, *, now: datetime, days: int) -> Overview:
    """The figures of so many days; never raises for state that cannot be read."""
    first = now.date() - (days - 1) * _DAY
    try:
        figures = await kept.since(first)
    except DaperError as error:
        return Overview(trouble=str(error))
    return Overview(figures=figures, stretches=_stretches(figures, first, days), waits=waits_of(figures.waits))


async def health(
    repairs: RepairService, records: RecordsService, *, queue: str, models: Sequence[str], now: datetime
) -> tuple[Health, ...]:
    """Temporal, its workers, each store of records, and which models are asked; never raises for what is away."""
    stores = await asyncio.gather(*(_store(records, name, now) for name in records.domains))
    temporal = await _temporal(repairs, queue, [store_id for _, store_id in stores if store_id])
    thinking = ", ".join(models) or "the rules alone; no language model is configured"
    return (*temporal, *(line for line, _ in stores), Health(name="Thinking", ok=True, what=thinking))


async def _temporal(repairs: RepairService, queue: str, store_ids: Sequence[str]) -> tuple[Health, ...]:
    try:
        polled, *lacking = await asyncio.gather(repairs.workers(queue), *map(repairs.unserved, store_ids))
    except DaperError as error:
        return (Health(name="Temporal", ok=False, what=str(error)),)
    missing = "; ".join(dict.fromkeys(str(each) for each in lacking if each))
    working = f"{counted(len(polled), 'worker')} on {queue}"
    return (
        Health(name="Temporal", ok=True, what="answers"),
        Health(name="Workers", ok=bool(polled) and not missing, what=missing or working),
    )


async def _store(records: RecordsService, name: str, now: datetime) -> tuple[Health, str]:
    try:
        found = await records.page(name, Scope(), Window(most=1), now=now)
    except DaperError as error:
        return Health(name=f"Records of {name}", ok=False, what=str(error)), ""
    what = f"{counted(found.total or 0, 'record')} in {found.store.place}"
    return Health(name=f"Records of {name}", ok=True, what=what), found.store.store_id


def waits_of(seconds: Sequence[int]) -> tuple[tuple[str, int], ...]:
    """How many of these are within each of some times, each counted once."""
    counts = dict.fromkeys([*(label for label, _ in _WAITS), _LATER], 0)
    for each in seconds:
        counts[next((label for label, most in _WAITS if each <= most), _LATER)] += 1
    return tuple(counts.items())


def _stretches(figures: Figures, first: date, days: int) -> tuple[Stretch, ...]:
    """Every stretch, also those in which no repair ended."""
    by_start: dict[date, list[DayFigures]] = {}
    for number in range(days):
        by_start.setdefault(_start(first + number * _DAY, first, days), [])
    for each in figures.days:
        start = _start(each.day, first, days)
        by_start.setdefault(start, []).append(each)
    return tuple(
        Stretch(label=_label(start, days), figures=Figures(days=tuple(some)).total if some else DayFigures(day=start))
        for start, some in sorted(by_start.items())
    )


def _start(day: date, first: date, days: int) -> date:
    if days <= _BY_DAY:
        return day
    if days <= _BY_WEEK:
        return max(first, day - day.weekday() * _DAY)
    return max(first, day.replace(day=1))


def _label(start: date, days: int) -> str:
    return f"{start:%Y-%m}" if days > _BY_WEEK else f"{start:%m-%d}"


def money(cost: Decimal) -> str:
    """US dollars, with cents; of less than a cent, as much as it takes to see something."""
    digits = 2 if not cost or cost >= Decimal("0.01") else 4
    return f"${cost:,.{digits}f}"
