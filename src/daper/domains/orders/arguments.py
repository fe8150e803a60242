"""The repair tools by name, and what each is told."""

from enum import StrEnum

from daper.core.base import Reply


class ToolName(StrEnum):
    """The repair tools of this domain."""

    REQUEST_APPROVAL = "request_approval"
    ORDER_INVENTORY = "order_inventory"
    REQUEST_PAYMENT_UPDATE = "request_payment_update"
    HOLD_ORDER = "hold_order"


class RequestApprovalArgs(Reply):
    """Whom to ask to approve an order, and in what words."""

    order_id: str
    approver: str
    approval_request_contents: str


class OrderInventoryArgs(Reply):
    """What to order from the supplier for an order that is short of it, and how much."""

    order_id: str
    inventory_to_order: str
    inventory_description: str
    quantity: int


class RequestPaymentUpdateArgs(Reply):
    """Whom to ask to see to a payment. What the customer wrote in the order is no argument."""

    order_id: str
    customer_id: str
    customer_name: str
    original_payment_method: str


class HoldOrderArgs(Reply):
    """Which order to put on hold, and which problem is the reason."""

    order_id: str
    reason: str
