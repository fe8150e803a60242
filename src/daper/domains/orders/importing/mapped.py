"""Entries of another system as rows of ours, as a form of a mapping says. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, cast

from daper.core.names import is_blank
from daper.domains.orders.fields import entries_of
from daper.domains.orders.importing.mapping import (
    COUNTS,
    DATES,
    FLAGS,
    LINES,
    NUMBERS,
    Added,
    Fixed,
    Flagged,
    Form,
    Joined,
    Source,
    moment_of,
)
from daper.domains.orders.importing.numerals import number_in
from daper.domains.orders.world import ORDERS, Raw

_ANY: Final = "*"
_OF_A_PART: Final = frozenset({"item_id", "item_name", "quantity"})
_PLAIN: Final = re.compile(r"-?\d{1,20}(\.\d{1,20})?", re.ASCII)
_ZONED: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ?[+-]\d\d:?\d\d", re.ASCII)
_UTC: Final = re.compile(r"(?<=:\d\d) ?(UTC|GMT|Z)$", re.ASCII)
_TRUE: Final = frozenset({"true", "1", "yes"})


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One row of a file, or one element of its list, and where it is. `top`: the document that it is an element of."""

    place: str
    data: Mapping[str, object]
    top: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(kw_only=True)
class MappedRow:
    """A row of ours, where it stood, and each of its lines; `kits`: the numbers of those that have parts."""

    place: str
    raw: Raw
    lines: list[str] = field(default_factory=list[str])
    kits: set[str] = field(default_factory=set[str])


