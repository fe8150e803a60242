"""Restocking: ordering from a supplier what one order is short of."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from math import ceil, floor
from types import MappingProxyType
from typing import Final

from pydantic import JsonValue

from daper.core.limits import Between, Exactly, Limit
from daper.core.models import Change, Finding, Proposal, Risk
from daper.core.outcomes import Effect, Holding, Postcondition
from daper.core.text import shown
from daper.domains.orders.addresses import Reach, supplier_of
from daper.domains.orders.changes import forget_statuses, list_of, move_stock, set_status, stock_of
from daper.domains.orders.counterparty import can_complete, supplier_delivers
from daper.domains.orders.fields import LONGEST_ID, as_json, number
from daper.domains.orders.letters import drafted
from daper.domains.orders.models import Order, Restock, StockRow
from daper.domains.orders.needs import OrderProblem, share_of, short_items, unapproved_items
from daper.domains.orders.rules import restock_fingerprint
from daper.domains.orders.statuses import OrderStatus
from daper.domains.orders.texts import Text, shipped
from daper.domains.orders.tools.job import Job
from daper.domains.orders.tools.order_tool import Arguments, UndoableOrderTool, approved_or, status_change, word
from daper.domains.orders.tools.written import MESSAGE, SUBJECT, TO, UNDO_MESSAGE, UNDO_SUBJECT, Made, Written
from daper.domains.orders.wording import field
from daper.domains.orders.world import Raw, World, order_ref, stock_ref
from daper.ports import ToolCall

# What a text names, and the argument that it stands for. The quantity is the one that is approved.
_KEPT: Final = MappingProxyType(
    {
        "order_id": "order_id",
        "item_id": "inventory_to_order",
        "item_name": "inventory_description",
        "quantity": "quantity",
    }
)
_UNDO: Final = "order_inventory_undo"
_TOO_MANY = 10**12  # a number that a model made up may be too long even to be written


class OrderInventoryArgs(Written):
    """What to order from the supplier for an order that is short of it, and how much."""

    order_id: str
    inventory_to_order: str
    inventory_description: str
    quantity: int
    undo_subject: Made = ""
    undo_message: Made = ""


def _cancelling(args: OrderInventoryArgs) -> Text:
    """The text of an undo as it was approved; where none of a person's own was, that which ships."""
    if args.undo_subject and args.undo_message:
        return Text(subject=args.undo_subject, body=args.undo_message)
    names = dict.fromkeys(_KEPT, "known")
    return shipped(_UNDO).filled(names, kept=_KEPT)


