"""The shipped domains in a file, in each kind of database, and what strangers do to their rows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import Engine, text

from daper.domains.declared.domain import DeclaredDomain
from daper.domains.declared.examples import EXAMPLES, example_seed, example_variable, place_example
from tests.declared_shop import KINDS, database_in

EACH: Final = tuple((name, kind) for name in EXAMPLES for kind in KINDS)
EACH_SOON: Final = tuple(
    (name, kind) if kind == "sqlite" else pytest.param(name, kind, marks=pytest.mark.long, id=f"{name}-{kind}")
    for name, kind in EACH
)
"""Each shipped domain in each kind of database; the servers in the long run."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What there is in a shipped domain to try. `more`: a row more; `planned`: the tool of each record that gets one.

    `tool`: which of them is tried, on `records`, two of them; `never`: a condition by which it never helped. `row`,
    `joined`: a stranger's change of the record's own row, and of one that its query joins. `again`: as it was.
    """

    more: tuple[str, ...]
    found: Mapping[str, str]
    planned: Mapping[str, str]
    tool: str
    records: tuple[str, str]
    never: str
    row: str
    joined: str
    table: str
    columns: tuple[str, ...]
    before: tuple[object, ...]
    after: tuple[object, ...]


SAMPLES: Final = {
    "payments": Sample(
        more=(
            "INSERT INTO orders VALUES ('O-5', 2, 'open')",
            "INSERT INTO payments VALUES (14, 'O-5', 'failed', 'timeout', 6.00, 'EUR', 1, '2025-11-20 10:30:00', NULL)",
        ),
        found={
            "7": "passing-failure",
            "8": "order-gone",
            "9": "hanging",
            "11": "declined",
            "12": "passing-failure",
            "13": "tried-enough",
            "14": "passing-failure",
        },
        planned={"7": "retry_payment", "8": "close_payment", "12": "retry_payment", "14": "retry_payment"},
        tool="retry_payment",
        records=("7", "14"),
        never="r.status == 'paid'",
        row="UPDATE payments SET amount = 99 WHERE id = 7",
        joined="UPDATE orders SET status = 'open again' WHERE id = 'O-5'",
        table="payments",
        columns=("status", "attempts", "failure_code"),
        before=("failed", 1, "timeout"),
        after=("queued", 2, None),
    ),
    "jobs": Sample(
        more=(
            "INSERT INTO procrastinate_jobs VALUES (8, 'owls', 'send_letter', 0, NULL, '{}', 'failed', NULL, 1)",
            "INSERT INTO procrastinate_events VALUES (9, 8, 'started', '2025-11-20 10:05:00')",
        ),
        found={
            "1": "dead-letter",
            "2": "never-works",
            "4": "stalled",
            "5": "closed-queue",
            "8": "dead-letter",
        },
        planned={"1": "put_back", "2": "cancel_job", "5": "hold_job", "8": "put_back"},
        tool="put_back",
        records=("1", "8"),
        never="r.status == 'succeeded'",
        row="UPDATE procrastinate_jobs SET attempts = 2 WHERE id = 1",
        joined="UPDATE procrastinate_events SET at = '2025-11-20 11:00:00' WHERE id = 9",
        table="procrastinate_jobs",
        columns=("status", "scheduled_at"),
        before=("failed", None),
        after=("todo", None),
    ),
}


@dataclass
class Example:
    """A shipped domain with its rows in a database."""

    name: str
    engine: Engine
    url: str
    file: Path
    sample: Sample = field(init=False)

    def __post_init__(self) -> None:
        self.sample = SAMPLES[self.name]

    def domain(self) -> DeclaredDomain:
        """As a worker opens it."""
        return DeclaredDomain(self.file, variables={example_variable(self.name): self.url}.get)

    def run(self, *statements: str) -> None:
        """Somebody else changes something; times are in UTC."""
        with self.engine.begin() as db:
            if "mariadb" in self.url:
                db.execute(text("SET time_zone = '+00:00'"))
            for statement in statements:
                db.execute(text(statement.replace(":", r"\:")))

    def row(self, record_id: str) -> tuple[object, ...]:
        """What its tool sets, of one record."""
        columns = ", ".join(self.sample.columns)
        sql = f"SELECT {columns} FROM {self.sample.table} WHERE id = {record_id}"  # noqa: S608 - names and a number of ours
        with self.engine.begin() as db:
            return tuple(db.execute(text(sql)).one())

    def put_back(self, record_id: str) -> None:
        """Let a record be as it was made."""
        told = ", ".join(f"{column} = :{column}" for column in self.sample.columns)
        with self.engine.begin() as db:
            db.execute(
                text(f"UPDATE {self.sample.table} SET {told} WHERE id = {record_id}"),  # noqa: S608 - as above
                dict(zip(self.sample.columns, self.sample.before, strict=True)),
            )

    def never_helps(self) -> None:
        """From now on its tool takes a quarter of an hour to show, and does not help."""
        head, at, tail = self.file.read_text("utf-8").partition(f'name   = "{self.sample.tool}"')
        if not at:
            head, at, tail = head.partition(f'name  = "{self.sample.tool}"')
        tail = re.sub(r"(?m)^(helped|waits) .*\n", "", tail, count=2)
        more = f'\nsettles = "15m"\nhelped = "{self.sample.never}"'
        self.file.write_text(f"{head}{at}{more}{tail}", encoding="utf-8")


def seed_of(name: str, kind: str) -> tuple[str, ...]:
    """The rows of a shipped domain, as that kind of database takes them.

    In MariaDB `lock` is a word of SQL, and no TIMESTAMP is as far away as a job may be held.
    """
    statements = example_seed(name)
    if kind != "mariadb":
        return statements
    return tuple(each.replace(" lock ", " `lock` ").replace("_at TIMESTAMP", "_at DATETIME") for each in statements)


def example_in(name: str, kind: str, folder: Path, request: pytest.FixtureRequest) -> Example:
    """A shipped domain in a new database of that kind, with a row more, and its ledger."""
    engine, url = database_in(kind, folder, request)
    made = Example(name, engine, url, place_example(name, folder))
    made.run(*seed_of(name, kind), *made.sample.more)
    made.domain().now().store.init()
    return made
