"""Orders that have to be left alone, some of which only look as if something were wrong."""

from datetime import timedelta
from decimal import Decimal
from typing import cast

from daper.domains.orders.cases.desk import AS_OF, PROHIBITED, RESTRICTED, Desk, Item, Writer, Written
from daper.domains.orders.changes import stamp
from daper.domains.orders.world import Raw

_MINISTRY = "approve-orders@diagonalley.co.uk"


def in_progress(desk: Desk) -> Written:
    """Nothing at all."""
    return _fine(desk, desk.one_of("processing", "preparing-shipment"), desk.item(), "Paid, in stock, a few days old.")


def exactly_enough(desk: Desk) -> Written:
    """The last ones on the shelf."""
    count = desk.few(3, 12)
    return _fine(desk, "processing", desk.item(current=count), "It takes the last ones, and there are enough.", count)


def closed_with_an_empty_shelf(desk: Desk) -> Written:
    """Over and done with."""
    status = desk.one_of("completed", "delivered", "shipped")
    return _fine(desk, status, desk.item(current=0), "It is over: that the shelf is empty now is nobody's problem.")


def cancelled_and_prohibited(desk: Desk) -> Written:
    """Nothing is sent, so nothing has to be stopped."""
    status = desk.one_of("cancelled", "refunded")
    return _fine(desk, status, desk.item(row=PROHIBITED), "It is cancelled: there is nothing to stop any more.")


def under_way_with_an_empty_shelf(desk: Desk) -> Written:
    """The goods have left the shop."""
    status = desk.one_of("in-transit", "out-for-delivery")
    return _fine(desk, status, desk.item(current=0), "It is under way: what is on the shelf now is for others.")


def refund_just_requested(desk: Desk) -> Written:
    """Who gives it back needs no restock."""
    status = desk.one_of("refund-requested", "return_requested")
    return _fine(desk, status, desk.item(current=0), "The customer gives it back: nothing is bought for it.")


def on_hold(desk: Desk) -> Written:
    """A person has stopped it."""
    return _fine(desk, "on-hold", desk.item(row=PROHIBITED), "A person has put it on hold, and decides about it.")


def restricted_and_approved(desk: Desk) -> Written:
    """The approval is there."""
    order = desk.order(
        "approved-preparing-shipment",
        [(desk.item(row=RESTRICTED), 1)],
        approval={"approver": _MINISTRY, "at": stamp(AS_OF - timedelta(days=1))},
    )
    return desk.case(order, "It is restricted, and the approval is recorded.")


def restricted_and_asked(desk: Desk) -> Written:
    """It is the Ministry's turn."""
    order = desk.order(
        "approval-requested",
        [(desk.item(row=RESTRICTED), 1)],
        days=3,
        approval_request={"approver": _MINISTRY, "at": stamp(AS_OF - timedelta(days=2))},
    )
    return desk.case(order, "The Ministry was asked two days ago: nobody is asked twice.")


def restriction_that_says_no(desk: Desk) -> Written:
    """The word is there, the restriction is not."""
    said: object = desk.rng.choice(
        ({"ministry_approval": False}, {"ministry_approval": "not required"}, {"banned": "no"})
    )
    return _fine(desk, "processing", desk.item(row={"restrictions": said}), "The row says that no approval is needed.")


def restock_on_its_way(desk: Desk) -> Written:
    """It is the supplier's turn."""
    item = desk.item(current=1)
    restock = {"item_id": item.item_id, "quantity": 40, "state": "ordered"}
    order = desk.order("restock-ordered", [(item, desk.few(4, 9))], restocks=[restock])
    return desk.case(order, "The restock was ordered a few days ago: nothing is ordered twice.")


def customer_just_asked(desk: Desk) -> Written:
    """It is the customer's turn."""
    return _fine(
        desk, "payment_update_requested", desk.item(), "The customer has been asked, and has some days to answer."
    )


def nearly_two_weeks_old(desk: Desk) -> Written:
    """Slow is not stuck."""
    order = desk.order("processing", [(desk.item(), desk.few())], days=13)
    return desk.case(order, "It is slow, but has not stood still for two weeks.")


def paid_on_delivery(desk: Desk) -> Written:
    """The money comes with the goods."""
    method = desk.one_of("Cash on delivery", "COD", "cash_on_delivery")
    order = desk.order("pending-payment", [(desk.item(), desk.few())], payment_method=method)
    return desk.case(order, "It is paid on delivery: that no payment has come in is as it should be.")


def nobody_to_write_to(desk: Desk) -> Written:
    """Nothing has to be written."""
    order = desk.order(
        desk.one_of("processing", "preparing-shipment"),
        [(desk.item(), desk.few())],
        customer_id="",
        customer_email=desk.one_of("", "by owl only"),
    )
    return desk.case(order, "It is paid and in stock: that nobody could be written to is no problem.")


def discounted(desk: Desk) -> Written:
    """Right in the shop's own way to add up."""
    order = desk.order("processing", [(desk.item(), desk.few(2, 4))])
    total, less = cast("Decimal", order["total"]), Decimal("0.75")
    ways: tuple[Raw, ...] = (
        {"discount": less, "total": total - less},
        {"gift_cards": [{"code": "OWL", "amount": less}], "total": total - less},
        {"handling_fee": less, "total": total + less},
        {"refunded": less},
        {"total": total - cast("Decimal", order["tax"]), "prices_include_tax": True},
        {"eco_levy": less, "total": total + less},
    )
    order |= desk.rng.choice(ways)
    return desk.case(order, "A discount, gift card, fee, refund or tax in the prices: it adds up, or nobody can tell.")


def sold_by_weight(desk: Desk) -> Written:
    """Not a whole number, and enough of it."""
    item, count = desk.item(current=3), Decimal("2.5")
    line = {"item_id": item.item_id, "item_name": item.name, "quantity": count}
    order = desk.order("processing", [(item, 2)], items=[line])
    return desk.case(order, "Two and a half are ordered, and three are there.")


def nobody_counts_it(desk: Desk) -> Written:
    """No stock is kept of it."""
    uncounted: Raw = {"current_stock": None, "available_stock": None}
    return _fine(
        desk, "processing", desk.item(row=uncounted), "Nobody counts what is in stock of it: it is never short.", 90
    )


def history_out_of_order(desk: Desk) -> Written:
    """The newest entry stands first."""
    entries = [{"status": "processing", "at": stamp(AS_OF - timedelta(days=days))} for days in (2, 30)]
    order = desk.order("processing", [(desk.item(), desk.few())], days=40, status_history=entries)
    return desk.case(order, "It moved two days ago, though an older entry stands last in its history.")


def _fine(desk: Desk, status: str, item: Item, why: str, count: int = 0) -> Written:
    return desk.case(desk.order(status, [(item, count or desk.few(1, 4))]), why)


KINDS: tuple[Writer, ...] = (
    in_progress,
    exactly_enough,
    closed_with_an_empty_shelf,
    cancelled_and_prohibited,
    under_way_with_an_empty_shelf,
    refund_just_requested,
    on_hold,
    restricted_and_approved,
    restricted_and_asked,
    restriction_that_says_no,
    restock_on_its_way,
    customer_just_asked,
    nearly_two_weeks_old,
    paid_on_delivery,
    nobody_to_write_to,
    discounted,
    sold_by_weight,
    nobody_counts_it,
    history_out_of_order,
)
