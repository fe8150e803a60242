"""Text as a page can show it: nothing hidden, and no character that scribbles over its neighbours. Pure."""

import re
import unicodedata
from collections.abc import Iterator
from itertools import groupby

from daper.core.text import visible
from daper.documents.blocks import Span

_MOST_MARKS = 4  # what a language needs on one letter; more of them cover the lines above and below
_MARKS = frozenset({"Mn", "Me"})
_RIGHT_TO_LEFT = frozenset({"R", "AL"})
_NOT_PLAIN = re.compile(r"[^\x20-\x7e]")


def legible(span: Span) -> str:
    """The span's text, cut at its length: what is hidden is shown as `<U+XXXX>`, marks piled up on a letter counted."""
    shown = visible(span.text, longest=span.longest)
    return shown if shown.isascii() else "".join(_unpiled(shown))


def _unpiled(text: str) -> Iterator[str]:
    for marks, run in groupby(text, lambda char: unicodedata.category(char) in _MARKS):
        chars = list(run)
        over = len(chars) - _MOST_MARKS
        if marks and over > 0:
            yield from (*chars[:_MOST_MARKS], f"<{over} more marks>")
        else:
            yield from chars


def right_to_left(text: str) -> bool:
    """Whether some of a text runs from right to left. Not kept apart, it changes places with its neighbours."""
    return any(unicodedata.bidirectional(char) in _RIGHT_TO_LEFT for char in _NOT_PLAIN.findall(text))
