"""The tables of the orders in PostgreSQL, in a database of one's own, as `daper db upgrade` makes them."""

from daper.domains.orders.sql_keeping import BRANCHES
from daper.stores.sql.postgresql_database import PostgresqlDatabase, disconnect
from daper.stores.sql.upgrading import upgrade
from tests.postgresql import PostgresqlServer


def with_tables(server: PostgresqlServer) -> str:
    """The address of a new database with all tables, and no orders in them."""
    return server.like("orders", _made)


def _made(url: str) -> None:
    upgrade(PostgresqlDatabase(url, BRANCHES))
    disconnect()
