"""Ids of repairs in short, as git has those of commits: whatever begins one id and no other. Pure."""

import re
from collections.abc import Iterable, Sequence
from heapq import nlargest
from typing import Final

from daper.core.errors import UserError
from daper.core.nearness import slips
from daper.core.text import shown

LEAST: Final = 4
"""Characters of what is unique in an id, that say which is meant."""

REPAIR_ID: Final = "repair"
"""What the id of every repair begins with."""

_SHORTEST: Final = 8  # that a list shows
_MOST_TOLD: Final = 20
_MOST_NEAR: Final = 3
_SHORTEST_SLIP: Final = 6
_CLOSE: Final = 0.8
_CLOSE_WHOLE: Final = 0.9
_UNIQUE: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|k[0-9a-f]{24}"
_WHOLE: Final = re.compile(rf"repair-.+-(?:{_UNIQUE})")
_PARTS: Final = re.compile(rf"(repair-.+-)({_UNIQUE})")


def is_whole(said: str) -> bool:
    """Whether it has the form of a whole id, so that nothing has to be looked for."""
    return _WHOLE.fullmatch(said) is not None


def meant(said: str, ids: Iterable[str]) -> tuple[str, ...]:
    """Those that a text begins, or whose unique part it begins; the one that it is."""
    every = tuple(dict.fromkeys(ids))
    if said in every or not said:
        return (said,) if said else ()
    return tuple(each for each in every if each.startswith(said) or (len(said) >= LEAST and _unique(each, said)))


def the_one(said: str, found: Sequence[str]) -> str:
    """The id that is meant, or the text where it means none. Raises UserError with all that it could mean."""
    if len(found) < 2:
        return found[0] if found else said
    some = ", ".join(map(shown, found[:_MOST_TOLD]))
    more = f" and {len(found) - _MOST_TOLD} more" if len(found) > _MOST_TOLD else ""
    raise UserError(f"{shown(said)!r} could mean {len(found)} repairs: {some}{more}; say more of the id")


def misspelt(said: str, ids: Iterable[str]) -> tuple[str, ...]:
    """Those of which a text may be a slip of the hand, whole or in short, the likeliest first."""
    rated = [(_alike(said, each), each) for each in dict.fromkeys(ids) if each != said]
    return tuple(
        each for _, each in nlargest(_MOST_NEAR, (each for each in rated if each[0]), key=lambda each: each[0])
    )


def shortened(ids: Sequence[str]) -> dict[str, str]:
    """Each with a short form that means none of the others."""
    return {each: _short(each, ids) for each in ids}


def _short(whole: str, ids: Sequence[str]) -> str:
    found = _PARTS.fullmatch(whole)
    if found is None:
        return whole
    for length in range(len(found[1]) + _SHORTEST, len(whole)):
        said = whole[:length]
        if not said.endswith("-") and meant(said, ids) == (whole,):
            return said
    return whole


def _alike(said: str, whole: str) -> float:
    """From 0 to 1; ids of one person begin alike, which says nothing."""
    found = _PARTS.fullmatch(whole)
    begins, unique = (found[1], found[2]) if found else ("", whole)
    rest = said.removeprefix(begins)
    in_short = slips(rest, unique[: len(rest)]) if found and len(rest) >= _SHORTEST_SLIP else 0.0
    long_enough = len(said) >= (len(begins) + _SHORTEST_SLIP if found else len(whole) - _SHORTEST_SLIP)
    as_whole = slips(said, whole[: len(said)]) if long_enough else 0.0
    return max(_at_least(_CLOSE, in_short), _at_least(_CLOSE_WHOLE, as_whole))


def _at_least(least: float, score: float) -> float:
    return score if score >= least else 0.0


def _unique(whole: str, said: str) -> bool:
    found = _PARTS.fullmatch(whole)
    return found is not None and found[2].startswith(said)
