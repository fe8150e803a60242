"""How record fields and amounts read in arguments and messages of ours."""

from decimal import Decimal

from daper.core.text import shown
from daper.domains.orders.fields import cents


def field(text: str, *, longest: int = 200) -> str:
    """A record field as an argument: one line, nothing hidden, capped."""
    return shown(text, longest=longest)


def money(amount: Decimal) -> str:
    """An amount to the cent."""
    return f"{cents(amount):f}"


def unaddressable(what: str, name: str, value: str) -> str | None:
    """Why no message can be sent there, or None: what is cut or made visible is another address."""
    if field(value) == value:
        return None
    return f"{what} names a {name} that cannot be written to as it is: {shown(value)}; correct it"
