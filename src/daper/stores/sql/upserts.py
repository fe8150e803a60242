"""Writes rows that may be there already, each in one statement that runs on both databases."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def add_missing(db: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert those whose keys are not there; the others stay as they are."""
    if rows:
        db.execute(_insert(db, table).on_conflict_do_nothing(), [dict(row) for row in rows])


def add_new(db: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert one whose key is not there; False where it is. Of two that come at once, one is told True."""
    statement = _insert(db, table).values(dict(row)).on_conflict_do_nothing().returning(*table.primary_key.columns)
    return db.execute(statement).first() is not None  # not by a count of rows, which a driver may not know


def put(
    db: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    replacing: Collection[str],
    key: Collection[str] = (),
    where: Callable[[Callable[[str], ColumnElement[Any]]], ColumnElement[bool]] | None = None,
) -> None:
    """Insert those whose keys are not there; of the others, replace these columns, where that is so.

    `key`: the columns of a unique index, the primary key by default. `where` gets what would be written, by its column.
    """
    if not rows:
        return
    statement = _insert(db, table)
    wanted = None if where is None else where(lambda name: statement.excluded[name])
    db.execute(
        statement.on_conflict_do_update(
            index_elements=list(key or table.primary_key.columns.keys()),
            set_={name: statement.excluded[name] for name in replacing},
            where=wanted,
        ),
        [dict(row) for row in rows],
    )


def _insert(db: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    return postgresql.insert(table) if db.dialect.name == "postgresql" else sqlite.insert(table)
