"""The memory keeps its promises, whoever asks, at once and after a crash."""

import asyncio
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from daper.adapters.memory.tables import MemoryTables
from daper.core.errors import StoreBusy, StoreDamaged, StoreError
from daper.core.messages import ClaimInput, ClaimResult, ConcludeInput
from daper.ports import Memory
from daper.stores.sql.engine import VERSIONS
from daper.stores.sql.state_schema import CLAIMS, REJECTIONS, STATE, TRIES
from tests.contract.kept_state import OPEN, KeptState
from tests.contract.remembering import HOURS_12, START, Clock, claim_of, cycle, finding, only_reason


async def try_in_vain(memory: Memory, repair: str, at: datetime) -> None:
    await memory.claim(claim_of(repair, until=at + HOURS_12))
    await memory.conclude(ConcludeInput(cycle=cycle(repair), ineffective=(finding(),), at=at))


async def test_a_new_finding_is_fresh(memory: Memory) -> None:
    result = await memory.claim(claim_of("r1"))

    assert result == ClaimResult(fresh=(finding(),))


async def test_d12_what_waits_for_a_decision_elsewhere_is_suppressed_and_says_where(memory: Memory) -> None:
    await memory.claim(claim_of("r1"))

    result = await memory.claim(claim_of("r2"))
    reason = only_reason(result)

    assert reason == "waits for a decision in r1, until 2026-03-02 00:00 UTC"
    assert result.suppressed[0].held_by == "r1"


async def test_a_plan_whose_time_is_over_does_not_hold_others_back(memory: Memory, clock: Clock) -> None:
    await memory.claim(claim_of("r1"))
    clock.now = START + HOURS_12

    result = await memory.claim(claim_of("r2", until=clock.now + HOURS_12))

    assert result.fresh == (finding(),)


async def test_d15_the_same_repair_asking_again_gets_the_same_answer(memory: Memory) -> None:
    taken, free = finding("ORD-1"), finding("ORD-2")
    await memory.claim(claim_of("r1", taken))
    first = await memory.claim(claim_of("r2", taken, free))
    await memory.conclude(ConcludeInput(cycle=cycle("r1"), at=START))
    await memory.conclude(ConcludeInput(cycle=cycle("r3"), rejected=(free,), by="Minerva", at=START))

    second = await memory.claim(claim_of("r2", taken, free))

    assert (second, second.fresh) == (first, (free,))


async def test_another_cycle_of_the_same_repair_is_told_anew(memory: Memory) -> None:
    await memory.claim(claim_of("r1"))
    await memory.claim(claim_of("r2"))
    await memory.conclude(ConcludeInput(cycle=cycle("r1"), at=START))

    later = ClaimInput(cycle=cycle("r2", cycle_id="next"), findings=(finding(),), until=START + HOURS_12)

    assert (await memory.claim(later)).fresh == (finding(),)


async def test_s3_one_rejection_is_remembered_with_the_name_and_the_day_for_30_days(
    memory: Memory, clock: Clock
) -> None:
    await memory.claim(claim_of("r1"))
    await memory.conclude(ConcludeInput(cycle=cycle("r1"), rejected=(finding(),), by="Minerva (os-user)", at=START))
    clock.now = START + timedelta(days=29, hours=23)
    reason = only_reason(await memory.claim(claim_of("r2", until=clock.now + HOURS_12)))
    clock.now = START + timedelta(days=30)
    later = await memory.claim(claim_of("r3", until=clock.now + HOURS_12))

    assert reason == (
        "Minerva (os-user) rejected its repair on 2026-03-01 (repair r1); to ask anew: --again or --record ORD-1"
    )
    assert later.fresh == (finding(),)


async def test_s3_a_rejection_does_not_touch_the_neighbours(memory: Memory) -> None:
    rejected, kind, record = finding(), finding(kind="short"), finding("ORD-2")
    await memory.conclude(ConcludeInput(cycle=cycle("r1"), rejected=(rejected,), by="Minerva", at=START))

    result = await memory.claim(claim_of("r2", rejected, kind, record))

    assert result.fresh == (kind, record)


