"""Cron expressions of five fields: checked, written in one form, and told in words."""

import re
from dataclasses import dataclass

from daper.core.errors import UserError

EXAMPLE = "0 7 * * 1-5"
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_SHORT = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_PART = re.compile(r"(?P<all>\*)|(?P<first>[0-9a-z]+)(?:-(?P<last>[0-9a-z]+))?")


@dataclass(frozen=True)
class _Field:
    name: str
    least: int
    most: int
    names: dict[str, int]


_DAY_NAMES = {day[:3].lower(): number for number, day in enumerate(_DAYS)}
_MONTH_NAMES = {month: number for number, month in enumerate(_MONTHS, 1)}
_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of month", 1, 31, {}),
    _Field("month", 1, 12, _MONTH_NAMES),
    _Field("day of week", 0, 7, _DAY_NAMES),
)


def parse_cron(expression: str) -> str:
    """The expression with numbers for names and one space between its fields. Raises UserError with what is right.

    Refused is also what never comes (February 30), and a day of month together with a day of week: other crons take
    that for either of the two, Temporal for both at once.
    """
    words = _SHORT.get(expression.strip().lower(), expression).lower().split()
    if len(words) != len(_FIELDS):
        raise _wrong(expression, f"it has {len(words)} fields and must have five")
    fields = [_field(expression, field, word) for field, word in zip(_FIELDS, words, strict=True)]
    _, _, day, month, weekday = fields
    if day != "*" and weekday != "*":
        raise _wrong(expression, "it names a day of month and a day of week; name one of them, and * for the other")
    if day != "*" and min(_numbers(day, 31)) > max(_LONGEST_MONTH[number - 1] for number in _numbers(month, 12)):
        raise _wrong(expression, "that day never comes")
    return " ".join(fields)


def told_of_cron(cron: str, time_zone: str) -> str:
    """In words where that is plain, else the expression; with the time zone."""
    minute, hour, day, month, weekday = cron.split()
    days = _days(weekday)
    if minute.isdigit() and hour.isdigit() and (day, month) == ("*", "*") and days:
        return f"{days} at {int(hour):02}:{int(minute):02} {time_zone}"
    return f"cron {cron}, {time_zone}"


def _field(expression: str, field: _Field, word: str) -> str:
    return ",".join(_part(expression, field, part) for part in word.split(","))


def _part(expression: str, field: _Field, part: str) -> str:
    span, slash, step = part.partition("/")
    matched = _PART.fullmatch(span)
    if matched is None or (slash and not (step.isdecimal() and len(step) < 3 and 0 < int(step) <= field.most)):
        raise _wrong(expression, f"its {field.name} {part!r:.40} cannot be read")
    after = f"/{int(step)}" if slash else ""
    if matched["all"]:
        return f"*{after}"
    first = _number(expression, field, matched["first"])
    if matched["last"] is None:
        return f"{first}{after}"
    last = _number(expression, field, matched["last"])
    if last < first:
        raise _wrong(expression, f"its {field.name} {part!r:.40} ends before it begins")
    return f"{first}-{last}{after}"


def _number(expression: str, field: _Field, word: str) -> int:
    number = field.names.get(word[:3] if field.names and word.isalpha() else word)
    if number is None and word.isascii() and word.isdecimal():
        number = int(word[:5])
    if number is None or not field.least <= number <= field.most:
        raise _wrong(expression, f"its {field.name} {word!r:.40} is not from {field.least} to {field.most}")
    return number


def _numbers(field: str, most: int) -> set[int]:
    """The days or months that a checked field names."""
    found: set[int] = set()
    for part in field.split(","):
        span, slash, step = part.partition("/")
        first, _, last = span.partition("-")
        if first == "*":
            first, last = "1", str(most)
        found |= {*range(int(first), int(last or (most if slash else first)) + 1, int(step or 1))}
    return found


def _days(weekday: str) -> str:
    """The days of the week in words; empty where they have steps."""
    if weekday == "*":
        return "every day"
    if "/" in weekday or "*" in weekday:
        return ""
    spans = [[_DAYS[int(number) % 7] for number in part.split("-")] for part in weekday.split(",")]
    return ", ".join(" to ".join(dict.fromkeys(span)) for span in spans)


def _wrong(expression: str, why: str) -> UserError:
    return UserError(
        f"the cron expression {expression!r:.80} does not fit: {why}; "
        f"the fields are minute, hour, day of month, month, day of week, for example {EXAMPLE!r}"
    )
