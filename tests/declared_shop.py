"""A web shop's payments in a database of its own, as somebody else made it, and the file that declares them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import Engine, create_engine, text

from daper.domains.declared.domain import DeclaredDomain
from daper.domains.declared.file import Faulty
from daper.domains.declared.reading import read_file
from daper.domains.declared.set_tool import SetTool
from daper.stores.rows.address import database_address

KINDS: Final = ("sqlite", "postgresql", "mariadb")
"""Of databases, each a real one."""
ONE_SOON: Final = ("sqlite", *(pytest.param(each, marks=pytest.mark.long) for each in KINDS[1:]))
"""The same; the servers, whose own ways other tests try at once, in the long run."""

FILE: Final = '''\
[domain]
name     = "payments"
about    = "Card payments of the web shop. A failed one blocks its order."
database = "env:PAYMENTS_URL"

[records]
sql = """
  SELECT p.id, p.order_id, p.status, p.failure_code, p.amount, p.currency, p.attempts, p.failed_at,
         c.email, o.status AS order_status
  FROM payments p JOIN orders o ON o.id = p.order_id JOIN customers c ON c.id = o.customer_id"""
scope   = "p.status IN ('failed', 'processing')"
key     = "id"
title   = "{order_id}, {amount} {currency}"
status  = "status"
types   = { amount = "money", failed_at = "time" }
hide    = ["email"]

[[rule]]
kind  = "passing-failure"
when  = "r.status == 'failed' && r.failure_code in ['timeout', 'processor_down'] && r.order_status == 'open'"
issue = "The payment failed for a passing reason: {failure_code}."
facts = ["failure_code", "amount"]
fix   = "retry_payment"

[[rule]]
kind  = "order-gone"
sql   = "SELECT p.id FROM payments p JOIN orders o ON o.id = p.order_id WHERE o.status = 'cancelled'"
issue = "Its order is cancelled."
fix   = "close_payment"

[[rule]]
kind  = "hanging"
when  = "r.status == 'processing' && now - r.failed_at > duration('24h')"
issue = "In processing for more than a day."

[[tool]]
name   = "retry_payment"
does   = "Puts the payment back into the queue of the processor."
risk   = "low"
table  = "payments"
set    = { status = "'queued'", attempts = "attempts + 1", failure_code = "NULL" }
only   = "status = 'failed' AND attempts < 4"
spends = "amount"

[[tool]]
name  = "close_payment"
does  = "Closes the payment of a cancelled order."
risk  = "low"
table = "payments"
set   = { status = "'closed: done'", note = ":reason" }
args.reason = { sentence = 200, default = "order cancelled" }
only  = "status = 'failed'"
'''
_SCHEMA: Final = (
    "CREATE TABLE customers (id INTEGER PRIMARY KEY, email VARCHAR(200))",
    "CREATE TABLE orders (id VARCHAR(40) PRIMARY KEY, customer_id INTEGER, status VARCHAR(40))",
    "CREATE TABLE payments (id INTEGER PRIMARY KEY, order_id VARCHAR(40), status VARCHAR(40), failure_code VARCHAR(40),"
    " amount NUMERIC(12, 2), currency VARCHAR(3), attempts INTEGER, failed_at TIMESTAMP NULL, note VARCHAR(400))",
    "INSERT INTO customers VALUES (1, 'luna@hogwarts.example')",
    "INSERT INTO orders VALUES ('O1', 1, 'open'), ('O2', 1, 'cancelled'), ('O3', 1, 'open')",
    "INSERT INTO payments VALUES"
    " (7, 'O1', 'failed', 'timeout', 12.50, 'EUR', 1, '2026-11-20 10:00:00', NULL),"
    " (8, 'O2', 'failed', 'card_declined', 3.00, 'EUR', 1, '2026-11-20 10:00:00', NULL),"
    " (9, 'O3', 'processing', NULL, 3.00, 'EUR', 1, '2026-11-20 10:00:00', NULL),"
    " (10, 'O3', 'paid', NULL, 3.00, 'EUR', 1, '2026-11-20 10:00:00', NULL)",
)


@dataclass
class Payments:
    """The shop: its database, and the file in a folder."""

    engine: Engine
    url: str
    folder: Path
    more: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def file(self) -> Path:
        """Of the domain."""
        return self.folder / "payments.toml"

    def domain(self) -> DeclaredDomain:
        """As a worker opens it."""
        return DeclaredDomain(self.file, variables={"PAYMENTS_URL": self.url, **self.more}.get)

    def run(self, sql: str) -> None:
        """Somebody else changes something."""
        with self.engine.begin() as db:
            db.execute(text(sql))

    def number(self, where: str) -> int:
        """How many payments are so."""
        with self.engine.begin() as db:
            return int(db.execute(text(f"SELECT count(*) FROM payments WHERE {where}")).scalar_one())  # noqa: S608

    def row(self, payment: int) -> dict[str, object]:
        """A payment as it is."""
        with self.engine.begin() as db:
            return dict(db.execute(text("SELECT * FROM payments WHERE id = :id"), {"id": payment}).mappings().one())


def faults_of(folder: Path, text: str) -> list[tuple[int, str]]:
    """What is wrong with a file of this text, whatever its database: the lines, and what is said."""
    path = folder / "payments.toml"
    path.write_text(text, encoding="utf-8")
    try:
        read_file(path)
    except Faulty as error:
        return [(fault.at.line, fault.said) for fault in error.faults]
    return []


def set_tool(domain: DeclaredDomain, name: str) -> SetTool:
    """A tool of a domain that sets columns."""
    tool = domain.tools[name]
    assert isinstance(tool, SetTool)
    return tool


def make_payments(engine: Engine, url: str, folder: Path) -> Payments:
    """A shop with four payments, three of which are suspect."""
    _make(engine)
    return _with_file(engine, url, folder)


def payments_in(kind: str, folder: Path, request: pytest.FixtureRequest) -> Payments:
    """The shop in a new database of that kind, and its file."""
    if kind != "postgresql":
        return make_payments(*database_in(kind, folder, request), folder / "domains")
    url = request.getfixturevalue(kind).like("payments", _payments_made)
    return _with_file(_engine(url), url, folder / "domains")


def _payments_made(url: str) -> None:
    engine = _engine(url)
    _make(engine)
    engine.dispose()


def _make(engine: Engine) -> None:
    with engine.begin() as db:
        for statement in _SCHEMA:
            db.execute(text(statement))


def _with_file(engine: Engine, url: str, folder: Path) -> Payments:
    folder.mkdir(parents=True, exist_ok=True)
    shop = Payments(engine, url, folder)
    shop.file.write_text(FILE, encoding="utf-8")
    return shop


def database_in(kind: str, folder: Path, request: pytest.FixtureRequest) -> tuple[Engine, str]:
    """A new database of that kind, and its URL as a person would write it."""
    url = f"sqlite:///{folder / 'shop.db'}" if kind == "sqlite" else request.getfixturevalue(kind).empty()
    return _engine(url), url


def _engine(url: str) -> Engine:
    return create_engine(database_address(url, variable="SHOP_URL").url)
