"""Putting an order on hold, for a person to look at."""

from collections.abc import Iterable, Iterator, Sequence
from types import MappingProxyType

from daper.core.base import Reply
from daper.core.limits import Limit, OneOf
from daper.core.models import Change, Finding, Proposal, Risk
from daper.core.outcomes import Effect, Holding, Postcondition
from daper.core.text import shown
from daper.domains.orders.changes import forget_statuses, set_status
from daper.domains.orders.lookalikes import difference
from daper.domains.orders.models import Order
from daper.domains.orders.needs import OrderProblem, hold_reasons, is_prohibited, misspelt_items
from daper.domains.orders.statuses import OrderStatus
from daper.domains.orders.tools.job import Job
from daper.domains.orders.tools.order_tool import Arguments, UndoableOrderTool, status_change, word
from daper.domains.orders.world import World, order_ref
from daper.ports import ToolCall


class HoldOrderArgs(Reply):
    """Which order to put on hold, and which problem is the reason."""

    order_id: str
    reason: str


class HoldOrder(UndoableOrderTool):
    """Puts an order on hold, for a person to look at."""

    name = "hold_order"
    risk = Risk.LOW
    args = HoldOrderArgs
    parks = True
    answers = MappingProxyType({OrderProblem.PROHIBITED_ITEM: 0.9, OrderProblem.UNKNOWN_ITEM: 0.85})
    why = "Nothing may be shipped before a person has looked at the items of this order."
    about = (
        "puts an order with a prohibited or unknown item on hold for a person, and is then the only tool for that "
        "order; reason is the kind of problem"
    )

    def misfit(self, order: Order, world: World, arguments: Arguments) -> str | None:
        """An order that may be shipped needs no hold."""
        if hold_reasons(order, world):
            return None
        for item, other in misspelt_items(order, world).items():
            told = f"{difference(item, other)}: correct one of them"
            return f"the inventory has {shown(other)!r} for {shown(item)!r} of order {order.order_id!r}, {told}"
        return f"order {order.order_id!r} has no prohibited or unknown item"

    def limits(self, order: Order, world: World, arguments: Arguments) -> dict[str, Limit]:
        """One of the reasons that there are."""
        return {"reason": OneOf(values=tuple(str(reason) for reason in hold_reasons(order, world)))}

    def proposals(
        self, order: Order, world: World, found: Sequence[Finding], moved: dict[str, int]
    ) -> Iterator[Proposal]:
        """A hold, for the first reason."""
        if self.obstacle(order, world, {}) is None:
            yield self.proposal(order, {"reason": str(hold_reasons(order, world)[0])}, found)

    def items_read(self, order: Order, world: World) -> Iterable[str]:
        """The prohibited items; of an unknown one there is no row."""
        return (item for item in order.quantities if is_prohibited(world, item))

    def status_after(self, order: Order) -> Change:
        """On hold."""
        return status_change(order, OrderStatus.ON_HOLD)

    def carry_out(self, job: Job) -> None:
        """Set the status; nobody is told but the reader of the report."""
        args = HoldOrderArgs.model_validate(job.call.arguments)
        set_status(job.raw, OrderStatus.ON_HOLD, job.at)
        job.evidence.append(f"order {args.order_id!r} is on hold: {args.reason}")
        job.wrote.append(order_ref(args.order_id))

    def revoke(self, job: Job, effect: Effect) -> None:
        """Give the order its status back."""
        forget_statuses(job.raw, changes=1)
        job.give_back(job.raw, "status")
        job.evidence.append(f"order {job.call.record_id!r} is no longer on hold")

    def shows(self, order: Order, call: ToolCall) -> Postcondition:
        """On hold is not repaired: it is a person's turn."""
        if order.parked:
            return word(Holding.WAITING, "on hold; a person has to decide what becomes of it")
        if order.closed:
            return word(Holding.UNKNOWN, f"somebody closed the order: status {shown(order.status)}")
        return word(Holding.NO, f"not on hold: status {shown(order.status)}")
