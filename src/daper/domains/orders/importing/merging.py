"""A second import: what daper did is laid over an order that comes again, as long as the facts are the same. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from daper.core.errors import StoreDamaged
from daper.core.text import shown
from daper.domains.orders.book import Known
from daper.domains.orders.changes import order_of, stock_of
from daper.domains.orders.fields import Number, entries_of
from daper.domains.orders.importing.deeds import (
    ASKED_TO_APPROVE,
    ASKED_TO_PAY,
    HELD,
    ORDERED,
    TOLD_APPROVED,
    Deed,
    led_to,
    standing,
)
from daper.domains.orders.importing.spool import Spool
from daper.domains.orders.models import Order, StockRow
from daper.domains.orders.needs import hold_reasons, short_of
from daper.domains.orders.wording import money
from daper.domains.orders.world import ORDERS, STOCK, Raw, World, item_ids
from daper.ports import MOST_SAID, MergeCounts
from daper.stores import jsontext

_HISTORY: Final = "status_history"
_LAID: Final = ("status", "restocks", "approval_request")


@dataclass(frozen=True, kw_only=True)
class Merged:
    """A page of one collection: rows that become others, and rows that are new."""

    collection: str
    changed: Mapping[str, Raw]
    fresh: Sequence[Raw]
    all: Sequence[Raw]


@dataclass(kw_only=True)
class Tally:
    """What a merge comes to, counted as its pages go by."""

    new: int = 0
    changed: int = 0
    same: int = 0
    laid_over: int = 0
    there: int = 0
    said: list[str] = field(default_factory=list[str])

    def counts(self) -> MergeCounts:
        """The same, as it is told."""
        return MergeCounts(
            new=self.new,
            changed=self.changed,
            same=self.same,
            missing=self.there - self.changed - self.same,
            laid_over=self.laid_over,
            said=tuple(self.said),
        )


def merged(spool: Spool, known: Known, tally: Tally) -> Iterator[Merged]:
    """Page by page what the rows of an import become, the stock first. `tally` is kept up."""
    for collection in (STOCK, ORDERS):
        tally.there += known.count(collection)
        for page in spool.pages(collection):
            key = "item_id" if collection == STOCK else "order_id"
            theirs = {str(row.raw[key]): row.raw for row in page}
            ours = known.rows(collection, theirs)
            if collection == ORDERS:
                theirs = _laid_over(theirs, ours, spool, known, tally)
            same = {each for each, raw in ours.items() if jsontext.compact(raw) == jsontext.compact(theirs[each])}
            changed = {each: theirs[each] for each in ours if each not in same}
            fresh = [raw for each, raw in theirs.items() if each not in ours]
            tally.new, tally.changed, tally.same = (
                tally.new + len(fresh),
                tally.changed + len(changed),
                tally.same + len(same),
            )
            yield Merged(collection=collection, changed=changed, fresh=fresh, all=[*theirs.values()])


def stock_for(orders: Sequence[Raw], spool: Spool, known: Known | None) -> dict[str, StockRow]:
    """The inventory rows of the items of these orders, as they are once all is imported."""
    wanted = {item for raw in orders for item in item_ids(raw)}
    rows = spool.find(STOCK, wanted)
    if known is not None and (missing := wanted - rows.keys()):
        rows |= known.rows(STOCK, missing)
    return {item: stock_of(raw) for item, raw in rows.items()}


def _laid_over(
    theirs: Mapping[str, Raw], ours: Mapping[str, Raw], spool: Spool, known: Known, tally: Tally
) -> dict[str, Raw]:
    ledger = known.deeds(ours)
    done = {each: deeds for each, rows in ledger.items() if each in ours and (deeds := standing(rows))}
    stock, ahead = stock_for([theirs[each] for each in done], spool, known), spool.ahead(done)
    found = dict(theirs)
    for each, deeds in done.items():
        over = _Over(theirs[each], ours[each], deeds, stock, ahead)
        found[each] = over.row()
        tally.laid_over += found[each] != theirs[each]
        if over.changes and len(tally.said) < MOST_SAID:
            tally.said.append(over.told())
    return found


class _Over:
    """One order: as it comes, as it is in the store, and what was done for it."""

    def __init__(
        self,
        theirs: Raw,
        ours: Raw,
        deeds: Sequence[Deed],
        stock: Mapping[str, StockRow],
        ahead: Mapping[str, Mapping[str, Number]],
    ) -> None:
        self._theirs = theirs
        self._ours = ours
        self._deeds = deeds
        self._new = order_of(theirs)
        self._old = _order_or_none(ours)
        self._world = World(orders={self._new.order_id: self._new}, stock=stock, versions={}, ahead=ahead)
        self.changes: list[str] = []
        """What is another fact now, so that something that was done no longer counts."""

    def row(self) -> Raw:
        """The order as it comes, with what still counts laid over it."""
        row = dict(self._theirs)
        if self._old is None:  # somebody made of it what nobody can read
            return row
        all_cover = self._lay_restocks(row, self._old)
        standing_still = [
            deed for deed in self._deeds if self._counts(deed, self._old) and (all_cover or deed.tool != ORDERED)
        ]
        if any(deed.tool in (ASKED_TO_APPROVE, TOLD_APPROVED) for deed in standing_still):
            for name in ("approval_request", "approval"):
                if name in self._ours and not row.get(name):
                    row[name] = self._ours[name]
        self._lay_history(row)
        self._lay_status(row, self._old, standing_still)
        if all(row.get(name) == self._ours.get(name) for name in _LAID):
            self.changes = []  # nothing of it was lost now; what was lost earlier was said then
        return row

    def told(self) -> str:
        """What was done, and what is another fact since."""
        done = "; ".join(deed.told for deed in self._deeds[-3:])
        return f"order {shown(self._new.order_id)}: {done}; since then {', '.join(self.changes)}"

    def _counts(self, deed: Deed, old: Order) -> bool:
        """Whether what a deed was done for is still so."""
        changes = [*self._other_facts(deed, old)]
        self.changes += [each for each in changes if each not in self.changes]
        return not changes

    def _other_facts(self, deed: Deed, old: Order) -> Iterator[str]:
        new = self._new
        if deed.tool == ASKED_TO_PAY:
            yield from _other_payment(new, old)
        elif deed.tool in (ASKED_TO_APPROVE, TOLD_APPROVED):
            if self._restricted(new) != self._restricted(old):
                yield "its restricted items became others"
        elif deed.tool == HELD and not hold_reasons(new, self._world):
            yield "nothing of it is prohibited or unknown any more"
        elif deed.tool == ORDERED and not self._still_short(old):
            yield "it is no longer short"

    def _still_short(self, old: Order) -> bool:
        restocked = {restock.item_id for restock in old.restocks if restock.key} & self._new.quantities.keys()
        return any(short_of(self._new, self._world, item) > 0 for item in restocked)

    def _restricted(self, order: Order) -> dict[str, object]:
        rows = self._world.stock
        return {item: count for item, count in order.quantities.items() if item in rows and rows[item].needs_approval}

    def _lay_restocks(self, row: Raw, old: Order) -> bool:
        """Those that were ordered here, while they cover what the order needs of their item; whether all do."""
        keys = {deed.key for deed in self._deeds if deed.tool == ORDERED}
        there = {restock.key for restock in self._new.restocks if restock.key}
        kept: list[object] = []
        all_cover = True
        for raw, restock in zip(entries_of(self._ours.get("restocks")), old.restocks, strict=True):
            if restock.key not in keys - there:
                continue
            before, now = old.quantities.get(restock.item_id, 0), self._new.quantities.get(restock.item_id, 0)
            if now <= before or restock.quantity >= now:
                kept.append(raw)
            else:
                all_cover = False
                self.changes.append(f"it needs {now} of {shown(restock.item_id)}, not {before}")
        if kept:
            row["restocks"] = [*entries_of(row.get("restocks")), *kept]
        return all_cover

    def _lay_history(self, row: Raw) -> None:
        there = entries_of(row.get(_HISTORY))
        ours = [each for each in entries_of(self._ours.get(_HISTORY)) if _is_daper_s(each) and each not in there]
        if ours:
            row[_HISTORY] = [*there, *ours]

    def _lay_status(self, row: Raw, old: Order, deeds: Sequence[Deed]) -> None:
        """The status that was set here, while the order comes with the one that it had before."""
        if self._new.state == old.state:
            return
        if self._new.state in led_to(old.status, deeds):
            row["status"] = self._ours["status"]
        elif (before := led_to(old.status, self._deeds)) and self._new.state not in before:
            self.changes.append(f"its status became {shown(self._new.status) or 'none'}")


def _other_payment(new: Order, old: Order) -> Iterator[str]:
    if new.total != old.total:
        yield f"its total became {_amount(new)}"
    if new.payment_method != old.payment_method:
        yield f"its payment method became {shown(new.payment_method) or 'none'}"
    if new.customer_id != old.customer_id:
        yield f"its customer became {shown(new.customer_id) or 'nobody'}"


def _order_or_none(raw: Raw) -> Order | None:
    try:
        return order_of(raw)
    except StoreDamaged:
        return None


def _is_daper_s(change: object) -> bool:
    """Written here: by a tool, or because somebody told it."""
    return isinstance(change, dict) and (cast("Raw", change).get("by") == "daper" or "fact" in change)


def _amount(order: Order) -> str:
    return "unknown" if order.total is None else money(order.total)
