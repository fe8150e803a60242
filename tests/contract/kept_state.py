"""State as its contract tests open and look at it, the same on each database."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Table, func, select, text

from daper.adapters.state import StatePlace
from daper.stores.sql.engine import Database, create
from daper.stores.sql.home_database import STATE_FILE
from daper.stores.sql.postgresql_database import PostgresqlDatabase
from daper.stores.sql.state_schema import METADATA, STATE

KINDS = ("sqlite", "postgresql")

OPEN = """
import sys
from pathlib import Path
from daper.adapters.state import StatePlace
database = StatePlace(home=Path(sys.argv[1]), database_url=sys.argv[2] or None).database()
"""
"""For a process of its own, whose first arguments are `KeptState.words`."""


@dataclass(frozen=True)
class KeptState:
    """Where the state of a test is."""

    place: StatePlace

    @property
    def path(self) -> Path:
        """The file, where it is one."""
        return self.place.home / STATE_FILE

    @property
    def words(self) -> tuple[str, str]:
        """What another process opens it by."""
        return str(self.place.home), self.place.database_url or ""

    def open(self) -> Database:
        """Open it as another process would."""
        return self.place.database()

    def count(self, table: Table) -> int:
        """How many rows there are."""
        with self.open().reading() as db:
            return db.execute(select(func.count()).select_from(table)).scalar_one()

    def rows(self, table: Table) -> list[Mapping[str, Any]]:
        """All rows."""
        with self.open().reading() as db:
            return [dict(row) for row in db.execute(select(table)).mappings()]

    def change(self, statement: str) -> None:
        """As somebody does with a tool of their own."""
        with self.open().transaction() as db:
            db.execute(text(statement))


def new_state(home: Path, url: str | None) -> KeptState:
    """State with nothing in it: a file that is not there, or all tables of a database emptied."""
    found = KeptState(StatePlace(home=home, database_url=url))
    if url is not None:
        database = PostgresqlDatabase(url, [STATE])
        if not database.revisions():
            with database.migrating() as db:
                create(db, database.branches)
        with database.transaction() as db:
            for table in METADATA.sorted_tables:
                db.execute(table.delete())
    return found
