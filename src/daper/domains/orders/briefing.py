"""What a language model is told of orders: the words for problems and tools, and one order with its own stock rows."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Final

from daper.domains.orders.models import Order
from daper.domains.orders.needs import OrderProblem, is_prohibited, restricted, short_of
from daper.domains.orders.statuses import normal
from daper.domains.orders.tools.order_tool import OrderTool
from daper.domains.orders.world import World, order_ref, raw_lines, stock_ref
from daper.ports import Guide, Record

KINDS: Final[Mapping[OrderProblem, str]] = {
    OrderProblem.PAYMENT_PENDING: "the order waits for a payment that has not come in",
    OrderProblem.PAYMENT_DENIED: "the payment was refused",
    OrderProblem.INVENTORY_SHORT: "an item is ordered in a larger quantity than is available",
    OrderProblem.RESTRICTED_WITHOUT_APPROVAL: "it has a restricted item, and no approval is recorded or asked for",
    OrderProblem.PROHIBITED_ITEM: "it has an item that must not be sold at all",
    OrderProblem.UNKNOWN_ITEM: "it has an item of which there is no inventory row",
    OrderProblem.TOTALS_MISMATCH: "the amounts do not add up",
    OrderProblem.UNKNOWN_STATUS: "its status is none that daper knows; no tool touches it",
    OrderProblem.STUCK: "nothing else is wrong, and its status has not changed for more than 14 days",
}
# Addresses are nobody's business here; ledger keys and sums over all orders say nothing about one.
_ORDER_FIELDS: Final = (
    "customer_name",
    "customer_id",
    "order_date",
    "status",
    "subtotal",
    "tax",
    "shipping",
    "total",
    "payment_method",
    "notes",
    "status_notes",
    "status_history",
    "restocks",
    "approval",
    "approval_request",
)
_PLAIN_STATUS: Final = frozenset({"", "active"})
_LINE_FIELDS: Final = ("item_id", "item_name", "quantity", "unit_price")
_ODD_LINE_FIELDS: Final = ("description", "total_price")  # of a line that the inventory does not explain
_STOCK_FIELDS: Final = ("item_id", "available_stock")
_ODD_STOCK_FIELDS: Final = (
    "item_name",
    "category",
    "current_stock",
    "reserved_stock",
    "reorder_quantity",
    "max_stock_level",
    "status",
    "special_requirements",
    "restrictions",
)


def guide(tools: Sequence[OrderTool]) -> Guide:
    """What has to be known of any order."""
    return Guide(
        about=files("daper.domains.orders").joinpath("prompts", "about.md").read_text(encoding="utf-8"),
        kinds={str(kind): what for kind, what in KINDS.items()},
        tools={tool.name: tool.about for tool in tools},
    )


def brief(records: Sequence[Record], world: World) -> dict[str, dict[str, object]]:
    """Each order with the stock rows of its items. Of an item with which all is well only how many are available."""
    rows = {record.ref: record.data for record in records}
    return {
        order.order_id: {
            "order": {
                **_some(rows[order_ref(order.order_id)], _ORDER_FIELDS),
                "items": [_line(row, order, world) for row in raw_lines(rows[order_ref(order.order_id)])],
            },
            "stock": [
                _stock(rows[stock_ref(item)], odd=_is_odd(item, order, world))
                for item in order.quantities
                if item in world.stock
            ],
        }
        for order in world.orders.values()
    }


def _line(row: Mapping[str, object], order: Order, world: World) -> dict[str, object]:
    line = next((line for line in order.items if line.item_id == row.get("item_id")), None)
    sums = line is not None and line.unit_price is not None and line.total_price == line.unit_price * line.quantity
    plain = sums and line is not None and not _is_odd(line.item_id, order, world)
    return _some(row, _LINE_FIELDS if plain else (*_LINE_FIELDS, *_ODD_LINE_FIELDS))


def _stock(row: Mapping[str, object], *, odd: bool) -> dict[str, object]:
    return _some(row, (*_STOCK_FIELDS, *_ODD_STOCK_FIELDS) if odd else _STOCK_FIELDS)


def _is_odd(item: str, order: Order, world: World) -> bool:
    """Whether there is more to be known of an item of this order than that there is enough of it."""
    if item not in world.stock:
        return True
    row = world.stock[item]
    plain = normal(row.status) in _PLAIN_STATUS and row.available_stock is not None
    return not plain or short_of(order, world, item) > 0 or restricted(world, item) or is_prohibited(world, item)


def _some(row: Mapping[str, object], fields: Sequence[str]) -> dict[str, object]:
    return {name: row[name] for name in fields if name in row}
