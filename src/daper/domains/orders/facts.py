"""What an order can be told of: that it was paid, approved, cancelled, or that its supplier delivered."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final, cast

from pydantic import BaseModel, Field, JsonValue, PlainValidator

from daper.clock import agreed_now
from daper.core.base import Reply
from daper.core.errors import FactRefused, NotFound
from daper.core.facts import ToldFact
from daper.core.text import shown
from daper.domains.orders.book import Book
from daper.domains.orders.changes import list_of, move_stock, order_of, stamp, stock_of
from daper.domains.orders.fields import Number, as_json, number
from daper.domains.orders.models import Order
from daper.domains.orders.needs import OrderProblem, restricted, share_of
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
    takes_stock,
)
from daper.domains.orders.world import Raw, order_ref, stock_ref, world_of
from daper.ports import Fact
from daper.ports.store import Store
from daper.stores import jsontext
from daper.stores.facts import Fits, Known, StoreFacts
from daper.stores.once import Deed

HISTORY: Final = "status_history"
_BY_HAND: Final = "if it is so all the same, set it right by hand"
_TOO_MANY: Final = 10**12


def _quantity(value: object) -> Number:
    """How many, as somebody types it or a program sends it."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError("must be a number above 0")  # noqa: TRY004 - pydantic turns only ValueError into a finding
    try:
        many = Decimal(str(value))
    except InvalidOperation:
        raise ValueError("must be a number above 0") from None
    if not many.is_finite() or not 0 < many < _TOO_MANY:
        raise ValueError("must be a number above 0")
    return number(many)


def _quantity_or_none(value: object) -> Number | None:
    return None if value is None else _quantity(value)


class PaidArgs(Reply):
    """Nothing more is said of a payment."""


class ApprovedArgs(Reply):
    """Who approved it; whoever was asked, if nobody is named."""

    approver: str = Field(default="", max_length=200)


class DeliveredArgs(Reply):
    """What its supplier brought. All that is outstanding, if nothing is named."""

    item: str = Field(default="", max_length=200)
    quantity: Annotated[
        Number | None, PlainValidator(_quantity_or_none, json_schema_input_type=int | float | str | None)
    ] = None


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
        written = _Writing(book=records, raw=raw, order=order, told=told)
        match args:
            case ApprovedArgs():
                return _approved(written, args, self._approvers)
            case DeliveredArgs():
                return _delivered(written, args)
            case CancelledArgs():
                return _cancelled(written)
            case _:
                return _paid(written)


@dataclass(kw_only=True)
class _Writing:
    """One fact, and what is written of it into the raw rows, which are changed in place."""

    book: Book
    raw: Raw
    order: Order
    told: ToldFact
    before: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    after: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    wrote: list[str] = field(default_factory=list[str])
    evidence: list[str] = field(default_factory=list[str])

    @property
    def named(self) -> str:
        return f"order {self.order.order_id!r}"

    @property
    def who(self) -> str:
        """From whom it comes, in words."""
        by = f"{self.told.by.name} ({self.told.by.how})"
        return f"{self.told.source}, says {by}" if self.told.source else by

    def refuse(self, why: str) -> FactRefused:
        return FactRefused(f"{self.named} is {shown(self.order.status) or 'without a status'}: {why}")

    def entries(self) -> list[Raw]:
        """What was told of it before, as its history has it."""
        history = self.raw.get(HISTORY)
        there = cast("list[object]", history) if isinstance(history, list) else []
        return [cast("Raw", each) for each in there if isinstance(each, dict) and "fact" in each]

    def known(self, what: str) -> Known:
        """It is so already; who told it, where somebody did."""
        entry = next((each for each in reversed(self.entries()) if each["fact"] == self.told.fact), None)
        since = f"; told by {shown(entry.get('by'))} on {shown(entry.get('told'))}" if entry else ""
        return Known(since=f"{self.named} {what} already: status {shown(self.order.status) or 'none'}{since}")

    def deed(self, change: Callable[[], None]) -> Deed:
        """Change the rows, bring the summary up to date, and say what was done."""
        self.before["status"] = shown(self.raw.get("status") or "")
        originals = {name: self.raw[name] for name in ("status",) if name in self.raw}
        change()
        self.after["status"] = shown(self.raw.get("status") or "")
        self.wrote.insert(0, order_ref(self.order.order_id))
        self.book.sum_up()
        return Deed(
            before=self.before,
            after=self.after,
            wrote=self.wrote,
            evidence=self.evidence,
            originals=jsontext.dump(originals).decode(),
        )

    def note(self, what: str, *, status: OrderStatus | None, **more: object) -> None:
        """The entry in the order's history, with the status that it has from then on."""
        if status is not None:
            self.raw["status"] = str(status)
        told = self.told
        entry: Raw = {
            "status": str(self.raw.get("status") or ""),
            "at": stamp(told.happened_at),
            "by": told.by.name,
            "how": str(told.by.how),
            "door": told.door,
            "told": stamp(told.told_at),
            "fact": told.fact,
        }
        if told.source:
            entry["from"] = told.source
        list_of(self.raw, HISTORY).append(entry | more)
        self.evidence.insert(0, f"{what}, on {told.happened_at:%Y-%m-%d %H:%M} UTC; told by {self.who}, {told.door}")

    def item(self, item_id: str) -> Raw:
        """The raw row of an item in the inventory."""
        row = self.book.stock(item_id)
        if row is None:
            raise FactRefused(f"{shown(item_id)!r} is not in the inventory; add it there, with what is in stock of it")
        return row

    def move(self, item_id: str, row: Raw, by: Number) -> None:
        """More of an item in stock, or less."""
        stock = f"stock of {shown(item_id)}"
        self.before.setdefault(stock, as_json(stock_of(row).current_stock))
        move_stock(row, current=by)
        self.after[stock] = as_json(stock_of(row).current_stock)
        if stock_ref(item_id) not in self.wrote:
            self.wrote.append(stock_ref(item_id))


