"""What a person should know of records that are imported as they are. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from daper.domains.orders.addresses import SUPPLIERS, supplier_of
from daper.domains.orders.changes import currencies
from daper.domains.orders.fields import number
from daper.domains.orders.importing.remarks import holds
from daper.domains.orders.models import Order, StockRow
from daper.domains.orders.world import Raw, raw_lines

_TOMORROW = timedelta(days=1)  # somewhere it is the next day already

Doubt = tuple[str, str]  # a place within the row, what is said of it


def about_order(raw: Raw, order: Order, *, items: frozenset[str] | None, now: datetime) -> Iterator[Doubt]:
    """What the rules cannot make much of in one order. `items`: what the inventory has, if anybody knows."""
    if not order.status:
        yield ".status", "is missing: the order never counts as unpaid, stuck or done"
    elif order.unknown:
        told = "no rule knows this status, so the order is left to a person"
        yield ".status", f"{holds(order.status)}: {told}"
    if order.order_date is not None and order.order_date > now + _TOMORROW:
        yield ".order_date", f"{holds(str(raw.get('order_date')))}, which is still to come"
    if not order.closed:
        yield from _about_open_order(order, items)
    yield from _about_currencies(raw)


def about_orders(orders: Iterable[Mapping[str, object]]) -> Iterator[str]:
    """What the rules cannot make much of in all orders together."""
    several = sorted(currency or "none named" for currency in currencies(orders))
    if len(several) > 1:
        told = "amounts are compared within one order only, and a summary's amounts are left as they are"
        yield f"are in {len(several)} currencies ({', '.join(several[:5])}): {told}"


def about_row(row: StockRow, suppliers: Mapping[str, str]) -> Iterator[Doubt]:
    """What the rules cannot make much of in one inventory row. `suppliers`: addresses that the settings know."""
    if row.current_stock is not None and row.current_stock < 0:
        yield ".current_stock", f"{holds(row.current_stock)}, which is less than nothing; it counts as it is"
    right = None if row.current_stock is None else number(row.current_stock - row.reserved_stock)
    if None not in (row.available_stock, right) and row.available_stock != right:
        yield ".available_stock", f"{holds(row.available_stock)}, which counts; current less reserved is {right}"
    if not supplier_of(row, suppliers, in_play=False).to:
        given = row.supplier_contact
        what = f"{holds(given)}, which is no e-mail address" if given else "is missing"
        yield ".supplier_contact", f"{what}: nobody can be asked for more of it, unless {SUPPLIERS} says who"
    if row.unit_cost is None or row.unit_cost < 0 or row.in_other_money:
        what = f"{holds(row.currency)}: " if row.in_other_money else ""
        told = "nobody can say what a restock costs in the shop's own money, so no policy approves one"
        yield (".currency" if row.in_other_money else ".unit_cost"), f"{what or 'is missing or below nothing: '}{told}"


def _about_open_order(order: Order, items: frozenset[str] | None) -> Iterator[Doubt]:
    if order.last_moved is None:
        yield ".order_date", "is missing: the order never counts as stuck"
    if not order.items:
        yield ".items", "is missing or empty: nothing is needed from the stock"
    for index, line in enumerate(order.items):
        if line.quantity == 0:
            yield f".items[{index}].quantity", "holds 0: nothing is needed of it"
        if items is not None and line.item_id not in items and line.requires_shipping is not False:
            told = "the inventory does not have it, which the rules will find"
            yield f".items[{index}].item_id", f"{holds(line.item_id)}: {told}"


def _about_currencies(raw: Raw) -> Iterator[Doubt]:
    [own] = currencies([raw])
    for index, line in enumerate(raw_lines(raw)):
        if line.get("currency") and currencies([line]) != {own}:
            told = f"the order has {own or 'none'}; its amounts are added up as if they were in one"
            yield f".items[{index}].currency", f"{holds(line['currency'])}, and {told}"
