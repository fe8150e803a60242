"""D1: two homes whose records are in one PostgreSQL: what a killed worker had begun, the other one finishes, once."""

import dataclasses
import subprocess
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daper.bootstrap import open_domains
from daper.core.phases import Phase
from daper.domains.orders.sql_keeping import on_server
from daper.stores.sql.postgresql_database import disconnect
from daper.stores.sql.upgrading import upgrade
from tests.contract.boxes import ledger_of
from tests.e2e.conftest import Beside, Shop, make_shop
from tests.e2e.held_database_worker import HELD
from tests.e2e.test_worker_drain import approved, environ, expect, to_its_end
from tests.postgresql import PostgresqlServer

pytestmark = pytest.mark.long  # it takes as long as a worker may be silent


@pytest.fixture
def url(postgresql: PostgresqlServer) -> Generator[str]:
    """The database of both."""
    url = postgresql.empty()
    upgrade(on_server(url).tables.database)
    yield url
    disconnect()


@pytest.fixture
def pair(tmp_path: Path, address: str, beside: Beside, url: str) -> tuple[Shop, Shop]:
    """Two shops that share Temporal, its task queue and the records, and no file."""
    mine, theirs = (make_shop(tmp_path / name, address, beside) for name in ("mine", "theirs"))
    env = {**mine.env, "DAPER_ORDERS_STORE": "postgresql", "DAPER_ORDERS_DATABASE_URL": url}
    return dataclasses.replace(mine, env=env), dataclasses.replace(theirs, env=env)


@contextmanager
def held(shop: Shop, where: str) -> Generator["subprocess.Popen[bytes]"]:
    """A worker that is ready, and whose first effect will stand still."""
    shop.beside.do(open_domains(shop.settings())["orders"].store())
    log = shop.root / "worker.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.held_database_worker", where],
            stdout=output, stderr=output, env=environ(shop), cwd=shop.cwd, start_new_session=True,
        )  # fmt: skip
    try:
        expect(log, "Worker ready on: ")
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("where", ["within", "after"])
def test_d1_what_a_killed_worker_had_begun_another_home_finishes_once(
    pair: tuple[Shop, Shop], url: str, where: str
) -> None:
    mine, theirs = pair
    with held(mine, where) as worker:
        repair_id = mine.beside.do(approved(mine.settings()))
        expect(mine.root / "worker.log", HELD)
        worker.kill()
        worker.wait()
        with theirs.worker():
            result = theirs.beside.do(to_its_end(theirs.settings(), repair_id))

    assert result.phase is Phase.REPORT_COMPLETED
    tables = on_server(url).tables
    rows = ledger_of(tables)
    assert sorted(row.key for row in rows) == sorted(outcome.key for outcome in result.outcomes)
    assert {row.kind for row in rows} == {"effect"}
    assert Counter(message.key for message in tables.outbox()) == dict.fromkeys((row.key for row in rows), 1)
    told = Counter(outcome.status.value for outcome in result.outcomes)
    assert told.total() == 4
    assert set(told) <= {"applied", "already-applied"}
    assert bool(told["already-applied"]) == (where == "after")  # it may have held several at once
