"""What our tools write into the raw rows, and how it is taken back exactly; all other fields stay as they are."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, cast

from daper.core.errors import StoreDamaged
from daper.core.text import visible
from daper.domains.orders.fields import Number, cents, number
from daper.domains.orders.models import Order, StockRow
from daper.domains.orders.statuses import OrderStatus
from daper.domains.orders.world import ORDERS_FILE, Raw, parse_row, raw_orders
from daper.stores.jsonfiles.documents import Documents

SUMMARY: Final = "order_summary"


def stamp(moment: datetime) -> str:
    """A moment as it is written in the data: ISO, UTC, Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def order_of(raw: Raw) -> Order:
    """The order as it is now, typed. Raises StoreDamaged when it cannot be parsed."""
    return parse_row(Order, raw, place=f"{ORDERS_FILE}: order {raw.get('order_id')!r}, ")


def stock_of(raw: Raw) -> StockRow:
    """The inventory row as it is now, typed. Raises StoreDamaged when it cannot be parsed."""
    return parse_row(StockRow, raw, place=f"inventory row {raw.get('item_id')!r}, ")


def set_status(raw: Raw, status: OrderStatus, at: datetime) -> None:
    """Give the order a status and note the change in its history."""
    raw["status"] = str(status)
    list_of(raw, "status_history").append({"status": str(status), "at": stamp(at), "by": "daper"})


def forget_statuses(raw: Raw, *, changes: int) -> None:
    """Forget the last `changes` status changes; the history goes if it was ours alone."""
    history = list_of(raw, "status_history")
    del history[len(history) - changes :]
    if not history:
        del raw["status_history"]


def list_of(raw: Raw, name: str) -> list[object]:
    """The list in a field, to be changed in place; made if it is missing. Raises StoreDamaged if it is no list."""
    value = raw.setdefault(name, [])
    if not isinstance(value, list):
        got = visible(repr(value), longest=80)
        raise StoreDamaged(f"{ORDERS_FILE}: order {raw.get('order_id')!r}, {name} must be a list; got {got}")
    # JSON values of any kind: they are only added to and taken from.
    return cast("list[object]", value)


def move_stock(raw: Raw, *, current: Number) -> None:
    """Add to the current stock; what is available follows, what is reserved stays."""
    row = stock_of(raw)
    if row.current_stock is not None:
        raw["current_stock"] = number(row.current_stock + current)
    if row.available_stock is not None:
        raw["available_stock"] = number(row.available_stock + current)


def refresh_summary(documents: Documents) -> None:
    """Recompute the figures that the order summary has; its other fields stay, and a file without one gets none.

    Amounts in several currencies have no sum: then the summary's amounts stay as they are.
    """
    found = documents[ORDERS_FILE].get(SUMMARY)
    if not isinstance(found, dict):
        return
    # A JSON object: only the fields named here are touched.
    summary = cast("Raw", found)
    orders = raw_orders(documents)
    figures: Raw = {
        "total_orders": len(orders),
        "orders_by_status": dict(Counter(str(raw.get("status") or "") for raw in orders)),
    }
    if len(currencies(orders)) <= 1:
        revenue = sum((_total(raw) for raw in orders), Decimal(0))
        figures["total_revenue"] = revenue
        figures["average_order_value"] = cents(revenue / len(orders)) if orders else Decimal(0)
    summary.update({name: figure for name, figure in figures.items() if name in summary})


def currencies(orders: Iterable[Mapping[str, object]]) -> set[str]:
    """The currencies that these orders are in; "" stands for the shop's own, which an order need not name."""
    return {str(raw.get("currency") or "").strip().upper() for raw in orders}


def _total(raw: Raw) -> Decimal:
    total = raw.get("total")
    return total if isinstance(total, Decimal) else Decimal(total) if isinstance(total, int) else Decimal(0)
