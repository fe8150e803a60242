"""Asking an approver for an order with a restricted item."""

from collections.abc import Iterable, Iterator, Sequence
from types import MappingProxyType

from pydantic import JsonValue

from daper.core.base import Reply
from daper.core.guard import LONGEST_ARGUMENT
from daper.core.limits import Limit, OneOf, Sentence
from daper.core.models import Change, Finding, Proposal, Risk
from daper.core.outcomes import Holding, Postcondition
from daper.core.text import shown
from daper.domains.orders.addresses import APPROVERS, Reach
from daper.domains.orders.changes import set_status, stamp
from daper.domains.orders.counterparty import ministry_approves
from daper.domains.orders.letters import drafted, restricted_in
from daper.domains.orders.models import Order
from daper.domains.orders.needs import OrderProblem, unapproved_items
from daper.domains.orders.statuses import OrderStatus
from daper.domains.orders.texts import Text
from daper.domains.orders.tools.job import Job
from daper.domains.orders.tools.order_tool import Arguments, OrderTool, status_change, word
from daper.domains.orders.tools.written import SUBJECT, Made
from daper.domains.orders.world import World, order_ref
from daper.ports import ToolCall


class RequestApprovalArgs(Reply):
    """Whom to ask to approve an order, and in what words."""

    order_id: str
    approver: str
    approval_request_contents: str
    subject: Made = ""


class RequestApproval(OrderTool):
    """Asks an approver on the allow-list to approve an order with a restricted item. A message sent has no undo."""

    name = "request_approval"
    risk = Risk.LOW
    args = RequestApprovalArgs
    texts = (SUBJECT,)
    answers = MappingProxyType({OrderProblem.RESTRICTED_WITHOUT_APPROVAL: 0.95})
    why = "A restricted item may only be sold with an approval, and none is recorded."
    about = (
        "asks an approver from a fixed list to approve an order with a restricted item (restricted-without-approval); "
        "approval_request_contents is the text of the request"
    )

    def misfit(self, order: Order, world: World, arguments: Arguments) -> str | None:
        """Asked once, and only where something waits for it."""
        if order.approval_asked:
            return f"a request to approve order {order.order_id!r} is written already; see the outbox"
        if not unapproved_items(order, world):
            return f"order {order.order_id!r} has no item that waits for an approval"
        return None

    def recipient(self, order: Order, world: World, arguments: Arguments) -> Reach:
        """The first on the allow-list, if there is one."""
        allowed = self._approvers(world)
        if allowed:
            return Reach(to=allowed[0])
        return Reach(why=f"nobody to ask for the approval of order {order.order_id!r}: set {APPROVERS}")

    def text(self, order: Order, world: World, arguments: Arguments) -> Text:
        """What is restricted, and in which order."""
        return self.letters.text(self.name, order, world, {"restricted_items": restricted_in(order, world)})

    def draft(self, text: Text, order: Order, world: World, arguments: Arguments) -> str:
        """For whoever it is."""
        return drafted(text, to="whoever approves restricted items")

    def limits(self, order: Order, world: World, arguments: Arguments) -> dict[str, Limit]:
        """Somebody on the allow-list, and a sentence."""
        return {
            "approver": OneOf(values=self._approvers(world)),
            "approval_request_contents": Sentence(max_length=LONGEST_ARGUMENT),
        }

    def proposals(
        self, order: Order, world: World, found: Sequence[Finding], moved: dict[str, int]
    ) -> Iterator[Proposal]:
        """The first on the list is asked, in a sentence that names what is restricted."""
        if self.hindrance(order, world, {}) is None:
            text = self.text(order, world, {})
            request = {
                "approver": self._approvers(world)[0],
                "approval_request_contents": text.body,
                SUBJECT: text.subject,
            }
            yield self.proposal(order, request, found)

    def items_read(self, order: Order, world: World) -> Iterable[str]:
        """The items that wait for an approval."""
        return unapproved_items(order, world)

    def status_after(self, order: Order) -> Change:
        """Asked for. An unpaid order keeps its status."""
        if not order.unpaid:
            return status_change(order, OrderStatus.APPROVAL_REQUESTED)
        stays = f"requested; the order stays {shown(order.status)}"
        return Change(record=order_ref(order.order_id), field="approval", before="none", after=stays)

    def figures(self, job: Job) -> dict[str, JsonValue]:
        """The order's status; of an unpaid order, which keeps it, also how far the approval is."""
        status = super().figures(job)
        if not job.order.unpaid:
            return status
        now = job.world().orders[job.order.order_id]
        asked = "requested" if now.approval_request is not None else "none"
        return status | {"approval": "given" if now.approved else asked}

    def carry_out(self, job: Job) -> None:
        """Send the request and note it; the simulated Ministry approves at once."""
        args, at = RequestApprovalArgs.model_validate(job.call.arguments), job.at
        subject = args.subject or self.text(job.order, job.world(), {}).subject
        job.raw["approval_request"] = {"approver": args.approver, "at": stamp(at)}
        # An unpaid order stays visibly unpaid: the request is noted beside its status.
        if not job.order.unpaid:
            set_status(job.raw, OrderStatus.APPROVAL_REQUESTED, at)
        job.send(to=args.approver, subject=subject, body=args.approval_request_contents)
        job.evidence.append(f"{job.asked} {args.approver} to approve order {args.order_id!r}")
        if job.simulated:
            job.evidence.append(ministry_approves(job.raw, approver=args.approver, at=at))
        job.wrote.append(order_ref(args.order_id))

    def shows(self, order: Order, call: ToolCall) -> Postcondition:
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

    def _approvers(self, world: World) -> tuple[str, ...]:
        return self.letters.addresses.who_approves(in_play=world.in_play)
