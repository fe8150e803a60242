"""The domain of the docs without a worker: what it proposes, and what it leaves to a person."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from daper_desk import open_domain

from daper.core.models import Proposal, Scope

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


async def test_a_record_that_went_away_between_looking_and_planning_is_left_to_a_person(tmp_path: Path) -> None:
    desk = open_domain(tmp_path, {})
    await desk.store()
    with closing(sqlite3.connect(tmp_path / "desk.db")) as db, db:
        db.executemany("INSERT INTO tickets VALUES (?, 'ann', 'closed', 'customer')", [("T1",), ("T2",)])
    found = desk.detect((await desk.scan(Scope())).records, NOON)
    with closing(sqlite3.connect(tmp_path / "desk.db")) as db, db:
        db.execute("DELETE FROM tickets WHERE id = 'T1'")

    records = await desk.context(["T1", "T2", "T2"])
    proposed = desk.propose(found, records)

    assert [record.record_id for record in records] == ["T2"]
    assert [one.record_id for one in proposed.proposals] == ["T2"]
    [why] = proposed.for_person.values()
    assert "'T1' is not there any more" in why
    gone = Proposal(record_id="T1", tool="reopen_ticket", arguments={"ticket": 7.5}, answers=())
    assert desk.terms(gone, records).limits == {}
    unknown = Proposal(record_id="T2", tool="burn_ticket", arguments={}, answers=())
    assert desk.terms(unknown, records).limits == {}


async def test_records_are_found_by_status_and_given_page_by_page(tmp_path: Path) -> None:
    desk = open_domain(tmp_path, {})
    await desk.store()
    with closing(sqlite3.connect(tmp_path / "desk.db")) as db, db:
        rows = [(f"T{number:04}", "Open" if number % 2 else "closed") for number in range(1200)]
        db.executemany("INSERT INTO tickets VALUES (?, 'ann', ?, 'us')", rows)

    seen: list[str] = []
    page = await desk.scan(Scope(status=" open "))
    while True:
        seen += [record.record_id for record in page.records]
        assert page.total == 600
        if page.next_page is None:
            break
        page = await desk.scan(Scope(status=" open "), page.next_page)

    assert seen == [name for name, status in rows if status == "Open"]
    assert await desk.count_open(Scope(record_ids=("T0001", "T0001", "no"))) == 1
