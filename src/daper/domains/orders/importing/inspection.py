"""Looks over the rows of an import: what makes it impossible. What only should be known is in `doubts`."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar, cast

from pydantic import BaseModel, ValidationError

from daper.domains.orders.fields import Count, CountOrNone, CountOrNothing, PlainId, entries_of
from daper.domains.orders.importing.remarks import Remarks, holds
from daper.domains.orders.lookalikes import look
from daper.domains.orders.models import Line, Order, Restock, StockRow
from daper.domains.orders.world import Raw

MOST_RECORDS = 1_000_000  # in one file
MOST_ENTRIES = 10_000  # in one list of one record

RowT = TypeVar("RowT", bound=BaseModel)


class _NewLine(Line, frozen=True):
    item_id: PlainId
    quantity: Count


class _NewRestock(Restock, frozen=True):
    item_id: PlainId
    quantity: Count
    taken: CountOrNone = None


class NewOrder(Order, frozen=True):
    """An order as it may come in: stricter than what a store puts up with."""

    order_id: PlainId
    items: tuple[_NewLine, ...] = ()
    restocks: tuple[_NewRestock, ...] = ()


class NewStockRow(StockRow, frozen=True):
    """An inventory row as it may come in: stricter than what a store puts up with."""

    item_id: PlainId
    reserved_stock: CountOrNothing = 0
    reorder_quantity: CountOrNothing = 0
    max_stock_level: CountOrNone = None


@dataclass(kw_only=True)
class Rows:
    """The list of one file: how it is called, the field that has the id, the entries, and where remarks go."""

    name: str
    key: str
    entries: list[object]
    remarks: Remarks
    _ids: dict[str, str] = field(default_factory=dict[str, str])
    _looks: dict[str, str] = field(default_factory=dict[str, str])

    def typed(self, model: type[RowT]) -> Iterator[tuple[str, Raw, RowT]]:
        """The rows that fit, each with its place; all others, and ids that are there twice, become faults."""
        if len(self.entries) > MOST_RECORDS:
            self.remarks.fault(
                self.name, f"has {len(self.entries):,} entries; at most {MOST_RECORDS:,} can be imported"
            )
            return
        if not self.entries:
            self.remarks.warn(self.name, "is empty")
        for index, entry in enumerate(self.entries):
            if self.remarks.full:
                return
            place = f"{self.name}[{index}]"
            if not isinstance(entry, dict):
                self.remarks.fault(place, f"{holds(entry)}: must be an object, {{...}}")
                continue
            raw = cast("Raw", entry)  # an object of JSON has only string keys
            row = self._typed(model, raw, place)
            self._note_id(raw.get(self.key), place)
            if row is not None:
                yield place, raw, row

    @property
    def ids(self) -> frozenset[str]:
        """The ids that were seen, also those of rows that do not fit."""
        return frozenset(self._ids)

    def _typed(self, model: type[RowT], raw: Raw, place: str) -> RowT | None:
        long = [name for name in model.model_fields if len(entries_of(raw.get(name))) > MOST_ENTRIES]
        for name in long:
            message = _too_many(entries_of(raw[name]), MOST_ENTRIES)
            self.remarks.fault(f"{place}.{name}", message, record=raw.get(self.key))
        if long:
            return None
        try:
            return model.model_validate(raw)
        except ValidationError as error:
            self.remarks.faults_of(error, place=place, record=raw.get(self.key))
            return None

    def _note_id(self, value: object, place: str) -> None:
        if not isinstance(value, str):
            return
        there = f"{place}.{self.key}"
        first = self._ids.setdefault(value, place)
        if first != place:
            self.remarks.fault(there, f"{holds(value)}, which {first} has too; give each its own")
            return
        like = self._looks.setdefault(look(value), place)
        if like != place:
            self.remarks.warn(there, f"{holds(value)}, which is easily taken for that of {like}")


def _too_many(entries: list[object], most: int) -> str:
    return f"has {len(entries):,} entries; at most {most:,} can be imported"
