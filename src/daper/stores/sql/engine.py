"""A database with tables of daper's own, whichever it is: its transactions, and which schema it has.

`SqliteDatabase` and `PostgresqlDatabase` are the two there are; what differs between them is in their modules, and
nowhere else.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from sqlalchemy import Column, Connection, MetaData, String, Table, insert, inspect, select

BUSY_SECONDS: Final = 10.0

VERSIONS: Final = Table("daper_schema", MetaData(), Column("version_num", String(32), primary_key=True))
"""The revisions that the tables of a database have: one row for each branch, kept by Alembic."""

_REVISIONS: Final = select(VERSIONS.c.version_num)  # made once: each transaction asks for them


@dataclass(frozen=True, kw_only=True)
class Branch:
    """Some tables that are made and upgraded together. `head`: their newest revision; `scripts`: the migrations.

    `create` makes them as they are at the head, in a database that has none of them; the migrations come to the same.
    `tables`: their names at the head. A revision is named by its branch and a number of four digits: `records_0001`.
    """

    name: str
    head: str
    scripts: Path
    create: Callable[[Connection], None]
    tables: frozenset[str] = frozenset()


class Database(ABC):
    """Safe to use from many threads and processes; methods block.

    All raise StoreBusy (somebody holds what is needed; retryable), StoreUnavailable (away, full; retryable),
    StoreDamaged and StoreError (has another schema, refuses to be used). None of these names a password.
    """

    dialect: str

    @property
    @abstractmethod
    def named(self) -> str:
        """What messages call it: what it is, and where."""

    @property
    @abstractmethod
    def branches(self) -> Mapping[str, Branch]:
        """The tables that it is to have, by the name of their branch."""

    @abstractmethod
    def extended(self, branches: Iterable[Branch]) -> "Database":
        """The same database, which is to have these tables as well."""

    @abstractmethod
    def transaction(self, *, busy_seconds: float = BUSY_SECONDS) -> AbstractContextManager[Connection]:
        """A connection within a transaction: all of it at the end of the block, or nothing if that raises.

        Each statement sees what was committed before it. A statement that is refused raises ActionFailed.
        """

    @abstractmethod
    def reading(self) -> AbstractContextManager[Connection]:
        """A connection that sees one moment throughout, and can write nothing."""

    @abstractmethod
    def alone(self, db: Connection, what: str) -> None:
        """Until the end of this transaction, others that come here with the same word wait."""

    @abstractmethod
    def is_there(self) -> bool:
        """Whether it was ever made ready; a server that cannot be reached raises StoreUnavailable."""

    @abstractmethod
    def look_over(self) -> bool:
        """Whether it is there; and it is sound then, and has the schema of this version. Changes nothing."""

    @abstractmethod
    def revisions(self) -> frozenset[str]:
        """The revisions that its tables have now; none where there are none."""

    @abstractmethod
    def tables(self) -> frozenset[str]:
        """The names of all tables that are there now, whosever they are."""

    @abstractmethod
    def version(self) -> str:
        """Which database it is, and in which version: `PostgreSQL 18.4`."""

    @abstractmethod
    def whereabouts(self, db: Connection) -> str:
        """Where it is, so that a copy of it says something else; empty where nobody can tell."""

    @abstractmethod
    def is_elsewhere(self, whereabouts: str, same: Callable[[Connection], bool]) -> bool:
        """Whether what was at that other place may still be there, so that this is a copy; what is there is asked."""

    @abstractmethod
    def tidy(self, tables: Iterable[str]) -> None:
        """Ready for looks at tables whose rows were all brought anew; what it may not do there stays undone."""

    @abstractmethod
    def migrating(self) -> AbstractContextManager[Connection]:
        """A connection for changing the schema, whichever it has now; nobody else changes it meanwhile."""


@runtime_checkable
class InDatabases(Protocol):
    """A domain whose records are in databases of its own, or in tables of its own in the one that all is in."""

    def databases(self) -> Sequence[Database]:
        """Each of them; none is opened."""
        ...


def wanted(branches: Mapping[str, Branch]) -> frozenset[str]:
    """The revisions that these branches have here."""
    return frozenset(branch.head for branch in branches.values())


def revisions_in(db: Connection) -> frozenset[str]:
    """The revisions that a database says it has; it must have the table of them."""
    return frozenset(db.execute(_REVISIONS).scalars())


def tables_in(db: Connection) -> frozenset[str]:
    """The names of all tables of a database."""
    return frozenset(inspect(db).get_table_names())


def create(db: Connection, branches: Mapping[str, Branch]) -> None:
    """Make all tables of these branches, of which none may be there, at their newest revision."""
    VERSIONS.create(db, checkfirst=True)
    for branch in branches.values():
        branch.create(db)
        db.execute(insert(VERSIONS).values(version_num=branch.head))
