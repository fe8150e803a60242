"""What an order's status means: whose turn it is, and whether anybody still has to do something."""

from enum import StrEnum


class OrderStatus(StrEnum):
    """The statuses that our tools write, spelled as in the data."""

    APPROVAL_REQUESTED = "approval-requested"
    APPROVED_PREPARING_SHIPMENT = "approved-preparing-shipment"
    RESTOCK_ORDERED = "restock-ordered"
    PAYMENT_UPDATE_REQUESTED = "payment_update_requested"
    ON_HOLD = "on-hold"
    COMPLETED = "completed"


def normal(status: str) -> str:
    """A status without the differences that mean nothing: case, outer blanks, `_` or a blank for `-`."""
    return status.strip().lower().replace("_", "-").replace(" ", "-")


PAYMENT_PENDING = frozenset({"pending-payment", "payment-pending"})
PAYMENT_DENIED = frozenset({"payment-denied", "payment-declined", "payment-failed"})
PAYMENT_ASKED = normal(OrderStatus.PAYMENT_UPDATE_REQUESTED)
UNPAID = PAYMENT_PENDING | PAYMENT_DENIED | {PAYMENT_ASKED}
WITHOUT_APPROVAL = frozenset({"pending-approval", "approval-denied"})
IN_PROGRESS = frozenset({"priority-processing", normal(OrderStatus.APPROVED_PREPARING_SHIPMENT)})
# What says that the payment has come in, or what only happens once it has. Not here: what may follow on no payment.
PAID = frozenset(
    {
        "paid",
        "payment-received",
        "payment-confirmed",
        "payment-accepted",
        "processing",
        "preparing-shipment",
        "shipped",
        "in-transit",
        "out-for-delivery",
        "delivered",
        "completed",
        *IN_PROGRESS,
    }
)
CLOSED = frozenset({"completed", "cancelled", "canceled", "delivered", "refunded", "returned", "shipped", "closed"})
