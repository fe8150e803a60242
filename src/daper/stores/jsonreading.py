"""Reading JSON text strictly: the value, or everything that is wrong with the text, each with its line and column."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import NamedTuple, cast

import simplejson

from daper.core.text import visible

DEEPEST = 100  # levels: what walks through a document must not run out of stack
MOST_FLAWS = 10_000
_LARGEST_EXPONENT = 300  # 1e999999999 is nine characters in a file and a gigabyte in a digest
_TOKEN = re.compile(
    r'(?P<text>"[^"\\]*(?:\\.[^"\\]*)*")(?P<key>\s*:)?|(?P<open>[{\[])|(?P<close>[}\]])'
    r"|(?P<none>NaN|-?Infinity)|(?P<number>-?\d[\d.eE+-]*)",
    re.DOTALL,
)
# A whole pair and any other escape are looked at too, so that neither half of a pair nor a doubled backslash misleads.
_ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)
_WIDE = re.compile(rb"\xff\xfe|\xfe\xff|.{0,3}?\x00", re.DOTALL)


class Flaw(NamedTuple):
    """One thing that is wrong with a JSON text, and where: line and column, both from 1."""

    line: int
    column: int
    why: str


def examine(data: bytes) -> tuple[object, tuple[Flaw, ...]]:
    """The value of a JSON text, and what is wrong with the text; whole numbers are int, others Decimal.

    A byte order mark and CRLF are tolerated. Flaws are broken JSON, NaN and infinities, a key twice in one object,
    numbers beyond reason, half a surrogate pair, and more than `DEEPEST` levels. With flaws, the value is what is left
    without them, for finding what else is wrong and for nothing else; None where the JSON itself is broken.
    """
    text = _decode(data)
    if isinstance(text, Flaw):
        return None, (text,)
    try:
        value: object = simplejson.loads(text, parse_float=_decimal, object_pairs_hook=_object, allow_nan=False)
    except (ValueError, InvalidOperation, RecursionError):  # `_decimal` and `_object` refuse too
        return _examine_slowly(text)
    if _deep(value) or ("\\u" in text and any(escape[1] for escape in _ESCAPE.finditer(text))):
        return _examine_slowly(text)
    return value, ()


def _decode(data: bytes) -> str | Flaw:
    if _WIDE.match(data):
        return Flaw(1, 1, "this is not UTF-8 text but UTF-16 or UTF-32; save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        readable = data[: error.start].decode("utf-8-sig", "replace")
        return _Places(readable).flaw(len(readable), "this is not UTF-8 text")


def _decimal(literal: str) -> Decimal:
    number = Decimal(literal)  # what it cannot hold, it refuses with an InvalidOperation
    if abs(number.adjusted()) > _LARGEST_EXPONENT:
        raise InvalidOperation
    return number


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _deep(value: object) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for one in level for inner in _inside(one) if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def _inside(value: object) -> list[object]:
    # JSON values: nothing else has anything in it.
    if isinstance(value, dict):
        return list(cast("dict[str, object]", value).values())
    return cast("list[object]", value) if isinstance(value, list) else []


def _examine_slowly(text: str) -> tuple[object, tuple[Flaw, ...]]:
    """For a text that is known to have a flaw."""
    places = _Places(text)
    found = list(islice(_flaws(text), MOST_FLAWS))
    value, broken = _load_leniently(text)
    if broken is not None:
        found = [flaw for flaw in found if flaw[0] < broken[0]] + [broken]
    return value, tuple(places.flaw(*flaw) for flaw in found or [(0, "it holds something that records cannot")])


def _load_leniently(text: str) -> tuple[object, tuple[int, str] | None]:
    """The value, with harmless things in the place of flaws; or None, and where and why the JSON itself is broken."""
    mended = _ESCAPE.sub(lambda escape: r"\ufffd" if escape[1] else escape[0], text)
    try:
        value: object = simplejson.loads(
            mended, parse_float=_lenient, parse_int=_lenient, parse_constant=lambda _: 0, allow_nan=True
        )
    except simplejson.JSONDecodeError as error:
        return None, (error.pos, error.msg.removesuffix(" at"))
    except RecursionError:
        return None, None
    return (None if _deep(value) else value), None


def _lenient(literal: str) -> int | Decimal:
    return _number(literal) or 0


def _number(literal: str) -> int | Decimal | None:
    """The number, or None if it is beyond reason."""
    try:
        return _decimal(literal) if re.search("[.eE]", literal) else int(literal)
    except (InvalidOperation, ValueError):
        return None


def _flaws(text: str) -> Iterator[tuple[int, str]]:
    """Where a key is twice in its object, a number beyond reason, half a character, or the nesting too deep."""
    keys: list[set[str]] = []
    for token in _TOKEN.finditer(text):
        if token["open"]:
            keys.append(set())
            if len(keys) == DEEPEST + 1:
                yield token.start(), f"it is nested too deep: more than {DEEPEST} levels"
        elif token["close"]:
            del keys[-1:]
        elif token["text"]:
            yield from _flaws_of_text(token, keys)
        elif token["none"]:
            yield token.start(), f"Expecting value, and {token['none']} is none"
        elif _number(token["number"]) is None:
            yield token.start(), f"the number {token['number'][:20]!r} is too large or too small"


def _flaws_of_text(token: re.Match[str], keys: list[set[str]]) -> Iterator[tuple[int, str]]:
    for escape in _ESCAPE.finditer(token["text"]):
        if escape[1]:
            why = f"{escape[1]} is half a character; write the character itself, or remove the escape"
            yield token.start() + escape.start(), why
    if not token["key"] or not keys:
        return
    try:
        key = str(simplejson.loads(token["text"]))
    except ValueError:  # broken JSON, which is told where it breaks
        return
    if key in keys[-1]:
        yield token.start(), f"the key {visible(key, longest=80)!r} is there twice in one object"
    keys[-1].add(key)


class _Places:
    """Turns positions in a text into lines and columns."""

    def __init__(self, text: str) -> None:
        self._ends = [match.start() for match in re.finditer("\n", text)]

    def flaw(self, position: int, why: str) -> Flaw:
        line = bisect_right(self._ends, position - 1)
        start = self._ends[line - 1] + 1 if line else 0
        return Flaw(line + 1, position - start + 1, why)
