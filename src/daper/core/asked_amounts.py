"""What an action is about in money, as an argument named `amount` says it: not what it spends. Pure."""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Final, NamedTuple

from daper.core.names import distinct
from daper.core.views import ActionView

ARGUMENT: Final = "amount"
_WRITTEN: Final = re.compile(r"(-?[0-9]{1,15}(?:\.[0-9]{1,9})?)(?: ([^\s\d][^\s]{0,19}))?")


class Asked(NamedTuple):
    """So much, in the currency that is named beside it; in none where none is."""

    much: Decimal
    currency: str


def names_amount(action: ActionView) -> bool:
    """Whether it is about an amount, be it one that can be read or not."""
    return ARGUMENT in action.arguments


def asked(action: ActionView) -> Asked | None:
    """The amount that an action is about; None where it is about none, or nobody can tell."""
    value = action.arguments.get(ARGUMENT)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    found = _WRITTEN.fullmatch(str(value).strip())
    return Asked(Decimal(found[1]), found[2] or "") if found else None


def currencies(amounts: Iterable[Asked]) -> tuple[str, ...]:
    """Those that there are, in their order; the empty one where none is named."""
    every = tuple(amounts)
    return (*(("",) if any(not each.currency for each in every) else ()), *distinct(each.currency for each in every))


def in_all(actions: Iterable[ActionView]) -> str:
    """What they come to in each currency, and from how much to how much: `3,120.00 GBP in all (10.00 to 900.00)`.

    Empty where one of them is about none.
    """
    found = [asked(action) for action in actions]
    amounts = [each for each in found if each is not None]
    if not amounts or len(amounts) < len(found):
        return ""
    return ", ".join(
        _told(name, [each.much for each in amounts if each.currency == name]) for name in currencies(amounts)
    )


def _told(currency: str, amounts: list[Decimal]) -> str:
    least, most = min(amounts), max(amounts)
    each = f"{least:,f} each" if least == most else f"{least:,f} to {most:,f}"
    return f"{f'{sum(amounts, Decimal(0)):,f} {currency}'.rstrip()} in all ({each})"
