"""How another system writes orders and stock: a mapping, a TOML file that ships or that a person wrote."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from difflib import get_close_matches
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final, Literal, cast
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError, field_validator

from daper.core.errors import UserError
from daper.core.text import visible
from daper.domains.orders.models import Line, Order, StockRow
from daper.domains.orders.world import ORDERS, STOCK

LINES: Final = "items"
# Fields of ours that no model has, and that are kept beside it.
_BESIDE_ORDER: Final = frozenset(
    {"currency", "discount", "gift_card", "fees", "refunded", "prices_include_tax", "email", "notes", "tags"}
)
_BESIDE_LINE: Final = frozenset({"currency", "discount", "notes"})
_BESIDE_STOCK: Final = frozenset({"notes"})
COUNTS: Final = frozenset(
    {"quantity", "current_stock", "reserved_stock", "available_stock", "reorder_quantity", "max_stock_level"}
)
NUMBERS: Final = COUNTS | {
    *("subtotal", "tax", "shipping", "total", "discount", "gift_card", "fees", "refunded"),
    *("unit_price", "total_price", "unit_cost"),
}
DATES: Final = frozenset({"order_date"})
FLAGS: Final = frozenset({"prices_include_tax", "requires_shipping"})
_OURS_ALONE: Final = frozenset({LINES, "status_history", "restocks", "approval", "approval_request"})
TARGETS: Final[Mapping[str, frozenset[str]]] = {
    ORDERS: (frozenset(Order.model_fields) | _BESIDE_ORDER) - _OURS_ALONE,
    LINES: frozenset(Line.model_fields) | _BESIDE_LINE,
    STOCK: frozenset(StockRow.model_fields) | _BESIDE_STOCK,
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


def _source(value: object) -> object:
    """A source from what TOML has of it: told apart by its keys, so that one thing is said of what is wrong."""
    if isinstance(value, str) and value:
        return value
    if isinstance(value, list):
        return [_source(each) for each in cast("list[object]", value)]
    if isinstance(value, dict):
        made = next((part for key, part in _SOURCES.items() if key in cast("dict[str, object]", value)), None)
        if made is not None:
            try:
                return made.model_validate(value)
            except ValidationError as error:
                raise ValueError(", ".join(_told(error))) from None
    if isinstance(value, str | _Part) and value:
        return value
    raise ValueError(
        f"holds {visible(repr(cast('object', value)), longest=60)}: must be a column, several in [...], or {_WAYS}"
    )


class Joined(_Part):
    """Several columns as one text; what is empty is left out, and what is in `without`."""

    join: "list[Source]"
    by: str = " "
    without: list[str] = []


class Added(_Part):
    """The sum of several columns; what is empty counts nothing. `less`: what is taken away from it."""

    add: list[str] = []
    less: list[str] = []


class Fixed(_Part):
    """The same for every row."""

    value: str | int | float | bool


class Flagged(_Part):
    """Where a column has anything, or one of `among`: what another one has, or a word. Elsewhere nothing."""

    if_: str = Field(alias="if")
    among: list[str] = []
    take: str = ""
    then: str = ""


_Single = str | Joined | Added | Fixed | Flagged
Source = Annotated[_Single | list[_Single], PlainValidator(_source)]
"""A column; or several, of which the first counts that is not empty; or what is made of some."""
Joined.model_rebuild()
_SOURCES: Final = {"join": Joined, "add": Added, "less": Added, "value": Fixed, "if": Flagged}
_WAYS: Final = "{ join = [...] }, { add = [...] }, { value = ... }, { if = ..., then = ... }"


class Kits(_Part):
    """Lines that are parts of another one, which has the price, and of which only the parts are in the stock.

    `line`: the column with the number of a line; `of`: with that of the line that it is a part of. `type`: the column
    that says what a line is, `among`: what it says where its parts count. Parts of any other are as `leave_lines` says.
    """

    line: str
    of: str
    type: str
    among: list[str]


class Form(_Part):
    """One way in which a system writes orders, or its stock.

    `needs`: columns, or fields, by which a file of this form is known. `list`: the field of a JSON document that has
    the entries; one that is a list needs none. `each`: the list within an entry of which every element is a row of its
    own. `lines_in`: the list of an order's lines. `one_row_for_each = "line"`: rows with one id are one order.
    `begins`: a column that only the first row of an order has anything in.
    `leave_out`, `leave_lines`: rows, or lines, where a column has one of these values, "*" being any. `carry`: columns
    that are given once for rows that follow one another and have the same in the first of `needs`. `add_up`: fields
    that add up where an id is there several times. `taken_by`: the statuses of orders that were taken off the stock
    that is given, and are counted again here; "*" is every one that is open.
    """

    about: str = ""
    format: Literal["csv", "json"]
    needs: list[str] = Field(min_length=1)
    list_: str = Field(default="", alias="list")
    each: str = ""
    lines_in: str = ""
    one_row_for_each: Literal["line", "record"] = "record"
    begins: str = ""
    fields: dict[str, Source]
    lines: dict[str, Source] = {}
    words: dict[str, str] = {}
    leave_out: dict[str, list[str]] = {}
    leave_lines: dict[str, list[str]] = {}
    kits: Kits | None = None
    carry: list[str] = []
    taken_by: list[str] = []
    add_up: list[str] = []
    dates: list[str] = []
    zone: str = "UTC"
    decimal: Literal[".", ","] = "."

    @field_validator("dates")
    @classmethod
    def _known_dates(cls, value: list[str]) -> list[str]:
        for way in value:
            try:
                datetime.strptime("", way)  # noqa: DTZ007 - no moment comes of it
            except ValueError as error:
                if "directive" in str(error) or "stray" in str(error):
                    raise ValueError(f"holds {way!r}, which is no way to write a date: {error}") from None
        return value

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"names no time zone: {value!r}; one is as Europe/Berlin") from None
        return value

    @cached_property
    def tz(self) -> tzinfo:
        """The zone of dates that name none."""
        return UTC if self.zone == "UTC" else ZoneInfo(self.zone)

    def word(self, status: str) -> str:
        """The status by that name with us; one that no word is for stays as it is."""
        given = _plain(status)
        for word, ours in self.words.items():
            parts = _plain(word)
            if given == parts or (parts.endswith("*") and given.startswith(parts[:-1])):
                return ours
        return status

    def columns(self) -> Iterator[str]:
        """Every column that it reads."""
        for source in (*self.fields.values(), *self.lines.values()):
            yield from columns_of(source)
        yield from (*self.leave_out, *self.leave_lines, *self.carry, *filter(None, [self.begins]))
        if self.kits is not None:
            yield from (self.kits.line, self.kits.of, self.kits.type)


class ShopMapping(_Part):
    """All forms in which one system writes its orders and its stock."""

    about: str = ""
    orders: list[Form] = []
    inventory: list[Form] = []

    def forms(self, collection: str) -> Sequence[Form]:
        """Those of the orders, or of the stock."""
        return self.orders if collection == ORDERS else self.inventory


def columns_of(source: Source) -> Iterator[str]:
    """The columns from which a value is made."""
    if isinstance(source, str):
        yield source
    elif isinstance(source, list | Joined):
        for each in source if isinstance(source, list) else source.join:
            yield from columns_of(each)
    elif isinstance(source, Added):
        yield from (*source.add, *source.less)
    elif isinstance(source, Flagged):
        yield source.if_
        if source.take:
            yield source.take


def shipped_names() -> tuple[str, ...]:
    """The mappings that ship."""
    there = (each.name for each in files("daper.domains.orders.importing").joinpath("mappings").iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in there if name.endswith(".toml")))


def text_of(name: str) -> str:
    """The text of a mapping that ships, or of a person's file. Raises UserError where there is neither."""
    if name in shipped_names():
        return files("daper.domains.orders.importing").joinpath("mappings", f"{name}.toml").read_text(encoding="utf-8")
    path = Path(name)
    if not path.is_file():
        known = shipped_names()
        near = get_close_matches(name.lower(), known, n=1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        raise UserError(
            f"there is no mapping {visible(name, longest=200)!r}: {meant}shipped are {', '.join(known)}; any other one "
            "is named by its file"
        )
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the mapping {visible(name, longest=200)!r} cannot be read: {error}") from None


def find(name: str) -> ShopMapping:
    """The mapping by that name, or in that file. Raises UserError with all that is wrong with it."""
    return parse(text_of(name), name=name)


def parse(text: str, *, name: str) -> ShopMapping:
    """A mapping from its text. Raises UserError with all that is wrong with it, each with its place."""
    named = f"the mapping {visible(name, longest=200)!r}"
    try:
        found = ShopMapping.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{named} is no TOML: {error}") from None
    except ValidationError as error:
        raise UserError(f"{named}: " + "; ".join(dict.fromkeys(_told(error)))) from None
    wrong = [*_wrong_fields(found)]
    if wrong:
        raise UserError(f"{named}: " + "; ".join(wrong))
    return found


def _told(error: ValidationError) -> Iterator[str]:
    for each in error.errors(include_url=False):
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in each["loc"]).lstrip(".")
        message = each["msg"].removeprefix("Value error, ")
        if each["type"] == "missing":
            message = "is missing"
        elif each["type"] == "extra_forbidden":
            message = "is no key of a mapping"
        elif each["type"] != "value_error":
            message = f"holds {visible(repr(each['input']), longest=60)}: {message[:1].lower()}{message[1:]}"
        yield f"{where} {message}"


