"""Orders and inventory rows as types, parsed once from the raw JSON; fields that are not named here are ignored."""

from datetime import datetime

from pydantic import BaseModel

from daper.core.moments import Moment
from daper.domains.orders.fields import (
    Amount,
    Flag,
    FlagOrNone,
    Id,
    Number,
    Quantity,
    QuantityOrNone,
    QuantityOrNothing,
    ShortText,
    Text,
    number,
)
from daper.domains.orders.restrictions import asks_ministry, prohibits
from daper.domains.orders.statuses import (
    CLOSED,
    KNOWN,
    PAYMENT_ASKED,
    PAYMENT_PENDING,
    RESTOCK_DELIVERED,
    RESTOCK_FAILED,
    RESTOCK_ORDERED,
    UNPAID,
    WITHOUT_APPROVAL,
    OrderStatus,
    normal,
    on_delivery,
    takes_stock,
)


class _Row(BaseModel, frozen=True, extra="ignore"):
    pass


class Line(_Row, frozen=True, extra="allow"):
    """One line of an order. Its other fields are kept for whoever looks why the amounts do not add up."""

    item_id: Id
    item_name: Text = ""
    quantity: Quantity
    unit_price: Amount | None = None
    total_price: Amount | None = None
    requires_shipping: FlagOrNone = None


class StatusChange(_Row, frozen=True):
    """One change of status, as our tools note it."""

    status: Text = ""
    at: Moment | None = None


class Restock(_Row, frozen=True):
    """What was ordered from a supplier for one order.

    `taken` is what the order took out of the stock on delivery, `key` that of the effect which ordered it.
    """

    item_id: Id
    quantity: Quantity
    state: Text = ""
    taken: QuantityOrNone = None
    key: Text = ""

    @property
    def on_order(self) -> bool:
        """Whether the supplier has still to deliver."""
        return normal(self.state) in RESTOCK_ORDERED

    @property
    def delivered(self) -> bool:
        """Whether the supplier has delivered."""
        return normal(self.state) in RESTOCK_DELIVERED

    @property
    def failed(self) -> bool:
        """Whether nothing will come of it."""
        return normal(self.state) in RESTOCK_FAILED


class Approval(_Row, frozen=True):
    """An approval that was asked for, or given."""

    approver: Text = ""
    at: Moment | None = None


class OrderLabel(_Row, frozen=True):
    """What of an order is shown in a list of thousands."""

    customer_name: Text = ""
    status: ShortText = ""


