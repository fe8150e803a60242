"""What an order can be told of: that it was paid, approved, cancelled, or that its supplier delivered."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, cast

from pydantic import BaseModel, Field

from daper.clock import agreed_now
from daper.core.base import Reply
from daper.core.errors import FactRefused, NotFound
from daper.core.facts import ToldFact
from daper.core.text import shown
from daper.domains.orders.book import Book
from daper.domains.orders.changes import list_of, order_of, stamp
from daper.domains.orders.fact_entry import BY_HAND, FactEntry
from daper.domains.orders.goods_receipt import DeliveredArgs, delivered
from daper.domains.orders.models import Order
from daper.domains.orders.needs import OrderProblem, restricted
from daper.domains.orders.statuses import (
    CANCELLED,
    GIVEN_BACK,
    PAID,
    UNDER_WAY,
    UNPAID,
    WITHDRAWN,
    WITHOUT_APPROVAL,
    OrderStatus,
    normal,
)
from daper.domains.orders.world import Raw, order_ref, stock_ref, world_of
from daper.ports import Fact
from daper.ports.store import Store
from daper.stores.facts import Fits, Known, StoreFacts


class PaidArgs(Reply):
    """Nothing more is said of a payment."""


class ApprovedArgs(Reply):
    """Who approved it; whoever was asked, if nobody is named."""

    approver: str = Field(default="", max_length=200)


class CancelledArgs(Reply):
    """Nothing more is said of a cancellation."""


FACTS: Final = (
    Fact(
        name="paid",
        about="its payment has come in",
        args=PaidArgs,
        answers=(OrderProblem.PAYMENT_PENDING, OrderProblem.PAYMENT_DENIED),
    ),
    Fact(
        name="approved",
        about="its restricted items were approved: by whoever was asked, or by approver",
        args=ApprovedArgs,
        answers=(OrderProblem.RESTRICTED_WITHOUT_APPROVAL,),
        source="approver",
    ),
    Fact(
        name="delivered",
        about="its supplier has delivered: all that is outstanding, or quantity of item",
        args=DeliveredArgs,
        answers=(OrderProblem.INVENTORY_SHORT,),
    ),
    Fact(
        name="cancelled",
        about="its customer has cancelled it",
        args=CancelledArgs,
        answers=tuple(map(str, OrderProblem)),
    ),
)


class OrderFacts(StoreFacts[Book]):
    """The facts that an order takes. `approvers`: who may have approved one that nobody was asked about."""

    def __init__(
        self,
        store: Callable[[], Store[Book]],
        *,
        approvers: Sequence[str],
        clock: Callable[[], datetime] = agreed_now,
    ) -> None:
        super().__init__(store, FACTS, clock=clock)
        self._approvers = approvers

    def refs(self, records: Book, record_id: str) -> Sequence[str]:
        """The order, and the rows of its items: in stock there is more of them, or the order gives its own back."""
        items = records.items(record_id)
        if items is None:
            raise NotFound(f"there is no order {shown(record_id)!r}")
        return (order_ref(record_id), *map(stock_ref, items))

    def today(self, records: Book) -> datetime | None:
        """The day of shipped records."""
        return records.about().as_of

    def judge(self, records: Book, told: ToldFact, args: BaseModel) -> Known | Fits:
        """What it means for the order, by its name."""
        raw = records.order(told.record_id)
        if raw is None:
            raise NotFound(f"there is no order {shown(told.record_id)!r}")
        order = order_of(raw)
        if order.order_date is not None and told.happened_at < order.order_date:
            raise FactRefused(
                f"{told.happened_at.isoformat()} is before order {order.order_id!r} came in, "
                f"on {order.order_date.isoformat()}"
            )
        written = FactEntry(book=records, raw=raw, order=order, told=told)
        match args:
            case ApprovedArgs():
                return _approved(written, args, self._approvers)
            case DeliveredArgs():
                return delivered(written, args)
            case CancelledArgs():
                return _cancelled(written)
            case _:
                return _paid(written)


def _paid(it: FactEntry) -> Known | Fits:
    order = it.order
    if order.state in CANCELLED | GIVEN_BACK | WITHDRAWN:
        raise it.refuse(f"nothing is owed for it; pay the money back, or {BY_HAND}")
    _refuse_unknown(it)
    waits = order.state in UNPAID
    if not waits and (order.state in PAID or any(each["fact"] == "paid" for each in it.entries())):
        return it.known("is paid")
    if order.closed:
        raise it.refuse(f"it is closed; {BY_HAND}")
    after = None
    if waits:
        after = OrderStatus.APPROVAL_REQUESTED if order.approval_asked else OrderStatus.PROCESSING

    def change() -> None:
        it.note("the payment has come in", status=after)

    return Fits(carry_out=lambda: it.deed(change))


def _approved(it: FactEntry, args: ApprovedArgs, approvers: Sequence[str]) -> Known | Fits:
    order = it.order
    if order.state in CANCELLED | GIVEN_BACK | WITHDRAWN:
        raise it.refuse("there is nothing to approve any more")
    _refuse_unknown(it)
    if order.approved:
        return _approved_before(it, args)
    if order.state == "approval-denied":
        raise it.refuse(f"its approval was denied; {BY_HAND}")
    if order.closed:
        raise it.refuse(f"it is closed; {BY_HAND}")
    world = world_of(it.book.records([it.raw]))
    waits = order.approval_asked or order.state in WITHOUT_APPROVAL
    if not waits and not any(restricted(world, item) for item in order.quantities):
        raise it.refuse("nothing of it needs an approval, and none was asked for")
    approver = _approver(order, args.approver, approvers)
    goes_on = order.state == normal(OrderStatus.APPROVAL_REQUESTED) or order.state in WITHOUT_APPROVAL
    after = OrderStatus.APPROVED_PREPARING_SHIPMENT if goes_on else None

    def change() -> None:
        it.raw["approval"] = {"approver": approver, "at": stamp(it.told.happened_at)}
        it.note(f"{shown(approver)} approved the order", status=after, approver=approver)

    return Fits(carry_out=lambda: it.deed(change))


def _approved_before(it: FactEntry, args: ApprovedArgs) -> Known:
    known = it.order.approval.approver if it.order.approval else ""
    if args.approver and known and args.approver != known:
        raise it.refuse(f"it was approved by {shown(known)}, and not by {shown(args.approver)}; {BY_HAND}")
    return it.known(f"is approved{f' by {shown(known)}' if known else ''}")


def _approver(order: Order, named: str, approvers: Sequence[str]) -> str:
    """Who approved it: whoever was asked, or is on the list of those who may. Nobody can be made one by being told."""
    asked = order.approval_request.approver if order.approval_request else ""
    approver = named or asked or (approvers[0] if len(approvers) == 1 else "")
    allowed = [name for name in (asked, *approvers) if name]
    if approver not in allowed:
        told = f"{shown(approver)!r} may not approve it" if approver else "nobody is named who approved it"
        may = ", ".join(map(shown, dict.fromkeys(allowed))) or "nobody yet; name who may in DAPER_ORDERS_APPROVERS"
        raise FactRefused(f"{told}; who may: {may}")
    return approver


def _cancelled(it: FactEntry) -> Known | Fits:
    order = it.order
    if order.state in CANCELLED:
        return it.known("is cancelled")
    if order.closed or order.state in UNDER_WAY:
        raise it.refuse(f"it cannot be cancelled any more; {BY_HAND}")
    _refuse_unknown(it)

    def change() -> None:
        coming: list[str] = []
        raws = list_of(it.raw, "restocks") if order.restocks else []
        for raw, restock in zip(raws, order.restocks, strict=True):
            if restock.on_order:
                coming.append(f"{restock.quantity} x {shown(restock.item_id)}")
            elif restock.delivered and restock.taken:
                # What it took out of the stock for itself is there for others again.
                it.move(restock.item_id, it.item(restock.item_id), restock.taken)
                it.evidence.append(f"{restock.taken} x {shown(restock.item_id)} that it had taken are in stock again")
                cast("Raw", raw)["taken"] = 0
        it.note("the customer cancelled the order", status=OrderStatus.CANCELLED)
        if coming:
            it.evidence.append(f"still on order for it: {', '.join(coming)}; ask the supplier, or tell the delivery")

    return Fits(carry_out=lambda: it.deed(change))


def _refuse_unknown(it: FactEntry) -> None:
    if it.order.unknown:
        raise it.refuse("that status is not known here; set one that is, and tell it again")