def _paid(it: _Writing) -> Known | Fits:
    order = it.order
    if order.state in CANCELLED | GIVEN_BACK | WITHDRAWN:
        raise it.refuse(f"nothing is owed for it; pay the money back, or {_BY_HAND}")
    _refuse_unknown(it)
    waits = order.state in UNPAID
    if not waits and (order.state in PAID or any(each["fact"] == "paid" for each in it.entries())):
        return it.known("is paid")
    if order.closed:
        raise it.refuse(f"it is closed; {_BY_HAND}")
    after = None
    if waits:
        after = OrderStatus.APPROVAL_REQUESTED if order.approval_asked else OrderStatus.PROCESSING

    def change() -> None:
        it.note("the payment has come in", status=after)

    return Fits(carry_out=lambda: it.deed(change))


def _approved(it: _Writing, args: ApprovedArgs, approvers: Sequence[str]) -> Known | Fits:
    order = it.order
    if order.state in CANCELLED | GIVEN_BACK | WITHDRAWN:
        raise it.refuse("there is nothing to approve any more")
    _refuse_unknown(it)
    if order.approved:
        return _approved_before(it, args)
    if order.state == "approval-denied":
        raise it.refuse(f"its approval was denied; {_BY_HAND}")
    if order.closed:
        raise it.refuse(f"it is closed; {_BY_HAND}")
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


def _approved_before(it: _Writing, args: ApprovedArgs) -> Known:
    known = it.order.approval.approver if it.order.approval else ""
    if args.approver and known and args.approver != known:
        raise it.refuse(f"it was approved by {shown(known)}, and not by {shown(args.approver)}; {_BY_HAND}")
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


def _cancelled(it: _Writing) -> Known | Fits:
    order = it.order
    if order.state in CANCELLED:
        return it.known("is cancelled")
    if order.closed or order.state in UNDER_WAY:
        raise it.refuse(f"it cannot be cancelled any more; {_BY_HAND}")
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


@dataclass(frozen=True, kw_only=True)
class _Part:
    """So many of one restock, by its place in the order."""

    place: int
    item_id: str
    quantity: Number
    whole: bool


def _delivered(it: _Writing, args: DeliveredArgs) -> Known | Fits:
    order = it.order
    if args.item and args.item not in order.quantities:
        items = ", ".join(map(shown, order.quantities)) or "none"
        raise FactRefused(f"{shown(args.item)!r} is no item of {it.named}; its items: {items}")
    ours = [each for each in order.restocks if not args.item or each.item_id == args.item]
    what = f" of {shown(args.item)}" if args.item else ""
    if not ours:
        raise it.refuse(f"nothing{what} was ordered from a supplier for it, by what its restocks say; {_BY_HAND}")
    waiting = dict.fromkeys(each.item_id for each in ours if each.on_order)
    if args.quantity is not None and not args.item and len(waiting or {each.item_id: None for each in ours}) > 1:
        raise FactRefused(f"of which item? Outstanding for {it.named}: {_outstanding(order)}")
    if args.quantity is not None and (entry := _told_before(it, args)) is not None:
        again = "; if this is another delivery, say when it came" if it.told.request_key == "" else ""
        return Known(
            since=f"that {args.quantity}{what} came is already known: told by {shown(entry.get('by'))} "
            f"on {shown(entry.get('told'))}{again}"
        )
    if not waiting:
        if args.quantity is None and all(each.delivered for each in ours):
            return it.known(f"has all that was ordered{what} for it")
        raise it.refuse(f"nothing{what} is outstanding of what was ordered for it; its restocks: {_restocks(order)}")
    parts = _parts(it, args, next(iter(waiting)))

    def change() -> None:
        _bring(it, parts)

    return Fits(carry_out=lambda: it.deed(change))


