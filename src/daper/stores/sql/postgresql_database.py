"""A database on a PostgreSQL server, shared by every machine that has its address."""

import logging
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg.errors import UndefinedTable
from psycopg.pq import TransactionStatus
from sqlalchemy import URL, Connection, Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection

from daper.core.errors import ActionFailed, StoreBusy, StoreDamaged, StoreError, StoreUnavailable
from daper.core.urls import masked_urls
from daper.stores.poolers import heed_poolers, is_pooled, without_transactions
from daper.stores.pools import Pools
from daper.stores.sql.address import check_address
from daper.stores.sql.condition import STATUS, judged
from daper.stores.sql.engine import BUSY_SECONDS, VERSIONS, Branch, Database, revisions_in, tables_in

CONNECT_SECONDS: Final = 10
MIGRATION_SECONDS: Final = 60.0
# A machine that fell silent in a transaction must not keep others from its records for long.
_IDLE_SECONDS: Final = 60
_CONNECTIONS: Final = 32  # of one process: as many as it has threads
# A server that fell silent, or a network that drops what is sent, is given up long before an attempt would be.
_WAITS: Final = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
_WHEREABOUTS: Final = "daper: whereabouts"
_BEGIN: Final = text(
    "SELECT set_config('lock_timeout', :busy, true), set_config('idle_in_transaction_session_timeout', :idle, true),"
    " to_regclass('daper_schema') IS NOT NULL"
)
# Read only by the transaction and not by what a connection is: set back, it would be one that asks to write, which a
# standby refuses. The lock comes before the snapshot, so that what is read is from after an upgrade that it waits for.
_BEGIN_READING: Final = text(
    f"SET LOCAL lock_timeout = {int(BUSY_SECONDS * 1000)};"
    f" SET LOCAL idle_in_transaction_session_timeout = {_IDLE_SECONDS * 1000};"
    f" SET TRANSACTION READ ONLY; LOCK TABLE {VERSIONS.name} IN ACCESS SHARE MODE"
)
_RIGHTS: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")
_MIGRATION_LOCK: Final = "daper: migration"

# Classes of SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
_READ_ONLY: Final = "25006"
_AWAY: Final = {
    "08": "bring it back",
    "57P": "bring it back",
    "531": "make room there",
    "533": "let fewer connect at once, or it more (max_connections)",
    "53": "look what it lacks",
    "58": "look at its disk",
    "XX001": "look at its disk",
    _READ_ONLY: "make it writable",  # after a failover: the one that may be written to comes back
}
_OTHERS_FIRST: Final = ("40001", "40P01", "55P03")
_CUT_OFF: Final = ("57014", "25P03", "25P04")  # by a limit of time, of ours or of the server, or by an administrator
_NOT_ALLOWED: Final = ("28", "42501", "3D000")
_REFUSED: Final = ("22", "23", "P0", "44", "54")
_OTHER_SCHEMA: Final = ("42P01", "42703", "3F000")

_POOLS: Final = Pools()

log = logging.getLogger(__name__)


