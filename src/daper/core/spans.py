"""Lengths of time as people write them: 30s, 15m, 12h or 2d, at most 365d."""

import re
from datetime import timedelta
from typing import Final

_UNITS: Final = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1), "s": timedelta(seconds=1)}
_LONGEST: Final = timedelta(days=365)


def parse_span(value: str) -> timedelta | None:
    """A length of time as it is written; None where it is none, or over a year."""
    found = re.fullmatch(r"([0-9]{1,9}) ?([smhd])", value)
    length = int(found[1]) * _UNITS[found[2]] if found else timedelta(0)
    return length if timedelta(0) < length <= _LONGEST else None


def written_span(span: timedelta) -> str:
    """A length of time as it may be written, in the largest unit that says all of it, to the second."""
    seconds = timedelta(seconds=round(span.total_seconds()))
    return next(f"{seconds // size}{unit}" for unit, size in _UNITS.items() if not seconds % size)
