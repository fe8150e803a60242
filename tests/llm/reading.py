"""Reads the prompts of the agents: the role, the records, what the rules found, the facts of a report."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from tests.llm.wire import Asked, Json

_ROLE = re.compile(r"^Role: (\w+)", re.MULTILINE)
_BLOCK = re.compile(r"<(?P<tag>[a-z_-]+)(?P<attributes>(?: [^<>]*)?)>(?P<body>.*?)</(?P=tag)>", re.DOTALL)


class Unreadable(Exception):
    """A block of a prompt is not what it must be: perhaps some data has closed its tag."""


@dataclass(frozen=True, kw_only=True)
class ReadRecord:
    """One order of a prompt with the inventory rows of its items, as compact as they came."""

    record_id: str
    order: Json
    stock: Mapping[str, Json]

    @property
    def quantities(self) -> dict[str, int]:
        """How many of each item, over all lines."""
        totals: dict[str, int] = {}
        for line in _objects(self.order.get("items") or self.order.get("lines")):
            item = item_of(line)
            totals[item] = totals.get(item, 0) + int(line.get("quantity", 0))
        return totals

    @property
    def status(self) -> str:
        return str(self.order.get("status") or "").strip().lower().replace("_", "-").replace(" ", "-")


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """One prompt as a model reads it."""

    role: str
    text: str
    blocks: tuple[str, ...]
    records: tuple[ReadRecord, ...] = ()
    findings: tuple[Json, ...] = ()
    facts: Json | None = None
    today: str | None = None

    @property
    def record_ids(self) -> tuple[str, ...]:
        """The records that it is about, each once; in a report, all ids that the facts name."""
        named = [record.record_id for record in self.records]
        named += [str(finding["record_id"]) for finding in self.findings]
        named += [value for name in ("record_id", "record") for value in _named(name, self.facts)]
        return tuple(dict.fromkeys(named))


def read(asked: Asked) -> Prompt:
    """What a request is about. Raises Unreadable where a block is no JSON."""
    return read_texts(asked.system, asked.user)


def read_texts(system: str, user: str) -> Prompt:
    """The same, from its two texts."""
    found = [(match["tag"], match["body"]) for match in _BLOCK.finditer(user)]
    bodies: dict[str, list[str]] = {}
    for tag, body in found:
        bodies.setdefault(tag, []).append(body)
    facts = [value for body in bodies.get("facts", []) for value in _values("facts", body)]
    return Prompt(
        role=role_of(system),
        text=user,
        blocks=tuple(tag for tag, _ in found),
        records=tuple(_record(value) for body in bodies.get("records", []) for value in _values("records", body)),
        findings=tuple(value for body in bodies.get("findings", []) for value in _values("findings", body)),
        facts=facts[0] if facts else None,
        today=next((body.strip() for body in bodies.get("today", [])), None),
    )


def role_of(system: str) -> str:
    """The role that the instructions name. Raises Unreadable if they name none."""
    found = _ROLE.search(system)
    if found is None:
        raise Unreadable(f"no line 'Role: ...' in {system[:200]!r}")
    return found[1]


def outside(user: str) -> str:
    """What of a user message stands in no block; no record text may be there."""
    return _BLOCK.sub("", user)


def item_of(row: Mapping[str, object]) -> str:
    """The item of an order line or an inventory row."""
    return str(row.get("item_id") or row.get("item") or row.get("id") or "")


def _record(value: Json) -> ReadRecord:
    rows = _objects(value.get("stock") or value.get("inventory"))
    order = value.get("order") or value.get("record") or value
    return ReadRecord(record_id=str(value["record_id"]), order=order, stock={item_of(row): row for row in rows})


def _values(tag: str, body: str) -> list[Json]:
    """One object, or one on each line."""
    try:
        whole: object = json.loads(body)
    except ValueError:
        # Not `splitlines`: JSON may hold U+2028 as it is.
        return [_line(tag, line) for line in body.split("\n") if line.strip()]
    return [cast(Json, whole)] if isinstance(whole, dict) else _objects(whole)


def _line(tag: str, line: str) -> Json:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise Unreadable(f"<{tag}> holds a line that is no JSON: {line[:200]!r}") from error
    if not isinstance(value, dict):
        raise Unreadable(f"<{tag}> holds a line that is no object: {line[:200]!r}")
    return cast(Json, value)


def _objects(value: object) -> list[Json]:
    members = cast("list[object]", value) if isinstance(value, list) else []
    return [cast(Json, member) for member in members if isinstance(member, dict)]


def _named(name: str, value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, member in cast(Json, value).items():
            if key == name and isinstance(member, str):
                yield member
            yield from _named(name, member)
    elif isinstance(value, list):
        for member in cast("list[object]", value):
            yield from _named(name, member)
