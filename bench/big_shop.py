"""A shop of as many orders as wanted, of which a few have a problem; the others are completed, or on their way."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from daper.domains.orders.counterparty import SIMULATED
from daper.domains.orders.world import ORDERS_FILE, STOCK_FILE
from daper.ports.store import StoreAbout
from daper.stores import jsontext

AS_OF = datetime(2025, 6, 28, tzinfo=UTC)
ABOUT = StoreAbout(dataset="generated", as_of=AS_OF, counterparty=SIMULATED)
_PRICE = Decimal("12.50")
_LINES = 3
_GOODS = 1000
"""Different items in the catalogue, which all orders share."""
# One after the other; a restock has an item of its own, so that no two effects write the same row.
_PROBLEMS = ("pending-payment", "pending-inventory", "payment-denied", "pending-approval")
_RESTRICTED = "GDS-RESTRICTED"


@dataclass(frozen=True, kw_only=True)
class BigShop:
    """`orders` of them, `problems` with one problem each, spread evenly; the others are closed, or all `open`."""

    orders: int
    problems: int
    open: bool = False
    only_payments: bool = False

    def ids(self) -> list[str]:
        """Of the orders with a problem."""
        return [_order_id(self._place(number)) for number in range(self.problems)]

    def rows(self) -> dict[str, Iterator[dict[str, object]]]:
        """The orders and the inventory, one after the other."""
        return {"orders": self._orders(), "inventory": self._inventory()}

    def texts(self) -> dict[str, str]:
        """The same as two JSON documents."""
        rows = {name: [*each] for name, each in self.rows().items()}
        documents: Mapping[str, dict[str, object]] = {
            ORDERS_FILE: {"orders": rows["orders"], "order_summary": {"total_orders": self.orders}},
            STOCK_FILE: {"inventory": rows["inventory"]},
        }
        return {name: jsontext.dump(document).decode() for name, document in documents.items()}

    def _place(self, number: int) -> int:
        return number * self.orders // self.problems

    def _status(self, number: int) -> str:
        return _PROBLEMS[0] if self.only_payments else _PROBLEMS[number % len(_PROBLEMS)]

    def _orders(self) -> Iterator[dict[str, object]]:
        problem, usual = 0, "processing" if self.open else "completed"
        for place in range(self.orders):
            if problem < self.problems and place == self._place(problem):
                yield _order(place, self._status(problem), _first(problem, self._status(problem)))
                problem += 1
            else:
                yield _order(place, usual, _goods(place * _LINES))

    def _inventory(self) -> Iterator[dict[str, object]]:
        for number in range(_GOODS):
            yield _row(_goods(number), stock=1_000_000)
        yield _row(_RESTRICTED, stock=1_000_000, restricted=True)
        for number in range(self.problems):
            if self._status(number) == "pending-inventory":
                yield _row(_first(number, "pending-inventory"), stock=1)


def _order_id(place: int) -> str:
    return f"ORD-{place:07}"


def _goods(number: int) -> str:
    return f"GDS-{number % _GOODS:04}"


def _first(number: int, status: str) -> str:
    match status:
        case "pending-inventory":
            return f"OWN-{number:07}"
        case "pending-approval":
            return _RESTRICTED
        case _:
            return _goods(number)


def _order(place: int, status: str, first: str) -> dict[str, object]:
    items = (first, *(_goods(place * _LINES + line) for line in range(1, _LINES)))
    total = 2 * _PRICE * _LINES
    return {
        "order_id": _order_id(place),
        "customer_name": f"Customer {place}",
        "customer_id": f"CUST-{place:07}",
        "order_date": "2025-06-26T09:00:00Z",
        "status": status,
        "items": [
            {
                "item_id": item,
                "item_name": f"Article {item}",
                "quantity": 2,
                "unit_price": _PRICE,
                "total_price": 2 * _PRICE,
            }
            for item in items
        ],
        "subtotal": total,
        "total": total,
        "payment_method": "Gringotts Vault Transfer",
        "shipping_address": {"street": f"{place} Diagon Alley", "city": "London", "postal_code": "WC2N"},
        "notes": "",
    }


def _row(item: str, *, stock: int, restricted: bool = False) -> dict[str, object]:
    row: dict[str, object] = {
        "item_id": item,
        "item_name": f"Article {item}",
        "category": "Stationery",
        "current_stock": stock,
        "reserved_stock": 0,
        "available_stock": stock,
        "reorder_quantity": 30,
        "max_stock_level": 10_000_000,
        "unit_cost": Decimal("0.10"),
        "supplier_contact": "supplier@example.org",
        "status": "active",
    }
    if restricted:
        row["special_requirements"] = {"ministry_approval": True}
    return row
