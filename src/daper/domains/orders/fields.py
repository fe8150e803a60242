"""The kinds of value that a row holds: amounts, quantities and texts, each strict where it matters."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, cast

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

from daper.core.text import visible

Number = int | Decimal
"""A quantity: whole, or with a fraction."""
LONGEST_ID = 200  # ids and statuses are quoted in plans, evidence and reports
_CENT = Decimal("0.01")
_TOO_MUCH = 10**12  # sums and products of what is below it stay exact to the cent


def cents(amount: Decimal) -> Decimal:
    """An amount rounded to the cent."""
    return amount.quantize(_CENT, ROUND_HALF_UP)


def _amount(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError("must be a number")  # noqa: TRY004 - pydantic turns only ValueError into a finding with a place
    # A float as it is written, and not the binary fraction next to it.
    amount = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
    if not amount.is_finite() or abs(amount) >= _TOO_MUCH:
        raise ValueError("must be a number below 10^12")
    return amount


def number(value: Number) -> Number:
    """A quantity as it reads: a whole number without a fraction, 1.50 as 1.5."""
    if isinstance(value, int):
        return value
    return int(value) if value == value.to_integral_value() else value.normalize()


def entries_of(value: object) -> list[object]:
    """The entries of a list; none of what is no list."""
    # JSON values of any kind.
    return cast("list[object]", value) if isinstance(value, list) else []


def as_json(value: Number | None) -> int | str | None:
    """A quantity where only JSON may be: one with a fraction as text, so that no digit of it is lost."""
    return f"{value:f}" if isinstance(value, Decimal) else value


def _quantity(value: object) -> Number:
    if type(value) is int and abs(value) < _TOO_MUCH:  # nearly all of them; a bool is another type
        return value
    return number(_amount(value))


def _quantity_or_nothing(value: object) -> Number:
    return 0 if value is None else _quantity(value)


def _quantity_or_none(value: object) -> Number | None:
    return None if value is None else _quantity(value)


def _count(value: object) -> Number:
    return _at_least_nothing(_quantity(value))


def _count_or_nothing(value: object) -> Number:
    return _at_least_nothing(_quantity_or_nothing(value))


def _count_or_none(value: object) -> Number | None:
    return None if value is None else _count(value)


def _at_least_nothing(value: Number) -> Number:
    if value < 0:
        raise ValueError("must be at least 0")
    return value


def _flag(value: object) -> object:
    return False if value is None else value


def _plain(value: str) -> str:
    if value != value.strip():
        raise ValueError("must not begin or end with a blank")
    if visible(value, longest=len(value)) != value:
        raise ValueError("must have no characters that cannot be seen; they stand here as <U+...>")
    return value


def _text(value: object) -> object:
    return "" if value is None else value


Amount = Annotated[Decimal, BeforeValidator(_amount)]
Quantity = Annotated[Number, PlainValidator(_quantity)]
QuantityOrNothing = Annotated[Number, PlainValidator(_quantity_or_nothing)]
QuantityOrNone = Annotated[Number | None, PlainValidator(_quantity_or_none)]
Count = Annotated[Number, PlainValidator(_count)]
CountOrNothing = Annotated[Number, PlainValidator(_count_or_nothing)]
CountOrNone = Annotated[Number | None, PlainValidator(_count_or_none)]
Flag = Annotated[bool, Field(strict=True), BeforeValidator(_flag)]
FlagOrNone = Annotated[bool | None, Field(strict=True)]
Text = Annotated[str, BeforeValidator(_text)]
ShortText = Annotated[str, Field(max_length=LONGEST_ID), BeforeValidator(_text)]
Id = Annotated[str, Field(min_length=1, max_length=LONGEST_ID)]
PlainId = Annotated[Id, AfterValidator(_plain)]
