"""A table of as many rows as wanted, of which a few have a problem, and the file that declares it."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.mariadb import MariadbServer, mariadb_server
from tests.postgresql import PostgresqlServer, postgresql_server

from bench.bare_rows import BareRows
from daper.domains.declared.domain import DeclaredDomain
from daper.stores.rows.address import MYSQL, POSTGRESQL, SQLITE
from daper.stores.rows.engine import disconnect

KINDS: Final = (SQLITE, POSTGRESQL, MYSQL)
NAMES: Final = {SQLITE: "SQLite", POSTGRESQL: "PostgreSQL", MYSQL: "MariaDB"}
AS_OF: Final = datetime(2026, 11, 28, tzinfo=UTC)
DOMAIN: Final = "payments"
SCOPE: Final = "p.status IN ('failed', 'processing')"
QUERY: Final = """
  SELECT p.id, p.order_id, p.status, p.failure_code, p.amount, p.currency, p.attempts, p.failed_at,
         o.customer, o.status AS order_status
  FROM payments p JOIN orders o ON o.id = p.order_id"""
_ROWS_OF_AN_ORDER: Final = 10
_VARIABLE: Final = "PAYMENTS_URL"
_FILE: Final = f'''
[domain]
name = "{DOMAIN}"
about = "Payments of a shop."
database = "env:{_VARIABLE}"
timeout = "60s"

[records]
sql = """{QUERY}"""
{{scope}}
key = "id"
title = "{{{{order_id}}}} {{{{customer}}}}"
status = "status"
types = {{{{ amount = "money", failed_at = "time" }}}}

[[rule]]
kind = "timeout"
when = "r.status == 'failed' && r.failure_code == 'timeout' && r.attempts < 4 && r.order_status == 'open'"
issue = "It failed for a passing reason: {{{{failure_code}}}}."
facts = ["failure_code"]
fix = "retry_payment"

[[rule]]
kind = "hanging"
sql = """
  SELECT p.id FROM payments p JOIN orders o ON o.id = p.order_id
  WHERE p.status = 'processing' AND o.status = 'open'"""
issue = "It hangs."
fix = "retry_payment"

[[tool]]
name = "retry_payment"
does = "Puts the payment back into the queue."
risk = "low"
table = "payments"
set = {{{{ status = "'queued'", attempts = "attempts + 1", failure_code = "NULL" }}}}
only = "attempts < 4"
'''  # noqa: S608 - ours
_TABLES: Final = (
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer VARCHAR(40) NOT NULL, status VARCHAR(20) NOT NULL)",
    "CREATE TABLE payments (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders (id), "
    "status VARCHAR(20) NOT NULL, failure_code VARCHAR(40), amount NUMERIC(12, 2) NOT NULL, "
    "currency VARCHAR(3) NOT NULL, attempts INTEGER NOT NULL, failed_at TIMESTAMP NULL)",
)
# SQLite knows how many rows a status has on average alone, and after an ANALYZE would not use an index of all of them.
_INDEX: Final = "CREATE INDEX payments_status ON payments (status)"
_INDEX_OF_SOME: Final = "CREATE INDEX payments_wrong ON payments (id) WHERE status IN ('failed', 'processing')"
_ORDERS: Final = "INSERT INTO orders SELECT n, {customer}, 'open' FROM {numbers} AS numbers"
_PAYMENTS: Final = (
    "INSERT INTO payments SELECT n, n {div} {of_order} + 1, "
    "CASE WHEN {problem} = 1 THEN 'failed' WHEN {problem} = 2 THEN 'processing' ELSE 'paid' END, "
    "CASE WHEN {problem} = 1 THEN 'timeout' END, 12.50, 'GBP', 1, '2026-11-20 10:00:00' FROM {numbers} AS numbers"
)
_CUSTOMER: Final = {MYSQL: "concat('Customer ', n)"}
_NUMBERS: Final = {
    SQLITE: "(WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < {last}) SELECT n FROM c)",
    POSTGRESQL: "(SELECT generate_series(0, {last}) AS n)",
    MYSQL: "(SELECT seq AS n FROM seq_0_to_{last})",
}
_ANALYZE: Final = {SQLITE: "ANALYZE", POSTGRESQL: "ANALYZE", MYSQL: "ANALYZE TABLE orders, payments"}


@dataclass(frozen=True, kw_only=True)
class BigTable:
    """`rows` of payments, `problems` with one problem each, spread evenly: failed and hanging ones in turn."""

    rows: int
    problems: int

    def ids(self) -> list[int]:
        """Of those with a problem."""
        step = self.rows // self.problems
        return [number * step for number in range(self.problems)]

    def statements(self, kind: str) -> list[str]:
        """What makes the tables, with the index that an operator gives the scope."""
        step = self.rows // self.problems
        place = f"CASE WHEN n % {step} = 0 AND n < {step * self.problems} THEN 1 + n / {step} % 2 ELSE 0 END"
        place = place.replace("/", "DIV") if kind == MYSQL else place
        values = {"of_order": _ROWS_OF_AN_ORDER, "div": "DIV" if kind == MYSQL else "/", "problem": f"({place})"}
        values["customer"] = _CUSTOMER.get(kind, "'Customer ' || n")
        orders = _NUMBERS[kind].format(last=self.rows // _ROWS_OF_AN_ORDER + 1)
        payments = _NUMBERS[kind].format(last=self.rows - 1)
        filled = (_ORDERS.format(numbers=orders, **values), _PAYMENTS.format(numbers=payments, **values))
        return [*_TABLES, *filled, _INDEX_OF_SOME if kind == SQLITE else _INDEX, _ANALYZE[kind]]


@dataclass(frozen=True, kw_only=True)
class Database:
    """A database of one kind, with a folder for the files that declare it."""

    kind: str
    url: str = field(repr=False)
    folder: Path

    def bare(self) -> BareRows:
        """A connection of the plain driver."""
        return BareRows(self.kind, self.url)

    def install(self, table: BigTable) -> None:
        """Make the tables, and daper's ledger beside them."""
        with self.bare() as bare:
            for statement in table.statements(self.kind):
                bare.run(statement)
        self.domain(scoped=True).now().store.init()

    def domain(self, *, scoped: bool) -> DeclaredDomain:
        """The domain of a file, with the scope or without one."""
        path = self.folder / ("scoped" if scoped else "whole") / f"{DOMAIN}.toml"
        if not path.exists():
            path.parent.mkdir(parents=True)
            path.write_text(_FILE.format(scope=f'scope = "{SCOPE}"' if scoped else ""), "utf-8")
        return DeclaredDomain(path, variables={_VARIABLE: self.url}.get)


class Databases:
    """New databases, as many as wanted, of the kinds that run."""

    def __init__(self, root: Path, postgresql: PostgresqlServer, mariadb: MariadbServer) -> None:
        self._root = root
        self._postgresql = postgresql
        self._mariadb = mariadb
        self._made = 0

    def new(self, kind: str) -> Database:
        """An empty one."""
        self._made += 1
        folder = self._root / f"{kind}-{self._made}"
        folder.mkdir()
        if kind == SQLITE:
            path = folder / "payments.db"
            sqlite3.connect(path).close()
            return Database(kind=kind, url=f"sqlite:///{path}", folder=folder)
        server = self._postgresql if kind == POSTGRESQL else self._mariadb
        return Database(kind=kind, url=server.empty(), folder=folder)


@contextmanager
def open_databases(root: Path) -> Generator[Databases]:
    """Servers of our own that run until the end of the block."""
    with postgresql_server(durable=True) as postgresql, mariadb_server() as mariadb:
        try:
            yield Databases(root, postgresql, mariadb)
        finally:
            disconnect()