class PostgresqlDatabase(Database):
    """The tables of some branches in the database at `url`, `postgresql://user:password@host:5432/name`.

    `daper db upgrade` makes and upgrades them, and nothing else does. Raises SettingError for what is no such address.
    """

    dialect = "postgresql"

    def __init__(self, url: str, branches: Sequence[Branch]) -> None:
        self._url = database_url(url)
        self._branches = {branch.name: branch for branch in branches}

    @property
    def named(self) -> str:
        """Host and name, and neither user nor password."""
        host = self._url.query.get("host") or self._url.host or "localhost"
        port = f":{self._url.port}" if self._url.port else ""
        return f"the database {self._url.database or ''!r} on {host}{port}"

    @property
    def branches(self) -> Mapping[str, Branch]:
        """The tables that it is to have."""
        return self._branches

    def extended(self, branches: Iterable[Branch]) -> "PostgresqlDatabase":
        """As of a database."""
        url = self._url.set(drivername=self.dialect).render_as_string(hide_password=False)
        return PostgresqlDatabase(url, (*self._branches.values(), *branches))

    @contextmanager
    def transaction(self, *, busy_seconds: float = BUSY_SECONDS) -> Generator[Connection]:
        """As of a database: READ COMMITTED, so that a statement after a wait sees what was waited for."""
        with self._errors(busy_seconds), self._engine.connect() as db, db.begin():
            self._begin(db, busy_seconds)
            yield db
            _refuse_aborted(db, self.named)

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """As of a database."""
        with self._errors(BUSY_SECONDS), self._engine.connect() as free:
            db = free.execution_options(isolation_level="REPEATABLE READ")
            with db.begin():
                self._begin_reading(db)
                yield db

    def alone(self, db: Connection, what: str) -> None:
        """By an advisory lock of the transaction."""
        db.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:what, 7403))"), {"what": what})

    def is_there(self) -> bool:
        """Whether it has the table of its schema."""
        with self._errors(BUSY_SECONDS), self._engine.connect() as db:
            return _has_versions(db)

    def look_over(self) -> bool:
        """Whether it can be reached, and has this version's schema. Raises StoreError with the command to run."""
        with self.reading() as db:
            judged(self.named, self._branches, revisions_in(db), tables_in(db)).refuse()
        with self._errors(BUSY_SECONDS), self._engine.connect() as db:
            self._refuse_read_only(db)
        return True

    def revisions(self) -> frozenset[str]:
        """What its tables say; none where it has none of ours."""
        with self._errors(BUSY_SECONDS), self._engine.connect() as db:
            return revisions_in(db) if _has_versions(db) else frozenset()

    def whereabouts(self, db: Connection) -> str:
        """The server's own number and that of the database: a dump that is restored elsewhere has others.

        Asked once for each connection, which leads elsewhere only where a pooler is between.
        """
        if is_pooled(db):
            return self._whereabouts(db)
        if _WHEREABOUTS not in db.info:
            db.info[_WHEREABOUTS] = self._whereabouts(db)
        return str(db.info[_WHEREABOUTS])

    def _whereabouts(self, db: Connection) -> str:
        if not db.execute(text("SELECT has_function_privilege('pg_control_system()', 'execute')")).scalar_one():
            return ""
        server, number = db.execute(
            text(
                "SELECT (SELECT system_identifier FROM pg_control_system()),"
                " (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        ).one()
        return f"postgresql {server}/{number}"

    def is_elsewhere(self, whereabouts: str, same: Callable[[Connection], bool]) -> bool:
        """Whether it was ever at another place: nobody can look there."""
        return bool(whereabouts)

    def tables(self) -> frozenset[str]:
        """Those of the schema in which ours are."""
        with self._errors(BUSY_SECONDS), self._engine.connect() as db:
            return tables_in(db)

    def version(self) -> str:
        """Of the server."""
        with self._errors(BUSY_SECONDS), self._engine.connect() as db:
            return f"PostgreSQL {db.execute(text('SHOW server_version')).scalar_one()}"

    def tidy(self, tables: Iterable[str]) -> None:
        """As the server does by itself in time: until then, it counts rows by reading all of them."""
        try:
            with self._errors(BUSY_SECONDS), self._engine.connect() as free:
                db = free.execution_options(isolation_level="AUTOCOMMIT")  # within a transaction it is refused
                for name in tables:
                    db.execute(text(f"VACUUM (ANALYZE, SKIP_LOCKED) {name}"))
        except (StoreError, ActionFailed) as error:
            log.info("%s", error)

    @contextmanager
    def migrating(self, *, busy_seconds: float = MIGRATION_SECONDS) -> Generator[Connection]:
        """As of a database; one transaction, so that nothing is left half done.

        It waits for the transactions that are under way: none sees two schemas. Raises StoreBusy after `busy_seconds`.
        """
        with self._errors(busy_seconds), self._engine.connect() as db, db.begin():
            db.execute(text("SELECT set_config('lock_timeout', :busy, true)"), {"busy": str(int(busy_seconds * 1000))})
            self.alone(db, _MIGRATION_LOCK)
            if _has_versions(db):  # which each transaction of ours reads first
                db.execute(text(f"LOCK TABLE {VERSIONS.name} IN ACCESS EXCLUSIVE MODE"))
            yield db

    @property
    def _engine(self) -> Engine:
        """One pool for a process and an address."""
        return _POOLS.one(self._url.render_as_string(hide_password=False), self._new_engine)

    def _new_engine(self) -> Engine:
        engine = create_engine(
            self._url,
            pool_size=_CONNECTIONS,
            max_overflow=0,
            pool_timeout=BUSY_SECONDS,
            pool_pre_ping=True,
            # Whatever the server prefers: who waited for a key must see the row of whoever had it.
            isolation_level="READ COMMITTED",
            connect_args={"application_name": "daper", **_WAITS},
        )
        heed_poolers(engine)
        return engine

    def _begin(self, db: Connection, busy_seconds: float) -> None:
        """Bound its waits, and refuse another schema; two questions to the server."""
        bounds = {"busy": str(int(busy_seconds * 1000)), "idle": str(_IDLE_SECONDS * 1000)}
        *_, ready = db.execute(_BEGIN, bounds).one()
        judged(self.named, self._branches, revisions_in(db) if ready else frozenset()).refuse()

    def _begin_reading(self, db: Connection) -> None:
        """The same, and nothing is changed."""
        try:
            db.execute(_BEGIN_READING)
        except DBAPIError as error:
            if isinstance(error.orig, UndefinedTable):
                judged(self.named, self._branches, frozenset()).refuse()
            raise
        judged(self.named, self._branches, revisions_in(db)).refuse()

    def _refuse_read_only(self, db: Connection) -> None:
        if db.execute(text("SHOW transaction_read_only")).scalar_one() == "on":
            raise StoreUnavailable(f"{self.named} can only be read now; {_AWAY[_READ_ONLY]}")
        allowed = text("SELECT has_table_privilege(:name, :right)")
        for name in sorted(name for branch in self._branches.values() for name in branch.tables):
            if not all(db.execute(allowed, {"name": name, "right": each}).scalar_one() for each in _RIGHTS):
                raise StoreError(
                    f"{self.named} does not let this user change {name}; whoever owns it grants "
                    f"{', '.join(_RIGHTS)} on all its tables"
                )

    @contextmanager
    def _errors(self, busy_seconds: float) -> Generator[None]:
        try:
            yield
        except NoConnection as error:
            raise StoreBusy(f"{self.named}: no connection was free for {BUSY_SECONDS:.0f} s; try again") from error
        except DBAPIError as error:
            if not isinstance(error.orig, psycopg.Error):
                raise
            if error.orig.sqlstate == _READ_ONLY:  # the next connection may lead to the server that can be written to
                self._engine.dispose()
            # Not `from error`: what the driver says may name the user, and a cause is kept in histories.
            raise self._error(error.orig, busy_seconds) from None

    def _error(self, error: psycopg.Error, busy_seconds: float) -> StoreError | ActionFailed:
        state, why = error.sqlstate, _first_line(error)
        if state is None or without_transactions(why):
            return self._error_without_state(error, why)
        if way_out := next((out for begins, out in _AWAY.items() if state.startswith(begins)), None):
            return StoreUnavailable(f"{self.named} cannot be used now: {why}; {way_out}")
        if state in _CUT_OFF:
            return StoreBusy(f"{self.named} cut it off, and nothing was changed: {why}; try again")
        if state in _OTHERS_FIRST:
            return StoreBusy(f"{self.named}: others change the same now, for {busy_seconds:.0f} s; try again ({why})")
        if state.startswith(_NOT_ALLOWED):
            return StoreError(f"{self.named} does not allow it: {why}; mend DAPER_DATABASE_URL, or the rights there")
        if state.startswith(_REFUSED):
            return ActionFailed(f"{self.named} refuses it, and nothing was changed: {why}")
        if state in _OTHER_SCHEMA:
            return StoreDamaged(f"{self.named} has not the tables that it should have: {why}; see: ", STATUS)
        return StoreError(f"{self.named} cannot be used: {why}")

    def _error_without_state(self, error: psycopg.Error, why: str) -> StoreError | ActionFailed:
        """Of the driver itself, or of a pooler: the server was not reached, or let nobody in."""
        if way_out := without_transactions(why):
            return StoreError(f"{self.named} cannot be used: {why}; {way_out}")
        if isinstance(error, psycopg.DataError):  # no text of a server has a NUL
            return ActionFailed(f"{self.named} refuses it, and nothing was changed: {why}")
        if _is_refusal(error, why):
            return StoreError(f"{self.named} lets nobody in: {why}; mend DAPER_DATABASE_URL, or the rights there")
        return StoreUnavailable(f"{self.named} cannot be used now: {why}; bring it back")


def database_url(url: str) -> URL:
    """An address as SQLAlchemy takes it. Raises SettingError, without the password, for what is none of PostgreSQL."""
    check_address(url)
    return make_url(url).set(drivername="postgresql+psycopg")


def _is_refusal(error: psycopg.Error, why: str) -> bool:
    """Whether it would say the same again: what has no state is told before there is a connection."""
    said = (
        "password authentication",
        "does not exist",
        "no pg_hba",
        "no password",
        "invalid",
        "unsupported startup parameter",
    )
    return isinstance(error, psycopg.ProgrammingError) or any(each in why for each in said)


def _has_versions(db: Connection) -> bool:
    return bool(db.execute(text(f"SELECT to_regclass('{VERSIONS.name}') IS NOT NULL")).scalar_one())


def _refuse_aborted(db: Connection, named: str) -> None:
    """A statement was refused and somebody made nothing of it: the server would call its rollback a commit."""
    driver = db.connection.driver_connection
    if isinstance(driver, psycopg.Connection) and driver.info.transaction_status is TransactionStatus.INERROR:
        raise StoreError(f"{named}: a statement was refused within this transaction, and nothing was changed")


def _first_line(error: psycopg.Error) -> str:
    return masked_urls(str(error).strip().partition("\n")[0]) or type(error).__name__


def disconnect() -> None:
    """Close the connections of this process that nobody uses now; the next use opens new ones."""
    _POOLS.close()
