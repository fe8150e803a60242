"""Goes through the two files of an import, whatever system wrote them, and looks each row over, page by page."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO, Final, TypeVar, cast

from pydantic import ValidationError

from daper.core.text import visible
from daper.domains.orders.book import Known
from daper.domains.orders.changes import currencies
from daper.domains.orders.fields import number
from daper.domains.orders.importing import doubts
from daper.domains.orders.importing.inspection import MOST_ENTRIES, MOST_RECORDS, NewOrder, NewStockRow
from daper.domains.orders.importing.intake import LARGEST_STREAM, NotReadable, opened
from daper.domains.orders.importing.mapped import Entry, MappedRow, Mapper, fits
from daper.domains.orders.importing.mapping import Form, ShopMapping
from daper.domains.orders.importing.numerals import swapped
from daper.domains.orders.importing.remarks import MOST_REMARKS, Remarks, holds, message_of, spot
from daper.domains.orders.importing.sources import Kind
from daper.domains.orders.importing.spool import Spool, Spooled
from daper.domains.orders.importing.streams import Element, Elements, as_object
from daper.domains.orders.importing.tables import Table
from daper.domains.orders.statuses import CLOSED, normal
from daper.domains.orders.world import ORDERS, STOCK, Raw, item_ids, raw_lines
from daper.ports.administration import Tell

_TELL_EVERY: Final = 500
_FIRST_COLUMNS: Final = 8
_SAYS_WHICH: Final = ("status", "order_date", "total", "customer_id")

RowT = TypeVar("RowT", NewOrder, NewStockRow)


@dataclass(kw_only=True)
class Intake:
    """One of the files: what is said of it, and who made its rows, if another system wrote it."""

    path: Path
    kind: Kind
    remarks: Remarks
    tell: Tell
    mapper: Mapper | None = None

    @property
    def collection(self) -> str:
        """Of its rows."""
        return self.kind.list_name

    def read_into(self, spool: Spool, mapping: ShopMapping | None) -> None:
        """Put every row into the spool. What makes that impossible becomes a fault."""
        try:
            with opened(self.path, largest=LARGEST_STREAM) as file:
                self._read(file, spool, mapping)
            if not spool.count(self.collection) and not self.remarks.faults:
                self.remarks.warn(self.kind.list_name, "is empty")
        except NotReadable as error:
            self.remarks.fault("", str(error))

    def _read(self, file: BinaryIO, spool: Spool, mapping: ShopMapping | None) -> None:
        size = file.seek(0, io.SEEK_END)
        start = file.seek(0)
        first = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        file.seek(start)
        told = _Told(self.tell, f"reading {self.path.name}", file, size)
        if first in (b"{", b"[") or mapping is None:
            self._read_json(file, spool, mapping, told)
        else:
            self._read_csv(file, spool, mapping, told)

    def _read_csv(self, file: BinaryIO, spool: Spool, mapping: ShopMapping, told: "_Told") -> None:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        try:
            table = Table(text)
            form = self._form(mapping, "csv", dict.fromkeys(table.header))
            _refuse_twice(table, form)
            self.mapper = Mapper(form, self.collection)
            self._spool(spool, self.mapper.rows(told.each(table.entries())))
        finally:
            text.detach()

    def _read_json(self, file: BinaryIO, spool: Spool, mapping: ShopMapping | None, told: "_Told") -> None:
        forms = mapping.forms(self.collection) if mapping else ()
        names = frozenset({self.kind.list_name, *(form.list_ for form in forms if form.list_)})
        skipped = frozenset[str]() if mapping else frozenset({self.kind.other.list_name})
        elements = Elements(file, names, skipped, pages=mapping is not None)
        entries = self._entries(elements, spool, named=mapping is None)
        if mapping is None:
            self._spool_plain(spool, told.each(entries))
        else:
            self._spool(spool, self._mapped(told.each(entries), mapping))
        if not elements.found:
            self.remarks.fault("", f"has no list {' or '.join(repr(name) for name in sorted(names))}")

    def _mapped(self, entries: Iterator[Entry], mapping: ShopMapping) -> Iterator[MappedRow]:
        first = next(iter(entries), None)
        if first is None:
            return
        if self.kind.key in first.data and not any(fits(form, first.data) for form in mapping.forms(self.collection)):
            yield from (MappedRow(place=entry.place, raw=dict(entry.data)) for entry in _with(first, entries))
            return
        self.mapper = Mapper(self._form(mapping, "json", first.data), self.collection)
        yield from self.mapper.rows(_with(first, entries))

    def _form(self, mapping: ShopMapping, format: str, data: Mapping[str, object]) -> Form:
        """The form that the file is in. Raises NotReadable where it is in none."""
        forms = [form for form in mapping.forms(self.collection) if form.format == format]
        found = next((form for form in forms if fits(form, data)), None)
        if found is not None:
            return found
        other = next((form for form in mapping.forms(self.kind.other.list_name) if fits(form, data)), None)
        if other is not None and other.format == format:
            raise NotReadable(
                f"has the {self.kind.other.list_name}, and is given as the {self.kind.list_name}: name the orders first"
            )
        if not forms:
            raise NotReadable(
                f"is {format.upper()}, and the mapping knows no {self.kind.list_name} in {format.upper()}"
            )
        near = min(
            forms,
            key=lambda form: sum(not fits(form.model_copy(update={"needs": [each]}), data) for each in form.needs),
        )
        missing = [each for each in near.needs if not fits(near.model_copy(update={"needs": [each]}), data)]
        there = ", ".join(visible(name, longest=40) for name in list(data)[:_FIRST_COLUMNS])
        raise NotReadable(
            f"is in no form that the mapping knows; nearest are its {near.about or near.format}, without "
            f"{', '.join(repr(each) for each in missing)}. It has: {there}"
            + (", …" if len(data) > _FIRST_COLUMNS else "")
        )

    def _entries(self, elements: Elements, spool: Spool, *, named: bool) -> Iterator[Entry]:
        for at, (value, whole) in enumerate(self._values(elements, spool, named=named)):
            self._refuse_more(at)
            place = f"{elements.list_name or self.kind.list_name}[{at}]"
            data = as_object(value)
            if data is not None:
                yield Entry(place=place, data=data)
            elif whole:
                self.remarks.fault(place, f"{holds(value)}: must be an object, {{...}}")
            if self.remarks.full:
                return

    def _values(self, elements: Elements, spool: Spool, *, named: bool) -> Iterator[tuple[object, bool]]:
        """The elements of the list, or of its pages, and whether nothing is wrong with them."""
        for element in elements:
            self._flaws(element)
            if element.key is None:
                for value in (element.value,) if named else _on_page(element.value, elements):
                    yield value, not element.flaws
            elif element.key == self.kind.other.list_name:
                self.remarks.warn(element.key, "is kept and not looked at; it comes from the other file")
            elif named:
                spool.extras.setdefault(self.collection, {})[element.key] = element.value

    def _flaws(self, element: Element) -> None:
        for flaw in element.flaws:
            self.remarks.fault(f"line {flaw.line}, column {flaw.column}", f"is wrong: {flaw.why}")

    def _refuse_more(self, number: int) -> None:
        if number >= MOST_RECORDS:
            raise NotReadable(f"has more than {MOST_RECORDS:,} entries; no more can be imported")

    def _spool_plain(self, spool: Spool, entries: Iterable[Entry]) -> None:
        for entry in entries:
            raw = dict(entry.data)
            spool.add(self.collection, raw.get(self.kind.key), raw, place=entry.place)

    def _spool(self, spool: Spool, rows: Iterable[MappedRow]) -> None:
        mapper = None
        for place, row in enumerate(rows):
            self._refuse_more(place)
            mapper = mapper or self.mapper
            key = row.raw.get(self.kind.key)
            known = spool.first(self.collection, key) if isinstance(key, str) and mapper and _goes_on(mapper) else None
            if known is None:
                spool.add(self.collection, key, row.raw, place=row.place, lines=row.lines)
            elif mapper is not None and _is_there_twice(known.raw, row.raw, mapper.form):
                told = f"{holds(key)}, which {known.place} has too, as an order of its own; give each its own"
                self.remarks.fault(row.place, told, record=key)
            elif mapper is not None:
                spool.put(self.collection, _together(known, row, mapper.form))


def _refuse_twice(table: Table, form: Form) -> None:
    """A column that nobody can tell from another one of the same name may be there, and not be read."""
    read = next((name for name in (*form.needs, *form.columns()) if name in table.twice), None)
    if read is not None:
        raise NotReadable(f"names a column twice: {visible(read, longest=60)!r}")


class _Told:
    """Tells how far the reading of a file is, by its bytes."""

    def __init__(self, tell: Tell, what: str, file: BinaryIO, size: int) -> None:
        self._tell, self._what, self._file, self._size = tell, what, file, size

    def each(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """The same entries."""
        for place, entry in enumerate(entries):
            if place % _TELL_EVERY == 0:
                self._tell(self._what, self._file.tell(), self._size)
            yield entry
        self._tell(self._what, self._size, self._size)


def _on_page(value: object, elements: Elements) -> list[object]:
    """What an element of a list of pages has, as a program that gathers them leaves it; any other one is itself."""
    if isinstance(value, list):
        return cast("list[object]", value)
    named = ((as_object(value) or {}).get(name) for name in elements.names)
    # JSON values of any kind.
    lists = [cast("list[object]", each) for each in named if isinstance(each, list)]
    return lists[0] if len(lists) == 1 else [value]


def _with(first: Entry, rest: Iterator[Entry]) -> Iterator[Entry]:
    yield first
    yield from rest


def _goes_on(mapper: Mapper) -> bool:
    """Whether rows with an id that was there before belong to it."""
    return mapper.form.one_row_for_each == "line" or bool(mapper.form.add_up)


def _is_there_twice(known: Raw, row: Raw, form: Form) -> bool:
    """Whether rows further down are not more lines of an order but the order once more, or another one."""
    if form.one_row_for_each != "line":
        return False
    if form.begins:
        return "status" in row
    one, other = known.get("items"), row.get("items")
    return one == other or any(name in known and name in row and known[name] != row[name] for name in _SAYS_WHICH)


def _together(known: Spooled, row: MappedRow, form: Form) -> Spooled:
    raw = dict(known.raw)
    for name in form.add_up:
        one, other = raw.get(name), row.raw.get(name)
        if isinstance(one, int | Decimal) and isinstance(other, int | Decimal):
            raw[name] = number(one + other)
        elif one is None:
            raw[name] = other
    if form.one_row_for_each == "line":
        items = [*cast("list[object]", raw.get("items", [])), *cast("list[object]", row.raw.get("items", []))]
        raw = {**row.raw, **raw, "items": items}
    return Spooled(known.position, known.place, raw, [*known.lines, *row.lines])


def add_taken(spool: Spool, orders: Intake, stock: Intake) -> None:
    """Count again what orders have been taken off a stock that is given without it."""
    form = stock.mapper.form if stock.mapper else None
    if form is None or not form.taken_by:
        return
    _count_taken(spool, orders, {normal(status) for status in form.taken_by})
    for page in spool.pages(STOCK):
        for row in page:
            item, current = row.raw.get("item_id"), row.raw.get("current_stock")
            if isinstance(item, str) and isinstance(current, int | Decimal) and (taken := spool.taken(item)):
                spool.put(STOCK, row._replace(raw={**row.raw, "current_stock": number(current + taken)}))


def _count_taken(spool: Spool, orders: Intake, wanted: set[str]) -> None:
    for page in spool.pages(ORDERS):
        for row in page:
            status = normal(str(row.raw.get("status") or ""))
            if status in wanted or ("*" in wanted and status not in CLOSED and _is_ours(orders, row.raw)):
                _take(spool, row.raw)


def _take(spool: Spool, order: Raw) -> None:
    for line in raw_lines(order):
        item, quantity = line.get("item_id"), line.get("quantity")
        if isinstance(item, str) and isinstance(quantity, int | Decimal):
            spool.take(item, Decimal(quantity))


def _is_ours(orders: Intake, raw: Raw) -> bool:
    """Whether the status is one that the mapping knows: of any other nobody can tell what it holds."""
    return orders.mapper is None or raw.get("status") in set(orders.mapper.form.words.values())


class Look:
    """Looks over all rows: what makes an import impossible, and what should be known, into the remarks of each file."""

    def __init__(
        self,
        spool: Spool,
        orders: Intake,
        stock: Intake,
        *,
        known: Known | None,
        suppliers: Mapping[str, str],
        now: datetime,
        tell: Tell,
    ) -> None:
        self._spool, self._orders, self._stock = spool, orders, stock
        self._known, self._suppliers, self._now, self._tell = known, suppliers, now, tell
        self._currencies: set[str] = set()
        self.counts = {"orders": 0, "order_lines": 0, "inventory_rows": 0}
        """How many rows fit."""

    def over_all(self) -> None:
        """Once."""
        for intake in (self._orders, self._stock):
            self._ids(intake)
        of, done = self._spool.count(ORDERS) + self._spool.count(STOCK), 0
        for collection, look in ((STOCK, self._over_stock), (ORDERS, self._over_orders)):
            for page in self._spool.pages(collection):
                look(page)
                done += len(page)
                self._tell("looking over", done, of)
        self._spool.allot()
        for message in doubts.about_orders({"currency": each} for each in sorted(self._currencies)):
            self._orders.remarks.warn(self._orders.kind.list_name, message)

    def _ids(self, intake: Intake) -> None:
        for key, place, first in self._spool.twice(intake.collection, MOST_REMARKS):
            where = f"{place}.{intake.kind.key}" if intake.mapper is None else place
            intake.remarks.fault(where, f"{holds(key)}, which {first} has too; give each its own")
        for key, place, first in self._spool.alike(intake.collection, MOST_REMARKS):
            where = f"{place}.{intake.kind.key}" if intake.mapper is None else place
            intake.remarks.warn(where, f"{holds(key)}, which is easily taken for that of {first}")

    def _over_stock(self, page: Sequence[Spooled]) -> None:
        for row in page:
            if (typed := _typed(self._stock, NewStockRow, row)) is not None:
                self.counts["inventory_rows"] += 1
                for where, message in doubts.about_row(typed, self._suppliers):
                    self._stock.remarks.warn(row.place + where, message, record=typed.item_id)

    def _over_orders(self, page: Sequence[Spooled]) -> None:
        items = _items(page, self._spool, self._known)
        for row in page:
            self._currencies |= currencies([row.raw])
            if (typed := _typed(self._orders, NewOrder, row)) is not None:
                self.counts["orders"] += 1
                self.counts["order_lines"] += len(typed.items)
                if typed.takes_stock:
                    self._spool.claim(typed)
                for where, message in doubts.about_order(row.raw, typed, items=items, now=self._now):
                    self._orders.remarks.warn(row.place + where, message, record=typed.order_id)


def _items(page: Sequence[Spooled], spool: Spool, known: Known | None) -> frozenset[str]:
    wanted = {item for row in page for item in item_ids(row.raw)}
    found = spool.ids(STOCK, wanted)
    if known is not None and (missing := wanted - found):
        found |= frozenset(known.rows(STOCK, missing))
    return found


def _typed(intake: Intake, model: type[RowT], row: Spooled) -> RowT | None:
    long = [
        name
        for name in model.model_fields
        if isinstance(entries := row.raw.get(name), list) and len(cast("list[object]", entries)) > MOST_ENTRIES
    ]
    for name in long:
        intake.remarks.fault(f"{row.place}.{name}", f"has more than {MOST_ENTRIES:,} entries; no more can be imported")
    if long or intake.remarks.full:
        return None
    try:
        return model.model_validate(row.raw)
    except ValidationError as error:
        record = row.raw.get(intake.kind.key)
        for each in error.errors(include_url=False):
            if intake.mapper is None:
                intake.remarks.fault(row.place + spot(each["loc"]), message_of(each), record=record)
            else:
                message = message_of(each).removesuffix(", without quotes") + _hint(each["input"], intake.mapper.form)
                intake.remarks.fault(_column(row, each["loc"], intake.mapper), message, record=record)
        return None


def _hint(held: object, form: Form) -> str:
    if not isinstance(held, str) or not swapped(held, form.decimal):
        return ""
    other = "," if form.decimal == "." else "."
    return f'; where the file writes its decimals so, its mapping says decimal = "{other}"'


def _column(row: Spooled, where: tuple[int | str, ...], mapper: Mapper) -> str:
    """A place in a row of ours, as whoever wrote the file knows it."""
    line = where[1] if where[:1] == ("items",) and len(where) > 1 else None
    place = row.lines[line] if isinstance(line, int) and line < len(row.lines) else row.place
    return f"{place}, {mapper.column(where) or spot(where).removeprefix('.')}"
