"""A document as JSON text that is never longer than one file may be."""

import json
import re

from pydantic import JsonValue

LARGEST = 200_000
"""Bytes of one file."""

_LENGTHS = (60_000, 20_000, 6_000, 2_000, 500)
_FLAT_LENGTHS = (30_000, 10_000, 3_000, 1_000)
# Characters that a terminal obeys or that reorder what a person reads; JSON alone would leave them as they are.
_UNSEEN = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def fitted(document: dict[str, JsonValue]) -> bytes:
    """The document as JSON of at most `LARGEST` bytes.

    Of what is too long the middle is left out: first of long texts; if that does not help, of the JSON text of each
    entry, which then is a text itself.
    """
    written = _written(document)
    for longest in _LENGTHS:
        if len(written) <= LARGEST:
            return written
        written = _written({name: _shortened(value, longest) for name, value in document.items()})
    for longest in _FLAT_LENGTHS:
        if len(written) <= LARGEST:
            return written
        written = _written({name: _flat(value, longest) for name, value in document.items()})
    return written


def _written(document: JsonValue) -> bytes:
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n"
    # Half a surrogate pair has no bytes of its own; its escape is what JSON has for it.
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode("utf-8", "backslashreplace")


def _shortened(value: JsonValue, longest: int) -> JsonValue:
    if isinstance(value, str):
        return _cut(value, longest)
    if isinstance(value, list):
        return [_shortened(item, longest) for item in value]
    if isinstance(value, dict):
        return {name: _shortened(item, longest) for name, item in value.items()}
    return value


def _flat(value: JsonValue, longest: int) -> JsonValue:
    """A value whose JSON text is short as it is; of any other that text, cut."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return value if len(text) <= longest else _cut(text, longest)


def _cut(text: str, longest: int) -> str:
    missing = len(text) - longest
    if missing <= 0:
        return text
    half = longest // 2
    return f"{text[:half]}… ({missing:,} characters are missing here) …{text[len(text) - half :]}"
