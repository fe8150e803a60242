"""What texts weigh on their way through Temporal, and how they are made to fit: it takes no payload of over 2 MB."""

import zlib
from collections.abc import Iterable, Sequence
from typing import Final

from daper.core.base import Wire
from daper.core.models import Finding
from daper.core.text import counted, visible

MOST_OF_FINDINGS: Final = 250_000
MOST_OF_ACTIONS: Final = 300_000
"""Bytes, compressed: a result has findings up to twice, and beside each action what became of it."""

LONGEST_LINE: Final = 300
MOST_LINES: Final = 10
# How many lines of evidence a finding may have, and how long each line may be; the first that is light enough counts.
_SHORTER: Final = ((MOST_LINES, LONGEST_LINE), (5, 200), (2, 120), (0, 120))
_NOTE: Final = 40  # room for what says how much of a text is missing


def weight(models: Iterable[Wire]) -> int:
    """How many bytes they take as a payload does: as JSON, compressed."""
    return len(zlib.compress("".join(model.model_dump_json() for model in models).encode(), level=6))


def lines(texts: Sequence[str], *, most: int = MOST_LINES, longest: int = LONGEST_LINE) -> tuple[str, ...]:
    """The first lines, each of bounded length, and how many more there are."""
    left = len(texts) - most
    return (
        *(line(text, longest=longest) for text in texts[:most]),
        *((f"… {counted(left, 'more line')}",) if left > 0 else ()),
    )


def line(text: str, *, longest: int = LONGEST_LINE) -> str:
    """The text as it is, or its beginning and how much is missing, where it is too long for any screen."""
    return text if len(text) <= longest + _NOTE else visible(text, longest=longest)


def light(findings: Sequence[Finding], *, most: int = MOST_OF_FINDINGS) -> tuple[Finding, ...]:
    """The findings with as much of their words as they may have together; where all words are few, with all of them.

    None is left out here, and what makes it the same problem again stays as it is. Those whose very ids weigh too much
    are left out from the end.
    """
    shorter = tuple(findings)
    for number, longest in _SHORTER:
        shorter = tuple(_shortened(finding, number, longest) for finding in findings)
        if weight(shorter) <= most:
            return shorter
    while len(shorter) > 1 and weight(shorter) > most:
        shorter = shorter[: len(shorter) // 2]
    return shorter


def _shortened(finding: Finding, number: int, longest: int) -> Finding:
    update = {
        "issue": line(finding.issue, longest=longest),
        "evidence": lines(finding.evidence, most=number, longest=longest),
        "doubts": lines(finding.doubts, most=max(number, 1), longest=longest),
    }
    changed = {name: value for name, value in update.items() if value != getattr(finding, name)}
    return finding.model_copy(update=changed) if changed else finding
