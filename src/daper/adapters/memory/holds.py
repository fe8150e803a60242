"""Which records open plans would write: two that saw the same version of one cannot both come true."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from daper.core.messages import Held, Hold, HoldInput, HoldResult
from daper.stores.sql.state_schema import HOLDS, time_text
from daper.stores.sql.upserts import put


def hold(db: Connection, request: HoldInput, now: datetime) -> HoldResult:
    """Hold the records of each action that no other plan holds; says which actions were refused.

    Whoever calls is alone in the store.
    """
    others = _of_others(db, request, now)
    refused: list[Held] = []
    marked: dict[str, dict[str, str]] = {}
    for at, wanted in enumerate(request.wanted):
        held = next((found for each in wanted if (found := others.get((each.ref, each.version)))), None)
        if held is not None:
            until = datetime.fromisoformat(held.until)
            refused.append(Held(at=at, ref=held.ref, repair_id=held.repair_id, until=until))
        else:
            marked |= {each.ref: _row(request, each) for each in wanted}
    if not request.dry_run:
        put(db, HOLDS, list(marked.values()), replacing=("version", "until"))
    return HoldResult(refused=tuple(refused))


def _of_others(db: Connection, request: HoldInput, now: datetime) -> Mapping[tuple[str, str], Row[Any]]:
    """Who holds what, by record and version; a plan that saw another version is stale, and holds it no more."""
    refs = sorted({each.ref for wanted in request.wanted for each in wanted})
    held = db.execute(
        select(HOLDS)
        .where(
            HOLDS.c.store_id == request.cycle.store_id,
            HOLDS.c.domain == request.cycle.domain,
            HOLDS.c.ref.in_(refs),
            HOLDS.c.repair_id != request.cycle.repair_id,
            HOLDS.c.until > time_text(now),
        )
        .order_by(HOLDS.c.until)  # the last one is told
    )
    return {(row.ref, row.version): row for row in held}


def _row(request: HoldInput, wanted: Hold) -> dict[str, str]:
    return {
        "store_id": request.cycle.store_id,
        "domain": request.cycle.domain,
        "ref": wanted.ref,
        "repair_id": request.cycle.repair_id,
        "version": wanted.version,
        "until": time_text(request.until),
    }
