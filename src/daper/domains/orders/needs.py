"""What an order lacks, looked up in one snapshot: stock, approvals, items that may be sold. Pure."""

from enum import StrEnum

from daper.domains.orders.fields import Number, number
from daper.domains.orders.models import Order
from daper.domains.orders.world import World


class OrderProblem(StrEnum):
    """The kinds of problem that the rules know."""

    PAYMENT_PENDING = "payment-pending"
    PAYMENT_DENIED = "payment-denied"
    INVENTORY_SHORT = "inventory-short"
    RESTRICTED_WITHOUT_APPROVAL = "restricted-without-approval"
    PROHIBITED_ITEM = "prohibited-item"
    UNKNOWN_ITEM = "unknown-item"
    TOTALS_MISMATCH = "totals-mismatch"
    STUCK = "stuck"
    UNKNOWN_STATUS = "unknown-status"


def share_of(order: Order, world: World, item_id: str) -> Number | None:
    """What is there of an item for an order: what is available, less what earlier open orders take of it.

    What is less than nothing is the first one's to make up for, and not once more that of each order behind it. None
    where nobody counts the item, or knows it.
    """
    row = world.stock.get(item_id)
    if row is None or row.available is None:
        return None
    ahead = world.ahead.get(order.order_id, {}).get(item_id, 0)
    if ahead and row.available < 0:
        return 0
    return number(row.available - min(ahead, max(0, row.available)))


def short_of(order: Order, world: World, item_id: str) -> Number:
    """How many of an item are missing for an order; 0 or less if there are enough, or the item is not known."""
    share, need = share_of(order, world, item_id), order.need(item_id)
    return 0 if share is None or need == 0 else number(need - share)


def short_items(order: Order, world: World) -> tuple[str, ...]:
    """The items of an order that are short and not yet on their way."""
    return tuple(
        item for item in order.quantities if short_of(order, world, item) > 0 and not order.waits_for_restock(item)
    )


def unapproved_items(order: Order, world: World) -> tuple[str, ...]:
    """The restricted items of an order that nobody has approved; those that somebody was asked about count too."""
    return () if order.approved else tuple(item for item in order.quantities if restricted(world, item))


def hold_reasons(order: Order, world: World) -> tuple[OrderProblem, ...]:
    """Why a person has to look at this order before anything else is done to it."""
    reasons: list[OrderProblem] = []
    if any(is_prohibited(world, item) for item in order.quantities):
        reasons.append(OrderProblem.PROHIBITED_ITEM)
    if unknown_items(order, world):
        reasons.append(OrderProblem.UNKNOWN_ITEM)
    return tuple(reasons)


def unknown_items(order: Order, world: World) -> tuple[str, ...]:
    """The items of an order that the inventory should have and has under no id like it."""
    absent = (item for item in order.quantities if item not in world.stock and item not in order.unshipped)
    return tuple(item for item in absent if world.near(item) is None)


def misspelt_items(order: Order, world: World) -> dict[str, str]:
    """The items of an order that the inventory has under an id that looks the same, with that id."""
    near = {item: world.near(item) for item in order.quantities if item not in world.stock}
    return {item: other for item, other in near.items() if other is not None}


def restricted(world: World, item_id: str) -> bool:
    """Whether an item may only be sold with an approval."""
    row = world.stock.get(item_id)
    return row is not None and row.needs_approval


def is_prohibited(world: World, item_id: str) -> bool:
    """Whether an item may not be sold at all."""
    row = world.stock.get(item_id)
    return row is not None and row.prohibited
