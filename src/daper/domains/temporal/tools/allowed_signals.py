"""Which signals may be sent: a list of their names, each with the limits of its arguments. Pure.

    retry; approve(by=ops|sales, days=1..9) for too-long@OrderWorkflow; note{level=1..3, by=the shop}; "odd name"(1..3)

In parentheses stand the arguments as they are sent, one after another; in braces the fields of one JSON object, which
is the only argument then. Only fields need names; other names are for people. A limit is a value, some values with |
between them, or two whole numbers with .. between them. A value is JSON, or words for a text. Behind `for` stands the
problem, and the type of workflow, for which the signal is proposed; it may then be sent to no other.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NoReturn

from pydantic import JsonValue, TypeAdapter, ValidationError

from daper.core.errors import SettingError
from daper.core.limits import Between, Exactly, Limit, OneOf
from daper.core.text import shown
from daper.domains.temporal.options import ANY_TYPE, PREFIX

RESERVED: Final = frozenset({"run_id", "signal", "event_seen"})
"""Arguments of the tool itself."""

_EXAMPLE: Final = "retry; approve(by=ops|sales, days=1..9) for too-long@OrderWorkflow"
_TOKEN: Final = re.compile(r'\s*("(?:[^"\\]|\\.)*"|\.\.|[;(){},=|@]|(?:[^\s;(){},=|@".]|\.(?!\.))+)')
_MARKS: Final = frozenset(";(){},=|@") | {".."}
_CLOSING: Final = {"(": ")", "{": "}"}
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}")
_JSON: Final[TypeAdapter[JsonValue]] = TypeAdapter(JsonValue)
_LONGEST_NAME: Final = 200


@dataclass(frozen=True, kw_only=True)
class AllowedSignal:
    """One signal that may be sent. `as_object`: whether its arguments go as the fields of one JSON object.

    `purposes`: for which problem, of which type of workflow or of any, it is proposed; none: nowhere by rule, and it
    may be sent to any.
    """

    name: str
    limits: Mapping[str, Limit] = field(default_factory=dict[str, Limit])
    as_object: bool = False
    purposes: frozenset[tuple[str, str]] = frozenset()

    def fits(self, kind: str, workflow_type: str) -> bool:
        """Whether it is proposed for that problem of a workflow of that type."""
        return bool({(kind, workflow_type), (kind, ANY_TYPE)} & self.purposes)

    def suits(self, workflow_type: str) -> bool:
        """Whether it may be sent to a workflow of that type."""
        return not self.purposes or any(each in (workflow_type, ANY_TYPE) for _, each in self.purposes)

    def repairs(self, kind: str, workflow_type: str) -> bool:
        """Whether it may be sent for that problem."""
        return not self.purposes or self.fits(kind, workflow_type)

    def payload(self, arguments: Mapping[str, JsonValue]) -> list[JsonValue]:
        """What is sent: one object, or the values in their order."""
        if self.as_object:
            return [{name: arguments[name] for name in self.limits}]
        return [arguments[name] for name in self.limits]


def allowed_signals(text: str, *, kinds: Collection[str]) -> tuple[AllowedSignal, ...]:
    """The signals that a setting lists, in its order, for these kinds of problem.

    Raises SettingError, with what would be right.
    """
    reader = _Reader(text)
    found: list[AllowedSignal] = []
    while reader.more():
        if reader.took(";"):
            continue
        signal = _signal(reader)
        if any(each.name == signal.name for each in found):
            reader.refuse(f"{shown(signal.name)!r} is there twice")
        if strange := sorted(kind for kind, _ in signal.purposes if kind not in kinds):
            reader.refuse(f"{shown(strange[0])!r} is no problem for which a signal is sent: {', '.join(sorted(kinds))}")
        found.append(signal)
        if reader.more() and not reader.took(";"):
            reader.refuse(f"a ; is wanted before {shown(reader.peek())!r}")
    return tuple(found)


def default(limit: Limit) -> JsonValue:
    """What is proposed within a limit: the first value, or the least number."""
    match limit:
        case Exactly(value=value) | OneOf(values=(value, *_)):
            return value
        case Between(minimum=least):
            return least
        case _:
            return None


def _signal(reader: "_Reader") -> AllowedSignal:
    name = reader.text("the name of a signal")
    if len(name) > _LONGEST_NAME or not name.isprintable() or name.startswith("__"):
        reader.refuse(f"{shown(name)!r} is no name of a signal")
    limits: dict[str, Limit] = {}
    opening = next((mark for mark in _CLOSING if reader.took(mark)), "")
    while opening and not reader.took(_CLOSING[opening]):
        if limits and not reader.took(","):
            reader.refuse(f"a , or {_CLOSING[opening]} is wanted before {shown(reader.peek())!r}")
        key, limit = _argument(reader, position=len(limits) + 1)
        if opening == "{" and not key:
            reader.refuse(f"each field of {shown(name)!r} needs a name")
        key = key or f"argument_{len(limits) + 1}"
        if key in RESERVED or key in limits:
            reader.refuse(f"an argument of {shown(name)!r} may not be named {shown(key)!r}, or not twice")
        limits[key] = limit
    return AllowedSignal(name=name, limits=limits, as_object=opening == "{", purposes=_purposes(reader))


def _purposes(reader: "_Reader") -> frozenset[tuple[str, str]]:
    purposes: set[tuple[str, str]] = set()
    if not reader.took("for"):
        return frozenset()
    while True:
        kind = reader.text("a kind of problem")
        purposes.add((kind, reader.text("a type of workflow") if reader.took("@") else ANY_TYPE))
        if not reader.took(","):
            return frozenset(purposes)


def _argument(reader: "_Reader", *, position: int) -> tuple[str, Limit]:
    first = reader.value(f"argument {position}")
    key = ""
    if reader.took("="):
        if not isinstance(first, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,60}", first):
            reader.refuse(f"{shown(first)!r} is no name of an argument")
        key = str(first)
        first = reader.value(f"the value of {shown(key)!r}")
    if reader.took(".."):
        last = reader.value("the end of a range")
        if not _is_whole(first) or not _is_whole(last) or int(str(first)) > int(str(last)):
            reader.refuse(f"{shown(first)}..{shown(last)} is no range of whole numbers")
        return key, Between(minimum=int(str(first)), maximum=int(str(last)))
    values = [first]
    while reader.took("|"):
        values.append(reader.value("a value"))
    return key, Exactly(value=values[0]) if len(values) == 1 else OneOf(values=tuple(values))


def _is_whole(value: JsonValue) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


class _Reader:
    """Reads a setting mark by mark."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split(text.rstrip())
        self._at = 0

    def more(self) -> bool:
        return self._at < len(self._tokens)

    def peek(self) -> str:
        return self._tokens[self._at] if self.more() else "the end"

    def took(self, mark: str) -> bool:
        if self.more() and self._tokens[self._at] == mark:
            self._at += 1
            return True
        return False

    def text(self, what: str) -> str:
        """A word, or a text in quotes."""
        token = self._next(what)
        value = self._json(token) if token.startswith('"') else token
        return str(value)

    def value(self, what: str) -> JsonValue:
        """JSON, or words for a text."""
        token = self._next(what)
        if not token.startswith('"') and self._is_word():
            words = [token]
            while self._is_word():
                words.append(self._next(what))
            return " ".join(words)
        if token.startswith('"') or token in ("true", "false", "null") or _NUMBER.fullmatch(token):
            return self._json(token)
        return token

    def refuse(self, why: str) -> NoReturn:
        raise SettingError(f"{PREFIX}SIGNALS has {shown(self._text)!r}: {why}; it must be as {_EXAMPLE!r}")

    def _next(self, what: str) -> str:
        if not self.more() or self._tokens[self._at] in _MARKS:
            self.refuse(f"{what} is wanted, and there is {shown(self.peek())!r}")
        self._at += 1
        return self._tokens[self._at - 1]

    def _is_word(self) -> bool:
        return self.more() and self.peek() not in _MARKS and not self.peek().startswith('"')

    def _json(self, token: str) -> JsonValue:
        try:
            return _JSON.validate_json(token)
        except ValidationError:
            self.refuse(f"{shown(token)} is no JSON")

    def _split(self, text: str) -> Sequence[str]:
        tokens: list[str] = []
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                self.refuse(f"{shown(text[at:], longest=30)!r} cannot be read")
            tokens.append(found[1])
            at = found.end()
        return tokens


def written(arguments: Sequence[JsonValue]) -> str:
    """What is sent, as a person reads it."""
    return ", ".join(json.dumps(each, ensure_ascii=False) for each in arguments) or "nothing"
