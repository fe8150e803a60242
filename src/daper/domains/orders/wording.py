"""How record text and amounts read in sentences, arguments and messages of ours."""

from decimal import Decimal

from daper.core.text import visible
from daper.domains.orders.fields import cents

_NOTE = 40  # room for "… (n more characters)"


def shown(text: object, *, longest: int = 80) -> str:
    """Text from a record, made safe and short for a sentence of ours: `longest`, and what says how much is missing."""
    once = visible(text, longest=longest)
    # What is hidden takes more room once it shows.
    return once if len(once) <= longest + _NOTE else visible(once, longest=longest)


def said(line: str) -> str:
    """A whole sentence with record text in it, as evidence or a reason: visible, and at most 300 characters."""
    return shown(line, longest=300 - _NOTE)


def field(text: str, *, longest: int = 200) -> str:
    """A record field as an argument: one line, nothing hidden, capped."""
    return shown(text, longest=longest)


def money(amount: Decimal) -> str:
    """An amount to the cent."""
    return f"{cents(amount):f}"
