"""JSON text as people keep it in files: money stays exact, key order and unknown fields stay, faults have a place."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import simplejson

from daper.core.commands import CommandLine
from daper.core.errors import StoreDamaged
from daper.stores.jsonreading import Flaw, examine

_SURROGATE = re.compile("[\ud800-\udfff]")
# Inside texts, where JSON lets them stand: they draw nothing, or turn around what is beside them.
_UNSEEN = re.compile(
    "[\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufff9-\ufffb\U000e0000-\U000e0fff]"
    "|[\u200c\u200d](?![^\x00-\x7f])|(?<![^\x00-\x7f])[\u200c\u200d]"  # joiners, where they join nothing
)


def parse(data: bytes, *, path: Path) -> dict[str, object]:
    """A document: one JSON object. Whole numbers are int, others Decimal.

    A byte order mark and CRLF are tolerated. Raises StoreDamaged, with file, line and column, for the first flaw that
    `examine` finds, and for anything that is not an object.
    """
    document, flaws = examine(data)
    if not flaws and not isinstance(document, dict):
        flaws = (Flaw(1, 1, "the file must hold one JSON object, {...}"),)
    for line, column, why in flaws:
        raise StoreDamaged(
            f"{str(path)!r}, line {line}, column {column}: {why}. The file was left untouched; mend it there, or bring "
            "the shipped records back: ",
            CommandLine("records", "reset"),
        )
    # An object of JSON has only string keys.
    return cast("dict[str, object]", document)


def dump(document: Mapping[str, object]) -> bytes:
    """The text of a document, UTF-8, two spaces deep, keys as they are, decimals digit by digit as they are.

    What an editor or a terminal would not show is written as an escape.
    Raises ValueError or TypeError for what JSON cannot say.
    """
    return _escaped(simplejson.dumps(document, use_decimal=True, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def compact(document: Mapping[str, object]) -> str:
    """The same in one line, for a column of a table."""
    return _escaped(
        simplejson.dumps(document, use_decimal=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    ).decode()


def _escaped(text: str) -> bytes:
    if "NaN" in text or "Infinity" in text:  # a Decimal can be one, and is not looked at by allow_nan
        simplejson.loads(text, use_decimal=True, allow_nan=False)
    text = _UNSEEN.sub(lambda char: simplejson.dumps(char[0])[1:-1], text)
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a surrogate pair is a legal JSON escape and nothing in UTF-8
        return _SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text).encode()
