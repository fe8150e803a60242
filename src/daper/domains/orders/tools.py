"""The four repair tools of the orders domain: what each changes, and how one sees that it did."""

from collections.abc import Mapping

from pydantic import JsonValue

from daper.core.models import Risk
from daper.core.outcomes import Effect, Holding, Postcondition
from daper.domains.orders.arguments import (
    HoldOrderArgs,
    OrderInventoryArgs,
    RequestApprovalArgs,
    RequestPaymentUpdateArgs,
    ToolName,
)
from daper.domains.orders.changes import drop_statuses, list_of, move_stock, set_status, stamp, stock_of
from daper.domains.orders.counterparty import (
    can_complete,
    customer_acknowledges,
    ministry_approves,
    supplier_delivers,
)
from daper.domains.orders.models import Order
from daper.domains.orders.rules import shown
from daper.domains.orders.statuses import OrderStatus
from daper.domains.orders.terms import REQUEST_LENGTH, field
from daper.domains.orders.transaction import Job, OrderTool
from daper.domains.orders.undoing import UndoableOrderTool
from daper.domains.orders.world import Raw, order_ref, stock_ref
from daper.ports import ToolCall


class RequestApproval(OrderTool):
    """Asks an approver on the allow-list to approve an order with a restricted item. A message sent has no undo."""

    name = ToolName.REQUEST_APPROVAL
    risk = Risk.LOW
    args = RequestApprovalArgs

    def carry_out(self, job: Job) -> None:
        """Send the request and note it; the simulated Ministry approves at once."""
        args, at = RequestApprovalArgs.model_validate(job.call.arguments), job.call.today
        job.raw["approval_request"] = {"approver": args.approver, "at": stamp(at)}
        # An unpaid order stays visibly unpaid: the request is noted beside its status.
        if not job.order.unpaid:
            set_status(job.raw, OrderStatus.APPROVAL_REQUESTED, at)
        job.send(
            to=args.approver,
            subject=f"Approval of order {args.order_id}",
            body=field(args.approval_request_contents, longest=REQUEST_LENGTH),
        )
        job.evidence.append(f"asked {args.approver} to approve order {args.order_id!r}")
        if job.simulated:
            job.evidence.append(ministry_approves(job.raw, approver=args.approver, at=at))
        job.wrote.append(order_ref(args.order_id))

    def judge(self, order: Order, call: ToolCall) -> Postcondition:
        """An approval is recorded, or still awaited."""
        if order.approved:
            who = shown(order.approval.approver) if order.approval else "its status"
            return Postcondition(holding=Holding.YES, evidence=f"approved, says {who}; status {shown(order.status)}")
        if order.approval_asked:
            return Postcondition(holding=Holding.WAITING, evidence="the approver has been asked and has not answered")
        return Postcondition(holding=Holding.NO, evidence=f"no approval and no request; status {shown(order.status)}")


class OrderInventory(UndoableOrderTool):
    """Orders what an order is short of from the supplier."""

    name = ToolName.ORDER_INVENTORY
    risk = Risk.MEDIUM
    args = OrderInventoryArgs

    def figures(self, job: Job) -> dict[str, JsonValue]:
        """The order's status, and the stock of the item."""
        raw = job.stock_row(str(job.call.arguments["inventory_to_order"]))
        row = stock_of(raw)
        stock: dict[str, JsonValue] = {"current_stock": row.current_stock, "available_stock": row.available}
        if "last_restocked" in raw:
            stock["last_restocked"] = str(raw["last_restocked"])
        return super().figures(job) | stock

    def carry_out(self, job: Job) -> None:
        """Send the order to the supplier and note it; the simulated supplier delivers at once."""
        args, at = OrderInventoryArgs.model_validate(job.call.arguments), job.call.today
        row = job.stock_row(args.inventory_to_order)
        stock = stock_of(row)
        list_of(job.raw, "restocks").append(
            {"item_id": args.inventory_to_order, "quantity": args.quantity, "state": "ordered"}
        )
        set_status(job.raw, OrderStatus.RESTOCK_ORDERED, at)
        job.send(
            to=field(stock.supplier_contact),
            subject=f"Order of {args.quantity} x {args.inventory_to_order}",
            body=f"Please deliver {args.quantity} x {args.inventory_description} ({args.inventory_to_order}).",
        )
        job.evidence.append(
            f"ordered {args.quantity} x {args.inventory_to_order!r} from {field(stock.supplier_contact)}"
        )
        job.wrote.append(order_ref(args.order_id))
        if job.simulated:
            job.evidence.append(supplier_delivers(job.raw, row, quantity=args.quantity, at=at))
            job.wrote.append(stock_ref(args.inventory_to_order))
            if can_complete(job.raw, job.world()):
                set_status(job.raw, OrderStatus.COMPLETED, at)

    def take_back(self, job: Job, effect: Effect, *, key: str) -> None:
        """Cancel with the supplier; what was delivered goes back, and the order gets its own into the stock again."""
        args = OrderInventoryArgs.model_validate(job.call.arguments)
        row, last = job.stock_row(args.inventory_to_order), job.order.restocks[-1]
        restocks = list_of(job.raw, "restocks")
        del restocks[-1]
        if not restocks:
            del job.raw["restocks"]
        if not last.on_order:
            move_stock(row, current=(last.taken or 0) - last.quantity)
            _restore(row, "last_restocked", effect.before)
        completed = effect.after.get("status") == OrderStatus.COMPLETED
        drop_statuses(job.raw, back_to=str(effect.before["status"]), changes=2 if completed else 1)
        job.send(
            to=field(stock_of(row).supplier_contact),
            subject=f"Cancelled: order of {args.quantity} x {args.inventory_to_order}",
            body=f"Please cancel our order of {args.quantity} x {args.inventory_to_order}; it did not help.",
            key=key,
        )
        job.evidence.append(f"cancelled {args.quantity} x {args.inventory_to_order!r} with the supplier")

    def judge(self, order: Order, call: ToolCall) -> Postcondition:
        """A restock of this item is on the order: delivered, or still awaited."""
        item = str(call.arguments["inventory_to_order"])
        if order.waits_for_restock(item):
            return Postcondition(holding=Holding.WAITING, evidence=f"{shown(item)} is ordered and not yet delivered")
        if any(restock.item_id == item for restock in order.restocks):
            return Postcondition(
                holding=Holding.YES, evidence=f"{shown(item)} was delivered; status {shown(order.status)}"
            )
        return Postcondition(holding=Holding.NO, evidence=f"no restock of {shown(item)}; status {shown(order.status)}")


