"""The memory of all agents in tables, shared by every process and machine that opens their database."""

import asyncio
import logging
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select

from daper.adapters.memory.holds import hold
from daper.adapters.memory.recollection import CameTo, Key, Recollection, key_of, row_of
from daper.clock import agreed_now
from daper.core.messages import ClaimInput, ClaimResult, ConcludeInput, CycleRef, HoldInput, HoldResult
from daper.core.models import Finding, SuppressedFinding
from daper.stores.sql.engine import BUSY_SECONDS, Database
from daper.stores.sql.state_schema import CLAIMS, HOLDS, REJECTIONS, TRIES, UNSETTLED, time_text
from daper.stores.sql.upserts import add_missing, put

log = logging.getLogger(__name__)

KEPT = timedelta(days=90)


class MemoryTables:
    """`daper.ports.Memory` in a database: claims are atomic across threads, processes and machines.

    Whoever looks and marks in a store is alone in it until both are there. Every call may raise StoreBusy and
    StoreUnavailable (retryable), StoreDamaged or StoreError.
    """

    def __init__(self, database: Database, *, now: Callable[[], datetime] = agreed_now) -> None:
        self._database = database
        self._now = now

    async def claim(self, request: ClaimInput) -> ClaimResult:
        """Which findings may be planned for now; they are marked as waiting for this repair until `request.until`.

        The check and the mark are one transaction. The same cycle asking again gets the same answer; a dry run marks
        nothing; `again` suppresses nothing but what another plan holds.
        """
        return await asyncio.to_thread(self._claim, request)

    async def hold(self, request: HoldInput) -> HoldResult:
        """Which actions may be planned now; what they would write is held for this repair until `request.until`.

        The check and the mark are one transaction; a dry run marks nothing.
        """
        return await asyncio.to_thread(self._hold, request)

    async def let_go(self, cycle: CycleRef, fingerprints: Collection[str]) -> None:
        """This repair plans nothing for these findings of its own: others may."""
        await asyncio.to_thread(self._let_go, cycle, fingerprints)

    async def holders(
        self, cycle: CycleRef, *, record_ids: Collection[str] = (), refs: Collection[str] = ()
    ) -> tuple[str, ...]:
        """Other repairs that hold findings of these records, or these records, and have time left."""
        return await asyncio.to_thread(self._holders, cycle, record_ids, refs)

    async def release(self, cycle: CycleRef, repair_ids: Collection[str]) -> None:
        """What these repairs hold in the cycle's store is free."""
        await asyncio.to_thread(self._release, cycle, repair_ids)

    async def conclude(self, request: ConcludeInput) -> None:
        """Remember what was rejected and what was tried, and let go of everything claimed. Idempotent by cycle."""
        await asyncio.to_thread(self._conclude, request)

    async def records_replaced(self, *, store_id: str, domain: str) -> None:
        """Forget the repairs that helped, and those of which nobody knows; what was rejected or did not help stays."""
        await asyncio.to_thread(self._forget_tries, store_id, domain)

    async def fact_told(self, *, store_id: str, domain: str, record_id: str, kinds: Collection[str]) -> None:
        """Forget the repairs of these kinds that only asked somebody; what was rejected or did not help stays."""
        await asyncio.to_thread(self._forget_asked, store_id, domain, record_id, kinds)

    def _claim(self, request: ClaimInput) -> ClaimResult:
        now = self._now()
        fresh: list[Finding] = []
        suppressed: list[SuppressedFinding] = []
        with self._alone_in(request.cycle.store_id) as db:
            known = Recollection(db, request, now)
            answers = [(finding, known.answer(finding)) for finding in request.findings]
            for finding, why in answers:
                if why is None:
                    fresh.append(finding)
                else:
                    suppressed.append(why)
            if not request.dry_run:
                _remember_answers(db, request, answers)
                _forget_old(db, request.cycle.store_id, now)
        log.info("findings claimed", extra={"fresh": len(fresh), "suppressed": len(suppressed)})
        return ClaimResult(fresh=tuple(fresh), suppressed=tuple(suppressed))

    def _conclude(self, request: ConcludeInput) -> None:
        cycle, at = request.cycle, time_text(request.at)
        told = {"repair_id": cycle.repair_id, "at": at}
        rejected = [{**row_of(cycle, finding), **told, "decided_by": request.by} for finding in request.rejected]
        tried = [
            {**row_of(cycle, finding), **told, "cycle_id": cycle.cycle_id, "came_to": came_to.value}
            for came_to, findings in (
                (CameTo.NO_HELP, request.ineffective),
                (CameTo.HELPED, request.repaired),
                (CameTo.UNKNOWN, request.unverified),
            )
            for finding in findings
        ]
        unsettled = [{**row_of(cycle, finding), **told} for finding in request.unsettled]
        with self._alone_in(cycle.store_id) as db:
            put(
                db,
                REJECTIONS,
                rejected,
                replacing=("repair_id", "decided_by", "at"),
                where=lambda new: new("at") > REJECTIONS.c.at,
            )
            add_missing(db, TRIES, tried)
            add_missing(db, UNSETTLED, unsettled)
            # All of its claims, named or not: an ended repair holds nothing back from others.
            _let_go_of_all(db, cycle.store_id, [cycle.repair_id])
            _forget_old(db, cycle.store_id, self._now())

    def _hold(self, request: HoldInput) -> HoldResult:
        with self._alone_in(request.cycle.store_id) as db:
            return hold(db, request, self._now())

    def _let_go(self, cycle: CycleRef, fingerprints: Collection[str]) -> None:
        with self._alone_in(cycle.store_id) as db:
            db.execute(
                delete(CLAIMS).where(
                    CLAIMS.c.store_id == cycle.store_id,
                    CLAIMS.c.repair_id == cycle.repair_id,
                    CLAIMS.c.fingerprint.in_(list(fingerprints)),
                    CLAIMS.c.reason.is_(None),
                )
            )

    def _holders(self, cycle: CycleRef, record_ids: Collection[str], refs: Collection[str]) -> tuple[str, ...]:
        found: set[str] = set()
        with self._database.reading() as db:
            for table, column, values in (
                (CLAIMS, CLAIMS.c.record_id, record_ids),
                (HOLDS, HOLDS.c.ref, refs),
            ):
                others = select(table.c.repair_id).where(
                    table.c.store_id == cycle.store_id,
                    table.c.domain == cycle.domain,
                    table.c.repair_id != cycle.repair_id,
                    table.c.until > time_text(self._now()),
                    column.in_(list(values)),
                )
                planned = others.where(CLAIMS.c.reason.is_(None)) if table is CLAIMS else others
                found.update(db.execute(planned).scalars())
        return tuple(sorted(found))

    def _release(self, cycle: CycleRef, repair_ids: Collection[str]) -> None:
        with self._alone_in(cycle.store_id) as db:
            _let_go_of_all(db, cycle.store_id, repair_ids)

    def _forget_tries(self, store_id: str, domain: str) -> None:
        if self._database.is_there():  # else nothing was ever remembered
            with self._alone_in(store_id) as db:
                db.execute(
                    delete(TRIES).where(
                        TRIES.c.store_id == store_id,
                        TRIES.c.domain == domain,
                        TRIES.c.came_to != CameTo.NO_HELP.value,
                    )
                )

    def _forget_asked(self, store_id: str, domain: str, record_id: str, kinds: Collection[str]) -> None:
        if self._database.is_there():  # else nothing was ever remembered
            with self._alone_in(store_id) as db:
                db.execute(
                    delete(TRIES).where(
                        TRIES.c.store_id == store_id,
                        TRIES.c.domain == domain,
                        TRIES.c.record_id == record_id,
                        TRIES.c.kind.in_(list(kinds)),
                        TRIES.c.came_to == CameTo.UNKNOWN.value,
                    )
                )

    @contextmanager
    def _alone_in(self, store_id: str) -> Generator[Connection]:
        """A transaction beside which nobody else looks or marks in this store, on whatever machine."""
        with self._database.transaction(busy_seconds=BUSY_SECONDS) as db:
            self._database.alone(db, f"memory of {store_id}")
            yield db


