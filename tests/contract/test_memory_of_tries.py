"""What the memory makes of repairs that helped, and did not last; and of a file that an older release wrote."""

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

from daper.adapters.memory.sqlite import SqliteMemory
from daper.core.messages import ClaimResult, ConcludeInput
from daper.core.models import Finding
from daper.ports import Memory
from tests.contract.remembering import HOURS_12, START, Clock, claim_of, cycle, finding, only_reason

FIRST_VERSION = """
CREATE TABLE claims (store_id TEXT NOT NULL, domain TEXT NOT NULL, record_id TEXT NOT NULL, kind TEXT NOT NULL,
  fingerprint TEXT NOT NULL, repair_id TEXT NOT NULL, cycle_id TEXT NOT NULL, until TEXT NOT NULL, reason TEXT,
  PRIMARY KEY (store_id, domain, record_id, kind, fingerprint, repair_id)) WITHOUT ROWID;
CREATE TABLE rejections (store_id TEXT NOT NULL, domain TEXT NOT NULL, record_id TEXT NOT NULL, kind TEXT NOT NULL,
  fingerprint TEXT NOT NULL, repair_id TEXT NOT NULL, decided_by TEXT NOT NULL, at TEXT NOT NULL,
  PRIMARY KEY (store_id, domain, record_id, kind, fingerprint)) WITHOUT ROWID;
CREATE TABLE tries (store_id TEXT NOT NULL, domain TEXT NOT NULL, record_id TEXT NOT NULL, kind TEXT NOT NULL,
  fingerprint TEXT NOT NULL, repair_id TEXT NOT NULL, cycle_id TEXT NOT NULL, at TEXT NOT NULL,
  PRIMARY KEY (store_id, domain, record_id, kind, fingerprint, cycle_id)) WITHOUT ROWID;
CREATE TABLE unsettled (store_id TEXT NOT NULL, domain TEXT NOT NULL, record_id TEXT NOT NULL, kind TEXT NOT NULL,
  fingerprint TEXT NOT NULL, repair_id TEXT NOT NULL, at TEXT NOT NULL,
  PRIMARY KEY (store_id, domain, record_id, kind, fingerprint, repair_id)) WITHOUT ROWID;
PRAGMA user_version = 1;
INSERT INTO tries VALUES ('s1', 'orders', 'ORD-1', 'never-paid', 'f1', 'r1', 'c1', '2026-02-26T12:00:00.000000+00:00');
INSERT INTO tries VALUES ('s1', 'orders', 'ORD-1', 'never-paid', 'f1', 'r2', 'c2', '2026-02-27T12:00:00.000000+00:00');
INSERT INTO tries VALUES ('s1', 'orders', 'ORD-1', 'never-paid', 'f1', 'r3', 'c3', '2026-02-28T12:00:00.000000+00:00');
INSERT INTO tries VALUES ('s1', 'orders', 'ORD-2', 'never-paid', 'f1', 'r1', 'c1', '2026-02-26T12:00:00.000000+00:00');
INSERT INTO tries VALUES ('s1', 'orders', 'ORD-2', 'never-paid', 'f1', 'r2', 'c2', '2026-02-27T12:00:00.000000+00:00');
INSERT INTO rejections VALUES
  ('s1', 'orders', 'ORD-3', 'never-paid', 'f1', 'r1', 'Minerva', '2026-02-26T12:00:00.000000+00:00');
"""


async def do_each(memory: Memory, repair: str, at: datetime, **came_to: Finding) -> None:
    done = {what: (finding,) for what, finding in came_to.items()}
    await memory.conclude(ConcludeInput.model_validate({"cycle": cycle(repair), "at": at, **done}))


async def test_d12_what_was_repaired_three_times_and_came_back_is_left_alone(memory: Memory, clock: Clock) -> None:
    """A flapping fault backs off, though each of its repairs helped."""
    for number in (1, 2, 3):
        assert (await memory.claim(claim_of(f"r{number}"))).fresh == (finding(),)
        await do_each(memory, f"r{number}", START - timedelta(days=4 - number), repaired=finding())

    reason = only_reason(await memory.claim(claim_of("r4")))
    again = await memory.claim(claim_of("r5", again=True))
    clock.now = START + timedelta(days=27, minutes=1)
    later = await memory.claim(claim_of("r6", until=clock.now + HOURS_12))

    assert reason == (
        "repaired 3 times since 2026-02-26, and it came back each time, last on 2026-02-28 by repair r3;"
        " to ask anew: --again or --record ORD-1"
    )
    assert again.fresh == later.fresh == (finding(),)


