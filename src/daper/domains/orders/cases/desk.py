"""The desk where one case is written: an order, the inventory rows of its items, and what is right for it."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from daper.core.cases import Case, CaseSort, ExpectedAction
from daper.domains.orders.cases import vocabulary as vocabulary
from daper.domains.orders.changes import stamp
from daper.domains.orders.fields import cents
from daper.domains.orders.world import Raw

AS_OF = datetime(2026, 3, 2, tzinfo=UTC)
PLENTY = 240
RESTRICTED: Raw = {"special_requirements": {"ministry_approval": True}}
PROHIBITED: Raw = {"status": "prohibited"}
_TAX = Decimal("0.05")


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing to buy, and how much of it is on the shelf."""

    item_id: str
    name: str
    price: Decimal
    current: int
    reserved: int
    most: int

    @property
    def available(self) -> int:
        """What is on the shelf and promised to nobody."""
        return self.current - self.reserved


Written = tuple[tuple[Raw, Case], ...]


@dataclass(kw_only=True)
class Desk:
    """Draws what does not matter by its own random numbers; what matters, the kind of case says. Gathers the rows."""

    rng: random.Random
    number: int
    customer: str
    kind: str
    sort: CaseSort
    rows: list[Raw] = field(default_factory=list[Raw])
    items: int = 0

    def item(
        self,
        *,
        current: int | None = None,
        reserved: int = 0,
        most: int = 400,
        known: bool = True,
        row: Raw | None = None,
    ) -> Item:
        """A new item, and its row: there is plenty of it. What is given of the row wins. Not `known`: without a row."""
        own = row or {}
        name = f"{self.rng.choice(vocabulary.MAKES)} {self.rng.choice(vocabulary.GOODS)}"
        self.items += 1
        item = Item(
            item_id=f"{name[:1]}{name.split()[1][:2]}-{self.number:03}-{self.items}".upper(),
            name=str(own.get("item_name", name)),
            price=Decimal(self.rng.randrange(125, 1500)) / 100,
            current=PLENTY + self.rng.randrange(60) if current is None else current,
            reserved=reserved,
            most=most,
        )
        if known:
            self.rows.append(self._row(item) | own)
        return item

    def few(self, low: int = 1, high: int = 6) -> int:
        """A small number."""
        return self.rng.randint(low, high)

    def one_of(self, *texts: str) -> str:
        """One of some ways to say the same."""
        return self.rng.choice(texts)

    def order(self, status: str, lines: Sequence[tuple[Item, int]], *, days: int = 0, **fields: object) -> Raw:
        """An order with right amounts, a few days old unless it is said how many; fields that are given win."""
        initials = "".join(part[0] for part in self.customer.split())
        prices = [cents(item.price * count) for item, count in lines]
        subtotal, shipping = sum(prices, Decimal(0)), Decimal(self.rng.randrange(250, 650)) / 100
        tax = cents(subtotal * _TAX)
        hours = 24 * days + self.rng.randrange(1, 20) if days else self.rng.randrange(20, 120)
        made: Raw = {
            "order_id": f"ORD-{self.number:03}-{initials}",
            "customer_name": self.customer,
            "customer_id": f"CUST-{initials}-{self.number:03}",
            "order_date": stamp(AS_OF - timedelta(hours=hours)),
            "status": status,
            "shipping_address": {
                "street": f"{self.rng.randrange(1, 90)} {self.rng.choice(vocabulary.STREETS)}",
                "delivery": self.rng.choice(("owl", "owl, before dark", "Floo parcel")),
            },
            "items": [
                {
                    "item_id": item.item_id,
                    "item_name": item.name,
                    "quantity": count,
                    "unit_price": item.price,
                    "total_price": price,
                }
                for (item, count), price in zip(lines, prices, strict=True)
            ],
            "subtotal": subtotal,
            "tax": tax,
            "shipping": shipping,
            "total": subtotal + tax + shipping,
            "payment_method": self.rng.choice(vocabulary.PAYMENTS),
            "notes": self.rng.choice(vocabulary.NOTES),
        }
        return made | fields

    def case(
        self,
        order: Raw,
        why: str,
        *,
        problems: Sequence[str] = (),
        tolerated: Sequence[str] = (),
        actions: Sequence[ExpectedAction] = (),
        calls_person: bool | None = False,
        end_status: str = "",
        kind: str = "",
        sort: CaseSort | None = None,
    ) -> Written:
        """The order with what is right for it; without an end status it keeps the one that it has."""
        case = Case(
            record_id=str(order["order_id"]),
            kind=kind or self.kind,
            sort=sort or self.sort,
            why=why,
            problems=tuple(problems),
            tolerated=tuple(tolerated),
            actions=tuple(actions),
            calls_person=calls_person,
            end_status=end_status or str(order["status"]),
        )
        return ((order, case),)

    def _row(self, item: Item) -> Raw:
        maker = self.rng.choice(vocabulary.MAKERS)
        return {
            "item_id": item.item_id,
            "item_name": item.name,
            "category": "School Supplies",
            "current_stock": item.current,
            "reserved_stock": item.reserved,
            "available_stock": item.available,
            "reorder_point": 20,
            "reorder_quantity": self.rng.randrange(30, 60),
            "max_stock_level": item.most,
            "unit_cost": cents(item.price / 2),
            "unit_price": item.price,
            "supplier": maker,
            "supplier_contact": f"orders@{''.join(filter(str.isalpha, maker)).lower()}.example",
            "status": "active",
        }


Writer = Callable[[Desk], Written]


def asks_to_pay(order: Raw) -> ExpectedAction:
    """The customer of the order is asked to see to the payment."""
    return ExpectedAction(
        tool="request_payment_update",
        arguments={"order_id": str(order["order_id"]), "customer_id": str(order["customer_id"])},
    )


def asks_ministry(order: Raw) -> ExpectedAction:
    """The approver who is configured is asked, whomever the order names."""
    approver = "approve-orders@diagonalley.co.uk"
    return ExpectedAction(tool="request_approval", arguments={"order_id": str(order["order_id"]), "approver": approver})


def restocks(order: Raw, item: Item, needed: int) -> ExpectedAction:
    """The supplier is asked for what is missing, at most for what fills the shelf once the order has its own."""
    return ExpectedAction(
        tool="order_inventory",
        arguments={"order_id": str(order["order_id"]), "inventory_to_order": item.item_id},
        between={"quantity": (needed - item.available, item.most - item.current + needed)},
    )


def holds(order: Raw, reason: str) -> ExpectedAction:
    """The order is stopped, for a person to look at."""
    return ExpectedAction(tool="hold_order", arguments={"order_id": str(order["order_id"]), "reason": reason})