class Order(_Row, frozen=True, extra="allow"):
    """One order. Its other fields are kept for whoever looks why the amounts do not add up."""

    order_id: Id
    customer_name: Text = ""
    customer_id: ShortText = ""
    customer_email: Text = ""
    order_date: Moment | None = None
    status: ShortText = ""
    items: tuple[Line, ...] = ()
    subtotal: Amount | None = None
    tax: Amount | None = None
    shipping: Amount | None = None
    total: Amount | None = None
    payment_method: Text = ""
    currency: object = None
    status_history: tuple[StatusChange, ...] = ()
    restocks: tuple[Restock, ...] = ()
    approval: Approval | None = None
    approval_request: Approval | None = None

    @property
    def state(self) -> str:
        """The status, normalised."""
        return normal(self.status)

    @property
    def email(self) -> str:
        """Where the customer is written to, as a field says that is about nothing else; empty where none does."""
        named = (self.model_extra or {}).get("email")
        return self.customer_email.strip() or (named.strip() if isinstance(named, str) else "")

    @property
    def closed(self) -> bool:
        """Whether nothing is left to do for this order."""
        return self.state in CLOSED

    @property
    def unknown(self) -> bool:
        """Whether nobody here can tell what its status means. Where there is none, none is lost."""
        return bool(self.state) and self.state not in KNOWN

    @property
    def parked(self) -> bool:
        """Whether a person keeps it on hold."""
        return self.state == normal(OrderStatus.ON_HOLD)

    @property
    def takes_stock(self) -> bool:
        """Whether its goods are still to come from the stock: it is open, and nobody keeps or withdraws it."""
        return takes_stock(self.state)

    @property
    def paid_on_delivery(self) -> bool:
        """Whether it is to be paid when it is delivered, so that no payment is due before."""
        return self.state in PAYMENT_PENDING and on_delivery(self.payment_method)

    @property
    def unpaid(self) -> bool:
        """Whether its payment is missing, refused, or asked for, when it should be there."""
        return self.state in UNPAID and not self.paid_on_delivery

    @property
    def payment_asked(self) -> bool:
        """Whether the customer has been asked to see to the payment."""
        return self.state == PAYMENT_ASKED

    @property
    def approved(self) -> bool:
        """Whether an approval by somebody who is named is recorded, or the status says so."""
        given = self.approval is not None and bool(self.approval.approver.strip())
        return given or self.state == normal(OrderStatus.APPROVED_PREPARING_SHIPMENT)

    @property
    def approval_asked(self) -> bool:
        """Whether an approval has been asked for and not been answered; a person may set the status back."""
        asked = self.approval_request is not None and self.state not in WITHOUT_APPROVAL
        return not self.approved and (asked or self.state == normal(OrderStatus.APPROVAL_REQUESTED))

    @property
    def quantities(self) -> dict[str, Number]:
        """How many of each item, over all lines."""
        totals: dict[str, Number] = {}
        for line in self.items:
            totals[line.item_id] = number(totals.get(line.item_id, 0) + line.quantity)
        return totals

    @property
    def unshipped(self) -> frozenset[str]:
        """The items that need not lie on any shelf: a tip, a gift card, something to download."""
        shipped = {line.item_id for line in self.items if line.requires_shipping is not False}
        return frozenset(line.item_id for line in self.items) - shipped

    @property
    def last_moved(self) -> datetime | None:
        """When the status last changed, or the order date when that is not known."""
        known = [change.at for change in self.status_history if change.at is not None]
        return max(known) if known else self.order_date

    def need(self, item_id: str) -> Number:
        """How many of an item the order still needs from the stock: ordered less what delivered restocks brought it."""
        brought = sum(
            restock.quantity if restock.taken is None else restock.taken
            for restock in self.restocks
            if restock.item_id == item_id and restock.delivered
        )
        return number(max(0, self.quantities.get(item_id, 0) - brought))

    def claim(self, item_id: str) -> Number:
        """How many of an item it takes from what is in stock: what it needs, less what is on its way for it."""
        if self.state == normal(OrderStatus.RESTOCK_ORDERED) and not self.restocks:
            return 0
        coming = sum(each.quantity for each in self.restocks if each.on_order and each.item_id == item_id)
        return number(max(0, self.need(item_id) - coming))

    def waits_for_restock(self, item_id: str) -> bool:
        """Whether a restock of this item is on its way. A hand-set status without restocks counts for all items."""
        if self.state == normal(OrderStatus.RESTOCK_ORDERED) and not self.restocks:
            return True
        return any(restock.on_order and restock.item_id == item_id for restock in self.restocks)

    def unclear_restock(self, item_id: str) -> Restock | None:
        """A restock of this item of which nobody here can tell what came of it, or is still to come."""
        return next(
            (
                each
                for each in self.restocks
                if each.item_id == item_id and not (each.on_order or each.delivered or each.failed)
            ),
            None,
        )


class StockRow(_Row, frozen=True):
    """One row of the inventory."""

    item_id: Id
    item_name: Text = ""
    category: Text = ""
    current_stock: QuantityOrNone
    reserved_stock: QuantityOrNothing = 0
    reserved_for_orders: Flag = False
    available_stock: QuantityOrNone = None
    reorder_quantity: QuantityOrNothing = 0
    max_stock_level: QuantityOrNone = None
    unit_cost: Amount | None = None
    currency: object = None
    supplier: Text = ""
    supplier_contact: Text = ""
    status: ShortText = ""
    special_requirements: object = None
    restrictions: object = None

    @property
    def available(self) -> Number | None:
        """What is there for the open orders: as the row says, or current less reserved; None where nobody counts.

        What is reserved for these very orders is theirs.
        """
        if self.available_stock is not None:
            return number(self.available_stock + (self.reserved_stock if self.reserved_for_orders else 0))
        if self.current_stock is None or self.reserved_for_orders:
            return self.current_stock
        return number(self.current_stock - self.reserved_stock)

    @property
    def in_other_money(self) -> bool:
        """Whether its price is in a currency of its own, which nobody here can compare with the shop's."""
        return self.currency not in (None, "")

    @property
    def needs_approval(self) -> bool:
        """Whether the Ministry has to approve a sale."""
        return asks_ministry(self.special_requirements) or asks_ministry(self.restrictions)

    @property
    def prohibited(self) -> bool:
        """Whether it may not be sold at all: its status or category says so, or a restriction is exactly that word."""
        return prohibits((self.status, self.category), self.restrictions)