def _remember_answers(
    db: Connection, request: ClaimInput, answers: Collection[tuple[Finding, SuppressedFinding | None]]
) -> None:
    cycle, rows = request.cycle, dict[Key, dict[str, str | None]]()
    for finding, why in answers:
        reason, held_by = (why.reason, why.held_by) if why else (None, "")
        rows[key_of(finding)] = {
            **row_of(cycle, finding),
            "repair_id": cycle.repair_id,
            "cycle_id": cycle.cycle_id,
            "until": time_text(request.until),
            "reason": reason,
            "held_by": held_by,
        }
    put(db, CLAIMS, list(rows.values()), replacing=("cycle_id", "until", "reason", "held_by"))


def _let_go_of_all(db: Connection, store_id: str, repair_ids: Collection[str]) -> None:
    for table in (CLAIMS, HOLDS):
        db.execute(delete(table).where(table.c.store_id == store_id, table.c.repair_id.in_(list(repair_ids))))


def _forget_old(db: Connection, store_id: str, now: datetime) -> None:
    """Only what is of this store: nobody is alone in any other."""
    oldest = time_text(now - KEPT)
    for table, moment in (
        (CLAIMS, CLAIMS.c.until),
        (HOLDS, HOLDS.c.until),
        (REJECTIONS, REJECTIONS.c.at),
        (TRIES, TRIES.c.at),
        (UNSETTLED, UNSETTLED.c.at),
    ):
        db.execute(delete(table).where(table.c.store_id == store_id, moment < oldest))
