"""The memory of all agents in one SQLite file, shared by every process that opens it."""

import asyncio
import logging
import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from daper.adapters.memory.holds import HOLDS_TABLE, hold
from daper.clock import agreed_now
from daper.core.messages import ClaimInput, ClaimResult, ConcludeInput, CycleRef, HoldInput, HoldResult
from daper.core.models import Finding, SuppressedFinding
from daper.core.record_holds import where_it_waits
from daper.stores.sql.sqlite_file import BUSY_SECONDS, SqliteFile, time_text

log = logging.getLogger(__name__)

TRIES = 3
TRIES_WHATEVER_THE_FACTS = 2 * TRIES
WINDOW = timedelta(days=30)
KEPT = timedelta(days=90)

_KEY = ", ".join(f"{column} TEXT NOT NULL" for column in ("store_id", "domain", "record_id", "kind", "fingerprint"))
_SCHEMA = (
    # What a repair was told of a finding: no reason means that it plans for it; else the reason it was suppressed for,
    # and the open repair that holds it, if that is the reason.
    f"CREATE TABLE claims ({_KEY}, repair_id TEXT NOT NULL, cycle_id TEXT NOT NULL, until TEXT NOT NULL, reason TEXT,"
    " held_by TEXT NOT NULL DEFAULT '', PRIMARY KEY (store_id, domain, record_id, kind, fingerprint, repair_id))"
    " WITHOUT ROWID",
    f"CREATE TABLE rejections ({_KEY}, repair_id TEXT NOT NULL, decided_by TEXT NOT NULL, at TEXT NOT NULL,"
    " PRIMARY KEY (store_id, domain, record_id, kind, fingerprint)) WITHOUT ROWID",
    f"CREATE TABLE tries ({_KEY}, repair_id TEXT NOT NULL, cycle_id TEXT NOT NULL, at TEXT NOT NULL,"
    " came_to TEXT NOT NULL DEFAULT 'no-help',"
    " PRIMARY KEY (store_id, domain, record_id, kind, fingerprint, cycle_id)) WITHOUT ROWID",
    f"CREATE TABLE unsettled ({_KEY}, repair_id TEXT NOT NULL, at TEXT NOT NULL,"
    " PRIMARY KEY (store_id, domain, record_id, kind, fingerprint, repair_id)) WITHOUT ROWID",
    HOLDS_TABLE,
)
_UPGRADES = (
    # Until then, only what had not helped was remembered.
    ("ALTER TABLE tries ADD COLUMN came_to TEXT NOT NULL DEFAULT 'no-help'",),
    # Until then, a person who asked again got a second plan beside one that was open.
    ("ALTER TABLE claims ADD COLUMN held_by TEXT NOT NULL DEFAULT ''", HOLDS_TABLE),
)
_SAME = "store_id = ? AND domain = ? AND record_id = ? AND kind = ? AND fingerprint = ?"


class _CameTo(StrEnum):
    """What a repair that took effect came to."""

    NO_HELP = "no-help"
    HELPED = "helped"
    UNKNOWN = "unknown"  # somebody was asked, or nobody could look


