"""A shop as wide as wanted: many orders with a problem each, many long lines; and what a repair of it weighs."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.client import Client

from daper.adapters.temporal.codec import ZlibCodec
from daper.core.messages import PageArgs
from daper.core.views import RepairView
from daper.domains.orders import shipped
from daper.domains.orders.counterparty import SIMULATED
from daper.domains.orders.world import ORDERS_FILE, STOCK_FILE
from daper.ports.store import StoreAbout
from daper.stores import jsontext
from daper.stores.jsonfiles.store import JsonStore
from daper.workflows.repair import RepairAgentWorkflow

AS_OF = datetime(2025, 6, 28, tzinfo=UTC)
_PRICE = Decimal("1.50")
# One after the other: a payment, a restock, a payment, an approval; nobody shares an item with another.
_STATUSES = ("pending-payment", "pending-inventory", "payment-denied", "pending-approval")


def install(
    folder: Path, *, orders: int, lines: int = 10, name_length: int = 150, mixed: bool = True
) -> tuple[str, ...]:
    """Put so many orders with one problem each into a new store; their ids. Not `mixed`: payments only."""
    texts = texts_of(orders=orders, lines=lines, name_length=name_length, mixed=mixed)
    store = JsonStore(folder, documents=shipped.DOCUMENTS)
    store.install(texts, about=StoreAbout(dataset="generated", as_of=AS_OF, counterparty=SIMULATED))
    return ids_of(orders)


def ids_of(orders: int) -> tuple[str, ...]:
    """The ids of so many orders."""
    return tuple(f"ORD-{number:03}-WIDE" for number in range(orders))


def texts_of(*, orders: int, lines: int, name_length: int, mixed: bool) -> dict[str, str]:
    """The same as the documents of a store."""
    statuses = [_STATUSES[number % len(_STATUSES)] if mixed else _STATUSES[0] for number in range(orders)]
    made = [_order(number, status, lines, name_length) for number, status in enumerate(statuses)]
    rows = [row for number, status in enumerate(statuses) for row in _rows(number, status, lines, name_length)]
    summary = {"total_orders": orders}
    return {
        ORDERS_FILE: jsontext.dump({"orders": made, "order_summary": summary}).decode(),
        STOCK_FILE: jsontext.dump({"inventory": rows}).decode(),
    }


@dataclass(frozen=True, kw_only=True)
class Weight:
    """What a repair weighs in Temporal, in events and bytes."""

    events: int
    history: int
    largest: int
    largest_unpacked: int
    view: int

    def __str__(self) -> str:
        return (
            f"{self.events} events, history {self.history / 1e6:.2f} MB, largest payload {self.largest / 1e3:.0f} kB "
            f"({self.largest_unpacked / 1e3:.0f} kB before compression), view {self.view / 1e3:.0f} kB"
        )


async def weigh(client: Client, repair_id: str) -> Weight:
    """The weight of a repair, of its history and of the largest page of its view."""
    handle = client.get_workflow_handle_for(RepairAgentWorkflow.run, repair_id)
    view: RepairView = await handle.query(RepairAgentWorkflow.view, PageArgs(size=100))
    described = (await handle.describe()).raw_description.workflow_execution_info
    largest = unpacked = 0
    async for event in handle.fetch_history_events():
        for payload in _payloads(event):
            [plain] = await ZlibCodec().decode([payload])
            largest, unpacked = max(largest, payload.ByteSize()), max(unpacked, plain.ByteSize())
    return Weight(
        events=described.history_length,
        history=described.history_size_bytes,
        largest=largest,
        largest_unpacked=unpacked,
        view=len(view.model_dump_json()),
    )


def _payloads(message: Message) -> list[Payload]:
    """Every payload in a message, however deep."""
    if isinstance(message, Payload):
        return [message]
    found: list[Payload] = []
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            parts = [part for part in value.values() if isinstance(part, Message)]
        else:
            parts = [value] if isinstance(value, Message) else list(value)
        found += [payload for part in parts for payload in _payloads(part)]
    return found


def _items(number: int, lines: int) -> list[str]:
    return [f"ITM-{number:03}-{line}" for line in range(lines)]


def _name(item: str, length: int) -> str:
    # Words that differ from item to item, so that compression finds no more in them than in real ones.
    words = [f"{item.lower()}-{place * 7919 % 1000:x}" for place in range(length // 8)]
    return " ".join([item, *words])[:length]


def _order(number: int, status: str, lines: int, name_length: int) -> dict[str, object]:
    bought = [
        {
            "item_id": item,
            "item_name": _name(item, name_length),
            "description": _name(f"D{item}", name_length),
            "quantity": 2,
            "unit_price": _PRICE,
            "total_price": 2 * _PRICE,
        }
        for item in _items(number, lines)
    ]
    total = 2 * _PRICE * lines
    return {
        "order_id": f"ORD-{number:03}-WIDE",
        "customer_name": _name(f"Customer {number}", name_length),
        "customer_id": f"CUST-{number:03}",
        "order_date": "2025-06-20T09:00:00Z",
        "status": status,
        "items": bought,
        "subtotal": total,
        "total": total,
        "payment_method": "Gringotts Vault Transfer",
        "notes": "",
    }


def _rows(number: int, status: str, lines: int, name_length: int) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for place, item in enumerate(_items(number, lines)):
        count = 1 if status == "pending-inventory" and place == 0 else 1000
        row: dict[str, object] = {
            "item_id": item,
            "item_name": _name(item, name_length),
            "category": "Stationery",
            "current_stock": count,
            "reserved_stock": 0,
            "available_stock": count,
            "reorder_quantity": 30,
            "max_stock_level": 1_000_000,
            "unit_cost": Decimal("0.10"),
            "supplier_contact": "supplier@example.org",
            "status": "active",
        }
        if status == "pending-approval":
            row["special_requirements"] = {"ministry_approval": True}
        rows.append(row)
    return rows