async def test_changed_facts_make_a_rejected_finding_fresh(memory: Memory) -> None:
    await memory.conclude(ConcludeInput(cycle=cycle("r1"), rejected=(finding(),), by="Minerva", at=START))

    result = await memory.claim(claim_of("r2", finding(fingerprint="f2")))

    assert result.fresh == (finding(fingerprint="f2"),)


async def test_an_older_rejection_that_arrives_late_does_not_replace_a_newer_one(memory: Memory) -> None:
    for at, by in ((START, "Minerva"), (START - timedelta(days=3), "Albus")):
        await memory.conclude(ConcludeInput(cycle=cycle("r1"), rejected=(finding(),), by=by, at=at))

    assert "Minerva rejected its repair on 2026-03-01" in only_reason(await memory.claim(claim_of("r2")))


async def test_d12_what_was_tried_three_times_in_vain_is_left_alone(memory: Memory) -> None:
    for number in (1, 2):
        await try_in_vain(memory, f"r{number}", START - timedelta(days=3 - number))
    assert (await memory.claim(claim_of("r3"))).fresh == (finding(),)
    await memory.conclude(ConcludeInput(cycle=cycle("r3"), ineffective=(finding(),), at=START))

    reason = only_reason(await memory.claim(claim_of("r4")))

    assert reason == (
        "tried 3 times since 2026-02-27 without effect, last on 2026-03-01 by repair r3;"
        " to ask anew: --again or --record ORD-1"
    )


async def test_tries_older_than_the_rolling_window_do_not_count(memory: Memory, clock: Clock) -> None:
    for number, days in ((1, 30), (2, 2), (3, 1)):
        await try_in_vain(memory, f"r{number}", START - timedelta(days=days))

    assert (await memory.claim(claim_of("r4"))).fresh == (finding(),)


async def test_d15_a_try_that_is_told_again_and_again_is_one_try(memory: Memory) -> None:
    for _ in range(5):
        await memory.conclude(ConcludeInput(cycle=cycle("r1"), ineffective=(finding(),), at=START))

    assert (await memory.claim(claim_of("r2"))).fresh == (finding(),)


async def test_asking_again_suppresses_nothing_but_what_another_plan_holds(memory: Memory) -> None:
    rejected, waiting, tried = finding("ORD-1"), finding("ORD-2"), finding("ORD-3")
    await memory.claim(claim_of("r1", waiting))
    await memory.conclude(ConcludeInput(cycle=cycle("r2"), rejected=(rejected,), by="Minerva", at=START))
    for number in range(3):
        await memory.conclude(ConcludeInput(cycle=cycle(f"t{number}"), ineffective=(tried,), at=START))

    result = await memory.claim(claim_of("r3", rejected, waiting, tried, again=True))

    assert result.fresh == (rejected, tried)
    assert [(item.finding, item.held_by) for item in result.suppressed] == [(waiting, "r1")]


async def test_a_repair_that_asked_again_in_vain_lets_go_of_its_own_mark_alone(memory: Memory) -> None:
    await memory.claim(claim_of("r1"))
    await memory.claim(claim_of("r2", again=True))
    await memory.conclude(ConcludeInput(cycle=cycle("r2"), at=START))

    assert "waits for a decision in r1" in only_reason(await memory.claim(claim_of("r3")))
    await memory.conclude(ConcludeInput(cycle=cycle("r1"), at=START))
    assert (await memory.claim(claim_of("r3", again=True))).fresh == ()  # what a cycle was told stays
    assert (await memory.claim(claim_of("r4", again=True))).fresh == (finding(),)


async def test_a_dry_run_is_told_what_is_suppressed_and_marks_nothing(memory: Memory) -> None:
    taken, free = finding("ORD-1"), finding("ORD-2")
    await memory.claim(claim_of("r1", taken))

    dry = await memory.claim(claim_of("r2", taken, free, dry_run=True))
    real = await memory.claim(claim_of("r3", taken, free))

    assert dry.fresh == real.fresh == (free,)