def _parts(it: _Writing, args: DeliveredArgs, first: str) -> list[_Part]:
    """What of which restock, the oldest first. Raises FactRefused for more than is outstanding."""
    item = args.item or (first if args.quantity is not None else "")
    left, parts = args.quantity, list[_Part]()
    for place, each in enumerate(it.order.restocks):
        if not each.on_order or (item and each.item_id != item) or left == 0:
            continue
        many = each.quantity if left is None else min(left, each.quantity)
        left = None if left is None else number(left - many)
        parts.append(_Part(place=place, item_id=each.item_id, quantity=many, whole=many == each.quantity))
    if left:
        raise FactRefused(
            f"{args.quantity} x {shown(item)} are more than is outstanding for {it.named}: {_outstanding(it.order)}"
        )
    return parts


def _bring(it: _Writing, parts: Sequence[_Part]) -> None:
    """More in stock; with the last of an item the order takes its own out of it, as far as there is enough."""
    restocks, world, order = list_of(it.raw, "restocks"), world_of(it.book.records([it.raw])), it.order
    came: dict[str, Number] = {}
    for part in parts:
        came[part.item_id] = number(came.get(part.item_id, 0) + part.quantity)
    split: list[tuple[int, Raw]] = []
    last: dict[str, Raw] = {}
    for part in parts:
        raw = cast("Raw", restocks[part.place])
        if not part.whole:
            split.append((part.place, {**raw, "quantity": number(order.restocks[part.place].quantity - part.quantity)}))
        raw.update({"quantity": part.quantity, "state": "delivered", "taken": 0})
        last[part.item_id] = raw
    for place, rest in reversed(split):
        restocks.insert(place + 1, rest)
    after = order_of(it.raw)
    for item, many in came.items():
        row, taken = it.item(item), 0
        if takes_stock(order.state) and not any(each.on_order and each.item_id == item for each in after.restocks):
            need, share = order.need(item), share_of(order, world, item)
            taken = need if share is None else number(min(need, max(0, share + many)))
            last[item]["taken"] = taken
        it.move(item, row, number(many - taken))
        row["last_restocked"] = stamp(it.told.happened_at)
        it.evidence.append(f"{many} x {shown(item)} came into the stock; the order took {taken} out of it")
    rest = order_of(it.raw)
    if any(each.on_order for each in rest.restocks):
        it.evidence.append(f"still outstanding: {_outstanding(rest)}")
    goes_on = order.state == normal(OrderStatus.RESTOCK_ORDERED) and not any(each.on_order for each in rest.restocks)
    listed = ", ".join(f"{many} x {shown(item)}" for item, many in came.items())
    it.note(
        f"the supplier delivered {listed}",
        status=OrderStatus.PROCESSING if goes_on else None,
        delivered=dict(came),
        keys=[order.restocks[part.place].key for part in parts],
    )


def _told_before(it: _Writing, args: DeliveredArgs) -> Raw | None:
    """The same part of the same restock, told without a name of its own: it is the same delivery, told twice.

    One that came at another time, and says so, is another one.
    """
    if it.told.request_key:
        return None
    waits = next((each for each in it.order.restocks if each.on_order and each.item_id in (args.item, "")), None)
    for entry in it.entries():
        delivered = entry.get("delivered")
        if entry["fact"] != "delivered" or not isinstance(delivered, dict):
            continue
        found = cast("Raw", delivered)
        if len(found) != 1 or (args.item and args.item not in found) or args.quantity not in found.values():
            continue
        keys = entry.get("keys")
        of_it = waits is None or (isinstance(keys, list) and waits.key in keys)
        if entry.get("at") == stamp(it.told.happened_at) if it.told.timed else of_it:
            return entry
    return None


def _outstanding(order: Order) -> str:
    waiting: dict[str, Number] = {}
    for each in order.restocks:
        if each.on_order:
            waiting[each.item_id] = number(waiting.get(each.item_id, 0) + each.quantity)
    return ", ".join(f"{many} x {shown(item)}" for item, many in waiting.items()) or "nothing"


def _restocks(order: Order) -> str:
    return ", ".join(f"{each.quantity} x {shown(each.item_id)} {shown(each.state)}" for each in order.restocks[:5])


def _refuse_unknown(it: _Writing) -> None:
    if it.order.unknown:
        raise it.refuse("that status is not known here; set one that is, and tell it again")
