"""The tables of orders: made at once or by migrations they are the same."""

from pathlib import Path

import pytest
from sqlalchemy import text

from daper.domains.orders.importing.draft import ABOUT
from daper.domains.orders.sql_keeping import BRANCHES, SqlKeeping
from daper.stores.copying import copy
from daper.stores.sql.documents_whole import DocumentsWhole
from daper.stores.sql.engine import Database, create
from daper.stores.sql.postgresql_database import PostgresqlDatabase
from daper.stores.sql.sqlite_database import SqliteDatabase
from daper.stores.sql.upgrading import upgrade
from tests.postgresql import PostgresqlServer
from tests.schemas import schema_of


@pytest.fixture(params=["sqlite", "postgresql"])
def two(request: pytest.FixtureRequest, tmp_path: Path) -> list[Database]:
    """Two databases with nothing in them."""
    if request.param == "sqlite":
        return [SqliteDatabase(tmp_path / name, BRANCHES, what="the orders") for name in ("a.db", "b.db")]
    server = request.getfixturevalue("postgresql")
    return [PostgresqlDatabase(server.empty(), BRANCHES) for _ in range(2)]


def test_made_at_once_or_by_migrations_they_are_the_same(two: list[Database]) -> None:
    at_once, migrated = two
    with at_once.migrating() as db:
        create(db, BRANCHES_BY_NAME)
    upgrade(migrated)

    with at_once.reading() as one, migrated.reading() as other:
        assert schema_of(one) == schema_of(other)


BRANCHES_BY_NAME = {branch.name: branch for branch in BRANCHES}


def _seen_by_all(database: Database) -> float:
    """Which part of the orders' pages a server need not look at to count their rows."""
    with database.reading() as db:
        known = db.execute(text("SELECT relallvisible, relpages FROM pg_class WHERE relname = 'daper_orders'")).one()
    return known.relallvisible / known.relpages


def test_rows_that_are_all_new_are_counted_without_reading_them(postgresql: PostgresqlServer) -> None:
    """Else each page of a million orders would read all of them, until the server comes to tidy by itself."""
    database = PostgresqlDatabase(postgresql.empty(), BRANCHES)
    upgrade(database)
    tables = SqlKeeping(database).tables
    rows = [{"order_id": f"O-{number}", "status": "completed"} for number in range(300)]
    tables.install({"orders": rows}, about=ABOUT)
    assert _seen_by_all(database) == 1

    tables.replace({"orders": [{**row, "status": "processing"} for row in rows]}, about=ABOUT)
    # The rows that were replaced are only now seen by nobody.
    assert _seen_by_all(database) > 0.5

    target = PostgresqlDatabase(postgresql.empty(), BRANCHES)
    upgrade(target)
    copy(
        DocumentsWhole(tables),
        DocumentsWhole(SqlKeeping(target).tables),
        replace=False,
        tell=lambda name, number: None,
    )
    assert _seen_by_all(target) == 1


def test_what_cannot_be_tidied_stays_as_it_is(postgresql: PostgresqlServer) -> None:
    database = PostgresqlDatabase(postgresql.empty(), BRANCHES)
    upgrade(database)
    database.tidy(["daper_orders", "no_such_table"])
