"""The tables of orders: made at once or by migrations they are the same."""

from pathlib import Path

import pytest

from daper.domains.orders.sql_keeping import BRANCHES
from daper.stores.sql.engine import Database, create
from daper.stores.sql.postgresql_database import PostgresqlDatabase
from daper.stores.sql.sqlite_database import SqliteDatabase
from daper.stores.sql.upgrading import upgrade
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
