"""Whether the amounts of an order add up. Pure.

Shops add up in many ways. What is known to be a part of a sum counts; a part that may be in an amount already is tried
both ways. Where a part is not understood, no gap is claimed.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import product
from typing import Final, cast

from pydantic import BaseModel, JsonValue

from daper.domains.orders.models import Line, Order
from daper.domains.orders.wording import money

_WHOLE: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THOUSANDTHS: Final = "BHD IQD JOD KWD LYD OMR TND"
_DIGITS: Final = {**dict.fromkeys(_WHOLE.split(), 0), **dict.fromkeys(_THOUSANDTHS.split(), 3)}
_DISCOUNTS: Final = (
    "discount discounts discount_total discount_amount total_discount total_discounts coupon coupons coupon_discount"
    " shipping_discount loyalty_discount points_discount"
)
_PAID_OTHERWISE: Final = (
    "gift_card gift_cards gift_card_amount gift_card_total giftcard voucher vouchers store_credit credit"
    " refund refunds refunded refund_total refunded_amount amount_refunded total_refunded"
)
# What takes from a sum, or was taken from it already: then the sum is right without it.
_TAKES: Final = frozenset(f"{_DISCOUNTS} {_PAID_OTHERWISE}".split())
_FEES: Final = (
    "fee fees fee_total total_fees surcharge surcharges handling handling_fee cod_fee payment_fee service_fee insurance"
    " tip tips gift_wrap gift_wrapping rounding shipping_tax duties donation deposit_fee"
)
# What is added to a sum.
_ADDS: Final = frozenset(_FEES.split())
_TAX: Final = frozenset({"tax", "tax_amount"})
_TAX_INCLUDED: Final = ("prices_include_tax", "tax_included", "taxes_included", "tax_inclusive")
_SAID_ELSEWHERE: Final = (
    "amount_paid paid_amount total_paid paid amount_due balance_due total_due due outstanding currency_rate"
    " exchange_rate tax_rate discount_percent discount_code coupon_code discount_codes coupon_codes tax_lines"
)
# Amounts that say what became of a total, and are no part of it.
_BESIDE: Final = frozenset(_SAID_ELSEWHERE.split())
_LIKE_AN_AMOUNT: Final = re.compile(
    r"discount|coupon|voucher|gift|credit|fee|charge|tip|refund|adjust|round|tax|vat|gst|dut(y|ies)|handling|insur"
    r"|wrap|donat|points|reward|loyal|rebate|allowance|promo|deposit|levy|custom(s|_duty)|reduction|bonus|saving",
    re.IGNORECASE,
)
_MOST_WAYS: Final = 4096


def gaps(order: Order) -> tuple[str, ...]:
    """What does not add up, each in half a sentence; an amount that is missing is no gap."""
    return tuple(_gaps(order))


def other_parts(order: Order) -> dict[str, JsonValue]:
    """The further parts of an order's total that are known, as they are written."""
    return {name: f"{amount:f}" for name, amount in _known(order, _TAKES | _ADDS)}


def owed(order: Order) -> str:
    """What the order comes to, with as many decimals as its currency has, or as are written; empty where none says."""
    if order.total is None:
        return ""
    rounded = order.total.quantize(_unit(order))
    return money(rounded if rounded == order.total else order.total, order.currency)


def _unit(order: Order) -> Decimal:
    return Decimal(1).scaleb(-_DIGITS.get(str(order.currency or "").strip().upper(), 2))


def _gaps(order: Order) -> Iterator[str]:
    unit = _unit(order)
    for index, line in enumerate(order.items, start=1):
        yield from _line_gap(index, line, unit)
    lines = [line.total_price for line in order.items if line.total_price is not None]
    if order.subtotal is not None and order.items and len(lines) == len(order.items):
        right = sum(lines, Decimal(0))
        if not _fits(right, order.subtotal, (), unit):
            yield from _subtotal_gap(order, right, unit)
    if order.subtotal is not None and order.total is not None:
        right = order.subtotal + (order.tax or 0) + (order.shipping or 0)
        if not _fits(right, order.total, (), unit):
            yield from _total_gap(order, right, unit)


def _subtotal_gap(order: Order, right: Decimal, unit: Decimal) -> Iterator[str]:
    written = order.subtotal or Decimal(0)
    ways = (*_ways(order, order.tax), *(-way for way in _ways(order, None, only_takes=True)))
    if not _fits(right, written, ways, unit) and _understood(order, written - right):
        yield f"the lines add up to {_sum(right, unit)}, not to the subtotal {written}"


