"""An import from a person's two files: looked over as a whole, and judged by the rules. Nothing is changed here."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from daper.core.errors import StoreDamaged, UserError
from daper.core.text import visible
from daper.domains.orders import rules
from daper.domains.orders.allotment import allotted
from daper.domains.orders.book import KnownShop
from daper.domains.orders.changes import order_of
from daper.domains.orders.importing import doubts
from daper.domains.orders.importing.inspection import NewOrder, NewStockRow
from daper.domains.orders.importing.intake import size_of
from daper.domains.orders.importing.mapping import find
from daper.domains.orders.importing.merging import Tally, merged, stock_for
from daper.domains.orders.importing.reading import Intake, Look, add_taken
from daper.domains.orders.importing.remarks import Remarks
from daper.domains.orders.importing.sources import Kind, Source, open_source
from daper.domains.orders.importing.spool import JUDGED, Spool
from daper.domains.orders.world import ORDERS, Raw, World
from daper.ports import PLAIN, ImportDraft, ImportWay, Tell
from daper.ports.store import OWN, StoreAbout

FILES = ("the orders", "the inventory")
KEPT_AS_WRITTEN = 4 * 1024 * 1024  # bytes; what is larger is gone through row by row, and never held
# Nobody pretends to answer, and today is today.
ABOUT = StoreAbout(dataset=OWN)
NOBODY: Final[Mapping[str, str]] = {}


def draft_of(
    files: Sequence[Path],
    *,
    now: datetime,
    way: ImportWay = PLAIN,
    known: KnownShop | None = None,
    suppliers: Mapping[str, str] = NOBODY,
) -> ImportDraft:
    """All there is to say of the orders and the inventory in these two files. Raises UserError for another number.

    `known`: what the store has, where the rows are to be merged into it. Files of our own kind that are to replace what
    is there, and are small enough to be held, are kept as they were written. `suppliers`: addresses that the settings
    know.
    """
    if len(files) != len(FILES):
        raise UserError(f"an import of orders needs two files, {' and '.join(FILES)}; got {len(files)}")
    if not way.mapping and known is None and all(size_of(path) <= KEPT_AS_WRITTEN for path in files):
        return _as_written(files, now, way.tell, suppliers)
    mapping = find(way.mapping) if way.mapping else None
    spool = Spool()
    orders, stock = (
        Intake(path=path, kind=kind, remarks=Remarks(visible(path, longest=200)), tell=way.tell)
        for path, kind in zip(files, Kind, strict=True)
    )
    for intake in (orders, stock):
        # A mapping need not say how the stock is written: then it is as we write it.
        intake.read_into(spool, mapping if mapping and mapping.forms(intake.collection) else None)
    add_taken(spool, orders, stock)
    look = Look(spool, orders, stock, known=known, suppliers=suppliers, now=now, tell=way.tell)
    look.over_all()
    faults = (*orders.remarks.faults, *stock.remarks.faults)
    draft = ImportDraft(
        faults=faults,
        warnings=(*orders.remarks.warnings, *stock.remarks.warnings),
        counts=look.counts,
        rows=None if faults else spool,
    )
    if faults:
        spool.close()
        return draft
    return _judged(draft, spool, known=known, now=now, tell=way.tell)


def _judged(draft: ImportDraft, spool: Spool, *, known: KnownShop | None, now: datetime, tell: Tell) -> ImportDraft:
    """With what the rules find wrong with the records as they then are, and what becomes of those that are there."""
    tally = None if known is None else _as_they_become(spool, known, tell)
    problems, suspects, done = Counter[str](), 0, 0
    collection = ORDERS if known is None else JUDGED
    of = spool.count(collection)
    for page in spool.pages(collection):
        raws = [row.raw for row in page]
        world = World(
            orders={order.order_id: order for order in map(order_of, raws)},
            stock=stock_for(raws, spool, known),
            versions={},
            ahead=spool.ahead([str(raw["order_id"]) for raw in raws]),
        )
        found = rules.detect(world, now)
        problems.update(finding.kind for finding in found)
        suspects += len({finding.record_id for finding in found})
        done += len(raws)
        tell("looking for problems", done, of)
    merge = None if tally is None else tally.counts()
    same = merge is not None and not (merge.new or merge.changed)
    return replace(draft, problems=dict(problems), suspects=suspects, merge=merge, same=same)


def _as_they_become(spool: Spool, known: KnownShop, tell: Tell) -> Tally:
    """Put the orders that the store then has into the spool: those that come, and beside them the open ones that stay.

    Who gets what of the stock is found anew among all of them.
    """
    tally, done, of = Tally(), 0, spool.count(ORDERS)
    for page in merged(spool, known, tally):
        if page.collection == ORDERS:
            _put_judged(spool, page.all)
            done += len(page.all)
            tell("comparing with the records that are there", done, of)
    for raws in known.open_orders():
        come = spool.ids(ORDERS, [str(raw["order_id"]) for raw in raws])
        _put_judged(spool, [raw for raw in raws if str(raw["order_id"]) not in come and _is_sound(raw)])
    spool.forget_claims()
    done, of = 0, spool.count(JUDGED)
    for rows in spool.pages(JUDGED):
        for order in (order_of(row.raw) for row in rows):
            if order.takes_stock:
                spool.claim(order)
        done += len(rows)
        tell("finding out who gets what", done, of)
    spool.allot()
    return tally


def _put_judged(spool: Spool, raws: Sequence[Raw]) -> None:
    for raw in raws:
        spool.add(JUDGED, raw["order_id"], raw)


def _is_sound(raw: Raw) -> bool:
    """Whether an order of the store can be read: of one that cannot, nothing is told but where it is looked at."""
    try:
        order_of(raw)
    except StoreDamaged:
        return False
    return True


def _as_written(files: Sequence[Path], now: datetime, tell: Tell, suppliers: Mapping[str, str]) -> ImportDraft:
    sources: list[Source] = []
    for path, kind in zip(files, Kind, strict=True):
        sources.append(open_source(path, kind))
        tell(f"reading {path.name}", 1, 1)
    orders, stock = sources
    rows = _stock_of(stock, suppliers)
    found = _orders_of(orders, items=stock.rows.ids if stock.rows else None, now=now)
    world = World(orders=found, stock=rows, versions={}, ahead=allotted(found.values()))
    faults = tuple(note for source in sources for note in source.remarks.faults)
    findings = () if faults else rules.detect(world, now)
    tell("looking for problems", 1, 1)
    return ImportDraft(
        faults=faults,
        warnings=tuple(note for source in sources for note in source.remarks.warnings),
        counts={
            "orders": len(found),
            "order_lines": sum(len(order.items) for order in found.values()),
            "inventory_rows": len(rows),
        },
        findings=findings,
        problems=dict(Counter(finding.kind for finding in findings)),
        suspects=len({finding.record_id for finding in findings}),
        contents={} if faults else {source.kind.file: source.text for source in sources},
    )


def _stock_of(source: Source, suppliers: Mapping[str, str]) -> dict[str, NewStockRow]:
    found: dict[str, NewStockRow] = {}
    for place, _, row in source.rows.typed(NewStockRow) if source.rows else ():
        found[row.item_id] = row
        for where, message in doubts.about_row(row, suppliers):
            source.remarks.warn(place + where, message, record=row.item_id)
    return found


def _orders_of(source: Source, *, items: frozenset[str] | None, now: datetime) -> dict[str, NewOrder]:
    found: dict[str, NewOrder] = {}
    raws: list[Mapping[str, object]] = []
    for place, raw, order in source.rows.typed(NewOrder) if source.rows else ():
        found[order.order_id] = order
        raws.append(raw)
        for where, message in doubts.about_order(raw, order, items=items, now=now):
            source.remarks.warn(place + where, message, record=order.order_id)
    for message in doubts.about_orders(raws):
        source.remarks.warn(source.kind.list_name, message)
    return found
