"""What a workflow was started with, for people: what may not be seen is not shown, and what cannot be read is said."""

import re
from collections.abc import Collection
from typing import Final

from pydantic import JsonValue, TypeAdapter
from temporalio.api.common.v1 import Payload, Payloads

from daper.core.digests import canonical
from daper.core.text import counted, shown

HIDDEN: Final = "(hidden)"

_JSON: Final = ("json/plain", "json/protobuf")
_JSON_VALUE: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)
_LONGEST: Final = 240
_WORD: Final = re.compile(r"\w+")


def input_words(input: Payloads, *, hide: Collection[str]) -> str:
    """Each argument, as JSON; fields with a name to be hidden are named, and no more."""
    names = frozenset(map(_plain, hide))
    return shown(", ".join(_words(each, names) for each in input.payloads) or "nothing", longest=_LONGEST)


def _words(payload: Payload, hide: frozenset[str]) -> str:
    encoding = payload.metadata.get("encoding", b"").decode("utf-8", "replace")
    if encoding == "binary/null":
        return "null"
    if encoding in _JSON:
        try:
            return canonical(_without(_JSON_VALUE.validate_json(payload.data), hide))
        except ValueError:
            return "JSON that cannot be read, not shown"
    size = counted(len(payload.data), "byte")
    if encoding == "binary/plain":
        return f"{size}, not shown"
    return f"{size}, encrypted or in an encoding that is not known here ({shown(encoding) or 'none named'}), not shown"


def _without(value: JsonValue, hide: frozenset[str]) -> JsonValue:
    match value:
        case dict():
            return {name: HIDDEN if _plain(name) in hide else _without(each, hide) for name, each in value.items()}
        case list():
            return [_without(each, hide) for each in value]
        case str():
            return _text_without(value, hide)
        case _:
            return value


def _text_without(text: str, hide: frozenset[str]) -> str:
    """A text that is itself JSON has fields too; any other that has such a name in it may have what belongs to it."""
    if not hide:
        return text
    if text.lstrip().startswith(("{", "[", '"')):
        try:
            value = _JSON_VALUE.validate_json(text)
        except ValueError:
            pass
        else:
            kept = _without(value, hide)
            return text if kept == value else canonical(kept)
    return text if hide.isdisjoint(_WORD.findall(_plain(text))) else HIDDEN


def _plain(name: str) -> str:
    """A name as libraries write it in ways of their own: card_number, cardNumber, Card-Number."""
    return name.casefold().replace("_", "").replace("-", "")
