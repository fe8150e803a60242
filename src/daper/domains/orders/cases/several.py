"""Orders with several things wrong at once: what comes first, and what has to wait."""

from decimal import Decimal
from typing import cast

from daper.domains.orders.cases.desk import (
    PROHIBITED,
    RESTRICTED,
    Desk,
    Writer,
    Written,
    asks_ministry,
    asks_to_pay,
    holds,
    restocks,
)

_ASKED = "payment_update_requested"


def short_of_two_items(desk: Desk) -> Written:
    """Two restocks for one order."""
    one, other = desk.item(current=2), desk.item(current=0)
    needed, also_needed = desk.few(5, 15), desk.few(5, 15)
    order = desk.order("pending-inventory", [(one, needed), (other, also_needed)])
    return desk.case(
        order,
        "Two things are short: both are ordered, and with the second delivery the order is complete.",
        problems=["inventory-short", "inventory-short"],
        actions=[restocks(order, one, needed), restocks(order, other, also_needed)],
        end_status="completed",
    )


def short_and_unpaid(desk: Desk) -> Written:
    """No goods are bought for who has not paid."""
    item, needed = desk.item(current=1), desk.few(5, 15)
    order = desk.order("pending-payment", [(item, needed)])
    return desk.case(
        order,
        "It is short and not paid: the customer is asked, and nothing is bought before that is paid.",
        problems=["payment-pending", "inventory-short"],
        actions=[asks_to_pay(order)],
        calls_person=True,
        end_status=_ASKED,
    )


def short_and_restricted(desk: Desk) -> Written:
    """First the Ministry, then the supplier."""
    item, needed = desk.item(current=1, row=RESTRICTED), desk.few(3, 9)
    order = desk.order("pending-approval", [(item, needed)])
    return desk.case(
        order,
        "It is short and needs an approval: the Ministry is asked, and nothing is bought before it has said yes.",
        problems=["inventory-short", "restricted-without-approval"],
        actions=[asks_ministry(order)],
        calls_person=True,
        end_status="approved-preparing-shipment",
    )


def denied_and_restricted(desk: Desk) -> Written:
    """Both are asked."""
    order = desk.order("payment-denied", [(desk.item(row=RESTRICTED), desk.few())])
    return desk.case(
        order,
        "The payment was refused and an approval is missing: both are asked for, and it stays visibly unpaid.",
        problems=["payment-denied", "restricted-without-approval"],
        actions=[asks_ministry(order), asks_to_pay(order)],
        end_status=_ASKED,
    )


def denied_short_and_restricted(desk: Desk) -> Written:
    """All three."""
    item, needed = desk.item(current=0, row=RESTRICTED), desk.few(3, 9)
    order = desk.order("payment-denied", [(item, needed)])
    return desk.case(
        order,
        "Three things at once: the Ministry and the customer are asked, and nothing is bought before that is paid.",
        problems=["payment-denied", "inventory-short", "restricted-without-approval"],
        actions=[asks_ministry(order), asks_to_pay(order)],
        calls_person=True,
        end_status=_ASKED,
    )


def prohibited_and_unpaid(desk: Desk) -> Written:
    """Nobody is asked to pay for what must not be sold."""
    order = desk.order("payment-denied", [(desk.item(row=PROHIBITED), 1)])
    return desk.case(
        order,
        "It must not be sold: the order is held, and nobody is asked to pay for it.",
        problems=["payment-denied", "prohibited-item"],
        actions=[holds(order, "prohibited-item")],
        calls_person=True,
        end_status="on-hold",
    )


def unknown_and_short(desk: Desk) -> Written:
    """Nothing is bought for an order that may be wrong altogether."""
    order = desk.order("pending-inventory", [(desk.item(known=False), 2), (desk.item(current=0), desk.few())])
    return desk.case(
        order,
        "One item is unknown and another is short: the order is held, and nothing is bought before that is clear.",
        problems=["inventory-short", "unknown-item"],
        actions=[holds(order, "unknown-item")],
        calls_person=True,
        end_status="on-hold",
    )


def wrong_total_and_unpaid(desk: Desk) -> Written:
    """Nobody is asked for a wrong amount."""
    order = desk.order("pending-payment", [(desk.item(), desk.few())])
    order["total"] = cast("Decimal", order["total"]) + desk.few(5, 90)
    return desk.case(
        order,
        "It is not paid and its total is wrong: nobody is asked for a wrong amount, a person corrects it first.",
        problems=["payment-pending", "totals-mismatch"],
        calls_person=True,
    )


KINDS: tuple[Writer, ...] = (
    short_of_two_items,
    short_and_unpaid,
    short_and_restricted,
    denied_and_restricted,
    denied_short_and_restricted,
    prohibited_and_unpaid,
    unknown_and_short,
    wrong_total_and_unpaid,
)
