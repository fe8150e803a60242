"""One file of an import as it was read: its list of rows, what is wrong with it, and the text that the store keeps."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import cast

from daper.core.text import visible
from daper.domains.orders.importing.inspection import Rows
from daper.domains.orders.importing.intake import NotReadable, read_whole
from daper.domains.orders.importing.remarks import Remarks, holds
from daper.domains.orders.world import ORDERS_FILE, STOCK_FILE
from daper.stores.jsonreading import examine

_BOM = b"\xef\xbb\xbf"
_FIRST_KEYS = 5


class Kind(Enum):
    """The two files: their name in the store, the list that each has, and the field with the id of its rows."""

    ORDERS = (ORDERS_FILE, "orders", "order_id")
    STOCK = (STOCK_FILE, "inventory", "item_id")

    def __init__(self, file: str, list_name: str, key: str) -> None:
        self.file, self.list_name, self.key = file, list_name, key

    @property
    def other(self) -> "Kind":
        """The other one."""
        return Kind.STOCK if self is Kind.ORDERS else Kind.ORDERS


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file that a person named. `rows` is None where it has no list; `remarks` then says why."""

    kind: Kind
    remarks: Remarks
    rows: Rows | None = None
    text: bytes = b""


def open_source(path: Path, kind: Kind) -> Source:
    """Read a file and find its list: the whole of it, or a field of its object. What is wrong becomes a remark."""
    remarks = Remarks(visible(path, longest=200))
    try:
        data = read_whole(path)
    except NotReadable as error:
        remarks.fault("", str(error))
        return Source(kind=kind, remarks=remarks)
    value, flaws = examine(data)
    for flaw in flaws:
        remarks.fault(f"line {flaw.line}, column {flaw.column}", f"is wrong: {flaw.why}")
    if flaws and value is None:
        return Source(kind=kind, remarks=remarks)
    entries = _list_of(value, kind, remarks)
    if entries is None:
        return Source(kind=kind, remarks=remarks)
    if isinstance(value, list):
        data = b'{"%b": %b}\n' % (kind.list_name.encode(), data.removeprefix(_BOM).strip())
    rows = Rows(name=kind.list_name, key=kind.key, entries=entries, remarks=remarks)
    return Source(kind=kind, remarks=remarks, rows=rows, text=data)


def _list_of(value: object, kind: Kind, remarks: Remarks) -> list[object] | None:
    place = ""
    if isinstance(value, dict):
        document = cast("dict[str, object]", value)  # an object of JSON has only string keys
        place = kind.list_name
        if place not in document:
            remarks.fault("", _without_list(document, kind))
            return None
        if kind.other.list_name in document:
            remarks.warn(kind.other.list_name, "is kept and not looked at; it comes from the other file")
        value = document[place]
    if not isinstance(value, list):
        remarks.fault(place, f"{holds(value)}: must be a list, [...]")
        return None
    entries = cast("list[object]", value)  # JSON values of any kind, looked at one by one
    if _is_list_of(kind.other, entries):
        remarks.fault(place, _misplaced(kind))
        return None
    return entries


def _is_list_of(kind: Kind, entries: list[object]) -> bool:
    # JSON values: what is no object is told of later.
    rows = [cast("dict[str, object]", entry) for entry in entries if isinstance(entry, dict)]
    return bool(rows) and all(kind.key in row and kind.other.key not in row for row in rows)


def _without_list(document: dict[str, object], kind: Kind) -> str:
    if kind.other.list_name in document:
        return _misplaced(kind)
    keys = ", ".join(repr(visible(key, longest=40)) for key in list(document)[:_FIRST_KEYS]) or "nothing"
    return f"has no list {kind.list_name!r}; it has {keys}"


def _misplaced(kind: Kind) -> str:
    return f"has the {kind.other.list_name}, and is given as the {kind.list_name}: name the orders first"
