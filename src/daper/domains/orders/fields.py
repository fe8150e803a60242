"""The kinds of value that a row holds: amounts, whole numbers and texts, each strict where it matters."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from daper.core.text import visible

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


def _whole(value: object) -> int:
    if type(value) is int and abs(value) < _TOO_MUCH:  # nearly all of them; a bool is another type
        return value
    amount = _amount(value)
    if amount != amount.to_integral_value():
        raise ValueError("must be a whole number")
    return int(amount)


def _or_nothing(value: object) -> object:
    return 0 if value is None else value


def _at_least_nothing(value: int) -> int:
    if value < 0:
        raise ValueError("must be at least 0")
    return value


def _plain(value: str) -> str:
    if value != value.strip():
        raise ValueError("must not begin or end with a blank")
    if visible(value, longest=len(value)) != value:
        raise ValueError("must have no characters that cannot be seen; they stand here as <U+...>")
    return value


def _text(value: object) -> object:
    return "" if value is None else value


Amount = Annotated[Decimal, BeforeValidator(_amount)]
Whole = Annotated[int, BeforeValidator(_whole)]
WholeOrNone = Annotated[Whole, BeforeValidator(_or_nothing)]
Count = Annotated[Whole, AfterValidator(_at_least_nothing)]
CountOrNone = Annotated[WholeOrNone, AfterValidator(_at_least_nothing)]
Text = Annotated[str, BeforeValidator(_text)]
ShortText = Annotated[str, Field(max_length=LONGEST_ID), BeforeValidator(_text)]
Id = Annotated[str, Field(min_length=1, max_length=LONGEST_ID)]
PlainId = Annotated[Id, AfterValidator(_plain)]
