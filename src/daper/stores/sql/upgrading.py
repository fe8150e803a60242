"""Brings the tables of a database to this version, by the migrations of each of its branches."""

from collections.abc import Iterator
from dataclasses import dataclass

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, delete, insert

from daper.stores.sql.condition import Condition, branch_of, judged
from daper.stores.sql.engine import VERSIONS, Branch, Database, revisions_in, tables_in


@dataclass(frozen=True, kw_only=True)
class Upgraded:
    """What an upgrade did: the revisions before and after it, and the names of those that it ran, in order."""

    before: frozenset[str]
    after: frozenset[str]
    ran: tuple[str, ...]


def upgrade(database: Database) -> Upgraded:
    """Make its tables, or bring them to this version; nothing where they are. All of it or nothing.

    Whoever comes at the same time waits. Raises StoreError for a database that a newer daper wrote, StoreDamaged for
    one whose tables are not what it says of them.
    """
    with database.migrating() as db:
        return upgrade_within(db, database)


def upgrade_within(db: Connection, database: Database) -> Upgraded:
    """The same, within a transaction of somebody else who keeps others away."""
    there = tables_in(db)
    before = revisions_in(db) if VERSIONS.name in there else frozenset[str]()
    state = judged(database.named, database.branches, before, there)
    if state.condition in {Condition.NEWER, Condition.BROKEN}:
        state.refuse()
    VERSIONS.create(db, checkfirst=True)
    ran: list[str] = []
    with Operations.context(MigrationContext.configure(connection=db, opts={"version_table": VERSIONS.name})):
        for name, branch in database.branches.items():
            at = next((each for each in before if branch_of(each) == name), None)
            for script in _to_the_head(branch, at):
                script.module.upgrade()
                db.execute(delete(VERSIONS).where(VERSIONS.c.version_num == script.down_revision))
                db.execute(insert(VERSIONS).values(version_num=script.revision))
                ran.append(script.revision)
    return Upgraded(before=before, after=revisions_in(db), ran=tuple(ran))


def _to_the_head(branch: Branch, at: str | None) -> Iterator[Script]:
    scripts = ScriptDirectory(branch.scripts, version_locations=[branch.scripts])
    yield from reversed(list(scripts.iterate_revisions(branch.head, at or "base")))
