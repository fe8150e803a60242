"""When a schedule starts its repairs: every so long, or by a cron expression; checked, and told in words."""

import zoneinfo
from datetime import timedelta
from difflib import get_close_matches

from daper.core.base import Wire
from daper.core.cron import parse_cron, told_of_cron
from daper.core.errors import UserError
from daper.core.models import Line
from daper.core.text import counted

DAY = timedelta(days=1)
LONGEST_INTERVAL = timedelta(days=366)
UTC_NAME = "UTC"
_SECOND = timedelta(seconds=1)
_UNITS = (("day", DAY), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1)), ("second", _SECOND))


class When(Wire):
    """When a schedule starts a repair: `every` so long, counted from midnight UTC plus `offset`; or by `cron`.

    Made by `at_intervals` and `by_cron`, which check it. The time zone is that of a cron expression.
    """

    every: timedelta | None = None
    offset: timedelta = timedelta()
    cron: Line = ""
    time_zone: Line = UTC_NAME

    @property
    def words(self) -> str:
        """In words, with the time zone."""
        if self.every is None:
            return told_of_cron(self.cron, self.time_zone)
        if self.every == DAY:
            hours, minutes = divmod(self.offset // timedelta(minutes=1), 60)
            seconds = self.offset // _SECOND % 60
            return f"every day at {hours:02}:{minutes:02}{f':{seconds:02}' if seconds else ''} UTC"
        shifted = f", shifted by {span_in_words(self.offset)}" if self.offset else ""
        return f"every {span_in_words(self.every)}{shifted} (UTC)"


def at_intervals(every: timedelta, offset: timedelta = timedelta()) -> When:
    """Every so long. Raises UserError for what Temporal could not do, or would do otherwise."""
    if not _SECOND <= every <= LONGEST_INTERVAL:
        raise UserError(f"the interval {_shown(every)} must be from 1s to 366d, for example 1d or 90m")
    if not timedelta() <= offset < every:
        raise UserError(f"the offset {_shown(offset)} must be at least 0s, and shorter than the interval, {every}")
    for name, span in (("interval", every), ("offset", offset)):
        if span % _SECOND:
            raise UserError(f"the {name} {_shown(span)} must be whole seconds")
    return When(every=every, offset=offset)


def by_cron(expression: str, time_zone: str = UTC_NAME) -> When:
    """By a cron expression in a time zone. Raises UserError with what would be right."""
    return When(cron=parse_cron(expression), time_zone=_checked_zone(time_zone))


def span_in_words(span: timedelta) -> str:
    """A span of time: `1 day`, `1 hour 30 minutes`."""
    told: list[str] = []
    for name, unit in _UNITS:
        number, span = divmod(span, unit)
        if number:
            told.append(counted(number, name))
    return " ".join(told) or "0 seconds"


def _shown(span: timedelta) -> str:
    return f"-{-span}" if span < timedelta() else str(span)


def _checked_zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = zoneinfo.available_timezones()
        if not known:
            return name  # nobody here can tell; Temporal does
        by_small = {each.lower(): each for each in known}
        near = [by_small[each] for each in get_close_matches(name.lower(), by_small, n=3)]
        meant = f"; near it: {', '.join(near)}" if near else ""
        raise UserError(f"there is no time zone {name!r:.80}; one is named like Europe/London or UTC{meant}") from None
    return name
