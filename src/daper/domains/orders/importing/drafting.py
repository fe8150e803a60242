"""A first mapping for a file of a person's own, from its header, or from the first entry of its list."""

import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, cast

from daper.core.errors import UserError
from daper.core.text import visible
from daper.domains.orders.importing.intake import NotReadable, opened
from daper.domains.orders.importing.streams import Elements, as_object
from daper.domains.orders.importing.tables import Table
from daper.domains.orders.statuses import KNOWN, normal
from daper.domains.orders.world import ORDERS, STOCK

_LOOKED_AT: Final = 10_000
_MOST_WORDS: Final = 30
# By field of ours the names that others give it, without blanks, signs and capitals; the likeliest first.
_ORDER: Final[Mapping[str, tuple[str, ...]]] = {
    "order_id": ("orderid", "ordernumber", "orderno", "incrementid", "number", "name", "order", "id", "reference"),
    "status": ("status", "orderstatus", "state", "financialstatus"),
    "customer_name": ("customername", "billingname", "customer", "billtoname", "shippingname", "fullname", "buyer"),
    "customer_id": ("customeremail", "email", "billingemail", "customerid", "buyeremail", "phone"),
    "order_date": ("orderdate", "createdat", "datecreatedgmt", "datecreated", "purchasedate", "date", "placedat"),
    "subtotal": ("subtotal", "itemstotal"),
    "discount": ("discount", "discountamount", "discounttotal", "totaldiscounts"),
    "tax": ("tax", "taxes", "totaltax", "taxamount", "vat"),
    "shipping": ("shipping", "shippingtotal", "shippingamount", "shippingandhandling", "postage"),
    "total": ("total", "grandtotal", "totalprice", "ordertotal", "grandtotalpurchased", "amount"),
    "currency": ("currency", "ordercurrencycode", "currencycode"),
    "payment_method": ("paymentmethod", "paymentmethodtitle", "payment", "gateway"),
}
_LINE: Final[Mapping[str, tuple[str, ...]]] = {
    "item_id": ("lineitemsku", "itemsku", "sku", "productsku", "itemid", "productid", "articlenumber", "article"),
    "item_name": ("lineitemname", "itemname", "productname", "product", "title", "name", "description"),
    "quantity": ("lineitemquantity", "quantity", "qty", "itemqtyordered", "qtyordered", "quantityordered", "count"),
    "unit_price": ("lineitemprice", "unitprice", "itemprice", "price"),
    "total_price": ("linetotal", "rowtotal", "itemrowtotal", "totalprice"),
}
_STOCK: Final[Mapping[str, tuple[str, ...]]] = {
    "item_id": ("sku", "itemid", "variantsku", "productid", "articlenumber", "article", "id"),
    "item_name": ("name", "title", "itemname", "productname", "description"),
    "current_stock": ("currentstock", "stock", "onhand", "stockquantity", "qty", "quantity", "inventoryquantity"),
    "reserved_stock": ("reservedstock", "reserved", "committed", "allocated"),
    "reorder_quantity": ("reorderquantity", "reorder", "orderquantity"),
    "max_stock_level": ("maxstocklevel", "maxstock", "maximum"),
    "unit_cost": ("unitcost", "cost", "costperitem", "purchaseprice"),
    "supplier": ("supplier", "vendor"),
    "supplier_contact": ("suppliercontact", "supplieremail", "vendoremail"),
}
_LISTS: Final = ("items", "line_items", "lines", "order_items", "products", "positions")


@dataclass(frozen=True, kw_only=True)
class _Sample:
    """What a file was seen to have: its columns with the first values, and of each row those of one column."""

    format: str
    list_name: str
    first: Mapping[str, object]
    rows: Sequence[Mapping[str, object]]


def draft_mapping(path: Path) -> str:
    """The text of a mapping for this file, to be looked over. Raises UserError for a file that is neither."""
    named = visible(path, longest=200)
    try:
        sample = _sample(path)
    except NotReadable as error:
        raise UserError(f"{named} {error}") from None
    if not sample.first:
        raise UserError(f"{named} has no rows to look at")
    return "\n".join(_lines(sample, named)) + "\n"


def _sample(path: Path) -> _Sample:
    with opened(path) as file:
        first = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        file.seek(0)
        if first in (b"{", b"["):
            return _json_sample(Elements(file, _AnyName(), pages=True))
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        try:
            table = Table(text)
            rows = [entry.data for entry in islice(table.entries(), _LOOKED_AT)]
            head = rows[0] if rows else dict.fromkeys(table.header, "")
            return _Sample(format="csv", list_name="", first=head, rows=rows)
        finally:
            text.detach()


class _AnyName(frozenset[str]):
    """Whatever the list of a document is called: the first one is it."""

    def __contains__(self, name: object) -> bool:
        return True


