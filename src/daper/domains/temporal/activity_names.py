"""How an argument names activities: each by its id, numbers in a row as `5..24`, so that hundreds can be read. Pure."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from daper.core.digests import canonical
from daper.core.guard import LONGEST_ARGUMENT

MOST: Final = 500
"""So many activities one action names at most, and no more than one argument may show."""

_NUMBER: Final = r"0|[1-9][0-9]{0,8}"
_RANGE: Final = re.compile(rf"({_NUMBER})\.\.({_NUMBER})")
_IS_NUMBER: Final = re.compile(_NUMBER)
_IN_A_ROW: Final = 3  # fewer are named one by one


def can_be_named(activity_id: str) -> bool:
    """Whether an id is not taken for a range of others, and is short enough to be shown."""
    return _RANGE.fullmatch(activity_id) is None and len(canonical([activity_id])) <= LONGEST_ARGUMENT


def names_of(ids: Iterable[str]) -> list[str]:
    """The names of activities, in one order."""
    return [name for name, _ in _named(ids)]


def ids_named(names: object) -> tuple[str, ...]:
    """The ids that are named, each once; none where that is no list of names, or names too many."""
    if not isinstance(names, list):
        return ()
    found: dict[str, None] = {}
    for name in names:  # pyright: ignore[reportUnknownVariableType] - whatever came
        if not isinstance(name, str):
            return ()
        both = _RANGE.fullmatch(name)
        first, last = (int(both[1]), int(both[2])) if both else (0, 0)
        if last - first >= MOST:
            return ()
        found |= dict.fromkeys(map(str, range(first, last + 1)) if both else (name,))
        if len(found) > MOST:
            return ()
    return tuple(found)


def as_many_as_fit(ids: Iterable[str]) -> tuple[str, ...]:
    """The first of these, in the order of their names, so many that one argument can name them."""
    kept: list[str] = []
    length = len("[]")
    for name, those in _named(ids):
        length += len(canonical(name)) + len(",")
        if length > LONGEST_ARGUMENT + len(","):
            break
        kept += those
    return tuple(kept[:MOST])


def _named(ids: Iterable[str]) -> list[tuple[str, Sequence[str]]]:
    """Each name with what it names: numbers first, by their value."""
    every = set(ids)
    numbers = sorted(int(each) for each in every if _IS_NUMBER.fullmatch(each))
    found: list[tuple[str, Sequence[str]]] = []
    start = 0
    for end in range(1, len(numbers) + 1):
        if end < len(numbers) and numbers[end] == numbers[end - 1] + 1:
            continue
        row = [str(each) for each in numbers[start:end]]
        start = end
        # No range is longer than what may be named at all.
        for part in (row[at : at + MOST] for at in range(0, len(row), MOST)):
            if len(part) >= _IN_A_ROW:
                found.append((f"{part[0]}..{part[-1]}", part))
            else:
                found += [(each, [each]) for each in part]
    return found + [(each, [each]) for each in sorted(every) if not _IS_NUMBER.fullmatch(each)]
