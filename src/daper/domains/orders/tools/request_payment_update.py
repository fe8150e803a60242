"""Asking a customer to see to a payment that is missing or was refused."""

import re
from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import Final

from daper.core.limits import Exactly, Limit
from daper.core.models import Change, Finding, Proposal, Risk
from daper.core.outcomes import Holding, Postcondition
from daper.core.text import shown
from daper.domains.orders.addresses import Reach, customer_of
from daper.domains.orders.amounts import gaps, owed
from daper.domains.orders.changes import set_status
from daper.domains.orders.counterparty import customer_acknowledges
from daper.domains.orders.letters import drafted, name_of
from daper.domains.orders.models import Order
from daper.domains.orders.needs import OrderProblem
from daper.domains.orders.statuses import PAID, PAYMENT_DENIED, PAYMENT_PENDING, OrderStatus
from daper.domains.orders.texts import Text
from daper.domains.orders.tools.job import Job
from daper.domains.orders.tools.order_tool import Arguments, OrderTool, approved_or, status_change, word
from daper.domains.orders.tools.written import AMOUNT, MESSAGE, SUBJECT, TO, Made, Written
from daper.domains.orders.wording import field, money
from daper.domains.orders.world import World, order_ref
from daper.ports import ToolCall

_PHONE: Final = re.compile(r"\+?[0-9][0-9 ()/.-]{5,30}")
# What a text names, and the argument that it stands for.
_KEPT: Final = MappingProxyType(
    {
        "order_id": "order_id",
        "customer_name": "customer_name",
        "payment_method": "original_payment_method",
        "amount": AMOUNT,
    }
)


class RequestPaymentUpdateArgs(Written):
    """Whom to ask to see to a payment. What the customer wrote in the order is no argument."""

    order_id: str
    customer_id: str
    customer_name: str
    original_payment_method: str
    amount: Made = ""


class RequestPaymentUpdate(OrderTool):
    """Asks the customer to see to a payment that is missing or was refused. A message sent has no undo."""

    name = "request_payment_update"
    risk = Risk.LOW
    args = RequestPaymentUpdateArgs
    texts = (SUBJECT, MESSAGE)
    answers = MappingProxyType({OrderProblem.PAYMENT_PENDING: 0.8, OrderProblem.PAYMENT_DENIED: 0.9})
    why = "The order cannot go on before the customer sees to the payment."
    about = "asks the customer of the order to see to its payment (payment-pending, payment-denied)"

    def misfit(self, order: Order, world: World, arguments: Arguments) -> str | None:
        """Asked once, and for what is owed."""
        if order.payment_asked:
            return f"a request to the customer of order {order.order_id!r} is written already; see the outbox"
        if order.paid_on_delivery:
            return f"order {order.order_id!r} is paid on delivery: nothing is asked for before"
        if order.state not in PAYMENT_PENDING | PAYMENT_DENIED:
            return f"order {order.order_id!r} has no payment problem; it is {shown(order.status)}"
        if order.total is not None and order.total <= 0:
            total = money(order.total, order.currency)
            return f"order {order.order_id!r} owes nothing (its total is {total}): set its status by hand"
        if gaps(order):
            return f"the amounts of order {order.order_id!r} do not add up: correct them before anybody is asked to pay"
        return None

    def recipient(self, order: Order, world: World, arguments: Arguments) -> Reach:
        """The customer, at the address of the order."""
        return customer_of(order, in_play=world.in_play)

    def text(self, order: Order, world: World, arguments: Arguments) -> Text:
        """That the payment is missing, and of how much."""
        return self.letters.text(self.name, order, world, {}, kept=_KEPT)

    def whole(self, text: Text, arguments: Arguments) -> Text:
        """With the customer's name, and what is owed."""
        return text.completed({name: str(arguments.get(_KEPT[name]) or "") for name in _KEPT})

    def draft(self, text: Text, order: Order, world: World, arguments: Arguments) -> str:
        """For the customer, by whatever else the order knows them."""
        text = self.whole(text, {"order_id": order.order_id, **self._whom(order, world)})
        phone = order.customer_id if _PHONE.fullmatch(order.customer_id) else ""
        return drafted(text, to=order.email or phone or name_of(order) or "the customer")

    def limits(self, order: Order, world: World, arguments: Arguments) -> dict[str, Limit]:
        """What the order says, and nothing else."""
        return {name: Exactly(value=value) for name, value in self._whom(order, world).items()}

    def proposals(
        self, order: Order, world: World, found: Sequence[Finding], moved: dict[str, int]
    ) -> Iterator[Proposal]:
        """The customer of the order is asked."""
        if self.hindrance(order, world, {}) is None:
            text = self.text(order, world, {})
            yield self.proposal(order, {**self._whom(order, world), SUBJECT: text.subject, MESSAGE: text.body}, found)

    def status_after(self, order: Order) -> Change:
        """Asked for."""
        return status_change(order, OrderStatus.PAYMENT_UPDATE_REQUESTED)

    def carry_out(self, job: Job) -> None:
        """Send the message; even the simulated customer only acknowledges it."""
        args = RequestPaymentUpdateArgs.model_validate(job.call.arguments)
        world = job.world()
        to = args.to or customer_of(job.order, in_play=world.in_play).to
        text = self.whole(
            approved_or(args, lambda: self.text(job.order, world, {})),
            {AMOUNT: owed(job.order), **args.model_dump(exclude_defaults=True)},
        )
        set_status(job.raw, OrderStatus.PAYMENT_UPDATE_REQUESTED, job.at)
        job.send(to=to, subject=text.subject, body=text.body, held=args.held)
        job.evidence.append(f"{job.asked} customer {(args.customer_id or to)!r} to see to the payment")
        if job.simulated:
            job.evidence.append(customer_acknowledges(job.raw))
        job.wrote.append(order_ref(args.order_id))

    def shows(self, order: Order, call: ToolCall) -> Postcondition:
        """Asked is not paid, and neither is whatever else became of the order: only its status can say so."""
        status = f"status {shown(order.status)}"
        if order.payment_asked:
            return word(Holding.WAITING, "the customer has been asked and has not paid yet")
        if order.unpaid:
            return word(Holding.NO, f"{status}: not paid, and not asked")
        if order.state in PAID:
            return word(Holding.YES, f"the payment has come in: {status}")
        return word(Holding.UNKNOWN, f"{status} does not say whether the payment came in")

    def _whom(self, order: Order, world: World) -> Arguments:
        """The customer of an order, how it was to be paid, and the address, where the customer's id is another one."""
        to = self.recipient(order, world, {}).to
        return {
            "customer_id": field(order.customer_id),
            "customer_name": field(order.customer_name),
            "original_payment_method": field(order.payment_method),
        } | {
            name: value for name, value in ((AMOUNT, owed(order)), (TO, "" if to == order.customer_id else to)) if value
        }
