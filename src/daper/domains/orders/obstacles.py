"""When a tool does not fit an order as it is now, and why. Pure."""

from collections.abc import Sequence
from typing import assert_never

from pydantic import JsonValue

from daper.domains.orders.amounts import gaps
from daper.domains.orders.arguments import ToolName
from daper.domains.orders.models import Order, StockRow
from daper.domains.orders.needs import hold_reasons, short_items, unapproved_items
from daper.domains.orders.statuses import LEFT_ALONE, PAYMENT_DENIED, PAYMENT_PENDING
from daper.domains.orders.wording import field, money, shown
from daper.domains.orders.world import World


def obstacle(tool: ToolName, order: Order, world: World, *, item: JsonValue = None) -> str | None:
    """Why this tool does not fit this order as it is now, or None. `item`: what `order_inventory` would order."""
    if why := left_alone(order):
        return why
    reasons = hold_reasons(order, world)
    if tool is not ToolName.HOLD_ORDER and reasons:
        return f"order {order.order_id!r} has to be put on hold first: {', '.join(reasons)}"
    match tool:
        case ToolName.HOLD_ORDER:
            return None if reasons else f"order {order.order_id!r} has no prohibited or unknown item"
        case ToolName.REQUEST_APPROVAL:
            return _approval_obstacle(order, world)
        case ToolName.REQUEST_PAYMENT_UPDATE:
            return _payment_obstacle(order)
        case ToolName.ORDER_INVENTORY:
            return _restock_obstacle(order, world, item)
    assert_never(tool)


def left_alone(order: Order) -> str | None:
    """Why no tool touches this order, whatever is wrong with it, or None."""
    if order.closed or order.parked or order.state in LEFT_ALONE:
        return f"order {order.order_id!r} is {shown(order.status)}; nothing is done to it"
    return None


def quantity_bounds(order: Order, row: StockRow) -> tuple[int, int]:
    """The least and the most that may be ordered of an item for an order.

    The least covers the shortfall; with the most, the stock just reaches its maximum once the order took its own. The
    most may be below the least: then no quantity is right.
    """
    need = order.need(row.item_id)
    least = need - row.available
    if row.max_stock_level is None:
        return least, max(least, row.reorder_quantity)
    return least, row.max_stock_level - row.current_stock + need


def _approval_obstacle(order: Order, world: World) -> str | None:
    if order.approval_asked:
        return f"the approval of order {order.order_id!r} has been asked for already"
    if not unapproved_items(order, world):
        return f"order {order.order_id!r} has no item that waits for an approval"
    return None


def _payment_obstacle(order: Order) -> str | None:
    if order.payment_asked:
        return f"the customer of order {order.order_id!r} has been asked already"
    if order.state not in PAYMENT_PENDING | PAYMENT_DENIED:
        return f"order {order.order_id!r} has no payment problem; it is {shown(order.status)}"
    if order.total is not None and order.total <= 0:
        return f"order {order.order_id!r} owes nothing (its total is {money(order.total)}): set its status by hand"
    if gaps(order):
        return f"the amounts of order {order.order_id!r} do not add up: correct them before anybody is asked to pay"
    if not order.customer_id:
        return f"order {order.order_id!r} names no customer to ask: add its customer_id"
    return _unaddressable(f"order {order.order_id!r}", "customer_id", order.customer_id)


def _unaddressable(what: str, name: str, value: str) -> str | None:
    """Why no message can be sent there, or None: what is cut or made visible is another address."""
    if field(value) == value:
        return None
    return f"{what} names a {name} that cannot be written to as it is: {shown(value)}; correct it"


def _restock_obstacle(order: Order, world: World, item: JsonValue) -> str | None:
    if order.unpaid:
        return f"order {order.order_id!r} is not paid; restock once it is"
    short = short_items(order, world)
    if not isinstance(item, str) or item not in short:
        return _not_short(order, world, item, short)
    row = world.stock[item]
    named = f"{item!r} ({shown(row.item_name or 'without a name', longest=40)})"
    if not row.supplier_contact:
        return f"inventory row {named} names no supplier_contact to order from: add it"
    if why := _unaddressable(f"inventory row {named}", "supplier_contact", row.supplier_contact):
        return why
    least, most = quantity_bounds(order, row)
    if least > most:
        reserved = f"{row.reserved_stock} of {row.current_stock} are reserved"
        return (
            f"{least} of {named} are missing, but its max_stock_level {row.max_stock_level} leaves room for "
            f"{max(0, most)}: {reserved}; release some, or raise the level"
        )
    return None


def _not_short(order: Order, world: World, item: JsonValue, short: Sequence[str]) -> str:
    told = f"order {order.order_id!r} is not short of"
    if not isinstance(item, str) or item not in order.quantities or item not in world.stock:
        what = shown(item) if isinstance(item, str) else "nothing named"
        return f"{told} {what}; it is short of: {', '.join(short) or 'nothing'}"
    if order.waits_for_restock(item):
        return f"{told} {shown(item)} now: a restock of it is on its way already"
    need, available = order.need(item), world.stock[item].available
    return f"{told} {shown(item)} now: it needs {need}, and {available} are available; let it go on"
