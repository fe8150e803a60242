"""How a fact is written into the raw rows of an order: its entry in the history, and what it changes beside."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, cast

from pydantic import JsonValue

from daper.core.errors import FactRefused
from daper.core.facts import ToldFact
from daper.core.text import shown
from daper.domains.orders.book import Book
from daper.domains.orders.changes import list_of, move_stock, stamp, stock_of
from daper.domains.orders.fields import Number, as_json
from daper.domains.orders.models import Order
from daper.domains.orders.statuses import OrderStatus
from daper.domains.orders.world import Raw, order_ref, stock_ref
from daper.stores import jsontext
from daper.stores.facts import Known
from daper.stores.once import Deed

HISTORY: Final = "status_history"
BY_HAND: Final = "if it is so all the same, set it right by hand"


@dataclass(kw_only=True)
class FactEntry:
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
        """The order, in a sentence."""
        return f"order {self.order.order_id!r}"

    @property
    def who(self) -> str:
        """From whom it comes, in words."""
        by = f"{self.told.by.name} ({self.told.by.how})"
        return f"{self.told.source}, says {by}" if self.told.source else by

    def refuse(self, why: str) -> FactRefused:
        """Why an order of its status does not take the fact; to be raised."""
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
