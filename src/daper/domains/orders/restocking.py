"""Restocking: what is ordered from a supplier for one order, and what tells that it came."""

from pydantic import JsonValue

from daper.core.models import Risk
from daper.core.outcomes import Effect, Holding, Postcondition
from daper.domains.orders.arguments import OrderInventoryArgs, ToolName
from daper.domains.orders.changes import forget_statuses, list_of, move_stock, set_status, stock_of
from daper.domains.orders.counterparty import can_complete, supplier_delivers
from daper.domains.orders.fields import LONGEST_ID
from daper.domains.orders.job import Job
from daper.domains.orders.models import Order, Restock
from daper.domains.orders.statuses import OrderStatus
from daper.domains.orders.transaction import word
from daper.domains.orders.undoing import UndoableOrderTool
from daper.domains.orders.wording import field, shown
from daper.domains.orders.world import order_ref, stock_ref
from daper.ports import ToolCall


class OrderInventory(UndoableOrderTool):
    """Orders what an order is short of from the supplier.

    The order takes only the restocked item's quantity out of the stock, once it is delivered: the other lines were in
    stock all along, and the shop's own shipping books them out. Taking them here too would take them twice.
    """

    name = ToolName.ORDER_INVENTORY
    risk = Risk.MEDIUM
    args = OrderInventoryArgs

    def figures(self, job: Job) -> dict[str, JsonValue]:
        """The order's status, and the stock of the item."""
        raw = job.stock_row(str(job.call.arguments["inventory_to_order"]))
        row = stock_of(raw)
        stock: dict[str, JsonValue] = {"current_stock": row.current_stock, "available_stock": row.available}
        if "last_restocked" in raw:
            stock["last_restocked"] = shown(raw["last_restocked"], longest=LONGEST_ID)
        return super().figures(job) | stock

    def keep_originals(self, job: Job) -> None:
        """The order's status, and when the item was last restocked."""
        super().keep_originals(job)
        job.keep(job.stock_row(str(job.call.arguments["inventory_to_order"])), "last_restocked")

    def carry_out(self, job: Job) -> None:
        """Send the order to the supplier and note it; the simulated supplier delivers at once."""
        args, at = OrderInventoryArgs.model_validate(job.call.arguments), job.call.today
        row = job.stock_row(args.inventory_to_order)
        stock = stock_of(row)
        list_of(job.raw, "restocks").append(
            {"item_id": args.inventory_to_order, "quantity": args.quantity, "state": "ordered", "key": job.call.key}
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
            job.give_back(row, "last_restocked")
        completed = effect.after.get("status") == OrderStatus.COMPLETED
        forget_statuses(job.raw, changes=2 if completed else 1)
        job.give_back(job.raw, "status")
        job.send(
            to=field(stock_of(row).supplier_contact),
            subject=f"Cancelled: order of {args.quantity} x {args.inventory_to_order}",
            body=f"Please cancel our order of {args.quantity} x {args.inventory_to_order}; it did not help.",
            key=key,
        )
        job.evidence.append(f"cancelled {args.quantity} x {args.inventory_to_order!r} with the supplier")

    def judge(self, order: Order, call: ToolCall) -> Postcondition:
        """The restock of this very call is on the order: delivered in full, or still awaited."""
        item, quantity = shown(call.arguments["inventory_to_order"]), call.arguments["quantity"]
        status = f"status {shown(order.status)}"
        restock = _restock_of(order, call)
        if restock is None:
            return word(Holding.NO, f"no restock of {quantity} x {item} of this repair; {status}")
        if restock.on_order and not order.closed:
            return word(Holding.WAITING, f"{quantity} x {item} is ordered and not yet delivered")
        if restock.delivered and restock.quantity == quantity:
            return word(Holding.YES, f"{quantity} x {item} was delivered; {status}")
        what = f"{restock.quantity} x {item} is {shown(restock.state)}, {quantity} were ordered"
        return word(Holding.UNKNOWN, f"{what}; {status}")


def _restock_of(order: Order, call: ToolCall) -> Restock | None:
    """The restock that this call ordered; one without a key, of before there were any, if it is of the same amount."""
    item, quantity = call.arguments["inventory_to_order"], call.arguments["quantity"]
    found = [restock for restock in order.restocks if restock.item_id == item]
    by_key = (restock for restock in found if restock.key == call.key)
    by_amount = (restock for restock in found if not restock.key and restock.quantity == quantity)
    return next(by_key, None) or next(by_amount, None)