class SqliteMemory:
    """`daper.ports.Memory` in one file: claims are atomic across threads and processes, and survive a crash.

    The file is made by the first call. Every call may raise StoreBusy (retryable), StoreDamaged or StoreError.
    """

    def __init__(self, path: Path, *, now: Callable[[], datetime] = agreed_now) -> None:
        self._file = SqliteFile(path=path, what="memory", schema=_SCHEMA, upgrades=_UPGRADES)
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

    async def look_over(self) -> bool:
        """Whether the file is there; and it is sound then. Changes nothing."""
        return await asyncio.to_thread(self._file.look_over)

    def _claim(self, request: ClaimInput) -> ClaimResult:
        now = self._now()
        fresh: list[Finding] = []
        suppressed: list[SuppressedFinding] = []
        with self._transaction() as db:
            for finding in request.findings:
                why = _answer(db, request, finding, now)
                if not request.dry_run:
                    _remember_answer(db, request, finding, why)
                if why is None:
                    fresh.append(finding)
                else:
                    suppressed.append(why)
            if not request.dry_run:
                _forget_old(db, now)
        log.info("findings claimed", extra={"fresh": len(fresh), "suppressed": len(suppressed)})
        return ClaimResult(fresh=tuple(fresh), suppressed=tuple(suppressed))

    def _conclude(self, request: ConcludeInput) -> None:
        cycle, at = request.cycle, time_text(request.at)
        rejected = [(*_key(cycle, finding), cycle.repair_id, request.by, at) for finding in request.rejected]
        tried = [
            (*_key(cycle, finding), cycle.repair_id, cycle.cycle_id, at, came_to)
            for came_to, findings in (
                (_CameTo.NO_HELP, request.ineffective),
                (_CameTo.HELPED, request.repaired),
                (_CameTo.UNKNOWN, request.unverified),
            )
            for finding in findings
        ]
        unsettled = [(*_key(cycle, finding), cycle.repair_id, at) for finding in request.unsettled]
        with self._transaction() as db:
            db.executemany(
                "INSERT INTO rejections VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                " repair_id = excluded.repair_id, decided_by = excluded.decided_by, at = excluded.at"
                " WHERE excluded.at > at",
                rejected,
            )
            db.executemany("INSERT INTO tries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", tried)
            db.executemany("INSERT INTO unsettled VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", unsettled)
            # All of its claims, named or not: an ended repair holds nothing back from others.
            _let_go_of_all(db, cycle.store_id, cycle.repair_id)
            _forget_old(db, self._now())

    def _hold(self, request: HoldInput) -> HoldResult:
        with self._transaction() as db:
            return hold(db, request, self._now())

    def _let_go(self, cycle: CycleRef, fingerprints: Collection[str]) -> None:
        mine = [(cycle.store_id, cycle.repair_id, fingerprint) for fingerprint in fingerprints]
        with self._transaction() as db:
            db.executemany(
                "DELETE FROM claims WHERE store_id = ? AND repair_id = ? AND fingerprint = ? AND reason IS NULL", mine
            )

    def _holders(self, cycle: CycleRef, record_ids: Collection[str], refs: Collection[str]) -> tuple[str, ...]:
        found: set[str] = set()
        where = "store_id = ? AND domain = ? AND repair_id <> ? AND until > ?"
        others = (cycle.store_id, cycle.domain, cycle.repair_id, time_text(self._now()))
        with self._transaction() as db:
            for column, table, values in (("record_id", "claims", record_ids), ("ref", "holds", refs)):
                planned = " AND reason IS NULL" if table == "claims" else ""
                for value in values:
                    query = f"SELECT repair_id FROM {table} WHERE {where} AND {column} = ?{planned}"  # noqa: S608 - constants
                    found.update(row[0] for row in db.execute(query, (*others, value)))
        return tuple(sorted(found))

    def _release(self, cycle: CycleRef, repair_ids: Collection[str]) -> None:
        with self._transaction() as db:
            for repair_id in repair_ids:
                _let_go_of_all(db, cycle.store_id, repair_id)

    def _forget_tries(self, store_id: str, domain: str) -> None:
        if self._file.path.exists():  # else nothing was ever remembered
            with self._transaction() as db:
                db.execute(
                    "DELETE FROM tries WHERE store_id = ? AND domain = ? AND came_to <> ?",
                    (store_id, domain, _CameTo.NO_HELP),
                )

    def _transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        return self._file.transaction(busy_seconds=BUSY_SECONDS)


def _answer(db: sqlite3.Connection, request: ClaimInput, finding: Finding, now: datetime) -> SuppressedFinding | None:
    """Why a finding is suppressed for this cycle, or None. What a cycle was told once stays as it was told."""
    cycle = request.cycle
    key, asks_anew = _key(cycle, finding), finding.fingerprint in request.asked_again
    told = db.execute(
        f"SELECT reason, held_by FROM claims WHERE {_SAME} AND repair_id = ? AND cycle_id = ?",  # noqa: S608 - constants
        (*key, cycle.repair_id, cycle.cycle_id),
    ).fetchone()
    if told is not None and not asks_anew:
        return SuppressedFinding(finding=finding, reason=told[0], held_by=told[1]) if told[0] else None
    if waits := _waits(db, key, cycle.repair_id, now):
        return SuppressedFinding(finding=finding, reason=where_it_waits(*waits), held_by=waits[0])
    if asks_anew or request.again:
        return None
    why = _unsettled(db, key, now) or _rejected(db, key, now) or _tried(db, key, now)
    to_ask = f"; to ask anew: --again or --record {finding.record_id}"
    return SuppressedFinding(finding=finding, reason=f"{why}{to_ask}") if why else None


def _waits(db: sqlite3.Connection, key: tuple[str, ...], repair_id: str, now: datetime) -> tuple[str, datetime] | None:
    """The other repair that has a plan for it, and until when."""
    row = db.execute(
        f"SELECT repair_id, until FROM claims WHERE {_SAME} AND repair_id <> ? AND reason IS NULL AND until > ?"  # noqa: S608 - constants
        " ORDER BY until DESC LIMIT 1",
        (*key, repair_id, time_text(now)),
    ).fetchone()
    return (row[0], datetime.fromisoformat(row[1])) if row else None


