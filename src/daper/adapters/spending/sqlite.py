"""What cycles spend on language models, in one SQLite file that every process shares: one row per call."""

import asyncio
import json
import logging
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from daper.adapters.spending.cap import check_caps
from daper.clock import agreed_now
from daper.core.errors import StoreDamaged
from daper.core.usage import CallSpent, Role, Spent, Usage
from daper.ports import Caps, Reservation
from daper.stores.sql.sqlite_file import BUSY_SECONDS, SqliteFile, time_text

log = logging.getLogger(__name__)

KEPT = timedelta(days=90)
# No call is under way for longer: whoever made it is gone, or the clock has jumped.
LONGEST_CALL = timedelta(hours=2)

_SCHEMA = (
    # Money is text, so that it stays exact. What was taken is empty until the call is settled.
    "CREATE TABLE calls (call_id TEXT PRIMARY KEY NOT NULL, cycle_id TEXT NOT NULL, role TEXT NOT NULL,"
    " model TEXT NOT NULL, record_ids TEXT NOT NULL,"
    " state TEXT NOT NULL CHECK (state IN ('reserved', 'settled', 'released')),"
    " reserved_input INTEGER NOT NULL, reserved_output INTEGER NOT NULL, reserved_cost TEXT,"
    " taken_calls INTEGER, taken_input INTEGER, taken_output INTEGER, taken_cost TEXT, taken_unpriced INTEGER,"
    " taken_uncertain INTEGER, at TEXT NOT NULL)",
    "CREATE INDEX calls_of_cycle ON calls (cycle_id)",
    "CREATE INDEX calls_by_age ON calls (at)",
)


class SqliteSpending:
    """`daper.ports.Spending` in one file: no cap is passed, however many threads and processes reserve at once.

    The file is made by the first call. Every call may raise StoreBusy (retryable), StoreDamaged or StoreError.
    """

    def __init__(self, path: Path, *, now: Callable[[], datetime] = agreed_now) -> None:
        self._path = path
        self._file = SqliteFile(path=path, what="spending ledger", schema=_SCHEMA)
        self._now = now

    async def reserve(self, reservation: Reservation, caps: Caps) -> None:
        """Set aside the most that a call can take, or raise SpendingCapReached. The same call again changes nothing.

        The sum and the mark are one transaction. A call that was released is set aside anew. One that was set aside for
        longer than any call takes is over: whoever made it was killed, and it counts as the most that it can have
        taken. What is older than 90 days is forgotten, but nothing of this cycle.
        """
        await asyncio.to_thread(self._reserve, reservation, caps)

    async def settle(self, call_id: str, spent: Spent) -> None:
        """What the call took, also where it is more than was set aside. Only the first settling counts."""
        await asyncio.to_thread(self._settle, call_id, spent)

    async def release(self, call_id: str) -> None:
        """The call took nothing. What was settled stays."""
        await asyncio.to_thread(self._release, call_id)

    async def of_cycle(self, cycle_id: str) -> Usage:
        """What a cycle has spent so far. A call that was never settled is uncertain, and counts as it was set aside."""
        return await asyncio.to_thread(self._of_cycle, cycle_id)

    async def look_over(self) -> bool:
        """Whether the file is there; and it is sound then. Changes nothing."""
        return await asyncio.to_thread(self._file.look_over)

    def _reserve(self, reservation: Reservation, caps: Caps) -> None:
        now = self._now()
        with self._transaction() as db:
            db.execute(
                "DELETE FROM calls WHERE at < ? AND cycle_id <> ?", (time_text(now - KEPT), reservation.cycle_id)
            )
            _end_what_is_over(db, now)
            if _state(db, reservation.call_id) in {"reserved", "settled"}:
                return
            settled, aside = self._sums(db, reservation.cycle_id)
            check_caps(reservation, caps, settled=settled, aside=aside)
            _set_aside(db, reservation, now)

    def _settle(self, call_id: str, spent: Spent) -> None:
        with self._transaction() as db:
            if _state(db, call_id) is None:
                log.warning("a call is settled that was never reserved", extra={"call_id": call_id})
                return
            db.execute(
                "UPDATE calls SET state = 'settled', taken_calls = ?, taken_input = ?, taken_output = ?,"
                " taken_cost = ?, taken_unpriced = ?, taken_uncertain = ? WHERE call_id = ? AND state <> 'settled'",
                (
                    max(spent.calls, 1),
                    spent.input_tokens,
                    spent.output_tokens,
                    str(spent.cost),
                    spent.unpriced,
                    spent.uncertain,
                    call_id,
                ),
            )

    def _release(self, call_id: str) -> None:
        with self._transaction() as db:
            db.execute("UPDATE calls SET state = 'released' WHERE call_id = ? AND state = 'reserved'", (call_id,))

    def _of_cycle(self, cycle_id: str) -> Usage:
        with self._transaction() as db:
            return Usage.of(call for _, call in self._calls(db, cycle_id))

    def _sums(self, db: sqlite3.Connection, cycle_id: str) -> tuple[Spent, Spent]:
        """What a cycle has taken for certain, and what is only set aside."""
        settled, aside = Spent(), Spent()
        for state, call in self._calls(db, cycle_id):
            if state == "settled":
                settled = settled.plus(call.spent)
            else:
                aside = aside.plus(call.spent)
        return settled, aside

    def _calls(self, db: sqlite3.Connection, cycle_id: str) -> list[tuple[str, CallSpent]]:
        """The calls of a cycle that count, with their states, in the order in which they were first reserved."""
        rows = db.execute(
            "SELECT state, role, record_ids, reserved_input, reserved_output, reserved_cost, taken_calls, taken_input,"
            " taken_output, taken_cost, taken_unpriced, taken_uncertain FROM calls"
            " WHERE cycle_id = ? AND state <> 'released' ORDER BY rowid",
            (cycle_id,),
        ).fetchall()
        try:
            return [(row[0], _call(*row)) for row in rows]
        except (ValueError, TypeError, ArithmeticError) as error:
            raise StoreDamaged(
                f"spending ledger {str(self._path)!r} has a call of cycle {cycle_id!r} that cannot be read;"
                " restore the file, or move it away, and a new one is made"
            ) from error

    def _transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        return self._file.transaction(busy_seconds=BUSY_SECONDS)


