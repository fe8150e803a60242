"""An import from a person's two files: looked over as a whole, and judged by the rules. Nothing is changed here."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from daper.core.errors import UserError
from daper.domains.orders import rules
from daper.domains.orders.allotment import allotted
from daper.domains.orders.importing import doubts
from daper.domains.orders.importing.inspection import NewOrder, NewStockRow
from daper.domains.orders.importing.sources import Kind, Source, open_source
from daper.domains.orders.world import World
from daper.ports import ImportDraft
from daper.ports.store import OWN, StoreAbout

FILES = ("the orders", "the inventory")
# Nobody pretends to answer, and today is today.
ABOUT = StoreAbout(dataset=OWN)


def draft_of(files: Sequence[Path], *, now: datetime) -> ImportDraft:
    """All there is to say of the orders and the inventory in these two files. Raises UserError for another number."""
    if len(files) != len(FILES):
        raise UserError(f"an import of orders needs two files, {' and '.join(FILES)}; got {len(files)}")
    sources = [open_source(path, kind) for path, kind in zip(files, Kind, strict=True)]
    orders, stock = sources
    rows = _stock_of(stock)
    found = _orders_of(orders, items=stock.rows.ids if stock.rows else None, now=now)
    world = World(orders=found, stock=rows, versions={}, ahead=allotted(found.values()))
    faults = tuple(note for source in sources for note in source.remarks.faults)
    return ImportDraft(
        faults=faults,
        warnings=tuple(note for source in sources for note in source.remarks.warnings),
        counts={
            "orders": len(found),
            "order_lines": sum(len(order.items) for order in found.values()),
            "inventory_rows": len(rows),
        },
        findings=() if faults else rules.detect(world, now),
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
