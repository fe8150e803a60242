"""Behind a pooler of transactions, as PgBouncer, all holds: each transaction may run on another connection."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from temporalio.testing import WorkflowEnvironment

from daper.bootstrap import databases_of
from daper.core.errors import StoreBusy, StoreError
from daper.core.outcomes import Effect, Holding, OutcomeStatus
from daper.core.phases import Phase
from daper.ports import ToolCall
from daper.stores.rows.address import database_address
from daper.stores.rows.engine import RowsDatabase
from daper.stores.rows.engine import disconnect as disconnect_rows
from daper.stores.sql.postgresql_database import PostgresqlDatabase, disconnect
from daper.stores.sql.upgrading import upgrade
from tests.contract.boxes import BRANCHES, upgrade_at_once
from tests.contract.test_declared_domain import proposed
from tests.declared_shop import Payments, make_payments, set_tool
from tests.faults.database_boxes import boxes_at, call_of, declared_at, leave_databases
from tests.faults.database_harness import reckon
from tests.faults.database_writer import Writer
from tests.pgbouncer import PgbouncerServer, pgbouncer_server
from tests.postgresql import PASSWORD, PostgresqlServer
from tests.workflow.shop import Shop, open_shop

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def pgbouncer(postgresql: PostgresqlServer) -> Iterator[PgbouncerServer]:
    with pgbouncer_server(postgresql) as server:
        yield server


@pytest.fixture(autouse=True)
def no_connections_left() -> Iterator[None]:
    yield
    disconnect()
    disconnect_rows()


@pytest.fixture
def shop(postgresql: PostgresqlServer, pgbouncer: PgbouncerServer, tmp_path: Path) -> Iterator[Payments]:
    url = postgresql.empty()
    engine = create_engine(database_address(url, variable="SHOP_URL").url)
    yield make_payments(engine, pgbouncer.through(url), tmp_path)
    engine.dispose()


async def test_of_many_attempts_at_once_in_a_declared_domain_one_has_an_effect(shop: Payments) -> None:
    domain = shop.domain()
    domain.now().store.init()
    call, _ = await proposed(domain, "7")
    tool = set_tool(domain, "retry_payment")

    async def attempt() -> Effect:
        while True:
            try:
                return await tool.apply(call)
            except StoreBusy:  # as Temporal would try again
                continue

    first, *more = await asyncio.gather(*(attempt() for _ in range(24)))
    assert sorted(each.status for each in (first, *more)) == [
        *[OutcomeStatus.ALREADY_APPLIED] * 23,
        OutcomeStatus.APPLIED,
    ]
    assert (await tool.holds(call, first)).holding is Holding.YES
    assert (await tool.undo(call, first, key="undo")).status is OutcomeStatus.UNDONE
    assert (shop.row(7)["status"], shop.row(7)["attempts"]) == ("failed", 1)


async def test_what_a_stranger_changed_since_is_stale_in_a_declared_domain(shop: Payments) -> None:
    domain = shop.domain()
    domain.now().store.init()
    call, _ = await proposed(domain, "8")
    for _ in range(8):  # as often as a statement is run before the driver would prepare it
        await domain.context(["8"])
    shop.run("UPDATE orders SET status = 'open again' WHERE id = 'O2'")
    assert (await domain.tools["close_payment"].apply(call)).status is OutcomeStatus.STALE


@pytest.mark.parametrize("kind", ["documents", "declared"])
def test_writers_beside_each_other_repeat_nothing_and_lose_nothing(
    postgresql: PostgresqlServer, pgbouncer: PgbouncerServer, tmp_path: Path, kind: str
) -> None:
    url = pgbouncer.through(postgresql.empty())
    address = url if kind == "documents" else declared_at(tmp_path, url)
    boxes_at(address).begin()
    told, failed = list[ToolCall](), list[BaseException]()
    end, enough = threading.Event(), threading.Event()

    def say(word: str, key: str, box: str, amount: str, version: str) -> None:
        if word == "told":
            told.append(call_of(key, box, int(amount), version))
            if len(told) >= 40:
                enough.set()

    def work(number: int) -> None:
        try:
            Writer(address, str(number), 5, say=say).work(end)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is told
            failed.append(error)
            enough.set()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    assert enough.wait(60)
    end.set()
    for thread in threads:
        thread.join()
    rows, problems = reckon(address, told)
    leave_databases()
    assert failed == []
    assert problems == ()
    assert rows["applied"] == len(told) >= 40


async def test_orders_and_the_state_of_daper_are_kept_behind_it(
    temporal_env: WorkflowEnvironment, tmp_path: Path, postgresql: PostgresqlServer, pgbouncer: PgbouncerServer
) -> None:
    environ = {"DAPER_DATABASE_URL": pgbouncer.through(postgresql.empty())}
    home = tmp_path / "home"
    home.mkdir()
    away = Shop(temporal_env, home, domains=None, indexed=True, environ=environ)
    for database in databases_of(away.settings, away.domains.values()):
        upgrade(database)
    async with open_shop(temporal_env, home, environ=environ) as opened:
        repair_id = await opened.start()
        await opened.decide(repair_id, await opened.plan(repair_id))
        ended = await opened.end(repair_id)
    assert ended.phase is Phase.REPORT_COMPLETED
    assert {each.status for each in ended.outcomes} == {OutcomeStatus.APPLIED}
    assert await away.reports.read(repair_id) is not None


def test_where_a_connection_leads_is_asked_again(postgresql: PostgresqlServer) -> None:
    """Of a database that is another one now, and whose connections are the same, no records are taken for its own."""
    url, other = postgresql.empty(), postgresql.empty()
    with pgbouncer_server(postgresql) as pgbouncer:
        database = PostgresqlDatabase(pgbouncer.through(url), BRANCHES)
        for there in (url, other):
            upgrade_at_once(PostgresqlDatabase(there, BRANCHES))
        with database.transaction() as db:
            before = database.whereabouts(db)
        pgbouncer.lead(url, elsewhere=other)
        with database.transaction() as db:
            after = database.whereabouts(db)
        assert before != after


@pytest.mark.parametrize("kind", ["rows", "documents"])
def test_one_that_pools_statements_is_refused_with_the_way_out(postgresql: PostgresqlServer, kind: str) -> None:
    with pgbouncer_server(postgresql, mode="statement") as pgbouncer:
        url = pgbouncer.through(postgresql.empty())
        if kind == "documents":
            with pytest.raises(StoreError) as refused:
                PostgresqlDatabase(url, BRANCHES).look_over()
        else:
            address = database_address(url, variable="PAYMENTS_URL")
            with (
                pytest.raises(StoreError) as refused,
                RowsDatabase(address, timeout=timedelta(seconds=5)).reading() as db,
            ):
                db.execute(text("SELECT 1"))
        assert not refused.value.retryable
        assert "pool_mode = transaction" in str(refused.value)
        assert PASSWORD not in str(refused.value)


def test_what_it_does_not_take_in_an_address_is_refused_and_not_waited_for(
    postgresql: PostgresqlServer, pgbouncer: PgbouncerServer
) -> None:
    url = f"{pgbouncer.through(postgresql.empty())}?options=-c%20statement_timeout%3D5"
    with pytest.raises(StoreError, match="unsupported startup parameter: options") as refused:
        PostgresqlDatabase(url, BRANCHES).look_over()
    assert not refused.value.retryable