class RequestPaymentUpdate(OrderTool):
    """Asks the customer to see to a payment that is missing or was refused. A message sent has no undo."""

    name = ToolName.REQUEST_PAYMENT_UPDATE
    risk = Risk.LOW
    args = RequestPaymentUpdateArgs

    def carry_out(self, job: Job) -> None:
        """Send the message; even the simulated customer only acknowledges it."""
        args = RequestPaymentUpdateArgs.model_validate(job.call.arguments)
        set_status(job.raw, OrderStatus.PAYMENT_UPDATE_REQUESTED, job.call.today)
        job.send(
            to=args.customer_id,
            subject=f"Payment of order {args.order_id}",
            body=(
                f"Dear {args.customer_name}, we could not complete the payment of order {args.order_id} by "
                f"{args.original_payment_method or 'the method given'}. Please pay again, or name another way to pay."
            ),
        )
        job.evidence.append(f"asked customer {args.customer_id!r} to see to the payment")
        if job.simulated:
            job.evidence.append(customer_acknowledges(job.raw))
        job.wrote.append(order_ref(args.order_id))

    def judge(self, order: Order, call: ToolCall) -> Postcondition:
        """Asked is not paid: the customer's turn, until the order has moved on."""
        if order.payment_asked:
            return Postcondition(holding=Holding.WAITING, evidence="the customer has been asked and has not paid yet")
        if order.unpaid:
            return Postcondition(holding=Holding.NO, evidence=f"status {shown(order.status)}: not paid, and not asked")
        return Postcondition(holding=Holding.YES, evidence=f"the order has moved on: status {shown(order.status)}")


class HoldOrder(UndoableOrderTool):
    """Puts an order on hold, for a person to look at."""

    name = ToolName.HOLD_ORDER
    risk = Risk.LOW
    args = HoldOrderArgs

    def carry_out(self, job: Job) -> None:
        """Set the status; nobody is told but the reader of the report."""
        args = HoldOrderArgs.model_validate(job.call.arguments)
        set_status(job.raw, OrderStatus.ON_HOLD, job.call.today)
        job.evidence.append(f"order {args.order_id!r} is on hold: {args.reason}")
        job.wrote.append(order_ref(args.order_id))

    def take_back(self, job: Job, effect: Effect, *, key: str) -> None:
        """Give the order its status back."""
        drop_statuses(job.raw, back_to=str(effect.before["status"]), changes=1)
        job.evidence.append(f"order {job.call.record_id!r} is no longer on hold")

    def judge(self, order: Order, call: ToolCall) -> Postcondition:
        """The order is on hold."""
        holding = Holding.YES if order.parked else Holding.NO
        return Postcondition(holding=holding, evidence=f"status {shown(order.status)}")


def _restore(row: Raw, name: str, before: Mapping[str, JsonValue]) -> None:
    if name in before:
        row[name] = before[name]
    else:
        row.pop(name, None)
