"""What a tool writes to somebody: the words of its template, filled with what the records say.

What a plan shows is what is sent: the text is made when the plan is made, and is among the arguments that are approved.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from daper.core.text import folded, shown
from daper.domains.orders.addresses import Addresses
from daper.domains.orders.amounts import owed
from daper.domains.orders.models import Order, StockRow
from daper.domains.orders.needs import unapproved_items
from daper.domains.orders.texts import Templates, Text
from daper.domains.orders.wording import field as one_line
from daper.domains.orders.world import World

_MOST_ITEMS: Final = 10
_LIKE_A_HASH: Final = re.compile(r"[0-9a-f]{16,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Letters:
    """The words, and whom they go to. `shop_name`: who writes."""

    templates: Templates = field(default_factory=Templates)
    addresses: Addresses = field(default_factory=Addresses)
    shop_name: str = ""

    def text(
        self, tool: str, order: Order, world: World, more: Mapping[str, str], *, kept: Collection[str] = ()
    ) -> Text:
        """The text of a tool about an order. Raises UserError where the template or the record does not allow one."""
        values = {
            "order_id": order.order_id,
            "customer_name": name_of(order),
            "amount": owed(order),
            "payment_method": order.payment_method,
            "items": listed(order, world, order.quantities),
            "shop_name": self.shop_name,
        } | dict(more)
        return self.templates.of(tool).filled(
            {name: one_line(text.strip()) for name, text in values.items()}, kept=kept
        )


def drafted(text: Text, *, to: str) -> str:
    """A message as a person copies it; `to`: whom it is for, where nobody knows an address."""
    return f"To: {one_line(to)}\nSubject: {text.subject}\n\n{text.body}"


def name_of(order: Order) -> str:
    """What the customer is called; empty where what stands there is an id or an address."""
    name = order.customer_name.strip()
    codes = folded(name) == folded(order.customer_id) or "@" in name or _LIKE_A_HASH.search(name)
    one_word = " " not in name and sum(map(str.isdigit, name)) > 1
    return "" if codes or one_word or not any(map(str.isalpha, name)) else name


def listed(order: Order, world: World, items: Collection[str]) -> str:
    """Some items of an order in a row: how many, and what the shop calls them."""
    named = [f"{order.quantities[item]} x {shown(_called(order, world.stock.get(item), item))}" for item in items]
    more = f" and {len(named) - _MOST_ITEMS} more" if len(named) > _MOST_ITEMS else ""
    return ", ".join(named[:_MOST_ITEMS]) + more


def restricted_in(order: Order, world: World) -> str:
    """The items that wait for an approval."""
    return listed(order, world, unapproved_items(order, world))


def _called(order: Order, row: StockRow | None, item: str) -> str:
    written = next((line.item_name for line in order.items if line.item_id == item), "")
    return (row.item_name if row is not None else "") or written or item
