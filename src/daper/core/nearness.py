"""Which names may have been meant by one that nobody has. Pure."""

import heapq
from collections import Counter
from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Final

from daper.core.text import folded

_ALIKE: Final = 0.5  # how alike two ids must be, so that one may be meant by the other
_PART: Final = 3
_LOOKED_AT: Final = 100
_LONGEST: Final = 200
_MOST_NEAR: Final = 3
_CLOSE: Final = 0.75
_SHORTEST: Final = 4


def near(wanted: str, ids: Iterable[str]) -> tuple[str, ...]:
    """The ids that may have been meant, the likeliest first."""
    meant = folded(wanted)[:_LONGEST]
    rated = [(_alike(meant, folded(name)), name) for name in ids]
    # A quick look at all of them, and a close one at the best.
    best = heapq.nlargest(_LOOKED_AT, (each for each in rated if each[0] >= _ALIKE), key=lambda each: each[0])
    close = sorted(best, key=lambda each: -SequenceMatcher(None, meant, folded(each[1])).ratio())
    return tuple(name for _, name in close[:_MOST_NEAR])


def misspelt(wanted: str, names: Iterable[str], *, after: str = "") -> tuple[str, ...]:
    """The names of which it may be a slip of the hand, the likeliest first; that they begin so counts for nothing."""
    every = [name for name in dict.fromkeys(names) if name != wanted]
    rated = [(slips(wanted.removeprefix(after), name.removeprefix(after)), name) for name in every]
    close = sorted((each for each in rated if each[0] >= _CLOSE), key=lambda each: -each[0])
    return tuple(name for _, name in close[:_MOST_NEAR])


def slips(one: str, other: str) -> float:
    """From 0 to 1, how much of both is the same in the same order; 0 for what is too short to tell."""
    if min(len(one), len(other)) < _SHORTEST:
        return float(bool(one) and folded(one) == folded(other))
    return SequenceMatcher(None, folded(one)[:_LONGEST], folded(other)[:_LONGEST], autojunk=False).ratio()


def did_you_mean(names: Iterable[str]) -> str:
    """The question, or nothing where there are none."""
    told = " or ".join(repr(each) for each in names)
    return f"did you mean {told}?" if told else ""


def _alike(one: str, other: str) -> float:
    """From 0 to 1, by the pairs of characters that both have; 1 for a part of the other."""
    if len(one) >= _PART and one in other:
        return 1.0
    pairs, others = _pairs(one), _pairs(other)
    return 2 * (pairs & others).total() / max(1, pairs.total() + others.total())


def _pairs(text: str) -> Counter[str]:
    return Counter(text[at : at + 2] for at in range(len(text) - 1))
