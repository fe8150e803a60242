"""What is in stock goes to the open orders by their date: what the earlier ones take of it. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from daper.domains.orders.fields import Number, number
from daper.domains.orders.models import Order

# An order without a date comes behind all that have one.
_LAST = datetime.max.replace(tzinfo=UTC)


def turn(order: Order) -> tuple[datetime, str]:
    """By which orders are served, the least first."""
    return order.order_date or _LAST, order.order_id


def allotted(orders: Iterable[Order]) -> dict[str, Mapping[str, Number]]:
    """By order and item how many of it earlier ones of these orders take; where that is nothing, there is no entry."""
    taken: dict[str, Number] = {}
    found: dict[str, Mapping[str, Number]] = {}
    for order in sorted((order for order in orders if order.takes_stock), key=turn):
        ahead = {item: taken[item] for item in order.quantities if item in taken}
        if ahead:
            found[order.order_id] = ahead
        for item in order.quantities:
            if claim := order.claim(item):
                taken[item] = number(taken.get(item, 0) + claim)
    return found
