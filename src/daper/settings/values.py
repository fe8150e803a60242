"""Reads single values: what a variable holds, or the table's default, as the type it must have."""

import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TypeVar

from daper.core.errors import SettingError
from daper.core.spans import parse_span
from daper.settings.table import BY_NAME

Choice = TypeVar("Choice", bound=StrEnum)


def raw(values: Mapping[str, str], name: str) -> str:
    """What is set, or the default."""
    return values.get(name, BY_NAME[name].default)


def text_value(values: Mapping[str, str], name: str) -> str:
    """Any printable text. Raises SettingError."""
    value = raw(values, name)
    if len(value) > 200 or not value.isprintable():
        raise SettingError(f"{name} is {value[:60]!r}; it must be at most 200 printable characters")
    return value


def span(values: Mapping[str, str], name: str) -> timedelta:
    """A length of time. Raises SettingError."""
    value = raw(values, name)
    length = parse_span(value)
    if length is None:
        raise SettingError(f"{name} is {value!r}; it must be a time like 30s, 15m, 12h or 2d, at most 365d")
    return length


def whole_value(values: Mapping[str, str], name: str, *, least: int, most: int) -> int:
    """A whole number within bounds; `_` and `,` between digits mean nothing. Raises SettingError."""
    value = raw(values, name)
    digits = value.replace("_", "").replace(",", "")
    if not re.fullmatch(r"[0-9]{1,15}", digits) or not least <= int(digits) <= most:
        raise SettingError(f"{name} is {value[:60]!r}; it must be a whole number from {least:,} to {most:,}")
    return int(digits)


def amount(values: Mapping[str, str], name: str) -> Decimal:
    """An amount of money, not below nothing. Raises SettingError."""
    value = raw(values, name)
    try:
        found = Decimal(value)
    except InvalidOperation:
        found = Decimal(-1)
    if not (found.is_finite() and 0 <= found <= 10**9):
        raise SettingError(f"{name} is {value[:60]!r}; it must be an amount like 5 or 0.50")
    return found


def one_of(values: Mapping[str, str], name: str, kind: type[Choice]) -> Choice:
    """One of a few words. Raises SettingError."""
    value = raw(values, name)
    if value.lower() not in set(kind):
        raise SettingError(f"{name} is {value[:60]!r}; it must be one of: {', '.join(kind)}")
    return kind(value.lower())
