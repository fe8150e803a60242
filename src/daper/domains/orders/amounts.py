"""Whether the amounts of an order add up. Pure."""

from collections.abc import Iterator
from decimal import Decimal

from daper.domains.orders.fields import cents
from daper.domains.orders.models import Line, Order


def gaps(order: Order) -> tuple[str, ...]:
    """What does not add up, each in half a sentence; an amount that is missing is no gap."""
    return tuple(_gaps(order))


def _gaps(order: Order) -> Iterator[str]:
    for index, line in enumerate(order.items, start=1):
        yield from _line_gap(index, line)
    lines = [line.total_price for line in order.items if line.total_price is not None]
    if order.subtotal is not None and order.items and len(lines) == len(order.items):
        right = cents(sum(lines, Decimal(0)))
        if right != cents(order.subtotal):
            yield f"the lines add up to {right}, not to the subtotal {order.subtotal}"
    if order.subtotal is not None and order.total is not None:
        right = cents(order.subtotal + (order.tax or 0) + (order.shipping or 0))
        if right != cents(order.total):
            yield f"subtotal, tax and shipping add up to {right}, not to the total {order.total}"


def _line_gap(index: int, line: Line) -> Iterator[str]:
    if line.unit_price is None or line.total_price is None:
        return
    right = cents(line.unit_price * line.quantity)
    if right != cents(line.total_price):
        yield f"line {index}: {line.quantity} x {line.unit_price} is {right}, not {line.total_price}"
