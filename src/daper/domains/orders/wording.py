"""How record fields and amounts read in arguments and messages of ours."""

from decimal import Decimal

from daper.core.text import shown


def field(text: str, *, longest: int = 200) -> str:
    """A record field as an argument: one line, nothing hidden, capped."""
    return shown(text, longest=longest)


def money(amount: Decimal, currency: object = None) -> str:
    """An amount as it was written, with the currency that its order names."""
    named = shown(currency, longest=20) if isinstance(currency, str) and currency.strip() else ""
    return f"{amount:f} {named}".rstrip()


def unaddressable(what: str, name: str, value: str) -> str | None:
    """Why no message can be sent there, or None: what is cut or made visible is another address."""
    if field(value) == value:
        return None
    return f"{what} names a {name} that cannot be written to as it is: {shown(value)}; correct it"
