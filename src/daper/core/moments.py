"""A moment as people write one in their files: a date or a date with a time, never a bare number."""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def _date(value: object) -> object:
    # A number, also one in quotes, would count as seconds: 20250627 as a day in 1970.
    if isinstance(value, datetime) or (isinstance(value, str) and _DAY.match(value)):
        return value
    raise ValueError("must be a date such as 2025-06-27 or 2025-06-27T16:20:00Z")


def _aware(value: datetime) -> datetime:
    moment = value if value.tzinfo else value.replace(tzinfo=UTC)
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be a date that there is in UTC too") from None
    return moment


Moment = Annotated[datetime, BeforeValidator(_date), AfterValidator(_aware)]
