"""What cycles spend on language models, in a table that every process and machine shares: one row per call."""

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, Select, case, delete, func, or_, select, update

from daper.adapters.spending.cap import check_caps
from daper.clock import agreed_now
from daper.core.errors import StoreDamaged
from daper.core.usage import CallSpent, Role, Spent, Usage
from daper.ports import Caps, Reservation
from daper.stores.sql.engine import BUSY_SECONDS, Database
from daper.stores.sql.state_schema import CALLS, time_text
from daper.stores.sql.upserts import put

log = logging.getLogger(__name__)

KEPT = timedelta(days=90)
# No call is under way for longer: whoever made it is gone, or the clock has jumped.
LONGEST_CALL = timedelta(hours=2)


class SpendingTables:
    """`daper.ports.Spending` in a database: no cap is passed, however many threads, processes and machines reserve.

    Whoever sums and sets aside for a cycle is alone in it until both are done. Every call may raise StoreBusy and
    StoreUnavailable (retryable), StoreDamaged or StoreError.
    """

    def __init__(self, database: Database, *, now: Callable[[], datetime] = agreed_now) -> None:
        self._database = database
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

    def _reserve(self, reservation: Reservation, caps: Caps) -> None:
        now = self._now()
        with self._database.transaction(busy_seconds=BUSY_SECONDS) as db:
            self._database.alone(db, f"spending of {reservation.cycle_id}")
            _forget_old(db, reservation.cycle_id, now)
            _end_what_is_over(db, now)
            state = db.execute(select(CALLS.c.state).where(CALLS.c.call_id == reservation.call_id)).scalar()
            if state in {"reserved", "settled"}:
                return
            settled, aside = self._sums(db, reservation.cycle_id)
            check_caps(reservation, caps, settled=settled, aside=aside)
            _set_aside(db, reservation, now)

    def _settle(self, call_id: str, spent: Spent) -> None:
        with self._database.transaction(busy_seconds=BUSY_SECONDS) as db:
            found = db.execute(
                update(CALLS)
                .where(CALLS.c.call_id == call_id)
                .where(CALLS.c.state != "settled")
                .values(
                    state="settled",
                    taken_calls=max(spent.calls, 1),
                    taken_input=spent.input_tokens,
                    taken_output=spent.output_tokens,
                    taken_cost=str(spent.cost),
                    taken_unpriced=spent.unpriced,
                    taken_uncertain=spent.uncertain,
                )
            )
            if not found.rowcount and not _is_there(db, call_id):
                log.warning("a call is settled that was never reserved", extra={"call_id": call_id})

    def _release(self, call_id: str) -> None:
        with self._database.transaction(busy_seconds=BUSY_SECONDS) as db:
            db.execute(
                update(CALLS)
                .where(CALLS.c.call_id == call_id)
                .where(CALLS.c.state == "reserved")
                .values(state="released")
            )

    def _of_cycle(self, cycle_id: str) -> Usage:
        with self._database.reading() as db:
            return Usage.of(call for _, call in self._calls(db, cycle_id))

    def _sums(self, db: Connection, cycle_id: str) -> tuple[Spent, Spent]:
        """What a cycle has taken for certain, and what is only set aside."""
        settled, aside = Spent(), Spent()
        for state, call in self._calls(db, cycle_id):
            if state == "settled":
                settled = settled.plus(call.spent)
            else:
                aside = aside.plus(call.spent)
        return settled, aside

    def _calls(self, db: Connection, cycle_id: str) -> list[tuple[str, CallSpent]]:
        """The calls of a cycle that count, with their states, in the order in which they were first reserved."""
        rows = db.execute(
            select(CALLS).where(CALLS.c.cycle_id == cycle_id, CALLS.c.state != "released").order_by(CALLS.c.sequence)
        ).all()
        try:
            return [(row.state, _call(row)) for row in rows]
        except (ValueError, TypeError, ArithmeticError) as error:
            raise StoreDamaged(
                f"{self._database.named} has a call of cycle {cycle_id!r} that cannot be read; restore it from a copy"
            ) from error


def _is_there(db: Connection, call_id: str) -> bool:
    return db.execute(select(CALLS.c.sequence).where(CALLS.c.call_id == call_id)).first() is not None


def _forget_old(db: Connection, cycle_id: str, now: datetime) -> None:
    old = _free(select(CALLS.c.sequence).where(CALLS.c.at < time_text(now - KEPT), CALLS.c.cycle_id != cycle_id))
    if found := db.execute(old).scalars().all():
        db.execute(delete(CALLS).where(CALLS.c.sequence.in_(found)))


def _end_what_is_over(db: Connection, now: datetime) -> None:
    over = _free(
        select(CALLS.c.sequence).where(
            CALLS.c.state == "reserved",
            or_(CALLS.c.at < time_text(now - LONGEST_CALL), CALLS.c.at > time_text(now + LONGEST_CALL)),
        )
    )
    if found := db.execute(over).scalars().all():
        db.execute(
            update(CALLS)
            .where(CALLS.c.sequence.in_(found))
            .values(
                state="settled",
                taken_calls=1,
                taken_input=CALLS.c.reserved_input,
                taken_output=CALLS.c.reserved_output,
                taken_cost=func.coalesce(CALLS.c.reserved_cost, "0"),
                taken_unpriced=case((CALLS.c.reserved_cost.is_(None), 1), else_=0),
                taken_uncertain=1,
            )
        )


def _free(wanted: Select[int]) -> Select[int]:
    """Some rows of any cycle that nobody else writes now: those who tidy up never wait for each other."""
    return wanted.order_by(CALLS.c.sequence).limit(1_000).with_for_update(skip_locked=True)


def _set_aside(db: Connection, reservation: Reservation, now: datetime) -> None:
    call, cost = reservation.call, reservation.cost
    row = {
        "call_id": reservation.call_id,
        "cycle_id": reservation.cycle_id,
        "role": call.role.value,
        "model": reservation.model,
        "record_ids": json.dumps(call.record_ids),
        "state": "reserved",
        "reserved_input": call.spent.input_tokens,
        "reserved_output": call.spent.output_tokens,
        "reserved_cost": None if cost is None else str(cost),
        "at": time_text(now),
    }
    put(db, CALLS, [row], key=["call_id"], replacing=[name for name in row if name != "call_id"])


def _call(row: Row[Any]) -> CallSpent:
    if row.state == "settled":
        spent = Spent(
            calls=row.taken_calls,
            input_tokens=row.taken_input,
            output_tokens=row.taken_output,
            cost=Decimal(row.taken_cost),
            unpriced=row.taken_unpriced,
            uncertain=row.taken_uncertain,
        )
    else:
        spent = Spent(
            calls=1,
            input_tokens=row.reserved_input,
            output_tokens=row.reserved_output,
            cost=Decimal(row.reserved_cost or 0),
            unpriced=int(row.reserved_cost is None),
            uncertain=1,
        )
    return CallSpent(role=Role(row.role), record_ids=tuple(json.loads(row.record_ids)), spent=spent)