def _json_sample(elements: Elements) -> _Sample:
    objects = (as_object(each.value) for each in elements if each.key is None)
    rows = [*islice((row for row in objects if row is not None), _LOOKED_AT)]
    return _Sample(format="json", list_name=elements.list_name, first=rows[0] if rows else {}, rows=rows)


def _lines(sample: _Sample, named: str) -> Iterator[str]:
    columns = dict(_flat(sample.first))
    lines_in = next((name for name in _LISTS if isinstance(sample.first.get(name), list)), "")
    orders, stock = _guessed(_ORDER, columns), _guessed(_STOCK, columns)
    is_stock = not lines_in and "status" not in orders and "current_stock" in stock
    yield f"# How {named} is to be read; look it over, then name it with --mapping"
    yield "# What a field is for is in the page on your own data. Columns that no line names are left out."
    if is_stock:
        yield from _head(sample, STOCK, [stock[name] for name in ("item_id", "current_stock") if name in stock])
        yield from _fields(STOCK, stock, _STOCK, needed={"item_id", "current_stock"})
        return
    line = _line_of(sample, lines_in, columns, orders)
    yield from _head(sample, ORDERS, [orders[name] for name in ("order_id", "status") if name in orders])
    if lines_in:
        yield f"lines_in = {_toml(lines_in)}"
    elif line.keys() >= {"item_id", "quantity"}:
        yield 'one_row_for_each = "line" # rows with one id are one order'
    yield from _fields(ORDERS, orders, _ORDER, needed={"order_id"})
    yield from ("", f"[{ORDERS}.lines]", *_assigned(line, _LINE, needed={"item_id", "quantity"}), "")
    yield "# What your words for the status mean here. One that is not named stays as it is, and is a person's."
    yield f"[{ORDERS}.words]"
    yield from _words(sample.rows, orders.get("status", ""))


def _line_of(
    sample: _Sample, lines_in: str, columns: Mapping[str, object], orders: Mapping[str, str]
) -> dict[str, str]:
    if lines_in:
        return _guessed(_LINE, dict(_flat(_first_of(sample.first.get(lines_in)))))
    taken = set(orders.values())
    return _guessed(_LINE, {name: value for name, value in columns.items() if name not in taken})


def _head(sample: _Sample, collection: str, needs: Sequence[str]) -> Iterator[str]:
    yield f"[[{collection}]]"
    yield f"format = {_toml(sample.format)}"
    if sample.list_name:
        yield f"list = {_toml(sample.list_name)}"
    yield f"needs = [{', '.join(map(_toml, needs))}] # by these columns a file of this kind is known"
    yield '# dates = ["%d.%m.%Y %H:%M"] # where they are not as 2025-06-27 16:20:00'
    yield '# zone = "Europe/Berlin" # of dates that name none'
    yield '# decimal = "," # 1.234,50'


def _fields(collection: str, found: Mapping[str, str], wanted: Iterable[str], *, needed: set[str]) -> Iterator[str]:
    yield from ("", f"[{collection}.fields]", *_assigned(found, wanted, needed=needed))


def _assigned(found: Mapping[str, str], wanted: Iterable[str], *, needed: set[str]) -> Iterator[str]:
    for name in wanted:
        if name in found:
            yield f"{name} = {_toml(found[name])}"
        else:
            yield f'# {name} = "…"{" # needed" if name in needed else ""}'


def _words(rows: Iterable[Mapping[str, object]], column: str) -> Iterator[str]:
    seen = dict.fromkeys(str(value).strip() for row in rows if (value := row.get(column)) not in (None, ""))
    for word in islice(seen, _MOST_WORDS):
        if normal(word) in KNOWN:
            yield f"{_toml(word)} = {_toml(normal(word))}"
        else:
            yield f'# {_toml(word)} = "…"'
    if len(seen) > _MOST_WORDS:
        yield f"# and {len(seen) - _MOST_WORDS:,} more"


def _guessed(names: Mapping[str, tuple[str, ...]], columns: Mapping[str, object]) -> dict[str, str]:
    plain: dict[str, str] = {}
    for column in columns:
        plain.setdefault(re.sub(r"[^a-z0-9]", "", column.lower()), column)
    found: dict[str, str] = {}
    for field, likely in names.items():
        match = next((plain[name] for name in likely if name in plain and plain[name] not in found.values()), None)
        if match is not None:
            found[field] = match
    return found


def _flat(data: Mapping[str, object], before: str = "") -> Iterator[tuple[str, object]]:
    """The fields of an entry, those of its objects by their path."""
    for name, value in data.items():
        if isinstance(value, dict):
            yield from _flat(cast("dict[str, object]", value), f"{before}{name}.")
        elif not isinstance(value, list):
            yield f"{before}{name}", value


def _first_of(value: object) -> dict[str, object]:
    entries = cast("list[object]", value) if isinstance(value, list) else []
    return next((each for entry in entries if (each := as_object(entry)) is not None), dict[str, object]())


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
