"""The repair tools that ask or hold: what each changes, and how one sees that it did."""

from pydantic import JsonValue

from daper.core.models import Risk
from daper.core.outcomes import Effect, Holding, Postcondition
from daper.domains.orders.arguments import HoldOrderArgs, RequestApprovalArgs, RequestPaymentUpdateArgs, ToolName
from daper.domains.orders.changes import forget_statuses, set_status, stamp
from daper.domains.orders.counterparty import customer_acknowledges, ministry_approves
from daper.domains.orders.job import Job
from daper.domains.orders.models import Order
from daper.domains.orders.statuses import PAID, OrderStatus
from daper.domains.orders.terms import REQUEST_LENGTH
from daper.domains.orders.transaction import OrderTool, word
from daper.domains.orders.undoing import UndoableOrderTool
from daper.domains.orders.wording import field, shown
from daper.domains.orders.world import order_ref
from daper.ports import ToolCall


class RequestApproval(OrderTool):
    """Asks an approver on the allow-list to approve an order with a restricted item. A message sent has no undo."""

    name = ToolName.REQUEST_APPROVAL
    risk = Risk.LOW
    args = RequestApprovalArgs

    def figures(self, job: Job) -> dict[str, JsonValue]:
        """The order's status; of an unpaid order, which keeps it, also how far the approval is."""
        status = super().figures(job)
        if not job.order.unpaid:
            return status
        now = job.world().orders[job.order.order_id]
        asked = "asked" if now.approval_request is not None else "none"
        return status | {"approval": "given" if now.approved else asked}

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
        """An approval by whom we asked is recorded, or still awaited; another, or only a status, is for a person."""
        asked, status = str(call.arguments["approver"]), f"status {shown(order.status)}"
        if order.approval is not None and order.approval.approver == asked:
            return word(Holding.YES, f"approved by {shown(asked)}; {status}")
        if order.approved:
            who = shown(order.approval.approver or "nobody named") if order.approval else "its status alone"
            return word(Holding.UNKNOWN, f"approved, says {who}; no approval by {shown(asked)} is recorded; {status}")
        if order.approval_asked and not order.closed:
            return word(Holding.WAITING, "the approver has been asked and has not answered")
        if order.approval_asked:
            return word(Holding.UNKNOWN, f"asked, and the order was closed without an approval; {status}")
        return word(Holding.NO, f"no approval and no request; {status}")


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
        """Asked is not paid, and neither is whatever else became of the order: only its status can say so."""
        status = f"status {shown(order.status)}"
        if order.payment_asked:
            return word(Holding.WAITING, "the customer has been asked and has not paid yet")
        if order.unpaid:
            return word(Holding.NO, f"{status}: not paid, and not asked")
        if order.state in PAID:
            return word(Holding.YES, f"the payment has come in: {status}")
        return word(Holding.UNKNOWN, f"{status} does not say whether the payment came in")


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
        forget_statuses(job.raw, changes=1)
        job.give_back(job.raw, "status")
        job.evidence.append(f"order {job.call.record_id!r} is no longer on hold")

    def judge(self, order: Order, call: ToolCall) -> Postcondition:
        """On hold is not repaired: it is a person's turn."""
        if order.parked:
            return word(Holding.WAITING, "on hold; a person has to decide what becomes of it")
        if order.closed:
            return word(Holding.UNKNOWN, f"somebody closed the order: status {shown(order.status)}")
        return word(Holding.NO, f"not on hold: status {shown(order.status)}")
