"""The words for the status of an order, and of a restock: whose turn it is, and whether anything is still to be done.

Every word that the rules know is in this file. Any other is a person's: nobody can tell what it would overwrite.
"""

import re
from enum import StrEnum


class OrderStatus(StrEnum):
    """The statuses that our tools write, spelled as in the data."""

    APPROVAL_REQUESTED = "approval-requested"
    APPROVED_PREPARING_SHIPMENT = "approved-preparing-shipment"
    RESTOCK_ORDERED = "restock-ordered"
    PAYMENT_UPDATE_REQUESTED = "payment_update_requested"
    ON_HOLD = "on-hold"
    COMPLETED = "completed"
    PROCESSING = "processing"
    CANCELLED = "cancelled"


def normal(status: str) -> str:
    """A status without the differences that mean nothing: case, outer blanks, `_` or a blank for `-`."""
    return status.strip().lower().replace("_", "-").replace(" ", "-")


PAYMENT_PENDING = frozenset({"pending-payment", "payment-pending"})
PAYMENT_DENIED = frozenset({"payment-denied", "payment-declined", "payment-failed"})
PAYMENT_ASKED = normal(OrderStatus.PAYMENT_UPDATE_REQUESTED)
UNPAID = PAYMENT_PENDING | PAYMENT_DENIED | {PAYMENT_ASKED}
WITHOUT_APPROVAL = frozenset({"pending-approval", "approval-denied"})
# It has come in, and no more is said of it.
OPEN = frozenset({"new", "open", "placed", "confirmed"})
IN_PROGRESS = frozenset(
    {"processing", "priority-processing", "preparing-shipment", normal(OrderStatus.APPROVED_PREPARING_SHIPMENT)}
)
# The goods have left the shop: what is on the shelf is for others, and no status of ours fits any more.
UNDER_WAY = frozenset({"in-transit", "out-for-delivery"})
# The customer wants it no more, or the money back: nothing is bought, asked or completed for such an order.
WITHDRAWN = frozenset(
    {
        "refund-requested",
        "refund-pending",
        "return-requested",
        "return-pending",
        "cancellation-requested",
        "cancellation-pending",
        "chargeback",
        "disputed",
        "payment-disputed",
    }
)
LEFT_ALONE = UNDER_WAY | WITHDRAWN
# Whatever it says it waits for: when nothing is missing, it waits for nobody.
WAITS_FOR_GOODS_OR_APPROVAL = frozenset({"pending-inventory", "pending-approval"})
# Somebody has been asked, and it is their turn.
ASKED = frozenset({normal(OrderStatus.APPROVAL_REQUESTED), normal(OrderStatus.RESTOCK_ORDERED), PAYMENT_ASKED})
MUST_MOVE = IN_PROGRESS | LEFT_ALONE | ASKED | WAITS_FOR_GOODS_OR_APPROVAL
# What says that the payment has come in, or what only happens once it has. Not here: what may follow on no payment.
PAID = frozenset(
    {
        "paid",
        "payment-received",
        "payment-confirmed",
        "payment-accepted",
        "shipped",
        "delivered",
        "completed",
        *IN_PROGRESS,
        *UNDER_WAY,
    }
)
CANCELLED = frozenset({"cancelled", "canceled"})
# The goods, or the money, went back.
GIVEN_BACK = frozenset({"refunded", "returned"})
CLOSED = frozenset({"completed", "cancelled", "canceled", "delivered", "refunded", "returned", "shipped", "closed"})
KNOWN = OPEN | CLOSED | MUST_MOVE | PAID | UNPAID | WITHOUT_APPROVAL | {normal(OrderStatus.ON_HOLD)}
_KEPT = CLOSED | LEFT_ALONE | {normal(OrderStatus.ON_HOLD)}


def takes_stock(state: str) -> bool:
    """Whether the goods of an order with this status, normalised, are still to come from what is in stock."""
    return state not in _KEPT and (not state or state in KNOWN)


_ON_DELIVERY = re.compile(
    r"\b(cash|pay(ment)?|paid|collect)[\s_-]*(up)?on[\s_-]*(delivery|receipt)\b|\bcod\b|cashondelivery|nachnahme",
    re.IGNORECASE,
)


def on_delivery(payment_method: str) -> bool:
    """Whether a way to pay is one in which the money comes with the delivery."""
    return bool(_ON_DELIVERY.search(payment_method))


RESTOCK_ORDERED = frozenset({"ordered", "on-order"})
RESTOCK_DELIVERED = frozenset({"delivered"})
RESTOCK_FAILED = frozenset({"cancelled", "canceled", "rejected", "refused", "declined", "failed"})
