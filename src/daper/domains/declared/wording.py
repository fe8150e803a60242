"""Sentences with columns in braces: `{order_id} · {amount} {currency}`; what a record says stays text."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Final

from daper.core.commands import CommandLine, Said
from daper.core.text import shown
from daper.domains.declared.record import in_sentence

_NAMED: Final = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)\}|[{}]")


SET_THERE: Final = Said(
    "set it where ",
    CommandLine("up"),
    " or ",
    CommandLine("worker"),
    " runs, in the environment or in .env, and start that again: what runs takes no new variable",
)
"""What to do about a variable that is missing."""


def named_in(sentence: str) -> tuple[str, ...]:
    """The columns that it names. Raises ValueError for a brace that is none of a pair."""
    found: list[str] = []
    for each in _NAMED.finditer(sentence):
        if each[1]:
            found.append(each[1])
        elif len(each[0]) == 1:
            raise ValueError(f"there is a {each[0]!r} that is no part of a name; write {each[0] * 2} for one")
    return tuple(dict.fromkeys(found))


def pieces_of(sentence: str) -> tuple[tuple[str, bool], ...]:
    """What it is made of, in order: texts, and names of columns (True)."""
    pieces: list[tuple[str, bool]] = []
    at = 0
    for each in _NAMED.finditer(sentence):
        pieces += [(sentence[at : each.start()], False), (each[1], True) if each[1] else (each[0][0], False)]
        at = each.end()
    return tuple(piece for piece in (*pieces, (sentence[at:], False)) if piece[0])


def filled(sentence: str, columns: Mapping[str, object], *, hidden: Collection[str] = ()) -> str:
    """The sentence about one record."""

    return replaced(sentence, lambda name: "(hidden)" if name in hidden else shown(in_sentence(columns.get(name))))


def replaced(sentence: str, value: Callable[[str], str]) -> str:
    """The sentence with a value for each name in braces; what that holds is not looked through again."""
    return _NAMED.sub(lambda found: value(found[1]) if found[1] else found[0][0], sentence)