def _total_gap(order: Order, right: Decimal, unit: Decimal) -> Iterator[str]:
    written, tax = order.total or Decimal(0), order.tax or Decimal(0)
    parts = _known(order, _TAKES | _ADDS)
    less = [abs(amount) for name, amount in parts if name in _TAKES]
    right += sum((amount for name, amount in parts if name in _ADDS), Decimal(0))
    included = (Decimal(0),) if _says(order, _TAX_INCLUDED) is False else (Decimal(0), -tax)
    ways = [in_it - taken for taken, in_it in product(_sums(less), included)]
    if not _fits(right, written, ways, unit) and _understood(order, written - right):
        told = _sum(right - sum(less, Decimal(0)), unit)
        *names, last = ["subtotal", "tax", "shipping", *(name.replace("_", " ") for name, _ in parts)]
        yield f"{', '.join(names)} and {last} add up to {told}, not to the total {written}"


def _line_gap(index: int, line: Line, unit: Decimal) -> Iterator[str]:
    if line.unit_price is None or line.total_price is None:
        return
    right = line.unit_price * line.quantity
    if _fits(right, line.total_price, (), unit):
        return
    if not _fits(right, line.total_price, _ways(line, None), unit) and _understood(line, line.total_price - right):
        yield f"line {index}: {line.quantity} x {line.unit_price} is {_sum(right, unit)}, not {line.total_price}"


def _ways(row: Order | Line, tax: Decimal | None, *, only_takes: bool = False) -> list[Decimal]:
    """What may be between a sum of prices and what is written for it: nothing, what was taken off, tax, or both."""
    names = _TAKES if only_takes else _TAKES | _TAX
    known = [abs(amount) for name, amount in _known(row, names) if name in _TAKES]
    taxes = {Decimal(0), *((-tax,) if tax else ())}
    if isinstance(row, Line):
        taxes |= {amount for _, amount in _known(row, _TAX)}
    return [each - less for less, each in product(_sums(known), taxes)]


def _sums(amounts: Sequence[Decimal]) -> set[Decimal]:
    """What some of these, none or all of them come to."""
    found = {Decimal(0)}
    for amount in amounts:
        found |= {each + amount for each in found}
        if len(found) > _MOST_WAYS:
            return found
    return found


def _fits(right: Decimal, written: Decimal, ways: Iterable[Decimal], unit: Decimal) -> bool:
    """Whether an amount is what it should be in one of these ways; how the last digit is rounded is the shop's own."""
    return any(abs(right + way - written) < unit for way in (Decimal(0), *ways))


def _sum(amount: Decimal, unit: Decimal) -> str:
    """A sum of ours, with the digits of the currency, or all that there are."""
    rounded = amount.quantize(unit)
    return f"{rounded if rounded == amount or abs(rounded - amount) < unit else amount:f}"


def _extras(row: BaseModel) -> Mapping[str, object]:
    return row.model_extra or {}


def _known(row: Order | Line, names: frozenset[str]) -> list[tuple[str, Decimal]]:
    found: list[tuple[str, Decimal]] = []
    for name, value in _extras(row).items():
        if name in names and (amount := _amount(value)) is not None and amount != 0:
            found.append((name, amount))
    return found


def _amount(value: object) -> Decimal | None:
    """An amount, or a list of objects each of which has one; None for what is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | Decimal):
        return Decimal(value)
    if isinstance(value, list):
        # JSON of unknown shape.
        amounts = [_amount_in(each) for each in cast("list[object]", value)]
        known = [each for each in amounts if each is not None]
        return sum(known, Decimal(0)) if len(known) == len(amounts) else None
    return None


def _amount_in(value: object) -> Decimal | None:
    if not isinstance(value, dict):
        return _amount(value) if isinstance(value, int | Decimal) else None
    # A JSON object of unknown shape.
    entry = cast("Mapping[str, object]", value)
    found = [_amount(entry[name]) for name in ("amount", "total", "value") if name in entry]
    return found[0] if len(found) == 1 else None


def _says(row: BaseModel, names: Iterable[str]) -> bool | None:
    return next((value for name in names if isinstance(value := _extras(row).get(name), bool)), None)


def _understood(row: Order | Line, gap: Decimal) -> bool:
    """Whether every part is known that a sum may have, so that a gap in it is one."""
    rows = (row, *row.items) if isinstance(row, Order) else (row,)
    for each in rows:
        for name, value in _extras(each).items():
            if name in _BESIDE or name in _TAX_INCLUDED or value in (None, "", 0, False) or value in ([], {}):
                continue
            amount = _amount(value)
            if amount is not None and abs(amount) == abs(gap):
                return name in _TAKES | _ADDS
            if _LIKE_AN_AMOUNT.search(name) and (amount is None or name not in _TAKES | _ADDS | _TAX):
                if isinstance(value, bool) or (isinstance(value, str) and not any(map(str.isdigit, value))):
                    continue
                return False
    return True
