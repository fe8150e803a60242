"""D1, D19: many writers on one database, killed with -9 as they write, and its server stopped and killed under them."""

import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from daper.stores.sql.postgresql_database import disconnect
from tests.contract.boxes import upgrade_at_once
from tests.faults.database_harness import begin, reckon, run
from tests.faults.database_writer import call_of, database_at, store_at, tool_on
from tests.postgresql import PostgresqlServer

SEED = 5


@pytest.mark.long
@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
def test_d1_d19_fifty_writers_that_are_killed_repeat_nothing_and_lose_nothing(kind: str, tmp_path: Path) -> None:
    outcome = run(kind=kind, seconds=20, seed=SEED, folder=tmp_path)
    sys.stdout.write(f"{outcome}\n")
    assert outcome.problems == (), str(outcome)
    assert outcome.kills
    assert outcome.told
    assert bool(outcome.restarts) == (kind == "postgresql")


@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
def test_d1_d19_a_few_writers_that_are_killed_repeat_nothing_and_lose_nothing(kind: str, tmp_path: Path) -> None:
    outcome = run(kind=kind, effects=12, seed=SEED, folder=tmp_path, writers=4, processes=2)
    assert outcome.problems == (), str(outcome)
    assert outcome.kills
    assert outcome.restarts.total() == (kind == "postgresql")


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
    upgrade_at_once(database_at(address))
    begin(address)
    store = store_at(address)
    with store.reading() as records:
        row = records.one("boxes", "A")
    assert row is not None
    call = call_of("k1", "A", 3, row.version)
    await tool_on(store).apply(call)
    assert reckon(address, [call])[1] == ()
    with store.database.transaction() as db:
        db.execute(text(tamper.replace(":", r"\:")))
    assert reckon(address, [call])[1]
    disconnect()
