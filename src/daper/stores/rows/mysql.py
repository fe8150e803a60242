"""What MariaDB and MySQL need: a session that changes nothing silently, one change at a time, and what errors mean."""

from contextlib import suppress
from typing import Any, Final

from sqlalchemy import Connection, CursorResult, Engine, create_engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError

from daper.core.errors import ActionFailed, DaperError, StoreBusy, StoreError, StoreUnavailable
from daper.stores.rows.address import DatabaseAddress

TRANSACTIONAL: Final = "InnoDB"
"""The engine whose tables take part in a transaction, and lock what was read in one."""

# As SQL is read here, whatever the server's own mode: backslashes escape, " is a text, and nothing is cut to fit. Zero
# dates stay allowed: undoing puts back the one that was there. A difference below zero is told of its row, and fails no
# query of all rows.
_MODE: Final = (
    "STRICT_ALL_TABLES,STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,NO_UNSIGNED_SUBTRACTION"
)
_LOCK: Final = "CONCAT('daper:', SHA1(DATABASE()))"
_HUNG_SECONDS: Final = 30  # beyond the limit of a statement: then the server is not there any more
_LONGEST: Final = 16 * 1024 * 1024  # of what GROUP_CONCAT makes: the rest is cut off without a word
_FLOAT: Final = 4  # the code that the protocol has for it

# https://mariadb.com/kb/en/mariadb-error-code-reference/ and MySQL's own list; from 2000 on they are the driver's.
_OTHERS_FIRST: Final = frozenset({1020, 1205, 1213, 1317, 1613, 1614, 1969, 3024, 3058, 3572})
_AWAY: Final = frozenset(
    {0, 1021, 1040, 1041, 1044, 1045, 1049, 1053, 1077, 1079, 1080, 1114, 1129, 1130, 1152, 1158, 1159, 1160, 1161,
     1203, 1226, 1290, 1370, 1698, 1836, 1927, 3100, 3159, 4151}
)  # fmt: skip
_DRIVERS: Final = range(2000, 2100)
_REFUSED: Final = frozenset(
    {1022, 1048, 1062, 1136, 1169, 1216, 1217, 1263, 1264, 1265, 1288, 1292, 1364, 1365, 1366, 1369, 1406, 1411, 1441,
     1451, 1452, 1526, 1557, 1586, 1644, 1690, 1748, 1761, 1762, 1906, 3105, 3140, 3819, 4025}
)  # fmt: skip


def mysql(address: DatabaseAddress, timeout: float, *, connections: int, patience: float, connect: int) -> Engine:
    """An engine whose sessions are strict, in UTC, and wait no longer than `timeout` seconds for anything."""
    # Any: what a driver takes.
    waits: dict[str, Any] = {
        "connect_timeout": connect,
        "read_timeout": timeout + _HUNG_SECONDS,
        "write_timeout": timeout + _HUNG_SECONDS,
        "charset": "utf8mb4",
    }
    engine = create_engine(
        address.url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=patience,
        pool_pre_ping=True,
        connect_args=waits,
    )

    # First of all: SQLAlchemy asks how names are quoted, which depends on the mode.
    @event.listens_for(engine, "connect", insert=True)
    def settle(db: DBAPIConnection, _: object) -> None:  # pyright: ignore[reportUnusedFunction] - by the decorator
        mariadb = "mariadb" in str(db.get_server_info()).lower()  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType, reportAttributeAccessIssue] - of PyMySQL
        limit = f"max_statement_time = {timeout:.3f}" if mariadb else f"max_execution_time = {int(timeout * 1000)}"
        whole = max(1, round(timeout))
        with db.cursor() as cursor:  # pyright: ignore[reportUnknownVariableType, reportGeneralTypeIssues, reportAttributeAccessIssue] - of PyMySQL
            cursor.execute(  # pyright: ignore[reportUnknownMemberType] - of PyMySQL
                f"SET SESSION sql_mode = '{_MODE}', time_zone = '+00:00', {limit},"
                f" lock_wait_timeout = {whole}, innodb_lock_wait_timeout = {whole}, group_concat_max_len = {_LONGEST}"
            )

    return engine


def begin_change(db: Connection, timeout: float) -> None:
    """Begin a transaction that locks what it reads, and let no other change of daper's come between.

    Two that read the same and then write it would each wait for the other: one of them would have been in vain. Raises
    StoreBusy where another one takes too long.
    """
    db.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
    db.exec_driver_sql("START TRANSACTION")
    waited = db.execute(text(f"SELECT GET_LOCK({_LOCK}, :seconds)"), {"seconds": max(1, round(timeout))})
    if waited.scalar() != 1:
        raise StoreBusy("another change of daper's took too long; try again")


def end_change(db: Connection) -> None:
    """Let others change something, whatever became of this change. A connection that cannot is given up."""
    if db.closed or db.invalidated:
        return
    try:
        db.exec_driver_sql(f"DO RELEASE_LOCK({_LOCK})")
    except SQLAlchemyError:
        with suppress(SQLAlchemyError):
            db.invalidate()


def begin_reading(db: Connection) -> None:
    """Begin a transaction that sees this moment, and can write nothing."""
    db.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    db.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")


def keeper(db: Connection, table: str, schema: str = "") -> str | None:
    """The storage engine that keeps a table; empty for a view, None for what is not there."""
    found = db.execute(
        text(
            "SELECT COALESCE(ENGINE, '') AS keeper FROM information_schema.TABLES"
            " WHERE TABLE_SCHEMA = COALESCE(:at_schema, DATABASE()) AND TABLE_NAME = :at_table"
        ),
        {"at_schema": schema or None, "at_table": table},
    ).scalar()
    return None if found is None else str(found)


def refuse_untransacted(db: Connection, table: str) -> None:
    """Raise ActionFailed for a table in which a change could not be taken back together with its ledger row."""
    schema, _, name = table.rpartition(".")
    found = keeper(db, name, schema)
    if found == TRANSACTIONAL:
        return
    if found is None:
        raise ActionFailed(f"there is no table {table!r} where tools write")
    if not found:
        raise ActionFailed(f"{table} is a view; name the table behind it, which must be one of {TRANSACTIONAL}")
    raise ActionFailed(
        f"{table} is a table of {found}, which has no transactions; "
        f"make it one of {TRANSACTIONAL}: ALTER TABLE {table} ENGINE = {TRANSACTIONAL}"
    )


# Any: whatever the rows are.
def rounded(result: CursorResult[Any]) -> tuple[str, ...]:
    """The columns of a result that are FLOAT: the server rounds them as it sends them, so that changes stay unseen."""
    described = result.cursor.description if result.cursor is not None else ()
    return tuple(str(each[0]) for each in described or () if each[1] == _FLOAT)


def meaning(error: BaseException) -> type[DaperError]:
    """What kind of error the driver told of."""
    code = error.args[0] if error.args and isinstance(error.args[0], int) else -1
    if code in _OTHERS_FIRST:
        return StoreBusy
    if code in _AWAY or code in _DRIVERS:
        return StoreUnavailable
    return ActionFailed if code in _REFUSED else StoreError
