"""What is remembered of the findings of one claim, and why each may not be planned for."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, Table, select

from daper.core.messages import ClaimInput, CycleRef
from daper.core.models import Finding, SuppressedFinding
from daper.core.names import asked_for
from daper.core.record_holds import where_it_waits
from daper.stores.sql.state_schema import CLAIMS, REJECTIONS, TRIES, UNSETTLED, time_text

TRIES_MOST: Final = 3
TRIES_WHATEVER_THE_FACTS: Final = 2 * TRIES_MOST
WINDOW: Final = timedelta(days=30)

Key = tuple[str, str, str]  # record, kind, fingerprint: all else is one for a claim


class CameTo(StrEnum):
    """What a repair that took effect came to."""

    NO_HELP = "no-help"
    HELPED = "helped"
    UNKNOWN = "unknown"  # somebody was asked, or nobody could look


def key_of(finding: Finding) -> Key:
    """What tells a finding from others of the same store and domain."""
    return finding.record_id, finding.kind, finding.fingerprint


def row_of(cycle: CycleRef, finding: Finding) -> dict[str, str]:
    """The columns that say which finding a row is about."""
    record_id, kind, fingerprint = key_of(finding)
    return {
        "store_id": cycle.store_id,
        "domain": cycle.domain,
        "record_id": record_id,
        "kind": kind,
        "fingerprint": fingerprint,
    }


@dataclass(frozen=True)
class _Try:
    """One repair that took effect on a problem."""

    cycle_id: str
    fingerprint: str
    repair_id: str
    at: str
    came_to: CameTo


_Rows = Mapping[Key, Sequence[Row[Any]]]


class Recollection:
    """What is remembered of the records of `request` in this transaction: read once, whatever their number."""

    def __init__(self, db: Connection, request: ClaimInput, now: datetime) -> None:
        self._request = request
        self._now = time_text(now)
        since = time_text(now - WINDOW)
        self._claims = self._rows(db, CLAIMS)
        self._unsettled = self._rows(db, UNSETTLED, since)
        self._rejections = self._rows(db, REJECTIONS, since)
        self._tries = defaultdict[tuple[str, str], list[_Try]](list)  # by record and kind
        for (record_id, kind, fingerprint), rows in self._rows(db, TRIES, since).items():
            self._tries[record_id, kind] += (
                _Try(row.cycle_id, fingerprint, row.repair_id, row.at, CameTo(row.came_to)) for row in rows
            )

    def answer(self, finding: Finding) -> SuppressedFinding | None:
        """Why a finding is suppressed for this cycle, or None. What a cycle was told once stays as it was told."""
        cycle, key = self._request.cycle, key_of(finding)
        asks_anew = finding.fingerprint in self._request.asked_again
        claims = self._claims.get(key, ())
        told = next((row for row in claims if (row.repair_id, row.cycle_id) == (cycle.repair_id, cycle.cycle_id)), None)
        if told is not None and not asks_anew:
            return SuppressedFinding(finding=finding, reason=told.reason, held_by=told.held_by) if told.reason else None
        if waits := self._waits(claims):
            return SuppressedFinding(finding=finding, reason=where_it_waits(*waits), held_by=waits[0])
        if asks_anew or self._request.again:
            return None
        why = self._never_settled(key) or self._rejected(key) or self._tried(key)
        to_ask = f"; to ask anew: --again or {asked_for('--record', finding.record_id)}"
        return SuppressedFinding(finding=finding, reason=f"{why}{to_ask}") if why else None

    def _rows(self, db: Connection, table: Table, since: str = "") -> _Rows:
        """The rows of the records that are asked about, the oldest first where they have a time."""
        records = sorted({finding.record_id for finding in self._request.findings})
        wanted = select(table).where(
            table.c.store_id == self._request.cycle.store_id,
            table.c.domain == self._request.cycle.domain,
            table.c.record_id.in_(records),
        )
        if since:
            wanted = wanted.where(table.c.at > since).order_by(table.c.at)
        found = defaultdict[Key, list[Row[Any]]](list)
        for row in db.execute(wanted):
            found[row.record_id, row.kind, row.fingerprint].append(row)
        return found

    def _waits(self, claims: Sequence[Row[Any]]) -> tuple[str, datetime] | None:
        """The other repair that has a plan for it, and until when."""
        mine = self._request.cycle.repair_id
        others = [row for row in claims if row.repair_id != mine and row.reason is None and row.until > self._now]
        if not others:
            return None
        last = max(others, key=lambda row: row.until)
        return last.repair_id, datetime.fromisoformat(last.until)

    def _never_settled(self, key: Key) -> str | None:
        rows = self._unsettled.get(key)
        if not rows:
            return None
        return f"it may have been repaired on {rows[-1].at[:10]} by {rows[-1].repair_id}, nobody can tell: look first"

    def _rejected(self, key: Key) -> str | None:
        for row in self._rejections.get(key, ()):
            return f"{row.decided_by or 'a person'} rejected its repair on {row.at[:10]} (repair {row.repair_id})"
        return None

    def _tried(self, key: Key) -> str | None:
        """It was tried too often: with these facts, or with whatever facts this kind of problem had on this record."""
        record_id, kind, fingerprint = key
        tries = sorted(self._tries.get((record_id, kind), ()), key=lambda each: each.at)
        of_cycles = {each.cycle_id: each for each in tries}
        same = [each for each in tries if each.fingerprint == fingerprint]
        if len(same) >= TRIES_MOST:
            return _tried_so_often(same)
        if len(of_cycles) >= TRIES_WHATEVER_THE_FACTS:
            return f"{_tried_so_often(list(of_cycles.values()))}, while its facts changed"
        return None


def _tried_so_often(tries: Sequence[_Try]) -> str:
    """What became of all these repairs, the oldest first."""
    came_to, last = Counter(each.came_to for each in tries), tries[-1]
    since = f"{len(tries)} times since {tries[0].at[:10]}"
    lately = f"last on {last.at[:10]} by repair {last.repair_id}"
    if came_to.keys() == {CameTo.NO_HELP}:
        return f"tried {since} without effect, {lately}"
    if came_to.keys() == {CameTo.HELPED}:
        return f"repaired {since}, and it came back each time, {lately}"
    parts = (
        f"{came_to[kind]} {words}"
        for kind, words in (
            (CameTo.HELPED, "helped, but not for long"),
            (CameTo.NO_HELP, "did not help"),
            (CameTo.UNKNOWN, "left it to somebody else, or could not be verified"),
        )
        if came_to[kind]
    )
    return f"tried {since} ({'; '.join(parts)}), {lately}"
