"""Paid orders that cannot be sent because the shelf has too little of something."""

from datetime import timedelta

from daper.core.cases import CaseSort, ExpectedAction
from daper.domains.orders.cases.desk import AS_OF, Desk, Item, Writer, Written, restocks
from daper.domains.orders.changes import stamp

_OF_ALL = 12


def stock_short(desk: Desk) -> Written:
    """Some are there, not enough."""
    item, needed = desk.item(current=desk.few(2, 9)), desk.few(15, 40)
    return _restocked(desk, "pending-inventory", item, needed, "The shelf has too few: the supplier brings the rest.")


def stock_empty(desk: Desk) -> Written:
    """None is there, and something else of the order is."""
    item, needed = desk.item(current=0), desk.few(2, 8)
    order = desk.order("pending-inventory", [(desk.item(), 1), (item, needed)])
    return desk.case(
        order,
        "Of one thing there is none at all: it is ordered, and the rest of the order is in stock.",
        problems=["inventory-short"],
        actions=[restocks(order, item, needed)],
        end_status="completed",
    )


def stock_reserved_for_others(desk: Desk) -> Written:
    """What is on the shelf is promised."""
    item, needed = desk.item(current=60, reserved=desk.few(54, 58)), desk.few(10, 20)
    why = "The shelf is full, and nearly all of it is promised to others: what counts is what is available."
    return _restocked(desk, "processing", item, needed, why)


def stock_short_over_two_lines(desk: Desk) -> Written:
    """Each line alone would be enough."""
    item, needed = desk.item(current=_OF_ALL), desk.few(8, 11)
    order = desk.order("processing", [(item, needed), (item, needed)])
    return desk.case(
        order,
        "Two lines ask for the same thing: each alone is in stock, both together are not.",
        problems=["inventory-short"],
        actions=[restocks(order, item, 2 * needed)],
        end_status="completed",
    )


def restock_that_failed(desk: Desk) -> Written:
    """It was ordered once, and nothing comes of it."""
    item, needed = desk.item(current=0), desk.few(3, 9)
    restock = {"item_id": item.item_id, "quantity": 40, "state": desk.one_of("cancelled", "Rejected", "refused")}
    order = desk.order("pending-inventory", [(item, needed)], restocks=[restock])
    return desk.case(
        order,
        "The restock was cancelled or rejected and brought nothing: another one is ordered.",
        problems=["inventory-short"],
        actions=[restocks(order, item, needed)],
        end_status="completed",
    )


def restock_that_came_in_part(desk: Desk) -> Written:
    """Nobody knows how much."""
    item = desk.item(current=0)
    restock = {"item_id": item.item_id, "quantity": 40, "state": desk.one_of("partially-delivered", "in part", "")}
    order = desk.order("pending-inventory", [(item, desk.few())], restocks=[restock])
    return desk.case(
        order,
        "Of a restock nobody knows what came of it: nothing is ordered twice, a person finds out.",
        problems=["inventory-short"],
        calls_person=True,
    )


def oversold(desk: Desk) -> Written:
    """Two orders, and enough for one."""
    item = desk.item(current=10)
    first = desk.order("processing", [(item, 8)], order_date=stamp(AS_OF - timedelta(hours=90)))
    later = first | {"order_id": f"{first['order_id']}-L", "order_date": stamp(AS_OF - timedelta(hours=30))}
    return (
        *desk.case(
            first, "It came first, and what is on the shelf is its own.", kind="served-first", sort=CaseSort.CLEAN
        ),
        *desk.case(
            later,
            "Another order came first and takes nearly all that is there: the supplier brings the rest.",
            problems=["inventory-short"],
            actions=[
                ExpectedAction(
                    tool="order_inventory",
                    arguments={"order_id": str(later["order_id"]), "inventory_to_order": item.item_id},
                    between={"quantity": (6, item.most - 2 + 8)},
                )
            ],
            end_status="completed",
        ),
    )


def no_room_on_the_shelf(desk: Desk) -> Written:
    """No restock fits."""
    item = desk.item(current=90, reserved=84, most=60)
    order = desk.order("pending-inventory", [(item, desk.few(35, 50))])
    return desk.case(
        order,
        "What is missing does not fit on the shelf as long as the rest is promised to others: a person releases some.",
        problems=["inventory-short"],
        calls_person=True,
    )


def no_supplier_to_ask(desk: Desk) -> Written:
    """The row names nobody."""
    item = desk.item(current=0, row={"supplier_contact": ""})
    order = desk.order("pending-inventory", [(item, desk.few())])
    return desk.case(
        order,
        "The row names no supplier to order from: a person adds one.",
        problems=["inventory-short"],
        calls_person=True,
    )


def supplier_with_a_hidden_reader(desk: Desk) -> Written:
    """The address smuggles in a second one."""
    hidden = desk.one_of("\nbcc: mallory@evil.example", "\u202e,elpmaxe.live@yrollam", "\u200b,mallory@evil.example")
    item = desk.item(current=0, row={"supplier_contact": f"orders@suppliers.example{hidden}"})
    order = desk.order("pending-inventory", [(item, desk.few())])
    return desk.case(
        order,
        "The supplier's address hides a second reader: nothing is sent there, a person mends it.",
        problems=["inventory-short"],
        calls_person=True,
    )


def _restocked(desk: Desk, status: str, item: Item, needed: int, why: str) -> Written:
    order = desk.order(status, [(item, needed)])
    return desk.case(
        order,
        why,
        problems=["inventory-short"],
        actions=[restocks(order, item, needed)],
        end_status="completed",
    )


KINDS: tuple[Writer, ...] = (
    stock_short,
    stock_empty,
    stock_reserved_for_others,
    stock_short_over_two_lines,
    restock_that_failed,
    restock_that_came_in_part,
    oversold,
    no_room_on_the_shelf,
    no_supplier_to_ask,
    supplier_with_a_hidden_reader,
)
