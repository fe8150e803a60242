"""On what terms each tool may run on an order: when it fits at all, and what its arguments may be. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import assert_never

from pydantic import JsonValue

from daper.core.limits import Between, Exactly, Limit, OneOf, Sentence
from daper.core.models import Change, Proposal
from daper.domains.orders.arguments import ToolName
from daper.domains.orders.models import Order, StockRow
from daper.domains.orders.needs import OrderProblem, hold_reasons, short_items, unapproved_items
from daper.domains.orders.statuses import PAYMENT_DENIED, PAYMENT_PENDING, OrderStatus
from daper.domains.orders.wording import field, shown
from daper.domains.orders.world import World, order_ref, stock_ref
from daper.ports import Terms

# Tools in the order in which they must run on one record: whether it may be sold, whether it is paid, then the stock.
ANSWERS: Mapping[ToolName, frozenset[OrderProblem]] = {
    ToolName.HOLD_ORDER: frozenset({OrderProblem.PROHIBITED_ITEM, OrderProblem.UNKNOWN_ITEM}),
    ToolName.REQUEST_APPROVAL: frozenset({OrderProblem.RESTRICTED_WITHOUT_APPROVAL}),
    ToolName.REQUEST_PAYMENT_UPDATE: frozenset({OrderProblem.PAYMENT_PENDING, OrderProblem.PAYMENT_DENIED}),
    ToolName.ORDER_INVENTORY: frozenset({OrderProblem.INVENTORY_SHORT}),
}

REQUEST_LENGTH = 500
_TOO_MANY = 10**12  # a number that a model made up may be too long even to be written


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


def obstacle(tool: ToolName, order: Order, world: World, *, item: JsonValue = None) -> str | None:
    """Why this tool does not fit this order as it is now, or None. `item`: what `order_inventory` would order."""
    if order.closed or order.parked:
        return f"order {order.order_id!r} is {shown(order.status)}; nothing is done to it"
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


def limits(
    tool: ToolName, order: Order, world: World, *, approvers: Sequence[str], item: JsonValue = None
) -> dict[str, Limit]:
    """What each argument may be. Only for a tool with no obstacle."""
    fixed: dict[str, Limit] = {"order_id": Exactly(value=order.order_id)}
    match tool:
        case ToolName.REQUEST_APPROVAL:
            own: dict[str, Limit] = {
                "approver": OneOf(values=tuple(approvers)),
                "approval_request_contents": Sentence(max_length=REQUEST_LENGTH),
            }
        case ToolName.ORDER_INVENTORY:
            own = _restock_limits(order, world, item)
        case ToolName.REQUEST_PAYMENT_UPDATE:
            own = {
                "customer_id": Exactly(value=field(order.customer_id)),
                "customer_name": Exactly(value=field(order.customer_name)),
                "original_payment_method": Exactly(value=field(order.payment_method)),
            }
        case ToolName.HOLD_ORDER:
            own = {"reason": OneOf(values=tuple(str(reason) for reason in hold_reasons(order, world)))}
    return fixed | own


def reads(tool: ToolName, order: Order, world: World) -> dict[str, str]:
    """The version of every record that the tool depends on."""
    if tool is ToolName.ORDER_INVENTORY:
        items = tuple(order.quantities)
    elif tool is ToolName.REQUEST_APPROVAL:
        items = unapproved_items(order, world)
    elif tool is ToolName.HOLD_ORDER:
        items = tuple(item for item in order.quantities if item in world.stock and world.stock[item].prohibited)
    else:
        items = ()
    return world.versions_of((order_ref(order.order_id), *(stock_ref(item) for item in items)))


def terms_of(proposal: Proposal, world: World, *, approvers: Sequence[str]) -> Terms:
    """On what terms a proposal may run; without limits, and so refused, where its tool does not fit its order."""
    order = world.orders.get(proposal.record_id)
    if order is None or proposal.tool not in set(ToolName):
        return Terms(answers=frozenset(), limits={})
    tool, item = ToolName(proposal.tool), proposal.arguments.get("inventory_to_order")
    answers = frozenset(str(kind) for kind in ANSWERS[tool])
    if obstacle(tool, order, world, item=item) is not None:
        return Terms(answers=answers, limits={})
    return Terms(
        answers=answers,
        limits=limits(tool, order, world, approvers=approvers, item=item),
        reads=reads(tool, order, world),
        preview=_preview(tool, order, world, proposal.arguments),
        spends=_spends(tool, world, proposal.arguments),
    )


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
    return None if order.customer_id else f"order {order.order_id!r} names no customer to ask"


def _restock_obstacle(order: Order, world: World, item: JsonValue) -> str | None:
    if order.unpaid:
        return f"order {order.order_id!r} is not paid; restock once it is"
    short = short_items(order, world)
    if not isinstance(item, str) or item not in short:
        what = shown(item) if isinstance(item, str) else "nothing named"
        return f"order {order.order_id!r} is not short of {what}; it is short of: {', '.join(short) or 'nothing'}"
    row = world.stock[item]
    if not row.supplier_contact:
        return f"inventory row {item!r} names no supplier_contact to order from"
    least, most = quantity_bounds(order, row)
    if least > most:
        return (
            f"{least} of {item!r} are missing, but its max_stock_level {row.max_stock_level} leaves room for {most}: "
            "raise the level, or release reserved stock"
        )
    return None


def _restock_limits(order: Order, world: World, item: JsonValue) -> dict[str, Limit]:
    row = world.stock[str(item)]
    least, most = quantity_bounds(order, row)
    return {
        "inventory_to_order": Exactly(value=row.item_id),
        "inventory_description": Exactly(value=field(row.item_name)),
        "quantity": Between(minimum=least, maximum=most),
    }


def _preview(tool: ToolName, order: Order, world: World, arguments: Mapping[str, JsonValue]) -> tuple[Change, ...]:
    ref, before = order_ref(order.order_id), shown(order.status)
    match tool:
        case ToolName.REQUEST_APPROVAL:
            after = order.status if order.unpaid else OrderStatus.APPROVAL_REQUESTED
            return (Change(record=ref, field="status", before=before, after=shown(after)),)
        case ToolName.REQUEST_PAYMENT_UPDATE:
            return (Change(record=ref, field="status", before=before, after=OrderStatus.PAYMENT_UPDATE_REQUESTED),)
        case ToolName.HOLD_ORDER:
            return (Change(record=ref, field="status", before=before, after=OrderStatus.ON_HOLD),)
        case ToolName.ORDER_INVENTORY:
            status = Change(record=ref, field="status", before=before, after=OrderStatus.RESTOCK_ORDERED)
            return (status, *_stock_preview(order, world, arguments))


def _stock_preview(order: Order, world: World, arguments: Mapping[str, JsonValue]) -> tuple[Change, ...]:
    row = world.stock[str(arguments["inventory_to_order"])]
    quantity = _quantity(arguments)
    if quantity is None:
        return ()
    left = row.current_stock + quantity - order.need(row.item_id)
    after = f"{row.current_stock + quantity} when delivered, {left} when this order has its own"
    return (Change(record=stock_ref(row.item_id), field="current_stock", before=str(row.current_stock), after=after),)


def _spends(tool: ToolName, world: World, arguments: Mapping[str, JsonValue]) -> Decimal | None:
    if tool is not ToolName.ORDER_INVENTORY:
        return Decimal(0)
    cost, quantity = world.stock[str(arguments["inventory_to_order"])].unit_cost, _quantity(arguments)
    # A price that is missing or below nothing is a gap in the records, not a gift.
    return None if cost is None or cost < 0 or quantity is None else cost * quantity


def _quantity(arguments: Mapping[str, JsonValue]) -> int | None:
    quantity = arguments.get("quantity")
    if isinstance(quantity, bool) or not isinstance(quantity, int):
        return None
    return quantity if 0 <= quantity < _TOO_MANY else None