class Mapper:
    """Makes rows of entries; those of one order that follow one another become one."""

    def __init__(self, form: Form, collection: str) -> None:
        self.form = form
        self.collection = collection
        self.key = "order_id" if collection == ORDERS else "item_id"
        self._carried: dict[str, object] = {}
        self._carried_for: object = None

    def rows(self, entries: Iterable[Entry]) -> Iterator[MappedRow]:
        """One after another. In a file of lines a row goes on while the id is the same, or is left out."""
        row: MappedRow | None = None
        for entry in self._wanted(entries):
            if self.form.one_row_for_each == "record":
                yield self._row(entry)
                continue
            order_id = self._value(self.key, self.form.fields[self.key], entry)
            if row is None or self._begins(entry) or (order_id is not None and order_id != row.raw.get(self.key)):
                if row is not None:
                    yield row
                row = self._row(entry)
            self._add_line(row, entry)
        if row is not None:
            yield row

    def column(self, where: tuple[int | str, ...]) -> str:
        """The columns from which the value at a place of a row of ours was made, as they are called there."""
        names = [part for part in where if isinstance(part, str)]
        source: Source | None = None
        if names[:1] == [LINES] and len(names) > 1:
            source = self.form.lines.get(names[1])
        elif names:
            source = self.form.fields.get(names[0])
        return "" if source is None else _called(source)

    def _begins(self, entry: Entry) -> bool:
        return bool(self.form.begins) and not is_blank(_get(self.form.begins, entry))

    def _wanted(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        for given in entries:
            for entry in self._each(given):
                data = self._with_carried(entry.data) if self.form.carry else entry.data
                kept = Entry(place=entry.place, data=data, top=entry.top)
                if not _left_out(self.form.leave_out, kept):
                    yield kept

    def _each(self, entry: Entry) -> Iterator[Entry]:
        if not self.form.each:
            yield entry
            return
        yield from _elements(self.form.each, entry)

    def _with_carried(self, data: Mapping[str, object]) -> Mapping[str, object]:
        same = data.get(self.form.needs[0])
        if same != self._carried_for:
            self._carried, self._carried_for = {}, same
        self._carried |= {name: data[name] for name in self.form.carry if not is_blank(data.get(name))}
        return {**data, **self._carried}

    def _row(self, entry: Entry) -> MappedRow:
        raw: Raw = {}
        for name, source in self.form.fields.items():
            value = self._value(name, source, entry)
            if value is not None or name == "current_stock":
                raw[name] = value
        if self.collection == ORDERS and isinstance(raw.get("status"), str):
            raw["status"] = self.form.word(str(raw["status"]))
        if self.form.lines:
            raw[LINES] = []
        row = MappedRow(place=entry.place, raw=raw)
        if self.form.lines_in:
            for line in _elements(self.form.lines_in, entry):
                self._add_line(row, line)
        return row

    def _add_line(self, row: MappedRow, entry: Entry) -> None:
        part = self._part_of_kit(row, entry)
        if not part and _left_out(self.form.leave_lines, entry):
            return
        line = {name: self._value(name, source, entry) for name, source in self.form.lines.items()}
        known = {name: value for name, value in line.items() if value is not None and (not part or name in _OF_A_PART)}
        if self._is_kit(entry):
            known["requires_shipping"] = False
        if known and ("item_id" in known or "quantity" in known):
            cast("list[object]", row.raw[LINES]).append(known)
            row.lines.append(entry.place)

    def _is_kit(self, entry: Entry) -> bool:
        kits = self.form.kits
        return kits is not None and _text(_get(kits.type, entry)) in kits.among

    def _part_of_kit(self, row: MappedRow, entry: Entry) -> bool:
        """Whether a line is a part of one further up that is a kit."""
        if self.form.kits is None:
            return False
        if self._is_kit(entry):
            row.kits.add(_text(_get(self.form.kits.line, entry)))
        return _text(_get(self.form.kits.of, entry)) in row.kits - {""}

    def _value(self, name: str, source: Source, entry: Entry) -> object:
        if isinstance(source, list):
            return next((value for each in source if (value := self._value(name, each, entry)) is not None), None)
        if isinstance(source, Fixed):
            return Decimal(str(source.value)) if isinstance(source.value, float) else source.value
        if isinstance(source, Added):
            return self._sum(name, source, entry)
        if isinstance(source, Flagged):
            if not _flagged(source, entry):
                return None
            return self._typed(name, _get(source.take, entry) if source.take else source.then)
        if isinstance(source, Joined):
            parts = (self._value("", each, entry) for each in source.join)
            text = source.by.join(str(part) for part in parts if part is not None and part not in source.without)
            return self._typed(name, text)
        return self._typed(name, _get(source, entry))

    def _sum(self, name: str, source: Added, entry: Entry) -> object:
        total: Decimal | None = None
        for sign, columns in ((1, source.add), (-1, source.less)):
            for column in columns:
                for value in _all(column, entry):
                    if is_blank(value):
                        continue
                    amount = self._number(name, value)
                    if not isinstance(amount, Decimal | int):
                        return amount  # which is refused, as what it is
                    total = (total or Decimal(0)) + sign * amount
        return total

    def _typed(self, name: str, value: object) -> object:
        """A value as its field has it. What does not fit stays as it is, and is refused by whoever looks it over."""
        if is_blank(value):
            return None
        if name in NUMBERS:
            return self._number(name, value)
        if name in FLAGS:
            return _text(value).lower() in _TRUE
        text = _text(value)
        if name in DATES:
            return self._date(text)
        return text or None

    def _number(self, name: str, value: object) -> object:
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return value
        if not isinstance(value, str):
            return value
        text = value.strip()
        if self.form.decimal == "." and _PLAIN.fullmatch(text):  # nearly all of them
            return Decimal(text)
        found = number_in(text, self.form.decimal, counts=name in COUNTS)
        return value if found is None else found

    def _date(self, text: str) -> str:
        if (moment := moment_of(text, self.form)) is not None:
            return _in_utc(moment, text)
        text = _UTC.sub("+00:00", text)
        if _ZONED.fullmatch(text):
            return text.replace(" ", "T", 1).replace(" ", "")
        if self.form.zone != "UTC" and re.fullmatch(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?", text):
            local = moment_of(
                text.replace("T", " ")[:19], self.form.model_copy(update={"dates": ["%Y-%m-%d %H:%M:%S"]})
            )
            if local is not None:
                return _in_utc(local, text)
        return text


def _in_utc(moment: datetime, text: str) -> str:
    """The moment as ours are written; the text where it is before or after all time, to be refused as what it is."""
    try:
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return text


def fits(form: Form, data: Mapping[str, object]) -> bool:
    """Whether an entry has all fields by which its form is known."""
    return all(_has(name, data) for name in form.needs)


def _elements(path: str, entry: Entry) -> Iterator[Entry]:
    """The objects in a list of an entry."""
    for number, inner in enumerate(entries_of(_at(path, entry.data))):
        if isinstance(inner, dict):
            # An object of JSON has only string keys.
            yield Entry(place=f"{entry.place}.{path}[{number}]", data=cast("Raw", inner), top=entry.data)


def _has(name: str, data: Mapping[str, object]) -> bool:
    return name in data if "." not in name else name in data or _at(name, data) is not None


def _left_out(rules: Mapping[str, Sequence[str]], entry: Entry) -> bool:
    for column, values in rules.items():
        value = _get(column, entry)
        text = "" if is_blank(value) else _text(value)
        if text in values or (text and _ANY in values):
            return True
    return False


def _flagged(source: Flagged, entry: Entry) -> bool:
    value = _get(source.if_, entry)
    text = "" if value is None else _text(value)
    return text.lower() in {each.lower() for each in source.among} if source.among else bool(text)


def _get(column: str, entry: Entry) -> object:
    if column.startswith("/"):
        return _at(column[1:], entry.top)
    return entry.data[column] if column in entry.data else _at(column, entry.data)


def _all(column: str, entry: Entry) -> Iterator[object]:
    """Every value of a column; `a[].b` is that of each element of a list."""
    before, several, after = column.partition("[].")
    if not several:
        yield _get(column, entry)
        return
    for inner in entries_of(_at(before, entry.data)):
        if isinstance(inner, dict):
            yield _at(after, cast("Raw", inner))


def _at(path: str, data: Mapping[str, object]) -> object:
    value: object = data
    for part in path.split("."):
        if not isinstance(value, dict | Mapping):
            return None
        value = cast("Mapping[str, object]", value).get(part)
    return value


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(_text(each) for each in cast("list[object]", value))
    if isinstance(value, int) and value == 0:
        return ""  # the number of nothing, where another system wants one
    return str(value).strip() if isinstance(value, str | int | Decimal) else ""


def _called(source: Source) -> str:
    if isinstance(source, str):
        return source
    if isinstance(source, list):
        return " or ".join(dict.fromkeys(called for each in source if (called := _called(each))))
    if isinstance(source, Joined):
        return " and ".join(filter(None, map(_called, source.join)))
    if isinstance(source, Added):
        return " and ".join((*source.add, *source.less))
    return source.take or source.if_ if isinstance(source, Flagged) else ""
