"""Poolers before PostgreSQL, as PgBouncer: behind a connection to one, each transaction may run on another one."""

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Engine, event
from sqlalchemy.pool import ConnectionPoolEntry

if TYPE_CHECKING:
    import psycopg  # which only those have who use PostgreSQL

_POOLED: Final = "daper: pooled"
_STATEMENTS_ALONE: Final = "statement pooling mode"
_TUPLES_OK: Final = 2  # of libpq: there are rows


def heed_poolers(engine: Engine) -> None:
    """Keep nothing of a transaction for the next one where a pooler is between: no prepared statements."""

    @event.listens_for(engine, "connect", insert=True)
    def look(db: "psycopg.Connection[Any]", entry: ConnectionPoolEntry) -> None:  # pyright: ignore[reportUnusedFunction] - by the decorator
        if _leads_to_a_pooler(db):
            db.prepare_threshold = None
            entry.info[_POOLED] = True


def is_pooled(db: Connection) -> bool:
    """Whether the next transaction on this connection may be one with another server."""
    return _POOLED in db.info


def without_transactions(why: str) -> str:
    """The way out where what the driver said is that a pooler takes no transactions; else nothing."""
    if _STATEMENTS_ALONE not in why:
        return ""
    return "daper needs transactions: let the pooler have pool_mode = transaction, or session, or go past it"


# Any: whatever rows are.
def _leads_to_a_pooler(db: "psycopg.Connection[Any]") -> bool:
    """A pooler tells a client a number of its own, by which requests are cancelled, and not that of the server's."""
    found = db.pgconn.exec_(b"SELECT pg_backend_pid()")
    return found.status == _TUPLES_OK and found.get_value(0, 0) != str(db.info.backend_pid).encode()