@pytest.mark.parametrize("how", ["rejected", "ineffective", "repaired", "unverified", "released"])
async def test_whatever_is_concluded_no_longer_waits(memory: Memory, state: KeptState, how: str) -> None:
    await memory.claim(claim_of("r1"))

    await memory.conclude(ConcludeInput.model_validate({"cycle": cycle("r1"), how: (finding(),), "at": START}))

    assert state.count(CLAIMS) == 0


async def test_stores_and_domains_do_not_share_memories(memory: Memory) -> None:
    await memory.claim(claim_of("r1"))
    elsewhere = (cycle("r2", store="s2"), cycle("r3", domain="alerts"))

    results = [
        await memory.claim(ClaimInput(cycle=where, findings=(finding(),), until=START + HOURS_12))
        for where in elsewhere
    ]

    assert [result.fresh for result in results] == [(finding(),), (finding(),)]


async def test_memories_older_than_90_days_are_dropped_when_something_is_written(
    memory: Memory, clock: Clock, state: KeptState
) -> None:
    await memory.claim(claim_of("r1"))
    await memory.conclude(ConcludeInput(cycle=cycle("r2"), rejected=(finding("ORD-2"),), by="Minerva", at=START))
    await memory.conclude(ConcludeInput(cycle=cycle("r3"), ineffective=(finding("ORD-3"),), at=START))
    clock.now = START + timedelta(days=91)

    await memory.conclude(ConcludeInput(cycle=cycle("r4"), at=clock.now))

    assert [state.count(table) for table in (CLAIMS, REJECTIONS, TRIES)] == [0, 0, 0]


async def test_times_in_other_zones_are_compared_as_instants(memory: Memory, clock: Clock) -> None:
    tokyo = datetime.fromisoformat("2026-03-01T22:00:00+09:00")  # 13:00 UTC
    await memory.claim(claim_of("r1", until=tokyo))
    clock.now = START + timedelta(minutes=61)

    assert (await memory.claim(claim_of("r2"))).fresh == (finding(),)


async def test_d15_of_20_repairs_that_claim_at_once_exactly_one_gets_it(state: KeptState, clock: Clock) -> None:
    def claim_alone(number: int) -> ClaimResult:
        return asyncio.run(MemoryTables(state.open(), now=clock).claim(claim_of(f"r{number}")))

    with ThreadPoolExecutor(max_workers=20) as pool:
        results = list(pool.map(claim_alone, range(20)))

    assert sum(len(result.fresh) for result in results) == 1
    assert sum(len(result.suppressed) for result in results) == 19


CLAIMER = (
    OPEN
    + """
import asyncio
from datetime import UTC, datetime
from daper.adapters.memory.tables import MemoryTables
from daper.core.messages import ClaimInput, CycleRef
from daper.core.models import Finding
start = datetime(2026, 3, 1, 12, tzinfo=UTC)
memory = MemoryTables(database, now=lambda: start)
async def main(first, step):
    print("ready", flush=True); sys.stdin.readline()
    for number in range(first, 1000000, step):
        cycle = CycleRef(repair_id=f"r{number}", cycle_id="c", domain="orders", store_id="s1", today=start)
        finding = Finding(record_id=sys.argv[5].format(number), kind="never-paid", issue="x", fingerprint="f1")
        result = await memory.claim(ClaimInput(cycle=cycle, findings=(finding,), until=start.replace(year=2027)))
        print(number, len(result.fresh), flush=True)
        if sys.argv[5] == "ORD-1": return
asyncio.run(main(int(sys.argv[3]), int(sys.argv[4])))
"""
)


def claimer(state: KeptState, first: int, record: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CLAIMER, *state.words, str(first), "1", record],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.long
def test_d15_of_several_processes_that_claim_at_once_exactly_one_gets_it(state: KeptState) -> None:
    processes = [claimer(state, number, "ORD-1") for number in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=30)[0].split()[1] for process in processes]

    assert sorted(answers) == ["0", "1"]


