"""Whether a cycle may still pay for its next call, and what a person is told when it may not."""

from decimal import ROUND_UP, Decimal

from daper.core.errors import SpendingCapReached
from daper.core.text import counted, visible
from daper.core.usage import Spent
from daper.ports import Caps, Reservation

_SHOWN = Decimal("0.0001")


def check_caps(reservation: Reservation, caps: Caps, *, settled: Spent, aside: Spent) -> None:
    """Raises SpendingCapReached if the next call could pass a cap.

    `settled` is what its cycle has taken, `aside` what is set aside for calls without an answer. A call whose price
    nobody knows counts for the cap of tokens alone.
    """
    spent, tokens, cost = settled.plus(aside), reservation.call.spent.tokens, reservation.cost
    if caps.tokens is not None and spent.tokens + tokens > caps.tokens:
        raise SpendingCapReached(
            _refusal(
                reservation,
                spent=counted(spent.tokens, "token"),
                aside=f"{aside.tokens:,} of them" if aside.tokens else "",
                most=f"{tokens:,}",
                cap=f"{caps.tokens:,}",
                setting="DAPER_MAX_TOKENS_PER_CYCLE",
            )
        )
    if caps.cost is not None and cost is not None and spent.cost + cost > caps.cost:
        raise SpendingCapReached(
            _refusal(
                reservation,
                spent=_dollars(spent.cost),
                aside=f"{_dollars(aside.cost)} of it" if aside.cost else "",
                most=_dollars(cost),
                cap=f"${caps.cost:,f}",
                setting="DAPER_MAX_COST_PER_CYCLE",
            )
        )


def _refusal(reservation: Reservation, *, spent: str, aside: str, most: str, cap: str, setting: str) -> str:
    only = f", {aside} only set aside for calls without an answer" if aside else ""
    return (
        f"the cycle has spent {spent}{only}; its next call ({reservation.call.role}, {visible(reservation.model)})"
        f" could take {most} more, and its cap is {cap}; raise {setting} to go on"
    )


def _dollars(money: Decimal) -> str:
    """Rounded up, so that the amounts that a person adds up are past the cap as well."""
    return f"${money.quantize(_SHOWN, ROUND_UP):,f}"
