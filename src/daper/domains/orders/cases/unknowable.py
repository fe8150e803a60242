"""Orders that look right to every rule: what is wrong stands in free text, or only common sense sees it."""

from datetime import datetime, timedelta

from daper.core.cases import CaseSort
from daper.domains.orders.cases.desk import AS_OF, Desk, Writer, Written
from daper.domains.orders.changes import stamp

_FOUND = ("other",)


def cancelled_by_word(desk: Desk) -> Written:
    """The status does not know of it."""
    note = desk.one_of(
        "Customer came to the shop on Saturday and cancelled all of it. Please do not send!",
        "Rang by Floo on the 27th: does not want it any more, has told Ambrosius at the counter.",
    )
    order = desk.order("processing", [(desk.item(), desk.few())], notes=note)
    return desk.case(
        order,
        "The customer has cancelled by word of mouth: that stands in a note, and the order is being packed.",
        problems=_FOUND,
        calls_person=True,
    )


def cancelled_by_word_and_unpaid(desk: Desk) -> Written:
    """Here a rule does what is wrong."""
    note = "Customer cancelled this at the counter yesterday. Nothing is owed any more."
    order = desk.order("pending-payment", [(desk.item(), desk.few())], notes=note)
    return desk.case(
        order,
        "Cancelled by word of mouth and not paid: a rule asks for the payment of what was cancelled.",
        problems=_FOUND,
        tolerated=("payment-pending",),
        calls_person=True,
    )


def address_that_is_none(desk: Desk) -> Written:
    """Nobody can deliver there."""
    address = desk.rng.choice(
        (
            {
                "street": "The house that burned down, Nowhere Lane",
                "delivery": "returned twice by the owl: no such place",
            },
            {"street": "asdf 123 qwertz", "delivery": "owl"},
        )
    )
    order = desk.order("preparing-shipment", [(desk.item(), desk.few())], shipping_address=address)
    return desk.case(
        order,
        "The address is none: no rule knows which places there are.",
        problems=_FOUND,
        calls_person=True,
    )


def ordered_twice(desk: Desk) -> Written:
    """The same again, two minutes later."""
    lines = [(desk.item(), desk.few(2, 4)), (desk.item(), 1)]
    first = desk.order("processing", lines, notes="")
    again = first | {
        "order_id": f"{first['order_id']}-B",
        "order_date": stamp(datetime.fromisoformat(str(first["order_date"])) + timedelta(minutes=2)),
    }
    return (
        *desk.case(
            first,
            "The first of two equal orders: it is the other one that is too much.",
            tolerated=_FOUND,
            calls_person=None,
            kind="ordered-once",
            sort=CaseSort.AMBIGUOUS,
        ),
        *desk.case(
            again,
            "The customer has ordered exactly the same two minutes before: each order alone is right.",
            problems=_FOUND,
            calls_person=True,
        ),
    )


def number_mistyped(desk: Desk) -> Written:
    """Ten thousand of something."""
    item = desk.item(most=20_000)
    order = desk.order("processing", [(item, 10_000)], notes="For my first year at school.")
    return desk.case(
        order,
        "Ten thousand of a thing for one pupil: a rule sees a shortage and orders them.",
        problems=_FOUND,
        tolerated=("inventory-short",),
        calls_person=True,
    )


def another_item_meant(desk: Desk) -> Written:
    """The note asks for something else than the lines."""
    note = "I see I ticked the wrong box: please send the silver ones instead, not these."
    order = desk.order("processing", [(desk.item(), desk.few())], notes=note)
    return desk.case(
        order,
        "The note asks for another item than the lines: rules read no notes.",
        problems=_FOUND,
        calls_person=True,
    )


def paid_twice(desk: Desk) -> Written:
    """The rules know no payments."""
    note = f"Gringotts confirms two payments of the full amount, both of {AS_OF - timedelta(days=1):%d %B}."
    order = desk.order("processing", [(desk.item(), desk.few())], status_notes=note)
    return desk.case(
        order,
        "It was paid twice: payments are no records here, only a note tells of them.",
        problems=_FOUND,
        calls_person=True,
    )


KINDS: tuple[Writer, ...] = (
    cancelled_by_word,
    cancelled_by_word_and_unpaid,
    address_that_is_none,
    ordered_twice,
    number_mistyped,
    another_item_meant,
    paid_twice,
)
