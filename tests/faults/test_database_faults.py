"""D1, D19: many writers on one database, killed with -9 as they write, and its server stopped and killed under them."""

import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from daper.ports import ToolCall
from tests.faults.database_boxes import DocumentPlace, boxes_at, call_of, declared_at, leave_databases
from tests.faults.database_harness import KINDS, reckon, run
from tests.faults.database_writer import Writer
from tests.postgresql import PostgresqlServer

SEED = 5


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_d1_d19_fifty_writers_that_are_killed_repeat_nothing_and_lose_nothing(kind: str, tmp_path: Path) -> None:
    outcome = run(kind=kind, seconds=8, seed=SEED, folder=tmp_path)
    sys.stdout.write(f"{outcome}\n")
    assert outcome.problems == (), str(outcome)
    assert outcome.kills
    assert outcome.told
    assert bool(outcome.restarts) == ("sqlite" not in kind)


@pytest.mark.parametrize("kind", ["documents", "declared"])
def test_d1_d19_a_few_writers_repeat_nothing_and_lose_nothing_while_the_server_crashes(
    postgresql: PostgresqlServer, tmp_path: Path, kind: str
) -> None:
    address = postgresql.empty() if kind == "documents" else declared_at(tmp_path, postgresql.empty())
    boxes_at(address).begin()
    told, end = list[ToolCall](), threading.Event()
    soon, enough = threading.Event(), threading.Event()

    def say(word: str, key: str, box: str, amount: str, version: str) -> None:
        if word == "told":
            told.append(call_of(key, box, int(amount), version))
            soon.set()
            if len(told) >= 12:
                enough.set()

    writers = [Writer(address, str(number), SEED, say=say) for number in range(4)]
    threads = [threading.Thread(target=writer.work, args=(end,)) for writer in writers]
    for thread in threads:
        thread.start()
    assert soon.wait(30)
    postgresql.kill()
    postgresql.start()
    assert enough.wait(30)
    end.set()
    for thread in threads:
        thread.join()

    rows, problems = reckon(address, told)
    leave_databases()
    assert problems == ()
    assert rows["applied"] == len(told) >= 12


@pytest.mark.parametrize(
    "tamper",
    [
        "DELETE FROM daper_ledger WHERE key = 'k1'",
        "DELETE FROM daper_outbox WHERE key = 'k1'",
        "INSERT INTO daper_outbox (store, key, message) SELECT store, key, message FROM daper_outbox WHERE key = 'k1'",
        """UPDATE daper_boxes SET data = '{"id":"A","held":12}' WHERE id = 'A'""",
    ],
)
async def test_the_reckoning_finds_what_does_not_agree(postgresql: PostgresqlServer, tamper: str) -> None:
    address = postgresql.empty()
    boxes_at(address).begin()
    boxes = DocumentPlace(address)
    call = call_of("k1", "A", 3, boxes.version("A"))
    await boxes.tool.apply(call)
    assert reckon(address, [call])[1] == ()
    with boxes.store.database.transaction() as db:
        db.execute(text(tamper.replace(":", r"\:")))
    assert reckon(address, [call])[1]
    leave_databases()
