"""The row of a key: what it says for good, and what a repeated attempt is told."""

from datetime import datetime
from typing import Final, Literal

from daper.core.errors import CannotSettle
from daper.core.outcomes import Effect, OutcomeStatus
from daper.ports.domain import ToolCall
from daper.ports.store import Ledger, LedgerRow

RowKind = Literal["effect", "tombstone", "undo", "begun"]
SETTLED: Final = "settled as not applied"
NEVER: Final = Effect(status=OutcomeStatus.FAILED, evidence=(SETTLED,))


def is_final(row: LedgerRow) -> bool:
    """Whether a row says for good what happened; else somebody was about to ask an outside system."""
    return row.kind != "begun"


def replayed(row: LedgerRow) -> Effect:
    """What a repeated attempt with the key of this row is told: an effect is there already, all else is as it was."""
    if row.kind != "effect":
        return row.effect
    return row.effect.model_copy(update={"status": OutcomeStatus.ALREADY_APPLIED})


def last_word(row: LedgerRow) -> Effect | None:
    """What a row says to whoever settles its key; None where it was settled as never, and may never happen."""
    return None if row.kind == "tombstone" and row.effect.evidence == (SETTLED,) else row.effect


def settle_key(ledger: Ledger, key: str, *, tool: str, at: datetime) -> Effect | None:
    """The last word on a key; where there is no row, a tombstone that a late attempt must obey, and None.

    Raises CannotSettle for a key that was begun: an outside system alone can tell, if anybody.
    """
    row = ledger.row(key)
    if row is None:
        ledger.write_row(LedgerRow(key=key, kind="tombstone", tool=tool, at=at, effect=NEVER))
        return None
    if not is_final(row):
        raise CannotSettle(f"{row.tool} was about to ask an outside system, and the ledger has no answer of it")
    return last_word(row)


def enter(
    ledger: Ledger, effect: Effect, call: ToolCall, *, key: str, kind: RowKind, tool: str, originals: str = ""
) -> Effect:
    """Put the row of a key beside its effect; gives the effect back."""
    row = LedgerRow(
        key=key, kind=kind, tool=tool, record_id=call.record_id, at=call.acted_at, effect=effect, originals=originals
    )
    ledger.write_row(row)
    return effect
