"""Which records open plans would write: two that saw the same version of one cannot both come true."""

import sqlite3
from datetime import datetime
from typing import Final

from daper.core.messages import CycleRef, Held, Hold, HoldInput, HoldResult
from daper.stores.sql.sqlite_file import time_text

HOLDS_TABLE: Final = (
    "CREATE TABLE holds (store_id TEXT NOT NULL, domain TEXT NOT NULL, ref TEXT NOT NULL, repair_id TEXT NOT NULL,"
    " version TEXT NOT NULL, until TEXT NOT NULL, PRIMARY KEY (store_id, domain, ref, repair_id)) WITHOUT ROWID"
)


def hold(db: sqlite3.Connection, request: HoldInput, now: datetime) -> HoldResult:
    """Hold the records of each action that no other plan holds; says which actions were refused."""
    refused: list[Held] = []
    for at, wanted in enumerate(request.wanted):
        held = next((found for each in wanted if (found := _held(db, request.cycle, each, at, now))), None)
        if held is not None:
            refused.append(held)
        elif not request.dry_run:
            _mark(db, request, wanted)
    return HoldResult(refused=tuple(refused))


def _held(db: sqlite3.Connection, cycle: CycleRef, wanted: Hold, at: int, now: datetime) -> Held | None:
    """Who holds it. A plan that saw another version of it is stale there, and holds it no more."""
    row = db.execute(
        "SELECT repair_id, until FROM holds WHERE store_id = ? AND domain = ? AND ref = ? AND repair_id <> ?"
        " AND until > ? AND version = ? ORDER BY until DESC LIMIT 1",
        (cycle.store_id, cycle.domain, wanted.ref, cycle.repair_id, time_text(now), wanted.version),
    ).fetchone()
    return Held(at=at, ref=wanted.ref, repair_id=row[0], until=datetime.fromisoformat(row[1])) if row else None


def _mark(db: sqlite3.Connection, request: HoldInput, wanted: tuple[Hold, ...]) -> None:
    cycle, until = request.cycle, time_text(request.until)
    db.executemany(
        "INSERT INTO holds VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET version = excluded.version,"
        " until = excluded.until",
        [(cycle.store_id, cycle.domain, each.ref, cycle.repair_id, each.version, until) for each in wanted],
    )
