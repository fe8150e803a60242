"""Which page of a list an address asks for."""

from typing import Final

_DIGITS: Final = 6


def page_number(said: str) -> int:
    """The number of a page, from 1 on; what is none is the first."""
    return max(1, int(said)) if said.isascii() and said.isdecimal() and len(said) <= _DIGITS else 1
