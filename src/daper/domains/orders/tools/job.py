"""What one effect works on, and what it leaves behind."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pydantic import JsonValue

from daper.core.errors import ActionFailed, NotFound
from daper.core.outcomes import Effect
from daper.core.text import shown
from daper.domains.orders.book import Book
from daper.domains.orders.fields import LONGEST_ID
from daper.domains.orders.models import Order
from daper.domains.orders.world import Raw, World, world_of
from daper.ports import ToolCall
from daper.ports.store import Letter
from daper.stores import jsontext
from daper.stores.once import Deed


@dataclass(kw_only=True)
class Job:
    """What one effect works on, and what it leaves behind. Rows are the raw ones: changed in place.

    `originals`: the fields that it overwrites, exactly as they were; a field that was not there is not in it.
    """

    call: ToolCall
    book: Book
    raw: Raw
    order: Order
    simulated: bool
    originals: Raw = field(default_factory=dict[str, object])
    wrote: list[str] = field(default_factory=list[str])
    evidence: list[str] = field(default_factory=list[str])
    letters: list[Letter] = field(default_factory=list[Letter])

    @classmethod
    def of(cls, call: ToolCall, book: Book, *, simulated: bool) -> "Job":
        """The job of a call. Raises ActionFailed when its order is gone."""
        raw = book.order(call.record_id)
        if raw is None:
            raise ActionFailed(f"order {call.record_id!r} is gone; nothing was changed")
        order = world_of(book.records([raw])).orders[call.record_id]
        return cls(call=call, book=book, raw=raw, order=order, simulated=simulated)

    @property
    def at(self) -> datetime:
        """When it happens, as the records have it: in those that are of a day of their own, on that day."""
        return self.book.about().as_of or self.call.acted_at

    @property
    def status(self) -> str:
        """The order's status as it is at this point."""
        return shown(self.raw.get("status") or "", longest=LONGEST_ID)

    def stock_row(self, item_id: str) -> Raw:
        """The raw inventory row. Raises NotFound when it is gone."""
        row = self.book.stock(item_id)
        if row is None:
            raise NotFound(f"item {item_id!r} is no longer in the inventory; nothing was changed")
        return row

    def world(self) -> World:
        """The order and the rows of its items as they are at this point."""
        return world_of(self.book.records([self.raw]))

    def keep(self, row: Raw, name: str) -> None:
        """Note a field that is about to be overwritten."""
        if name in row:
            self.originals[name] = row[name]

    def give_back(self, row: Raw, name: str) -> None:
        """Bring a field back exactly, or remove one that was not there."""
        if name in self.originals:
            row[name] = self.originals[name]
        else:
            row.pop(name, None)

    @property
    def asked(self) -> str:
        """What was done with a letter, as far as the effect itself can say: it is sent later, if at all."""
        return "asked" if self.simulated else "wrote to"

    def send(self, *, to: str, subject: str, body: str, held: str = "") -> None:
        """Put a letter beside the effect; `held`: why it is not sent by itself."""
        self.letters.append(Letter(to=to, subject=subject, body=body, held=held))

    def deed(self, *, before: Mapping[str, JsonValue], after: Mapping[str, JsonValue]) -> Deed:
        """What was done. No digit and no character of what was overwritten is lost."""
        return Deed(
            before=before,
            after=after,
            wrote=self.wrote,
            evidence=self.evidence,
            letters=self.letters,
            originals=jsontext.dump(self.originals).decode(),
            simulated=self.simulated,
        )


def originals_of(done: Effect, originals: str, *, key: str) -> Raw:
    """The overwritten fields as they were kept; of effects of before there are only those in the effect itself."""
    if not originals:
        return {name: value for name, value in done.before.items() if name in ("status", "last_restocked")}
    return jsontext.parse(originals.encode(), path=Path(f"ledger/{key}.json"))
