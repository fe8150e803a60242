"""JSON text as people keep it in files: money stays exact, key order and unknown fields stay, faults have a place."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path

import simplejson

from daper.core.errors import StoreDamaged
from daper.core.text import visible

_LARGEST_EXPONENT = 300  # 1e999999999 is nine characters in a file and a gigabyte in a digest
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]|-?\d[\d.eE+-]*', re.DOTALL)
# A whole pair and any other escape are looked at too, so that neither half of a pair nor a doubled backslash misleads.
_ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)
_SURROGATE = re.compile("[\ud800-\udfff]")


class _Refused(ValueError):
    """Valid JSON that a document may not hold; `_place_of_refusal` finds where."""


def parse(data: bytes, *, path: Path) -> dict[str, object]:
    """A document: one JSON object. Whole numbers are int, others Decimal.

    A byte order mark and CRLF are tolerated. Raises StoreDamaged, with file, line and column, for broken JSON, NaN and
    infinities, a key twice in one object, numbers beyond reason, half a surrogate pair, and anything that is not an
    object.
    """
    text = _decode(data, path)
    try:
        document: object = simplejson.loads(text, parse_float=_decimal, object_pairs_hook=_object, allow_nan=False)
    except simplejson.JSONDecodeError as error:
        raise _damaged(path, text, error.pos, error.msg.removesuffix(" at")) from None
    except RecursionError:
        raise _damaged(path, text, 0, "it is nested too deep") from None
    except ValueError:
        raise _damaged(path, text, *_place_of_refusal(text)) from None
    for escape in _ESCAPE.finditer(text):
        if escape[1]:
            why = f"{escape[1]} is half a character; write the character itself, or remove the escape"
            raise _damaged(path, text, escape.start(), why)
    if not isinstance(document, dict):
        raise _damaged(path, text, 0, "the file must hold one JSON object, {...}")
    # simplejson says Any; an object of JSON has only string keys.
    return document  # pyright: ignore[reportUnknownVariableType]


def dump(document: Mapping[str, object]) -> bytes:
    """The text of a document, UTF-8, two spaces deep, keys as they are, decimals digit by digit as they are.

    Raises ValueError or TypeError for what JSON cannot say.
    """
    text = simplejson.dumps(document, use_decimal=True, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    if "NaN" in text or "Infinity" in text:  # a Decimal can be one, and is not looked at by allow_nan
        simplejson.loads(text, use_decimal=True, allow_nan=False)
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a surrogate pair is a legal JSON escape and nothing in UTF-8
        return _SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text).encode()


def _decode(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        readable = data[: error.start].decode("utf-8-sig", "replace")
        raise _damaged(path, readable, len(readable), "this is not UTF-8 text") from None


def _decimal(literal: str) -> Decimal:
    try:
        number = Decimal(literal)
    except InvalidOperation:
        raise _Refused from None
    if abs(number.adjusted()) > _LARGEST_EXPONENT:
        raise _Refused
    return number


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Refused
    return found


def _place_of_refusal(text: str) -> tuple[int, str]:
    """Where the first key is twice in its object, or the first number is beyond reason. Only after a refusal: slow."""
    seen: list[set[str]] = []
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word in "{[":
            seen.append(set())
        elif word in "}]":
            seen.pop()
        elif not word.startswith('"'):
            if _beyond_reason(word):
                return token.start(), f"the number {word[:20]!r} is too large or too small"
        elif text[token.end() :].lstrip()[:1] == ":":
            key = str(simplejson.loads(word))
            if key in seen[-1]:
                return token.start(), f"the key {visible(key, longest=80)!r} is there twice in one object"
            seen[-1].add(key)
    return 0, "it holds something that records cannot"


def _beyond_reason(literal: str) -> bool:
    try:
        _decimal(literal) if re.search("[.eE]", literal) else int(literal)
    except ValueError:
        return True
    return False


def _damaged(path: Path, text: str, position: int, why: str) -> StoreDamaged:
    line = text.count("\n", 0, position) + 1
    column = position - (text.rfind("\n", 0, position) + 1) + 1
    return StoreDamaged(
        f"{str(path)!r}, line {line}, column {column}: {why}. The file was left untouched; mend it there, or bring the "
        "shipped records back with `daper records reset`"
    )
