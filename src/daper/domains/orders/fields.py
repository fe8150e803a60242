"""The kinds of value that a row holds: amounts, whole numbers, texts and moments, each strict where it matters."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

LONGEST_ID = 200  # ids and statuses are quoted in plans, evidence and reports
_CENT = Decimal("0.01")
_TOO_MUCH = Decimal(10) ** 12  # sums and products of what is below it stay exact to the cent


def cents(amount: Decimal) -> Decimal:
    """An amount rounded to the cent."""
    return amount.quantize(_CENT, ROUND_HALF_UP)


def _amount(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError("must be a number")  # noqa: TRY004 - pydantic turns only ValueError into a finding with a place
    try:
        amount = Decimal(str(value))
    except InvalidOperation as error:
        raise ValueError("must be a number") from error
    if not amount.is_finite() or abs(amount) >= _TOO_MUCH:
        raise ValueError("must be a number below 10^12")
    return amount


def _whole(value: object) -> int:
    amount = _amount(value)
    if amount != amount.to_integral_value():
        raise ValueError("must be a whole number")
    return int(amount)


def _text(value: object) -> object:
    return "" if value is None else value


def _aware(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)


Amount = Annotated[Decimal, BeforeValidator(_amount)]
Whole = Annotated[int, BeforeValidator(_whole)]
Text = Annotated[str, BeforeValidator(_text)]
ShortText = Annotated[str, Field(max_length=LONGEST_ID), BeforeValidator(_text)]
Id = Annotated[str, Field(min_length=1, max_length=LONGEST_ID)]
Moment = Annotated[datetime, AfterValidator(_aware)]
