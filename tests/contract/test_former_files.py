"""What former versions kept in files of their own is taken in by the first use: once, whole, whoever dies meanwhile."""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from daper.adapters.memory.tables import MemoryTables
from daper.adapters.reports.kept_answers import KeptAnswers
from daper.adapters.spending.tables import SpendingTables
from daper.core.errors import StoreBusy, StoreDamaged, StoreError
from daper.core.usage import Usage
from daper.stores.sql import former_files, home_database
from daper.stores.sql.state_schema import CALLS, CLAIMS, HOLDS, REJECTIONS, TRIES, UNSETTLED
from tests.contract.kept_state import KeptState
from tests.contract.remembering import START, claim_of, cycle, finding

FORMER = Path(__file__).parent / "former"
"""Each written by the code of its version, and dumped."""

NAMES = ("memory.db", "spending.db", "answers.db")


def write_former(home: Path, memory: int = 3) -> None:
    home.mkdir(exist_ok=True)
    for name, text in (("memory.db", f"memory_{memory}"), ("spending.db", "spending_1"), ("answers.db", "answers_1")):
        with closing(sqlite3.connect(home / name)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript((FORMER / f"{text}.sql").read_text())


@pytest.fixture
def home(file_state: KeptState) -> Path:
    write_former(file_state.place.home)
    return file_state.place.home


def number_of_rows(state: KeptState) -> list[int]:
    return [state.count(table) for table in (CLAIMS, REJECTIONS, TRIES, UNSETTLED, HOLDS, CALLS)]


def names(home: Path) -> set[str]:
    return {path.name for path in home.iterdir() if not path.name.startswith(("daper.db-", "daper.db."))}


TAKEN_IN = {"daper.db", *(f"{name}.taken-in" for name in NAMES)}


@pytest.mark.parametrize("version", [1, 2, 3])
async def test_a_memory_of_each_version_is_taken_in_and_remembers_what_it_did(
    file_state: KeptState, version: int
) -> None:
    write_former(file_state.place.home, version)
    memory = MemoryTables(file_state.open(), now=lambda: START)

    asked = [finding(name) for name in ("tried", "came-back", "rejected", "unsettled", "waits", "new")]
    told = await memory.claim(claim_of("later", *asked))

    # The first version did not remember what had helped.
    assert [each.record_id for each in told.fresh] == ([] if version > 1 else ["came-back"]) + ["new"]
    said = {item.finding.record_id: item.reason for item in told.suppressed}
    assert said["tried"].startswith("tried 3 times since 2026-02-26 without effect, last on 2026-02-28 by repair r3")
    assert said["rejected"].startswith("Minerva rejected its repair on 2026-02-27 (repair r4)")
    assert said["unsettled"].startswith("it may have been repaired on 2026-02-28 by r5")
    assert "r6" in said["waits"]
    assert await memory.holders(cycle("later"), refs=["orders/waits"]) == (("r6",) if version == 3 else ())
    assert names(file_state.place.home) == TAKEN_IN


async def test_spending_and_answers_are_taken_in_exactly_and_in_their_order(file_state: KeptState, home: Path) -> None:
    usage = await SpendingTables(file_state.open()).of_cycle("cycle-1")
    answers = KeptAnswers(file_state.open)

    assert usage != Usage()
    assert usage.total.cost == Decimal("0.1300000000000000000001")
    assert [row["call_id"] for row in file_state.rows(CALLS)] == ["z", "a", "m"]
    found = [await answers.find(f"repair-harry-k{number}") for number in (1, 2, 3)]
    assert [each and (each.repair_id, each.begun) for each in found] == [
        ("repair-harry-k1", True),
        ("reports-1", False),
        None,
    ]
    assert names(home) == TAKEN_IN


def in_a_child_that_dies(do: Callable[[], object]) -> None:
    child = os.fork()
    if child == 0:
        try:
            do()
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 9 << 8, "it died where it was to"


def die(*_: object, **__: object) -> None:
    os._exit(9)


def dying_after(do: Callable[..., object], times: int) -> Callable[..., object]:
    """What does as much, and dies then."""
    done = 0

    def and_die(*args: object) -> object:
        nonlocal done
        found = do(*args)
        done += 1
        return found if done < times else os._exit(9)

    return and_die


def each_step() -> list[tuple[str, object, str, Callable[..., object]]]:
    return [
        ("before anything is read", home_database, "take_in", die),
        *(
            (f"after {number} tables", former_files, "add_missing", dying_after(former_files.add_missing, number))
            for number in (1, 4, 5, 6)
        ),
        ("before the rows are kept", home_database, "take_in", dying_after(former_files.take_in, 1)),
        ("when they are, and the file has its name", home_database, "move_away", die),
        ("when the first file has another name", home_database, "move_away", dying_after(former_files.move_away, 1)),
        ("when the last file has another name", home_database, "move_away", dying_after(former_files.move_away, 3)),
    ]


@pytest.mark.parametrize("step", each_step(), ids=lambda step: step[0])
def test_whoever_is_killed_at_any_step_leaves_all_of_it_to_the_next(
    file_state: KeptState, home: Path, step: tuple[str, object, str, Callable[..., object]]
) -> None:
    whole = KeptState(file_state.place.__class__(home=home.with_name("undisturbed")))
    write_former(whole.place.home)
    _, module, name, dies = step

    def use() -> None:
        setattr(module, name, dies)
        file_state.count(CLAIMS)

    in_a_child_that_dies(use)

    assert number_of_rows(file_state) == number_of_rows(whole) == [3, 1, 6, 1, 1, 3]
    assert names(home) == TAKEN_IN


def test_of_several_that_use_it_first_at_the_same_moment_one_takes_it_in(file_state: KeptState, home: Path) -> None:
    together = threading.Barrier(8)

    def use(number: int) -> int:
        together.wait()
        claimed = MemoryTables(file_state.open(), now=lambda: START).claim(claim_of(f"later-{number}"))
        return len(asyncio.run(claimed).fresh)

    with ThreadPoolExecutor(max_workers=8) as pool:
        fresh = list(pool.map(use, range(8)))

    assert sum(fresh) == 1
    assert number_of_rows(file_state) == [3 + 8, 1, 6, 1, 1, 3]
    assert names(home) == TAKEN_IN


def garbage(path: Path) -> None:
    path.write_bytes(b"\x00garbage" * 1000)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 9")


def without_a_table(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TABLE unsettled")


@pytest.mark.parametrize(
    ("spoil", "error", "said"),
    [
        (garbage, StoreDamaged, "is no database"),
        (folder, StoreDamaged, "is no file"),
        (newer, StoreError, "has version 9: a newer daper wrote it"),
        (without_a_table, StoreDamaged, "is damaged: it lacks unsettled"),
    ],
)
async def test_a_former_file_that_cannot_be_read_is_refused_by_name_and_nothing_is_lost(
    file_state: KeptState, home: Path, spoil: Callable[[Path], None], error: type[StoreError], said: str
) -> None:
    spoil(home / "memory.db")
    before = (home / "memory.db").read_bytes() if (home / "memory.db").is_file() else None

    for _ in range(2):
        with pytest.raises(error, match=rf"memory '.*memory\.db' {said}"):
            await MemoryTables(file_state.open()).claim(claim_of("r1"))

    assert ((home / "memory.db").read_bytes() if (home / "memory.db").is_file() else None) == before
    assert {"memory.db", "spending.db", "answers.db"} <= names(home)
    aside = home.with_name("aside")
    (home / "memory.db").rename(aside)
    assert file_state.count(CALLS) == 3, "the rest is taken in when it is out of the way"


def test_a_former_file_that_an_older_daper_writes_to_is_waited_for(
    file_state: KeptState, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(former_files, "BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(home / "memory.db", isolation_level=None)) as older:
        older.execute("BEGIN IMMEDIATE")
        older.execute("DELETE FROM holds")
        with pytest.raises(StoreBusy, match=r"memory\.db"):
            file_state.count(HOLDS)
        older.execute("COMMIT")

    assert file_state.count(HOLDS) == 0


def test_a_former_file_that_comes_back_is_taken_in_beside_the_one_before(file_state: KeptState, home: Path) -> None:
    assert file_state.count(CLAIMS) == 3
    file_state.change("UPDATE daper_claims SET until = 'changed since'")
    with closing(sqlite3.connect(home / "memory.db")) as db:
        db.executescript((FORMER / "memory_1.sql").read_text())

    assert {row["until"] for row in file_state.rows(CLAIMS)} == {"changed since"}
    assert names(home) == TAKEN_IN | {"memory.db.taken-in-2"}


def test_an_empty_former_file_is_one_with_nothing_in_it(file_state: KeptState) -> None:
    file_state.place.home.mkdir()
    (file_state.place.home / "answers.db").touch()

    assert number_of_rows(file_state) == [0] * 6
    assert names(file_state.place.home) == {"daper.db", "answers.db.taken-in"}
