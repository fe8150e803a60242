"""What columns keep of the values that were promised for them: the same, in whatever words, or another one."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from daper.stores.rows.address import MYSQL, POSTGRESQL
from daper.stores.rows.statements import IDS, of_key, quoted, table_name
from daper.stores.rows.values import ColumnType, typed

# The codes that the protocols have for types whose values are texts, and for those among them that are padded.
_TEXTS: Final = {POSTGRESQL: frozenset({18, 19, 25, 1042, 1043}), MYSQL: frozenset({15, 247, 248, *range(249, 255)})}
_PADDED: Final = {POSTGRESQL: 1042, MYSQL: 254}
_BITS_OF_MYSQL: Final = 16
_JSON_OF_MYSQL: Final = 245
_PROMISED: Final = "daper_promised"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A column that keeps another value than was promised."""

    column: str
    promised: object
    kept: object


class Columns:
    """The columns of one row of a table, as they are now."""

    def __init__(self, db: Connection, kind: str, *, table: str, key: str, raw_key: object) -> None:
        self._db = db
        self._kind = kind
        self._from = f"FROM {table_name(table, kind)} WHERE {of_key(key, kind, raw_key)}"
        self._raw_key = raw_key

    def differing(self, promised: Mapping[str, object]) -> Difference | None:
        """The first that keeps something else."""
        if not promised:
            return None
        names = ", ".join(quoted(name, self._kind) for name in promised)
        result = self._db.execute(text(f"SELECT {names} {self._from}"), {IDS: self._raw_key})
        described = result.cursor.description if result.cursor is not None else ()
        codes = [each[1] for each in described or ()]
        for (name, value), kept, code in zip(promised.items(), result.one(), codes, strict=True):
            if not self._is_kept(name, value, kept, code):
                return Difference(column=name, promised=value, kept=kept)
        return None

    def _is_kept(self, name: str, promised: object, kept: object, code: object) -> bool:
        if isinstance(promised, str) and isinstance(kept, str):
            if promised == kept or self._is_padding(promised, kept, code):
                return True
            if code in _TEXTS.get(self._kind, ()) or self._kind not in _TEXTS:
                return False
        if self._kind == MYSQL and isinstance(kept, bytes) and code == _PADDED[MYSQL]:
            told = promised.encode() if isinstance(promised, str) else promised
            return isinstance(told, bytes) and told.rstrip(b"\0") == kept.rstrip(b"\0")
        if self._kind == MYSQL and isinstance(promised, bytes) and isinstance(kept, bytes) and code == _BITS_OF_MYSQL:
            return promised.lstrip(b"\0") == kept.lstrip(b"\0")
        if self._kind == MYSQL and code == _JSON_OF_MYSQL:
            promised, kept = _parsed(promised), _parsed(kept)
        found = same(promised, kept)
        if found is None and not (isinstance(kept, str) and code in _TEXTS.get(self._kind, ())):
            return self._is_equal(name, promised)
        return bool(found)

    def _is_padding(self, promised: str, kept: str, code: object) -> bool:
        return code == _PADDED.get(self._kind) and promised.rstrip(" ") == kept.rstrip(" ")

    def _is_equal(self, name: str, promised: object) -> bool:
        """Whether the database takes the two for equal, in its own words for a moment, an interval or an address."""
        if self._kind not in _TEXTS:
            return False
        same_as = "IS NOT DISTINCT FROM" if self._kind == POSTGRESQL else "<=>"
        sql = f"SELECT {quoted(name, self._kind)} {same_as} :{_PROMISED} {self._from}"
        with suppress(DBAPIError), self._db.begin_nested():  # what cannot be compared is not the same
            return bool(self._db.execute(text(sql), {IDS: self._raw_key, _PROMISED: promised}).scalar())
        return False


def same(one: object, other: object) -> bool | None:
    """Whether two are one value: 10 and 10.00, 1 and true, a day and its midnight. None where only a database knows."""
    match one, other:
        case None, _:
            return other is None
        case _, None:
            return False
        case str(), str():
            return one == other
        case (bool(), str()) | (str(), bool()):
            return _booleans(one, other)
        case (int() | float() | Decimal(), _) if (two := _number(other)) is not None:
            return _equal(_number(one), two)
        case (_, int() | float() | Decimal()) if (two := _number(one)) is not None:
            return _equal(two, _number(other))
        case _:
            return _same_other(one, other)


def _same_other(one: object, other: object) -> bool | None:
    if isinstance(one, str):
        return _same_told(one, other)
    if isinstance(other, str):
        return _same_told(other, one)
    match one, other:
        case dict(), dict():
            mine, theirs = cast("dict[str, object]", one), cast("dict[str, object]", other)
            return mine.keys() == theirs.keys() and all(same(value, theirs[name]) for name, value in mine.items())
        case (list() | tuple(), list() | tuple()):
            mine, theirs = cast("list[object]", one), cast("list[object]", other)
            return len(mine) == len(theirs) and all(same(*pair) for pair in zip(mine, theirs, strict=True))
        case _ if type(one) is type(other):
            return one == other or _moments_alike(one, other)
        case date(), date():
            return _midnight(one) == _midnight(other) if _is_plain(one) and _is_plain(other) else None
        case _:
            return None


def _same_told(told: str, value: object) -> bool | None:
    """Whether a text is a value; None where that may be put in other words."""
    match value:
        case dict() | list():
            found = _parsed(told)
            return None if isinstance(found, str) else same(found, cast("object", value))
        case bytes():
            return told.encode() == value or None
        case UUID():
            return told.lower() == str(value) or None
        case date() | time():
            with suppress(ValueError):
                return type(value).fromisoformat(told) == value or None
            return None
        case _:
            return None


def _moments_alike(one: object, other: object) -> bool | None:
    """False; or None where a moment without a zone is to be one with it."""
    if isinstance(one, datetime | time) and isinstance(other, datetime | time):
        return None if (one.tzinfo is None) != (other.tzinfo is None) else False
    return False


def _is_plain(moment: date) -> bool:
    return not isinstance(moment, datetime) or moment.tzinfo is None


def _midnight(day: date) -> datetime:
    return day if isinstance(day, datetime) else datetime(day.year, day.month, day.day)  # noqa: DTZ001 - compared alone


def _booleans(one: object, other: object) -> bool | None:
    try:
        return typed(one, ColumnType.BOOLEAN) == typed(other, ColumnType.BOOLEAN)
    except ValueError:
        return None


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool | int):
        return Decimal(int(value))
    try:
        return Decimal(repr(value)) if isinstance(value, float) else Decimal(str(value).strip())
    except InvalidOperation:
        return None


def _equal(one: Decimal | None, other: Decimal | None) -> bool:
    if one is None or other is None:
        return False
    return one == other or (one.is_nan() and other.is_nan())


# Any: JSON.
def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, parse_float=Decimal)
    except (ValueError, RecursionError):
        return value
