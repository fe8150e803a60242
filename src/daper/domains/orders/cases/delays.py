"""Orders that only a person can mend: amounts that do not add up, and orders that do not move."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import cast

from daper.domains.orders.cases.desk import AS_OF, RESTRICTED, Desk, Item, Writer, Written
from daper.domains.orders.changes import stamp
from daper.domains.orders.world import Raw

_OLD, _OLDER = 18, 45


def total_wrong(desk: Desk) -> Written:
    """The parts are right, their sum is not."""
    order = desk.order("processing", [(desk.item(), desk.few())])
    order["total"] = cast("Decimal", order["total"]) + desk.few(3, 60)
    return _does_not_add_up(desk, order, "The total is not what its parts add up to.")


def subtotal_wrong(desk: Desk) -> Written:
    """All amounts below the lines fit each other, and not the lines."""
    order = desk.order("processing", [(desk.item(), desk.few()), (desk.item(), desk.few())])
    more = desk.few(2, 20)
    order |= {name: cast("Decimal", order[name]) + more for name in ("subtotal", "total")}
    return _does_not_add_up(desk, order, "Subtotal and total fit each other, but not the lines.")


def line_price_wrong(desk: Desk) -> Written:
    """All sums are right, a product is not."""
    item, count = desk.item(), desk.few(2, 6)
    order = desk.order("processing", [(item, count)])
    # The first and only line, written by `order`.
    line = cast("Raw", cast("list[object]", order["items"])[0])
    line["unit_price"] = item.price + 1
    return _does_not_add_up(
        desk, order, "All sums are right, but the price of a line is not its quantity times its price."
    )


def stuck_in_progress(desk: Desk) -> Written:
    """Nothing is missing."""
    status = desk.one_of("processing", "preparing-shipment", "priority_processing")
    return _stuck(desk, status, "Paid, in stock and weeks old: somebody has to ask the warehouse.")


def stuck_under_way(desk: Desk) -> Written:
    """Sent, and not arrived."""
    status = desk.one_of("in-transit", "out-for-delivery")
    return _stuck(desk, status, "It has been under way for weeks: somebody has to look for the owl.")


def stuck_waiting_for_nothing(desk: Desk) -> Written:
    """It says that it waits for goods that are there."""
    return _stuck(desk, "pending-inventory", "It waits for goods that are all there: a person lets it go on.")


def stuck_refund(desk: Desk) -> Written:
    """The customer waits."""
    status = desk.one_of("refund-requested", "return-requested", "cancellation-requested")
    return _stuck(desk, status, "The customer has been waiting for an answer for weeks: a person gives one.")


def restock_never_came(desk: Desk) -> Written:
    """Ordered weeks ago: a second order would not be right."""
    item, needed = desk.item(current=1), desk.few(5, 12)
    restock = {"item_id": item.item_id, "quantity": 40, "state": "ordered"}
    why = "The restock was ordered weeks ago and never came: somebody asks the supplier, and nothing is ordered twice."
    return _stuck(desk, "restock-ordered", why, lines=[(item, needed)], restocks=[restock])


def payment_request_unanswered(desk: Desk) -> Written:
    """The customer was asked weeks ago."""
    return _stuck(desk, "payment_update_requested", "The customer was asked weeks ago and is silent: a person rings.")


def approval_request_unanswered(desk: Desk) -> Written:
    """The Ministry was asked weeks ago."""
    item = desk.item(row=RESTRICTED)
    asked = {"approver": "approve-orders@diagonalley.co.uk", "at": stamp(AS_OF - timedelta(days=_OLD))}
    why = "The Ministry was asked weeks ago and is silent: nobody asks twice, a person follows it up."
    return _stuck(desk, "approval-requested", why, lines=[(item, 1)], approval_request=asked)


def _does_not_add_up(desk: Desk, order: Raw, why: str) -> Written:
    return desk.case(order, f"{why} No tool changes amounts.", problems=["totals-mismatch"], calls_person=True)


def _stuck(desk: Desk, status: str, why: str, *, lines: Sequence[tuple[Item, int]] = (), **fields: object) -> Written:
    bought = lines or [(desk.item(), desk.few())]
    order = desk.order(status, bought, days=desk.few(_OLD, _OLDER), **fields)
    return desk.case(order, why, problems=["stuck"], calls_person=True)


KINDS: tuple[Writer, ...] = (
    total_wrong,
    subtotal_wrong,
    line_price_wrong,
    stuck_in_progress,
    stuck_under_way,
    stuck_waiting_for_nothing,
    stuck_refund,
    restock_never_came,
    payment_request_unanswered,
    approval_request_unanswered,
)
