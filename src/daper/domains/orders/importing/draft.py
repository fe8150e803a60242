"""An import from a person's two files: looked over as a whole, and judged by the rules. Nothing is changed here."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from daper.core.errors import UserError
from daper.core.text import visible
from daper.domains.orders import rules
from daper.domains.orders.allotment import allotted
from daper.domains.orders.book import Known
from daper.domains.orders.changes import order_of
from daper.domains.orders.importing import doubts
from daper.domains.orders.importing.inspection import NewOrder, NewStockRow
from daper.domains.orders.importing.intake import LARGEST_FILE, size_of
from daper.domains.orders.importing.mapping import find
from daper.domains.orders.importing.merging import Tally, merged, stock_for
from daper.domains.orders.importing.reading import Intake, Look, add_taken
from daper.domains.orders.importing.remarks import Remarks
from daper.domains.orders.importing.sources import Kind, Source, open_source
from daper.domains.orders.importing.spool import Spool
from daper.domains.orders.world import ORDERS, Raw, World
from daper.ports import PLAIN, ImportDraft, ImportWay, Tell
from daper.ports.store import OWN, StoreAbout

FILES = ("the orders", "the inventory")
# Nobody pretends to answer, and today is today.
ABOUT = StoreAbout(dataset=OWN)


def draft_of(
    files: Sequence[Path], *, now: datetime, way: ImportWay = PLAIN, known: Known | None = None
) -> ImportDraft:
    """All there is to say of the orders and the inventory in these two files. Raises UserError for another number.

    `known`: what the store has, where the rows are to be merged into it. Files of our own kind that are to replace what
    is there, and are small enough to be held, are kept as they were written.
    """
    if len(files) != len(FILES):
        raise UserError(f"an import of orders needs two files, {' and '.join(FILES)}; got {len(files)}")
    if not way.mapping and known is None and all(size_of(path) <= LARGEST_FILE for path in files):
        return _as_written(files, now)
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
    look = Look(spool, orders, stock, known=known, now=now, tell=way.tell)
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


def _judged(draft: ImportDraft, spool: Spool, *, known: Known | None, now: datetime, tell: Tell) -> ImportDraft:
    """With what the rules find wrong with the records, and what becomes of those that are there."""
    problems, suspects, tally, done = Counter[str](), 0, Tally(), 0
    of = spool.count(ORDERS)
    for raws in _orders_in(spool, known, tally):
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
    merge = None if known is None else tally.counts()
    same = merge is not None and not (merge.new or merge.changed)
    return replace(draft, problems=dict(problems), suspects=suspects, merge=merge, same=same)


def _orders_in(spool: Spool, known: Known | None, tally: Tally) -> Iterator[Sequence[Raw]]:
    if known is None:
        yield from ([row.raw for row in page] for page in spool.pages(ORDERS))
    else:
        yield from (page.all for page in merged(spool, known, tally) if page.collection == ORDERS)


def _as_written(files: Sequence[Path], now: datetime) -> ImportDraft:
    sources = [open_source(path, kind) for path, kind in zip(files, Kind, strict=True)]
    orders, stock = sources
    rows = _stock_of(stock)
    found = _orders_of(orders, items=stock.rows.ids if stock.rows else None, now=now)
    world = World(orders=found, stock=rows, versions={}, ahead=allotted(found.values()))
    faults = tuple(note for source in sources for note in source.remarks.faults)
    findings = () if faults else rules.detect(world, now)
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


def _stock_of(source: Source) -> dict[str, NewStockRow]:
    found: dict[str, NewStockRow] = {}
    for place, _, row in source.rows.typed(NewStockRow) if source.rows else ():
        found[row.item_id] = row
        for where, message in doubts.about_row(row):
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