def _state(db: sqlite3.Connection, call_id: str) -> str | None:
    row = db.execute("SELECT state FROM calls WHERE call_id = ?", (call_id,)).fetchone()
    return row[0] if row else None


def _end_what_is_over(db: sqlite3.Connection, now: datetime) -> None:
    db.execute(
        "UPDATE calls SET state = 'settled', taken_calls = 1, taken_input = reserved_input,"
        " taken_output = reserved_output, taken_cost = coalesce(reserved_cost, '0'),"
        " taken_unpriced = (reserved_cost IS NULL), taken_uncertain = 1"
        " WHERE state = 'reserved' AND (at < ? OR at > ?)",
        (time_text(now - LONGEST_CALL), time_text(now + LONGEST_CALL)),
    )


def _set_aside(db: sqlite3.Connection, reservation: Reservation, now: datetime) -> None:
    call, cost = reservation.call, reservation.cost
    db.execute(
        "INSERT INTO calls (call_id, cycle_id, role, model, record_ids, state, reserved_input, reserved_output,"
        " reserved_cost, at) VALUES (?, ?, ?, ?, ?, 'reserved', ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " cycle_id = excluded.cycle_id, role = excluded.role, model = excluded.model,"
        " record_ids = excluded.record_ids, state = excluded.state, reserved_input = excluded.reserved_input,"
        " reserved_output = excluded.reserved_output, reserved_cost = excluded.reserved_cost, at = excluded.at",
        (
            reservation.call_id,
            reservation.cycle_id,
            call.role.value,
            reservation.model,
            json.dumps(call.record_ids),
            call.spent.input_tokens,
            call.spent.output_tokens,
            None if cost is None else str(cost),
            time_text(now),
        ),
    )


def _call(
    state: str,
    role: str,
    record_ids: str,
    most_input: int,
    most_output: int,
    most_cost: str | None,
    calls: int,
    taken_input: int,
    taken_output: int,
    taken_cost: str,
    unpriced: int,
    uncertain: int,
) -> CallSpent:
    if state == "settled":
        spent = Spent(
            calls=calls,
            input_tokens=taken_input,
            output_tokens=taken_output,
            cost=Decimal(taken_cost),
            unpriced=unpriced,
            uncertain=uncertain,
        )
    else:
        spent = Spent(
            calls=1,
            input_tokens=most_input,
            output_tokens=most_output,
            cost=Decimal(most_cost or 0),
            unpriced=int(most_cost is None),
            uncertain=1,
        )
    return CallSpent(role=Role(role), record_ids=tuple(json.loads(record_ids)), spent=spent)