def _unsettled(db: sqlite3.Connection, key: tuple[str, ...], now: datetime) -> str | None:
    row = db.execute(
        f"SELECT repair_id, at FROM unsettled WHERE {_SAME} AND at > ? ORDER BY at DESC LIMIT 1",  # noqa: S608 - constants
        (*key, time_text(now - WINDOW)),
    ).fetchone()
    return f"it may have been repaired on {row[1][:10]} by {row[0]}, nobody can tell: look first" if row else None


def _rejected(db: sqlite3.Connection, key: tuple[str, ...], now: datetime) -> str | None:
    row = db.execute(
        f"SELECT decided_by, repair_id, at FROM rejections WHERE {_SAME} AND at > ?",  # noqa: S608 - constants
        (*key, time_text(now - WINDOW)),
    ).fetchone()
    return f"{row[0] or 'a person'} rejected its repair on {row[2][:10]} (repair {row[1]})" if row else None


@dataclass(frozen=True)
class _Try:
    """One repair that took effect on a problem."""

    repair_id: str
    at: str
    came_to: _CameTo


def _tried(db: sqlite3.Connection, key: tuple[str, ...], now: datetime) -> str | None:
    """It was tried too often: with these facts, or with whatever facts the same kind of problem had on this record."""
    rows: list[tuple[str, str, str, str, str]] = db.execute(
        "SELECT cycle_id, fingerprint, repair_id, at, came_to FROM tries"
        " WHERE store_id = ? AND domain = ? AND record_id = ? AND kind = ? AND at > ? ORDER BY at",
        (*key[:-1], time_text(now - WINDOW)),
    ).fetchall()
    of_cycles = {cycle_id: _Try(repair_id, at, _CameTo(came_to)) for cycle_id, _, repair_id, at, came_to in rows}
    same = [of_cycles[cycle_id] for cycle_id, fingerprint, *_ in rows if fingerprint == key[-1]]
    if len(same) >= TRIES:
        return _tried_so_often(same)
    if len(of_cycles) >= TRIES_WHATEVER_THE_FACTS:
        return f"{_tried_so_often(list(of_cycles.values()))}, while its facts changed"
    return None


def _tried_so_often(tries: Sequence[_Try]) -> str:
    """What became of all these repairs, the oldest first."""
    came_to, last = Counter(each.came_to for each in tries), tries[-1]
    since = f"{len(tries)} times since {tries[0].at[:10]}"
    lately = f"last on {last.at[:10]} by repair {last.repair_id}"
    if came_to.keys() == {_CameTo.NO_HELP}:
        return f"tried {since} without effect, {lately}"
    if came_to.keys() == {_CameTo.HELPED}:
        return f"repaired {since}, and it came back each time, {lately}"
    parts = (
        f"{came_to[kind]} {words}"
        for kind, words in (
            (_CameTo.HELPED, "helped, but not for long"),
            (_CameTo.NO_HELP, "did not help"),
            (_CameTo.UNKNOWN, "left it to somebody else, or could not be verified"),
        )
        if came_to[kind]
    )
    return f"tried {since} ({'; '.join(parts)}), {lately}"


def _remember_answer(
    db: sqlite3.Connection, request: ClaimInput, finding: Finding, why: SuppressedFinding | None
) -> None:
    cycle = request.cycle
    reason, held_by = (why.reason, why.held_by) if why else (None, "")
    db.execute(
        "INSERT INTO claims VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " cycle_id = excluded.cycle_id, until = excluded.until, reason = excluded.reason, held_by = excluded.held_by",
        (*_key(cycle, finding), cycle.repair_id, cycle.cycle_id, time_text(request.until), reason, held_by),
    )


def _let_go_of_all(db: sqlite3.Connection, store_id: str, repair_id: str) -> None:
    for table in ("claims", "holds"):
        db.execute(f"DELETE FROM {table} WHERE store_id = ? AND repair_id = ?", (store_id, repair_id))  # noqa: S608 - constants


def _forget_old(db: sqlite3.Connection, now: datetime) -> None:
    oldest = (time_text(now - KEPT),)
    db.execute("DELETE FROM claims WHERE until < ?", oldest)
    db.execute("DELETE FROM holds WHERE until < ?", oldest)
    db.execute("DELETE FROM rejections WHERE at < ?", oldest)
    db.execute("DELETE FROM tries WHERE at < ?", oldest)
    db.execute("DELETE FROM unsettled WHERE at < ?", oldest)


def _key(cycle: CycleRef, finding: Finding) -> tuple[str, ...]:
    return cycle.store_id, cycle.domain, finding.record_id, finding.kind, finding.fingerprint
