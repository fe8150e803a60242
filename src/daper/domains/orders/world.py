"""Orders and the inventory rows of their items, parsed from raw records and looked up by id."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar, cast

from pydantic import BaseModel, ValidationError

from daper.core.commands import CommandLine
from daper.core.digests import content_version
from daper.core.errors import StoreDamaged
from daper.core.text import visible
from daper.domains.orders.allotment import allotted
from daper.domains.orders.fields import Number
from daper.domains.orders.lookalikes import look
from daper.domains.orders.models import Order, StockRow
from daper.domains.orders.statuses import normal, takes_stock
from daper.ports import Record
from daper.stores.jsonfiles.documents import Documents

ORDERS_FILE = "orders.json"
STOCK_FILE = "inventory.json"
ORDERS = "orders"
STOCK = "inventory"

Raw = dict[str, object]
RowT = TypeVar("RowT", bound=BaseModel)


def order_ref(order_id: str) -> str:
    """The ref of an order."""
    return f"{ORDERS}/{order_id}"


def stock_ref(item_id: str) -> str:
    """The ref of an inventory row."""
    return f"{STOCK}/{item_id}"


def is_order(record: Record) -> bool:
    """Whether a record is an order; the others are inventory rows."""
    return record.ref.startswith(f"{ORDERS}/")


@dataclass(frozen=True, kw_only=True)
class OrderRecord(Record):
    """An order from a store, which alone can tell what other orders take, and whether it is in play: as in a world."""

    ahead: Mapping[str, Number] = field(default_factory=dict[str, Number])
    in_play: bool = False


@dataclass(frozen=True, kw_only=True)
class World:
    """One snapshot: orders by id, inventory rows by item id, and the version of each by ref.

    `ahead`: by order and item how many of it earlier open orders take, whether they are in this snapshot or not.
    `in_play`: these are no records of somebody's own, and whoever is written to answers in play.
    """

    orders: Mapping[str, Order]
    stock: Mapping[str, StockRow]
    versions: Mapping[str, str]
    ahead: Mapping[str, Mapping[str, Number]] = field(default_factory=dict[str, Mapping[str, Number]])
    in_play: bool = False

    def near(self, item_id: str) -> str | None:
        """The id in the inventory that looks the same as one that is not there."""
        return None if item_id in self.stock else self._looks.get(look(item_id))

    @cached_property
    def _looks(self) -> Mapping[str, str]:
        return {look(item): item for item in self.stock}

    def versions_of(self, refs: Iterable[str]) -> dict[str, str]:
        """The versions of those refs that exist."""
        return {ref: self.versions[ref] for ref in refs if ref in self.versions}


def world_of(records: Iterable[Record]) -> World:
    """The records, typed. Raises StoreDamaged naming the record, the place in it and the value that does not fit."""
    orders: dict[str, Order] = {}
    stock: dict[str, StockRow] = {}
    versions: dict[str, str] = {}
    known = tuple(records)
    for record in known:
        versions[record.ref] = record.version
        if is_order(record):
            orders[record.record_id] = parse_row(Order, record.data, place=f"record {record.ref!r}, ")
        else:
            stock[record.record_id] = parse_row(StockRow, record.data, place=f"record {record.ref!r}, ")
    stored = [each for each in known if isinstance(each, OrderRecord)]
    told = {each.record_id: each.ahead for each in stored}
    ahead = told if len(told) == len(orders) else allotted(orders.values())
    return World(
        orders=orders, stock=stock, versions=versions, ahead=ahead, in_play=any(each.in_play for each in stored)
    )


class Worlds:
    """Parses each snapshot once: planning asks for the same one again for every proposal.

    One slot, and only for a tuple, which stays what it is. Safe from many threads: the slot is replaced as a whole.
    """

    def __init__(self) -> None:
        self._last: tuple[Sequence[Record], World] | None = None

    def of(self, records: Sequence[Record]) -> World:
        """The records, typed. Raises StoreDamaged like `world_of`."""
        last = self._last
        if last is not None and last[0] is records:
            return last[1]
        world = world_of(records)
        if isinstance(records, tuple):
            self._last = (records, world)
        return world


def raw_orders(documents: Documents) -> list[Raw]:
    """The order rows themselves, to be changed in place. Raises StoreDamaged if the file has no list of objects."""
    return _rows(documents, ORDERS_FILE, ORDERS)


def raw_stock(documents: Documents) -> list[Raw]:
    """The inventory rows themselves, to be changed in place. Raises StoreDamaged if the file has no list of objects."""
    return _rows(documents, STOCK_FILE, STOCK)


def check_documents(documents: Documents) -> None:
    """Raises StoreDamaged for the first row that cannot be parsed, or whose id is there twice."""
    _check(raw_orders(documents), Order, file=ORDERS_FILE, name=ORDERS, key="order_id")
    _check(raw_stock(documents), StockRow, file=STOCK_FILE, name=STOCK, key="item_id")


def raw_lines(data: Mapping[str, object]) -> list[Raw]:
    """The lines of an order row as they are; what is no object is left out, and refused by `check` and `world_of`."""
    lines = data.get("items")
    if not isinstance(lines, list):
        return []
    # JSON values of unknown shape.
    return [cast("Raw", line) for line in cast("list[object]", lines) if isinstance(line, dict)]


def item_ids(order: Mapping[str, object]) -> set[str]:
    """The items of an order row."""
    return {str(line.get("item_id")) for line in raw_lines(order)}


def find_order(documents: Documents, order_id: str) -> Raw | None:
    """The row of an order itself, to be changed in place, or None. Raises StoreDamaged like `raw_orders`."""
    return next((row for row in raw_orders(documents) if row.get("order_id") == order_id), None)


def find_stock(documents: Documents, item_id: str) -> Raw | None:
    """The inventory row of an item itself, to be changed in place, or None. Raises StoreDamaged like `raw_stock`."""
    return next((row for row in raw_stock(documents) if row.get("item_id") == item_id), None)


def current_version(documents: Documents, ref: str) -> str | None:
    """The version that a ref has now, or None if there is no such record."""
    kind, _, name = ref.partition("/")
    row = None
    if kind == ORDERS:
        row = find_order(documents, name)
    elif kind == STOCK:
        row = find_stock(documents, name)
    return None if row is None else content_version(row)


def queue_of(documents: Documents, items: Collection[str] | None = None) -> dict[str, Mapping[str, Number]]:
    """By order and item how many of it earlier open orders take; of these items, or of all."""
    rows = raw_orders(documents)
    some = rows if items is None else [row for row in rows if not item_ids(row).isdisjoint(items)]
    waiting = [row for row in some if takes_stock(normal(str(row.get("status") or "")))]
    return allotted(parse_row(Order, row, place=f"{ORDERS_FILE}: order {row.get('order_id')!r}, ") for row in waiting)


def records_for(
    documents: Documents,
    orders: Iterable[Raw],
    *,
    in_play: bool,
    ahead: Mapping[str, Mapping[str, Number]] | None = None,
) -> tuple[Record, ...]:
    """These order rows as records, with the inventory rows of their items.

    `ahead`: what earlier orders take, where that is known for all orders already.
    """
    rows = list(orders)
    if ahead is None:
        ahead = queue_of(documents, {item for row in rows for item in item_ids(row)})
    found = [_order(str(row["order_id"]), row, ahead, in_play=in_play) for row in rows]
    wanted = {item for record in found for item in item_ids(record.data)}
    rows_there = raw_stock(documents)
    stock = [row for row in rows_there if row.get("item_id") in wanted]
    if missing := wanted - {str(row.get("item_id")) for row in stock}:
        looks = set(map(look, missing))
        stock = [row for row in rows_there if row.get("item_id") in wanted or look(str(row.get("item_id"))) in looks]
    return (*found, *(_record(stock_ref(str(row["item_id"])), str(row["item_id"]), row) for row in stock))


def parse_row(model: type[RowT], data: Mapping[str, object], *, place: str) -> RowT:
    """A raw row as a model. Raises StoreDamaged naming the place and the value."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        spot = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
        missing = first["type"] == "missing"
        held = "is missing" if missing else f"holds {visible(repr(first['input']), longest=80)}: {first['msg']}"
        raise StoreDamaged(
            f"{place}{spot.removeprefix('.') if place.endswith(' ') else spot} {held}; "
            "nothing was changed. Correct it in the file, or restore the shipped data: ",
            CommandLine("records", "reset"),
        ) from error


