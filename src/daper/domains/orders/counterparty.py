"""The simulated counterparty: Ministry, supplier and customer answer at once, within the effect that asks them."""

from datetime import datetime
from typing import cast

from daper.domains.orders.amounts import gaps
from daper.domains.orders.changes import list_of, move_stock, order_of, set_status, stamp, stock_of
from daper.domains.orders.needs import hold_reasons, misspelt_items, short_of, unapproved_items
from daper.domains.orders.statuses import OrderStatus, on_delivery
from daper.domains.orders.world import Raw, World
from daper.ports.store import StoreAbout

SIMULATED = "simulated"


def answers_in_play(about: StoreAbout) -> bool:
    """Whether the records of a store are in play: nobody who is asked is really there."""
    return about.counterparty == SIMULATED


def ministry_approves(raw: Raw, *, approver: str, at: datetime) -> str:
    """The Ministry says yes. Returns what happened, for the evidence."""
    raw["approval"] = {"approver": approver, "at": stamp(at), "simulated": True}
    if not order_of(raw).unpaid:
        set_status(raw, OrderStatus.APPROVED_PREPARING_SHIPMENT, at)
    return f"{approver} approved the order (simulated)"


def supplier_delivers(raw: Raw, row: Raw, *, quantity: int, at: datetime) -> str:
    """The supplier brings the goods, and the order takes its own out of the stock. Returns what happened."""
    item = stock_of(row).item_id
    taken = order_of(raw).need(item)
    move_stock(row, current=quantity - taken)
    row["last_restocked"] = stamp(at)
    # The row that was just added, by us.
    cast("Raw", list_of(raw, "restocks")[-1]).update({"state": "delivered", "taken": taken})
    return f"the supplier delivered {quantity}, and the order took its {taken} (simulated)"


def can_complete(raw: Raw, world: World) -> bool:
    """Whether nothing keeps the order from being completed: all items there, approved, paid, and the amounts right."""
    order = order_of(raw)
    return not (
        order.unpaid
        or on_delivery(order.payment_method)
        or hold_reasons(order, world)
        or unapproved_items(order, world)
        or misspelt_items(order, world)
        or gaps(order)
        or any(short_of(order, world, item) > 0 for item in order.quantities)
    )


def customer_acknowledges(raw: Raw) -> str:
    """The customer has read the message, and has not paid yet. Returns what happened."""
    note = "The customer has read our message about the payment (simulated)."
    before = raw.get("status_notes")
    raw["status_notes"] = f"{before} {note}" if before else note
    return "the customer acknowledged the message; the payment is still to come (simulated)"
