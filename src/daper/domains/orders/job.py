"""What one effect works on, and what it leaves behind."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from daper.core.errors import NotFound
from daper.core.outcomes import Effect
from daper.core.text import visible
from daper.domains.orders.jsonstore import jsontext
from daper.domains.orders.jsonstore.documents import Documents
from daper.domains.orders.jsonstore.ledger import LedgerRow, Message
from daper.domains.orders.models import Order
from daper.domains.orders.wording import shown
from daper.domains.orders.world import Raw, World, current_version, find_stock, records_for, world_of
from daper.ports import ToolCall

_LONGEST_MESSAGE = 4000  # all that goes into one is capped before


@dataclass(kw_only=True)
class Job:
    """What one effect works on, and what it leaves behind. Rows are the raw ones: changed in place.

    `originals`: the fields that it overwrites, exactly as they were; a field that was not there is not in it.
    """

    call: ToolCall
    documents: dict[str, dict[str, object]]
    raw: Raw
    order: Order
    simulated: bool
    originals: Raw = field(default_factory=dict[str, object])
    wrote: list[str] = field(default_factory=list[str])
    evidence: list[str] = field(default_factory=list[str])
    messages: list[Message] = field(default_factory=list[Message])

    def stock_row(self, item_id: str) -> Raw:
        """The raw inventory row. Raises NotFound when it is gone."""
        row = find_stock(self.documents, item_id)
        if row is None:
            raise NotFound(f"item {item_id!r} is no longer in the inventory; nothing was changed")
        return row

    def world(self) -> World:
        """The order and the rows of its items as they are at this point."""
        return world_of(records_for(self.documents, [self.raw]))

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

    def send(self, *, to: str, subject: str, body: str, key: str = "") -> None:
        """Put a message beside the effect, in which nothing is hidden: a line break would be a header of a mail."""
        message = Message(
            key=key or self.call.key,
            to=visible(to, longest=_LONGEST_MESSAGE),
            subject=visible(subject, longest=_LONGEST_MESSAGE),
            body=visible(body, longest=_LONGEST_MESSAGE),
            record_id=self.call.record_id,
            at=self.call.today,
            simulated=self.simulated,
        )
        self.messages.append(message)


def originals_text(originals: Raw) -> str:
    """The overwritten fields as a ledger row keeps them: no digit and no character is lost."""
    return jsontext.dump(originals).decode()


def originals_of(row: LedgerRow, effect: Effect) -> Raw:
    """The overwritten fields that a ledger row keeps; rows of before have them in their effect alone."""
    if not row.originals:
        return {name: value for name, value in effect.before.items() if name in ("status", "last_restocked")}
    return jsontext.parse(row.originals.encode(), path=Path(f"ledger/{row.key}.json"))


def outdated(versions: Mapping[str, str], documents: Documents, *, since: str) -> tuple[str, ...]:
    """The refs that are gone or have another version now, each in a sentence."""
    found: list[str] = []
    for ref, version in versions.items():
        now = current_version(documents, ref)
        if now is None:
            found.append(f"{shown(ref)} is gone since {since}")
        elif now != version:
            found.append(f"{shown(ref)} was changed since {since}")
    return tuple(found)