class OrderInventory(UndoableOrderTool):
    """Orders what an order is short of from the supplier.

    The order takes only the restocked item's quantity out of the stock, once it is delivered: the other lines were in
    stock all along, and the shop's own shipping books them out. Taking them here too would take them twice.
    """

    name = "order_inventory"
    risk = Risk.MEDIUM
    args = OrderInventoryArgs
    texts = (SUBJECT, MESSAGE, UNDO_SUBJECT, UNDO_MESSAGE)
    answers = MappingProxyType({OrderProblem.INVENTORY_SHORT: 0.95})
    why = "The order cannot be completed from the stock; the supplier has to bring the rest."
    about = (
        "orders from the supplier what a paid order is short of (inventory-short): inventory_to_order is the item_id, "
        "quantity at least what is missing and at most what max_stock_level allows, usually reorder_quantity"
    )

    def misfit(self, order: Order, world: World, arguments: Arguments) -> str | None:
        """A paid order that is short of the item, and room for what comes."""
        if order.unpaid:
            return f"order {order.order_id!r} is not paid; restock once it is"
        if unapproved_items(order, world):
            return f"order {order.order_id!r} waits for an approval; restock once it is given"
        item, short = arguments.get("inventory_to_order"), short_items(order, world)
        if not isinstance(item, str) or item not in short:
            return _not_short(order, world, item, short)
        if (unclear := order.unclear_restock(item)) is not None:
            return (
                f"{unclear.quantity} x {shown(item)} were ordered already, and {_how(unclear)}: find out what came of "
                "it, and say in the restock how many were delivered, or that it was cancelled"
            )
        row = world.stock[item]
        named = f"{item!r} ({shown(row.item_name or 'without a name', longest=40)})"
        least, most = quantity_bounds(order, world, row)
        if least > most:
            reserved = f"{row.reserved_stock} of {row.current_stock} are reserved"
            return (
                f"{least} of {named} are missing, but its max_stock_level {row.max_stock_level} leaves room for "
                f"{max(0, most)}: {reserved}; release some, or raise the level"
            )
        return None

    def recipient(self, order: Order, world: World, arguments: Arguments) -> Reach:
        """The supplier of the item."""
        row = world.stock[str(arguments.get("inventory_to_order"))]
        return supplier_of(row, self.letters.addresses.suppliers, in_play=world.in_play)

    def text(self, order: Order, world: World, arguments: Arguments) -> Text:
        """What to deliver; how much of it a person may still change."""
        return self._text(self.name, order, world, arguments)

    def undo_texts(self, order: Order, world: World, arguments: Arguments) -> dict[str, str]:
        """The words by which it is cancelled, where they are a person's own: they are approved with the order."""
        if _UNDO not in self.letters.templates.own():
            return {}
        text = self._text(_UNDO, order, world, arguments)
        return {UNDO_SUBJECT: text.subject, UNDO_MESSAGE: text.body}

    def _text(self, template: str, order: Order, world: World, arguments: Arguments) -> Text:
        row = world.stock[str(arguments.get("inventory_to_order"))]
        about = {"item_id": row.item_id, "item_name": row.item_name, "supplier": row.supplier}
        about["quantity"] = "as many as are approved"
        return self.letters.text(template, order, world, about, kept=_KEPT)

    def whole(self, text: Text, arguments: Arguments) -> Text:
        """With the item, and how much of it."""
        return text.completed({name: str(arguments.get(_KEPT[name]) or "") for name in _KEPT})

    def draft(self, text: Text, order: Order, world: World, arguments: Arguments) -> str:
        """For the supplier, by name if there is one, with the usual quantity."""
        row = world.stock[str(arguments.get("inventory_to_order"))]
        usual: Arguments = {
            "order_id": order.order_id,
            "inventory_to_order": row.item_id,
            "inventory_description": row.item_name,
            "quantity": _usual(order, world, row, moved=0),
        }
        return drafted(self.whole(text, usual), to=row.supplier or "the supplier")

    def limits(self, order: Order, world: World, arguments: Arguments) -> dict[str, Limit]:
        """The item that is short, and as much as is missing and there is room for."""
        row = world.stock[str(arguments.get("inventory_to_order"))]
        least, most = quantity_bounds(order, world, row)
        return {
            "inventory_to_order": Exactly(value=row.item_id),
            "inventory_description": Exactly(value=field(row.item_name)),
            "quantity": Between(minimum=least, maximum=most),
            TO: Exactly(value=self.recipient(order, world, arguments).to),
        }

    def proposals(
        self, order: Order, world: World, found: Sequence[Finding], moved: dict[str, int]
    ) -> Iterator[Proposal]:
        """One for each item: what earlier orders take off the shelf is counted."""
        by_fingerprint = {finding.fingerprint: finding for finding in found}
        for item in short_items(order, world):
            finding = by_fingerprint.get(restock_fingerprint(order, item))
            if finding is None or self.hindrance(order, world, {"inventory_to_order": item}) is not None:
                continue
            row, text = world.stock[item], self.text(order, world, {"inventory_to_order": item})
            quantity = _usual(order, world, row, moved=moved.get(item, 0))
            arguments: Arguments = {
                "inventory_to_order": item,
                "inventory_description": field(row.item_name),
                "quantity": quantity,
                TO: self.recipient(order, world, {"inventory_to_order": item}).to,
                SUBJECT: text.subject,
                MESSAGE: text.body,
                **self.undo_texts(order, world, {"inventory_to_order": item}),
            }
            moved[item] = moved.get(item, 0) + quantity - ceil(order.need(item))
            yield self.proposal(order, arguments, [finding])

    def about_finding(self, finding: Finding, order: Order, world: World) -> Arguments | None:
        """The item of a finding."""
        for item in short_items(order, world):
            if restock_fingerprint(order, item) == finding.fingerprint:
                return {"inventory_to_order": item}
        return None

    def findings(self, order: Order, arguments: Arguments) -> frozenset[str]:
        """That this item is short, and no other."""
        return frozenset({restock_fingerprint(order, str(arguments.get("inventory_to_order")))})

    def items_read(self, order: Order, world: World) -> Iterable[str]:
        """All items of the order: whether it can be completed depends on each."""
        return order.quantities

    def spends(self, world: World, arguments: Arguments) -> Decimal | None:
        """Quantity times the price of one."""
        row, quantity = world.stock[str(arguments.get("inventory_to_order"))], _quantity(arguments)
        # A price that is missing or below nothing is a gap in the records, not a gift; one in other money adds up to
        # none.
        if row.unit_cost is None or row.unit_cost < 0 or row.in_other_money or quantity is None:
            return None
        return row.unit_cost * quantity

    def status_after(self, order: Order) -> Change:
        """Ordered."""
        return status_change(order, OrderStatus.RESTOCK_ORDERED)

    def preview(self, order: Order, world: World, arguments: Arguments) -> tuple[Change, ...]:
        """The order, and the stock once it is delivered."""
        row, quantity = world.stock[str(arguments.get("inventory_to_order"))], _quantity(arguments)
        if quantity is None:
            return super().preview(order, world, arguments)
        if row.current_stock is None:
            return super().preview(order, world, arguments)
        full = number(row.current_stock + quantity)
        after = f"{full} when delivered, {number(full - order.need(row.item_id))} when this order has its own"
        stock = Change(record=stock_ref(row.item_id), field="current_stock", before=str(row.current_stock), after=after)
        return (*super().preview(order, world, arguments), stock)

    def leaves(self, order: Order, world: World, arguments: Arguments) -> tuple[Order, StockRow | None]:
        """Delivered, and with its own taken by the order."""
        after, _ = super().leaves(order, world, arguments)
        row, quantity = world.stock[str(arguments.get("inventory_to_order"))], _quantity(arguments)
        if quantity is None:
            return after, None
        need = order.need(row.item_id)
        came = Restock(item_id=row.item_id, quantity=quantity, state="delivered", taken=need)
        more = {
            name: number(much + quantity - need)
            for name in ("current_stock", "available_stock")
            if (much := getattr(row, name)) is not None
        }
        return after.model_copy(update={"restocks": (*order.restocks, came)}), row.model_copy(update=more)

    def figures(self, job: Job) -> dict[str, JsonValue]:
        """The order's status, and the stock of the item."""
        raw = job.stock_row(str(job.call.arguments["inventory_to_order"]))
        row = stock_of(raw)
        stock: dict[str, JsonValue] = {
            "current_stock": as_json(row.current_stock),
            "available_stock": as_json(row.available),
        }
        if "last_restocked" in raw:
            stock["last_restocked"] = shown(raw["last_restocked"], longest=LONGEST_ID)
        return super().figures(job) | stock

    def keep_originals(self, job: Job) -> None:
        """The order's status, and when the item was last restocked."""
        super().keep_originals(job)
        job.keep(job.stock_row(str(job.call.arguments["inventory_to_order"])), "last_restocked")

    def carry_out(self, job: Job) -> None:
        """Send the order to the supplier and note it; the simulated supplier delivers at once."""
        args, at = OrderInventoryArgs.model_validate(job.call.arguments), job.at
        row = job.stock_row(args.inventory_to_order)
        world, about = job.world(), {"inventory_to_order": args.inventory_to_order}
        to = self._to(args, row, job)
        text = self.whole(approved_or(args, lambda: self.text(job.order, world, about)), args.model_dump())
        list_of(job.raw, "restocks").append(
            {"item_id": args.inventory_to_order, "quantity": args.quantity, "state": "ordered", "key": job.call.key}
        )
        set_status(job.raw, OrderStatus.RESTOCK_ORDERED, at)
        job.send(to=to, subject=text.subject, body=text.body, held=args.held)
        what = f"{args.quantity} x {args.inventory_to_order!r}"
        job.evidence.append(f"ordered {what} from {to}" if job.simulated else f"wrote to {to} to order {what}")
        job.wrote.append(order_ref(args.order_id))
        if job.simulated:
            job.evidence.append(supplier_delivers(job.raw, row, quantity=args.quantity, at=at))
            job.wrote.append(stock_ref(args.inventory_to_order))
            if can_complete(job.raw, job.world()):
                set_status(job.raw, OrderStatus.COMPLETED, at)

    def revoke(self, job: Job, effect: Effect) -> None:
        """Cancel with the supplier; what was delivered goes back, and the order gets its own into the stock again."""
        args = OrderInventoryArgs.model_validate(job.call.arguments)
        row, last = job.stock_row(args.inventory_to_order), job.order.restocks[-1]
        restocks = list_of(job.raw, "restocks")
        del restocks[-1]
        if not restocks:
            del job.raw["restocks"]
        if not last.on_order:
            move_stock(row, current=number((last.taken or 0) - last.quantity))
            job.give_back(row, "last_restocked")
        completed = effect.after.get("status") == OrderStatus.COMPLETED
        forget_statuses(job.raw, changes=2 if completed else 1)
        job.give_back(job.raw, "status")
        text = self.whole(_cancelling(args), args.model_dump())
        job.send(to=self._to(args, row, job), subject=text.subject, body=text.body)
        what = f"{args.quantity} x {args.inventory_to_order!r}"
        job.evidence.append(
            f"cancelled {what} with the supplier" if job.simulated else f"wrote to the supplier to cancel {what}"
        )

    def _to(self, args: OrderInventoryArgs, row: Raw, job: Job) -> str:
        """Whom it was approved to write to; in plans of before that was in them, whom the row names."""
        if args.to:
            return args.to
        return supplier_of(stock_of(row), self.letters.addresses.suppliers, in_play=job.simulated).to

    def shows(self, order: Order, call: ToolCall) -> Postcondition:
        """The restock of this very call is on the order: delivered in full, or still awaited."""
        item, quantity = shown(call.arguments["inventory_to_order"]), call.arguments["quantity"]
        status = f"status {shown(order.status)}"
        ours = _restocks_of(order, call)
        if not ours:
            return word(Holding.NO, f"no restock of {quantity} x {item} of this repair; {status}")
        came = number(sum(each.quantity for each in ours if each.delivered))
        if any(each.on_order for each in ours) and not order.closed:
            so_far = f"{came} of {quantity} x {item} were delivered, the rest is" if came else f"{quantity} x {item} is"
            return word(Holding.WAITING, f"{so_far} ordered and not yet delivered")
        if all(each.delivered for each in ours) and came == quantity:
            return word(Holding.YES, f"{quantity} x {item} was delivered; {status}")
        what = ", ".join(f"{each.quantity} x {item} is {shown(each.state)}" for each in ours)
        return word(Holding.UNKNOWN, f"{what}, {quantity} were ordered; {status}")


