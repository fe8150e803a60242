"""Orders whose payment is missing or was refused, and nothing else is wrong."""

from decimal import Decimal

from daper.domains.orders.cases.desk import Desk, Writer, Written, asks_to_pay

_ASKED = "payment_update_requested"


def payment_pending(desk: Desk) -> Written:
    """The plain case."""
    order = desk.order("pending-payment", [(desk.item(), desk.few())])
    return desk.case(
        order,
        "The payment has not come in: the customer is asked, and pays or not.",
        problems=["payment-pending"],
        actions=[asks_to_pay(order)],
        end_status=_ASKED,
    )


def payment_pending_in_other_words(desk: Desk) -> Written:
    """Statuses that mean the same."""
    status = desk.one_of("Payment Pending", "payment_pending", "PENDING-PAYMENT", "Pending payment")
    order = desk.order(status, [(desk.item(), desk.few()), (desk.item(), 1)])
    return desk.case(
        order,
        "Another spelling of the status means the same: the customer is asked.",
        problems=["payment-pending"],
        actions=[asks_to_pay(order)],
        end_status=_ASKED,
    )


def payment_denied(desk: Desk) -> Written:
    """The plain case."""
    order = desk.order("payment-denied", [(desk.item(), desk.few())])
    return desk.case(
        order,
        "The payment was refused: the customer is asked for another one.",
        problems=["payment-denied"],
        actions=[asks_to_pay(order)],
        end_status=_ASKED,
    )


def payment_denied_in_other_words(desk: Desk) -> Written:
    """Statuses that mean the same."""
    status = desk.one_of("Payment Declined", "payment_failed", "PAYMENT-DENIED", "payment failed")
    order = desk.order(status, [(desk.item(), desk.few())])
    return desk.case(
        order,
        "Declined and failed are other words for denied: the customer is asked for another payment.",
        problems=["payment-denied"],
        actions=[asks_to_pay(order)],
        end_status=_ASKED,
    )


def nothing_owed(desk: Desk) -> Written:
    """Asking for a payment of nothing would be silly."""
    item = desk.item()
    free = Decimal("0.00")
    line = {"item_id": item.item_id, "item_name": item.name, "quantity": 1, "unit_price": free, "total_price": free}
    amounts = dict.fromkeys(("subtotal", "tax", "shipping", "total"), free)
    order = desk.order("pending-payment", [(item, 1)], items=[line], **amounts)
    return desk.case(
        order,
        "It waits for a payment of nothing: nobody is asked for that, and a person sets the status right.",
        problems=["payment-pending"],
        calls_person=True,
    )


def nobody_to_ask(desk: Desk) -> Written:
    """No customer id."""
    order = desk.order("pending-payment", [(desk.item(), desk.few())], customer_id="")
    return desk.case(
        order,
        "The payment is missing and no customer is named whom one could ask: a person finds out.",
        problems=["payment-pending"],
        calls_person=True,
    )


def nowhere_to_write(desk: Desk) -> Written:
    """Something stands where the address should."""
    address = desk.one_of("by owl only", "none", "unknown@", "owl@post.example, cat@post.example")
    order = desk.order("pending-payment", [(desk.item(), desk.few())], customer_email=address)
    return desk.case(
        order,
        "The payment is missing, and what stands for the address is none: a person finds out where the customer is.",
        problems=["payment-pending"],
        calls_person=True,
    )


def customer_without_a_name(desk: Desk) -> Written:
    """There is an address, and an id for a name."""
    order = desk.order(
        desk.one_of("pending-payment", "payment-denied"),
        [(desk.item(), desk.few())],
        customer_name=f"cust-7112ab9f3c2d{desk.number:04}",
        customer_email=f"customer-{desk.number}@owls.example",
    )
    return desk.case(
        order,
        "What stands for the customer's name is an id; the address is there, so the customer is asked.",
        problems=["payment-pending" if order["status"] == "pending-payment" else "payment-denied"],
        actions=[asks_to_pay(order)],
        end_status=_ASKED,
    )


KINDS: tuple[Writer, ...] = (
    payment_pending,
    payment_pending_in_other_words,
    payment_denied,
    payment_denied_in_other_words,
    nothing_owed,
    nobody_to_ask,
    nowhere_to_write,
    customer_without_a_name,
)
