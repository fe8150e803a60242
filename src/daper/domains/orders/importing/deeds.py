"""What the ledger knows to have been done for an order, and what of it still stands. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from daper.core.outcomes import OutcomeStatus
from daper.core.text import shown
from daper.domains.orders.statuses import normal
from daper.ports.store import LedgerRow
from daper.stores import jsontext

ASKED_TO_PAY: Final = "request_payment_update"
ASKED_TO_APPROVE: Final = "request_approval"
ORDERED: Final = "order_inventory"
HELD: Final = "hold_order"
TOLD_APPROVED: Final = "told:approved"
_LONGEST: Final = 150


@dataclass(frozen=True, kw_only=True)
class Deed:
    """One effect that was not undone: the statuses before and after it, and what it says of itself."""

    key: str
    tool: str
    at: datetime
    before: str
    after: str
    evidence: tuple[str, ...]

    @property
    def told(self) -> str:
        """In a few words, with the day: what was asked or ordered, as the effect itself said it."""
        said = "; ".join(self.evidence[:2]) or f"{self.tool}: {self.before} became {self.after}"
        return f"{shown(said, longest=_LONGEST)}, on {self.at:%Y-%m-%d}"


def standing(rows: Iterable[LedgerRow]) -> tuple[Deed, ...]:
    """The effects of one record that stand, the oldest first: no simulated ones, and none that was undone."""
    found: list[LedgerRow] = []
    for row in sorted(rows, key=lambda row: row.at):
        if row.kind == "effect" and row.effect.status is OutcomeStatus.APPLIED and not row.effect.simulated:
            found.append(row)
        elif row.kind == "undo" and row.effect.status is OutcomeStatus.UNDONE:
            # Only the last effect on a record can be undone, so this is the last one of its tool.
            last = next((each for each in reversed(found) if each.tool == row.tool), None)
            if last is not None:
                found.remove(last)
    return tuple(map(_deed, found))


def led_to(status: str, deeds: Sequence[Deed]) -> frozenset[str]:
    """The statuses, normalised, from which these deeds led to the one that an order has; none where none did."""
    found: set[str] = set()
    now, left = normal(status), list(deeds)
    while step := next((deed for deed in reversed(left) if normal(deed.after) == now != normal(deed.before)), None):
        left.remove(step)
        now = normal(step.before)
        found.add(now)
    return frozenset(found)


def _deed(row: LedgerRow) -> Deed:
    status = row.effect.before.get("status", "")
    if row.originals:
        status = jsontext.parse(row.originals.encode(), path=Path(f"ledger/{row.key}.json")).get("status", status)
    return Deed(
        key=row.key,
        tool=row.tool,
        at=row.at,
        before=str(status or ""),
        after=str(row.effect.after.get("status", "")),
        evidence=tuple(shown(line, longest=150) for line in row.effect.evidence),
    )