def _order(order_id: str, row: Raw, ahead: Mapping[str, Mapping[str, Number]], *, in_play: bool) -> OrderRecord:
    return OrderRecord(
        ref=order_ref(order_id),
        record_id=order_id,
        version=content_version(row),
        data=row,
        ahead=ahead.get(order_id, {}),
        in_play=in_play,
    )


def _record(ref: str, record_id: str, row: Raw) -> Record:
    return Record(ref=ref, record_id=record_id, version=content_version(row), data=row)


def _rows(documents: Documents, file: str, name: str) -> list[Raw]:
    rows = documents.get(file, {}).get(name)
    if not isinstance(rows, list):
        raise StoreDamaged(f"{file}: {name!r} must be a list; got {visible(repr(rows), longest=80)}")
    # JSON values of unknown shape: checked one by one below, and returned as they are so that changes stay in place.
    values = cast("list[object]", rows)
    for index, row in enumerate(values):
        if not isinstance(row, dict):
            raise StoreDamaged(f"{file}: {name}[{index}] must be an object; got {visible(repr(row), longest=80)}")
    return cast("list[Raw]", values)


def _check(rows: list[Raw], model: type[Order] | type[StockRow], *, file: str, name: str, key: str) -> None:
    seen: dict[object, int] = {}
    for index, row in enumerate(rows):
        parse_row(model, row, place=f"{file}: {name}[{index}]")
        first = seen.setdefault(row[key], index)
        if first != index:
            raise StoreDamaged(
                f"{file}: {name}[{index}].{key} holds {row[key]!r}, which {name}[{first}] has too; give each its own"
            )