async def test_d12_what_was_tried_with_different_ends_says_how_each_ended(memory: Memory) -> None:
    for number, came_to in enumerate(("repaired", "ineffective", "unverified", "ineffective")):
        await do_each(memory, f"r{number}", START - timedelta(days=4 - number), **{came_to: finding()})

    assert only_reason(await memory.claim(claim_of("r9"))) == (
        "tried 4 times since 2026-02-25 (1 helped, but not for long; 2 did not help;"
        " 1 left it to somebody else, or could not be verified), last on 2026-02-28 by repair r3;"
        " to ask anew: --again or --record ORD-1"
    )


async def test_d12_a_problem_that_comes_back_with_other_facts_each_time_is_left_alone_after_six_repairs(
    memory: Memory,
) -> None:
    for number in range(6):
        facts = finding(fingerprint=f"f{number}")
        assert (await memory.claim(claim_of(f"r{number}", facts))).fresh == (facts,)
        await do_each(memory, f"r{number}", START - timedelta(days=6 - number), repaired=facts)
    others = finding("ORD-2", fingerprint="f6"), finding(kind="short", fingerprint="f6")

    result = await memory.claim(claim_of("r6", finding(fingerprint="f6"), *others))

    assert result.fresh == others, "another record, and another kind of problem, are other troubles"
    assert only_reason(result.model_copy(update={"fresh": ()})) == (
        "repaired 6 times since 2026-02-23, and it came back each time, last on 2026-02-28 by repair r5,"
        " while its facts changed; to ask anew: --again or --record ORD-1"
    )


async def test_several_problems_of_a_kind_that_one_repair_answers_are_one_try_of_the_record(memory: Memory) -> None:
    lines = [finding(fingerprint=f"line {number}") for number in range(4)]
    for number in (1, 2):
        await memory.conclude(ConcludeInput(cycle=cycle(f"r{number}"), repaired=tuple(lines), at=START))

    assert (await memory.claim(claim_of("r3", *lines))).fresh == tuple(lines)


async def test_records_that_a_person_replaced_begin_anew_but_for_what_was_rejected_or_did_not_help(
    memory: Memory,
) -> None:
    helped, asked, in_vain, rejected = (finding(f"ORD-{number}") for number in range(4))
    everything = claim_of("r9", helped, asked, in_vain, rejected)
    for number in range(3):
        await do_each(memory, f"r{number}", START, repaired=helped, unverified=asked, ineffective=in_vain)
    await do_each(memory, "r3", START, rejected=rejected)
    await memory.records_replaced(store_id="elsewhere", domain="orders")
    await memory.records_replaced(store_id="s1", domain="alerts")
    assert (await memory.claim(everything.model_copy(update={"dry_run": True}))).fresh == ()

    await memory.records_replaced(store_id="s1", domain="orders")

    assert (await memory.claim(everything)).fresh == (helped, asked)


async def test_a_memory_that_nobody_needed_yet_is_not_made_for_records_that_are_replaced(
    memory: Memory, path: Path
) -> None:
    await memory.records_replaced(store_id="s1", domain="orders")

    assert not path.parent.exists()


async def test_a_memory_of_the_first_version_keeps_what_it_holds_and_remembers_more(
    memory: Memory, path: Path, clock: Clock
) -> None:
    write_first_version(path)
    tried, twice, rejected = finding("ORD-1"), finding("ORD-2"), finding("ORD-3")

    before = await memory.claim(claim_of("r4", tried, twice, rejected))
    await do_each(memory, "r4", START, repaired=twice)
    after = await memory.claim(claim_of("r5", twice))

    assert before.fresh == (twice,)
    assert [item.reason.partition(",")[0] for item in before.suppressed] == [
        "tried 3 times since 2026-02-26 without effect",
        "Minerva rejected its repair on 2026-02-26 (repair r1); to ask anew: --again or --record ORD-3",
    ]
    assert "tried 3 times since 2026-02-26 (1 helped, but not for long; 2 did not help)" in only_reason(after)
    other = path.with_name("new.db")
    await SqliteMemory(other, now=clock).claim(claim_of("r1"))
    assert columns(path) == columns(other), "as a new one is made"


def test_of_20_that_open_a_memory_of_the_first_version_at_once_one_brings_it_up_to_date(path: Path) -> None:
    write_first_version(path)

    def claim_alone(number: int) -> ClaimResult:
        return asyncio.run(SqliteMemory(path, now=lambda: START).claim(claim_of(f"r{number}", finding("ORD-2"))))

    with ThreadPoolExecutor(max_workers=20) as pool:
        results = list(pool.map(claim_alone, range(20)))

    assert sum(len(result.fresh) for result in results) == 1


def write_first_version(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as db:
        db.executescript(FIRST_VERSION)
    db.close()


def columns(path: Path) -> dict[str, list[tuple[object, ...]]]:
    db = sqlite3.connect(path)
    try:
        version = db.execute("PRAGMA user_version").fetchall()
        tables = ("claims", "rejections", "tries", "unsettled")
        return {table: db.execute(f"PRAGMA table_info({table})").fetchall() for table in tables} | {"version": version}
    finally:
        db.close()
