"""Ids of repairs in short, as git has those of commits: whatever begins one id and no other. Pure."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from daper.core.errors import UserError
from daper.core.text import shown

LEAST: Final = 4
"""Characters of what is unique in an id, that say which is meant."""

_SHORTEST: Final = 8  # that a list shows
_MOST_TOLD: Final = 20
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


def _unique(whole: str, said: str) -> bool:
    found = _PARTS.fullmatch(whole)
    return found is not None and found[2].startswith(said)
