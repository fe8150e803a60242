"""A shop with as many problems as wanted: each repair gets four orders of its own, some items are fought over."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import cast

from daper.core.outcomes import Effect, OutcomeStatus
from daper.domains.orders import shipped
from daper.domains.orders.counterparty import SIMULATED
from daper.domains.orders.models import Order, StockRow
from daper.domains.orders.tools.order_inventory import OrderInventory
from daper.domains.orders.tools.request_approval import RequestApproval
from daper.domains.orders.tools.request_payment_update import RequestPaymentUpdate
from daper.domains.orders.world import ORDERS_FILE, STOCK_FILE, parse_row, raw_orders, raw_stock
from daper.ports.store import LedgerRow, Message, StoreAbout
from daper.stores import jsontext
from daper.stores.jsonfiles.store import Documents, JsonChange, JsonStore

AS_OF = datetime(2025, 6, 28, tzinfo=UTC)
PLENTY = "COM-1"
HELD_ORDER, HELD_ITEM = "HELD", "HLD-1"
SHARED_ITEMS = 3
_REORDER = 30
_PRICE = Decimal("1.50")


@dataclass(frozen=True, kw_only=True)
class Task:
    """One order as it was made: its lines, and the tools that repair it, in order. `contested`: may find it stale."""

    order_id: str
    status: str
    lines: Mapping[str, int]
    tools: tuple[str, ...]
    contested: bool = False


@dataclass(kw_only=True)
class GeneratedShop:
    """The folder of a JSON store, and what was put into it."""

    folder: Path
    tasks: dict[str, Task] = field(default_factory=dict[str, Task])
    stock: dict[str, int] = field(default_factory=dict[str, int])

    def store(self) -> JsonStore:
        """A fresh store on the folder."""
        return JsonStore(self.folder, documents=shipped.DOCUMENTS)

    def install(self) -> None:
        """The shop before its first repair."""
        self.stock = {PLENTY: 1_000_000, HELD_ITEM: 0}
        held = Task(order_id=HELD_ORDER, status="completed", lines={HELD_ITEM: 1}, tools=())
        orders = {"orders": [_order(held)], "order_summary": {"total_orders": 1, "orders_by_status": {"completed": 1}}}
        stock = {"inventory": [_row(item, count) for item, count in self.stock.items()]}
        texts = {ORDERS_FILE: jsontext.dump(orders).decode(), STOCK_FILE: jsontext.dump(stock).decode()}
        self.store().install(texts, about=StoreAbout(dataset="generated", as_of=AS_OF, counterparty=SIMULATED))

    def add_wave(self, wave: int, repairs: int) -> tuple[tuple[str, ...], ...]:
        """New orders for so many repairs, with items nobody else knows; the order ids of each repair."""
        rows = {f"SHR-{wave}-{number}": 4 for number in range(SHARED_ITEMS)}
        of_repairs = [_tasks(wave, number) for number in range(repairs)]
        for number in range(repairs):
            rows |= {f"OWN-{wave}-{number}": 5, f"RST-{wave}-{number}": 1}
        self.stock |= rows
        self.tasks |= {task.order_id: task for tasks in of_repairs for task in tasks}
        with self.store().change() as change:
            raw_orders(change.documents)  # these two check the lists, which are extended in place
            raw_stock(change.documents)
            _list(change, ORDERS_FILE, "orders").extend(_order(task) for tasks in of_repairs for task in tasks)
            _list(change, STOCK_FILE, "inventory").extend(_row(item, count) for item, count in rows.items())
        return tuple(tuple(task.order_id for task in tasks) for tasks in of_repairs)


def hold(change: JsonChange, key: str) -> None:
    """What the store holder changes, all of it or nothing: a row of stock, an order, a ledger row, a message."""
    row = next(row for row in raw_stock(change.documents) if row["item_id"] == HELD_ITEM)
    row["current_stock"] = row["available_stock"] = (parse_row(StockRow, row, place=HELD_ITEM).current_stock or 0) + 1
    order = next(order for order in raw_orders(change.documents) if order["order_id"] == HELD_ORDER)
    order["notes"] = f"{order['notes']} {key}"
    effect = Effect(status=OutcomeStatus.APPLIED)
    change.write_row(LedgerRow(key=key, kind="effect", tool="hold", record_id=HELD_ORDER, at=AS_OF, effect=effect))
    change.send(Message(key=key, to="nobody", subject=key, body=key, record_id=HELD_ORDER, at=AS_OF))


def orders_in(documents: Documents) -> dict[str, Order]:
    """The orders, typed, by id."""
    orders = (parse_row(Order, raw, place=f"order {raw.get('order_id')!r}: ") for raw in raw_orders(documents))
    return {order.order_id: order for order in orders}


def stock_in(documents: Documents) -> dict[str, StockRow]:
    """The inventory rows, typed, by item id."""
    rows = (parse_row(StockRow, raw, place=f"row {raw.get('item_id')!r}: ") for raw in raw_stock(documents))
    return {row.item_id: row for row in rows}


def _tasks(wave: int, number: int) -> tuple[Task, ...]:
    name, own, restricted = f"ORD-{wave}-{number}", f"OWN-{wave}-{number}", f"RST-{wave}-{number}"
    shared = f"SHR-{wave}-{number % SHARED_ITEMS}"
    restock = OrderInventory.name
    return (
        Task(
            order_id=f"{name}-PAY",
            status="pending-payment",
            lines={PLENTY: 2},
            tools=(RequestPaymentUpdate.name,),
        ),
        Task(order_id=f"{name}-OWN", status="pending-inventory", lines={own: 25}, tools=(restock,)),
        # Two effects on one record: the second one reads what the first one wrote.
        Task(
            order_id=f"{name}-RST",
            status="pending-payment",
            lines={restricted: 3},
            tools=(RequestApproval.name, RequestPaymentUpdate.name),
        ),
        # Reads the row that the second order of the same repair writes, and one that other repairs write.
        Task(
            order_id=f"{name}-SHR",
            status="pending-inventory",
            lines={shared: 40, own: 2},
            tools=(restock,),
            contested=True,
        ),
    )


def _order(task: Task) -> dict[str, object]:
    lines = [
        {"item_id": item, "item_name": item, "quantity": count, "unit_price": _PRICE, "total_price": _PRICE * count}
        for item, count in task.lines.items()
    ]
    total = sum((_PRICE * count for count in task.lines.values()), Decimal(0))
    return {
        "order_id": task.order_id,
        "customer_name": "Poppy Pomfrey",
        "customer_id": f"CUST-{task.order_id}",
        # What others write as well is read first by those that come first: their share of it stays the same.
        "order_date": "2025-06-19T09:00:00Z" if task.contested else "2025-06-20T09:00:00Z",
        "status": task.status,
        "items": lines,
        "subtotal": total,
        "total": total,
        "payment_method": "Gringotts Vault Transfer",
        "notes": "",
    }


def _row(item: str, count: int) -> dict[str, object]:
    row: dict[str, object] = {
        "item_id": item,
        "item_name": f"Item {item}",
        "category": "Stationery",
        "current_stock": count,
        "reserved_stock": 0,
        "available_stock": count,
        "reorder_quantity": _REORDER,
        "max_stock_level": 1_000_000,
        "unit_cost": Decimal("0.10"),
        "supplier_contact": "supplier@example.org",
        "status": "active",
    }
    return row | ({"special_requirements": {"ministry_approval": True}} if item.startswith("RST") else {})


def _list(change: JsonChange, file: str, name: str) -> list[object]:
    # Checked to be a list by the caller.
    return cast("list[object]", change.documents[file][name])
