"""Values of columns: as rules and people see them, as a version counts them, and as undoing gives them back."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from math import isfinite
from typing import Any, Final, cast
from uuid import UUID

from daper.core.digests import digest
from daper.core.errors import StoreDamaged

_TAG: Final = "daper:"


class ColumnType(StrEnum):
    """What a column holds, where its database does not say."""

    TEXT = "text"
    NUMBER = "number"
    MONEY = "money"
    TIME = "time"
    BOOLEAN = "boolean"


def typed(value: object, wanted: ColumnType | None) -> object:
    """A value as it is meant. Raises ValueError for one that cannot be that; nothing stays nothing."""
    if value is None:
        return None
    match wanted:
        case ColumnType.MONEY:
            return _decimal(value)
        case ColumnType.NUMBER:
            found = _decimal(value)
            return int(found) if found == found.to_integral_value() else float(found)
        case ColumnType.TIME:
            return _moment(value)
        case ColumnType.BOOLEAN:
            return _boolean(value)
        case ColumnType.TEXT:
            return str(value)
        case None:
            return _moment(value) if isinstance(value, datetime) else value


def shown_value(value: object) -> object:
    """A value as JSON has it: for documents, models, and the eyes of people."""
    match value:
        case None | bool() | int() | str():
            return value
        case list() | tuple():
            return [shown_value(each) for each in cast("list[object]", value)]
        case dict():
            return {str(name): shown_value(each) for name, each in cast("dict[object, object]", value).items()}
        case _:
            return _shown_scalar(value)


def _shown_scalar(value: object) -> object:
    match value:
        case float() if isfinite(value):
            return value
        case Decimal() if value.is_finite():
            return format(value, "f")
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return f"{value.total_seconds():g} s"
        case bytes() | bytearray() | memoryview():
            return f"{len(bytes(cast('bytes', value)))} bytes"
        case _:
            return str(value)


def row_version(row: Mapping[str, object]) -> str:
    """The version of a row by what it holds, type and all: 1 is another value than "1", and 1.0 than 1.00."""
    return digest(json.dumps({name: written(value) for name, value in row.items()}, sort_keys=True))[:32]


# Any: JSON.
def written(value: object) -> Any:
    """A value as JSON from which `read_back` makes the very same. Raises StoreDamaged for a kind that is not known."""
    if value is None or isinstance(value, bool | int | str):
        return value
    told = _tagged(value)
    if told is None:
        raise StoreDamaged(
            f"a column has a {type(value).__name__}, which nobody here could put back; nothing was changed"
        )
    return {f"{_TAG}{told[0]}": told[1]}


# Any: JSON, and what a driver takes.
def read_back(value: Any) -> Any:
    """What `written` was given."""
    if not isinstance(value, dict):
        return value
    [(tag, told)] = value.items()  # pyright: ignore[reportUnknownVariableType] - as `written` made it
    return _READERS[str(tag).removeprefix(_TAG)](told)  # pyright: ignore[reportUnknownArgumentType] - as `written` made it


def _tagged(value: object) -> tuple[str, Any] | None:
    return next(((tag, write(value)) for kind, tag, write in _WRITERS if isinstance(value, kind)), None)


# Any: of the kind beside it. A datetime is a date as well, so that it comes first.
_WRITERS: Final[tuple[tuple[Any, str, Callable[[Any], Any]], ...]] = (
    (float, "float", float.hex),
    (Decimal, "decimal", str),
    (datetime, "datetime", datetime.isoformat),
    (date, "date", date.isoformat),
    (time, "time", time.isoformat),
    (timedelta, "timedelta", lambda value: [value.days, value.seconds, value.microseconds]),
    ((bytes, bytearray, memoryview), "bytes", lambda value: bytes(value).hex()),
    (UUID, "uuid", str),
    ((list, tuple), "list", lambda value: [written(each) for each in value]),
    (dict, "dict", lambda value: {str(name): written(each) for name, each in value.items()}),
)


def _span(told: list[int]) -> timedelta:
    days, seconds, microseconds = told
    return timedelta(days=days, seconds=seconds, microseconds=microseconds)


# Any: JSON as a writer made it.
def _list(told: list[Any]) -> list[Any]:
    return [read_back(each) for each in told]


# Any: JSON as a writer made it.
def _dict(told: dict[str, Any]) -> dict[str, Any]:
    return {name: read_back(each) for name, each in told.items()}


# Any: of the kind beside it.
_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "float": float.fromhex,
    "decimal": Decimal,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timedelta": _span,
    "bytes": bytes.fromhex,
    "uuid": UUID,
    "list": _list,
    "dict": _dict,
}


def _decimal(value: object) -> Decimal:
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is no number")  # noqa: TRY004 - as for any other text that is none
    try:
        found = value if isinstance(value, Decimal) else Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueError(f"{value!r} is no number") from None
    if not found.is_finite():
        raise ValueError(f"{value!r} is no number that ends")
    return found


def _moment(value: object) -> datetime:
    """A moment; one without a zone is taken for UTC, and a number for seconds since 1970."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC)
    if isinstance(value, datetime):
        found = value
    elif isinstance(value, date):
        found = datetime(value.year, value.month, value.day, tzinfo=UTC)
    else:
        try:
            found = datetime.fromisoformat(str(value).strip())
        except ValueError:
            raise ValueError(f"{value!r} is no moment") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _boolean(value: object) -> bool:
    told = str(value).strip().lower()
    if told in {"1", "true", "t", "yes", "y"}:
        return True
    if told in {"0", "false", "f", "no", "n"}:
        return False
    raise ValueError(f"{value!r} is neither true nor false")