async def test_what_was_answered_survives_the_kill_of_the_writer(state: KeptState, memory: Memory) -> None:
    process = claimer(state, 0, "ORD-{}")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    told = [process.stdout.readline() for _ in range(30)]
    os.kill(process.pid, signal.SIGKILL)
    told += process.communicate(timeout=30)[0].splitlines()

    whole = [line.split()[0] for line in told if len(line.split()) == 2]
    result = await memory.claim(claim_of("later", *(finding(f"ORD-{number}") for number in whole)))

    assert len(whole) >= 29
    assert result.fresh == ()
    assert [item.finding.record_id for item in result.suppressed] == [f"ORD-{number}" for number in whole]


async def test_a_transaction_that_breaks_in_the_middle_leaves_nothing(
    memory: Memory, state: KeptState, monkeypatch: pytest.MonkeyPatch
) -> None:
    await memory.claim(claim_of("r0", finding("ORD-0")))

    def break_off(*_: object) -> None:
        raise StoreError("planted")

    monkeypatch.setattr("daper.adapters.memory.tables._forget_old", break_off)
    with pytest.raises(StoreError, match="planted"):
        await memory.claim(claim_of("r1", finding("ORD-1"), finding("ORD-2")))

    assert state.count(CLAIMS) == 1


async def test_texts_that_a_database_cannot_keep_as_they_are_stay_apart(memory: Memory) -> None:
    odd = [finding(record_id) for record_id in ("a", "a\0", "a\x1b0", "a\x1b", "a\x1b1")]

    assert (await memory.claim(claim_of("r1", *odd))).fresh == tuple(odd)
    assert [item.held_by for item in (await memory.claim(claim_of("r2", *odd))).suppressed] == ["r1"] * 5
    assert await memory.holders(cycle("r2"), record_ids=["a\0"]) == ("r1",)


async def test_500_findings_are_claimed_in_a_few_statements(memory: Memory, state: KeptState) -> None:
    many = [finding(f"ORD-{number}") for number in range(500)]

    assert len((await memory.claim(claim_of("r1", *many))).fresh) == 500
    assert len((await memory.claim(claim_of("r2", *many, many[0]))).suppressed) == 501
    assert state.count(CLAIMS) == 1000


def test_building_a_memory_touches_no_file(file_state: KeptState) -> None:
    MemoryTables(file_state.open())

    assert not file_state.place.home.exists()


async def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(file_state: KeptState) -> None:
    file_state.path.parent.mkdir()
    file_state.path.write_text("my notes\n" * 200)

    with pytest.raises(StoreDamaged, match=r"state '.*daper\.db' is no database .* move it away"):
        await MemoryTables(file_state.open()).claim(claim_of("r1"))

    assert file_state.path.read_text() == "my notes\n" * 200


async def test_state_of_a_newer_release_is_refused(state: KeptState, memory: Memory) -> None:
    await memory.claim(claim_of("r1"))
    with state.open().migrating() as db:
        db.execute(update(VERSIONS).values(version_num="state_0999"))
    try:
        with pytest.raises(StoreError, match="a newer daper wrote it; use that one"):
            await memory.claim(claim_of("r1"))
    finally:
        with state.open().migrating() as db:
            db.execute(update(VERSIONS).values(version_num=STATE.head))


async def test_a_memory_that_somebody_holds_too_long_is_busy_which_is_worth_a_retry(
    memory: Memory, state: KeptState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daper.adapters.memory.tables.BUSY_SECONDS", 0.05)
    await memory.claim(claim_of("r1"))
    other = state.open()

    with other.transaction() as db:
        other.alone(db, "memory of s1")
        with pytest.raises(StoreBusy, match=r"busy|others change the same") as caught:
            await memory.claim(claim_of("r2"))

    assert caught.value.retryable