def quantity_bounds(order: Order, world: World, row: StockRow) -> tuple[int, int]:
    """The least and the most that may be ordered of an item for an order.

    The least covers the shortfall; with the most, the stock just reaches its maximum once the order took its own. The
    most may be below the least: then no quantity is right.
    """
    need, share = order.need(row.item_id), share_of(order, world, row.item_id) or 0
    least = ceil(need - share)
    if row.max_stock_level is None:
        return least, max(least, floor(row.reorder_quantity))
    on_shelf = (row.available or 0) if row.current_stock is None else row.current_stock
    # What earlier orders take leaves the shelf too.
    gone = (row.available or 0) - share
    return least, floor(row.max_stock_level - on_shelf + gone + need)


def _usual(order: Order, world: World, row: StockRow, *, moved: int) -> int:
    """The usual quantity, if it is enough: also when the orders before this one have taken theirs off the shelf."""
    least, most = quantity_bounds(order, world, row)
    return min(most, max(least, min(most - max(0, moved), floor(row.reorder_quantity))))


def _quantity(arguments: Arguments) -> int | None:
    quantity = arguments.get("quantity")
    if isinstance(quantity, bool) or not isinstance(quantity, int):
        return None
    return quantity if 0 <= quantity < _TOO_MANY else None


def _not_short(order: Order, world: World, item: JsonValue, short: Sequence[str]) -> str:
    told = f"order {order.order_id!r} is not short of"
    if not isinstance(item, str) or item not in order.quantities or item not in world.stock:
        what = shown(item) if isinstance(item, str) else "nothing named"
        return f"{told} {what}; it is short of: {', '.join(short) or 'nothing'}"
    if order.waits_for_restock(item):
        return f"{told} {shown(item)} now: a restock of it is on its way already"
    need, available = order.need(item), share_of(order, world, item)
    if available is None:
        return f"{told} {shown(item)}: nobody counts what is in stock of it"
    return f"{told} {shown(item)} now: it needs {need}, and {available} are available; let it go on"


def _how(restock: Restock) -> str:
    if not restock.state:
        return "that restock says nothing of its state"
    return f"that restock is {shown(restock.state)!r}"


def _restocks_of(order: Order, call: ToolCall) -> tuple[Restock, ...]:
    """What this call ordered: several where it came in parts; one without a key, of before there were any, if it fits.

    It fits that is of the same amount.
    """
    item, quantity = call.arguments["inventory_to_order"], call.arguments["quantity"]
    found = [restock for restock in order.restocks if restock.item_id == item]
    by_key = tuple(restock for restock in found if restock.key == call.key)
    return by_key or tuple(restock for restock in found if not restock.key and restock.quantity == quantity)[:1]