def _wrong_fields(mapping: ShopMapping) -> Iterator[str]:
    if not (mapping.orders or mapping.inventory):
        yield "has neither [[orders]] nor [[inventory]]"
    for collection, key in ((ORDERS, "order_id"), (STOCK, "item_id")):
        for number, form in enumerate(mapping.forms(collection)):
            place = f"{collection}[{number}]"
            if key not in form.fields:
                yield f"{place}.fields has no {key}"
            yield from _unknown(form.fields, TARGETS[collection], f"{place}.fields")
            yield from _unknown(form.lines, TARGETS[LINES], f"{place}.lines")
            if form.lines and "item_id" not in form.lines:
                yield f"{place}.lines has no item_id"
            if form.lines and "quantity" not in form.lines:
                yield f"{place}.lines has no quantity"
            if form.lines and form.format == "json" and not form.lines_in:
                yield f"{place} has lines, and no lines_in says where they are"


def _unknown(given: Iterable[str], known: frozenset[str], place: str) -> Iterator[str]:
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            meant = f": did you mean {near[0]}?" if near else f"; there are: {', '.join(sorted(known))}"
            yield f"{place}.{visible(name, longest=60)} is no field of ours{meant}"


def _plain(word: str) -> str:
    return " ".join(word.casefold().split())


def moment_of(text: str, form: Form) -> datetime | None:
    """The moment that a text names in one of the ways of a form; None where it is in none."""
    for way in form.dates:
        try:
            found = datetime.strptime(text, way)  # noqa: DTZ007 - the zone follows
        except ValueError:
            continue
        return found if found.tzinfo else found.replace(tzinfo=form.tz)
    return None
