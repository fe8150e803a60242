"""What is in somebody's database: tables and views, their columns and keys, and the values of a column."""

import re
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, Inspector, column, func, inspect, select, table, text
from sqlalchemy.exc import SAWarning
from sqlalchemy.sql.expression import ColumnClause, TableClause

from daper.stores.rows.address import POSTGRESQL
from daper.stores.rows.engine import RowsDatabase
from daper.stores.rows.statements import in_quotes
from daper.stores.rows.syntax import checked_texts

COUNTED: Final = 10_000  # rows of a table, where its database has no estimate
LOOKED_AT: Final = 100_000  # rows, for the values of a column
SAMPLE: Final = 500
_OURS: Final = re.compile(r"daper_\w+|alembic_version|sqlite_\w+")
_TABLES: Final = text(
    "SELECT n.nspname AS schema, c.relname AS name, c.relkind IN ('v', 'm') AS view, c.reltuples::bigint AS rows, "
    "n.nspname = current_schema() AS here FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition "
    "AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)' "
    "AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') "
    "ORDER BY n.nspname <> current_schema(), 1, 2"
)


@dataclass(frozen=True, kw_only=True)
class TableHead:
    """A table or view that may be read. `schema`: empty where it need not be said.

    `rows`: how many, about; `or_more`: there may be more than that. Of a view nobody counts them.
    """

    name: str
    schema: str = ""
    is_view: bool = False
    rows: int = 0
    or_more: bool = False

    @property
    def called(self) -> str:
        """With its schema, as in `billing.payments`."""
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True, kw_only=True)
class ColumnHead:
    """A column. `kind`: its type as its database calls it, in capitals; `allowed`: all values that it may have.

    Those are known where its type or a CHECK lists them.
    """

    name: str
    kind: str
    is_nullable: bool = True
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TableShape:
    """What a table has. `key`: the columns of its primary key; `unique`: those that alone are another one in each row.

    `sample`: some of its rows.
    """

    head: TableHead
    columns: tuple[ColumnHead, ...]
    key: tuple[str, ...] = ()
    unique: tuple[str, ...] = ()
    sample: tuple[Mapping[str, object], ...] = ()

    def column(self, name: str) -> ColumnHead | None:
        """The column by that name."""
        return next((each for each in self.columns if each.name == name), None)


@dataclass(frozen=True, kw_only=True)
class Frequent:
    """A value, and how many of the rows that were looked at have it."""

    value: object
    rows: int


class Catalog:
    """What a role may read of a database; nothing is changed. Methods block, and raise what those of a database do."""

    def __init__(self, database: RowsDatabase) -> None:
        self._database = database

    def tables(self) -> tuple[TableHead, ...]:
        """Every table and view, but for those of daper; names that cannot be shown whole are left out."""
        with self._database.reading() as db:
            found = _of_postgresql(db) if self._database.kind == POSTGRESQL else _of_any(db)
            return tuple(
                _counted(db, each) if each.rows < 0 else each
                for each in found
                if each.name.isprintable() and not _OURS.fullmatch(each.name)
            )

    def shape(self, head: TableHead) -> TableShape:
        """What a table has."""
        with self._database.reading() as db, _inspector(db) as looks:
            schema = head.schema or None
            columns = tuple(_column(each) for each in looks.get_columns(head.name, schema=schema) if _is_named(each))
            if not head.is_view:
                listed = _listed(looks, head, self._database.kind)
                columns = tuple(replace(each, allowed=each.allowed or listed.get(each.name, ())) for each in columns)
            key: Sequence[str] = ()
            unique: list[str] = []
            if not head.is_view:
                key = looks.get_pk_constraint(head.name, schema=schema).get("constrained_columns") or ()
                unique = _alone(looks, head)
            nullable = {each.name for each in columns if each.is_nullable}
            sample = db.execute(select(*(_raw(each.name) for each in columns)).select_from(_table(head)).limit(SAMPLE))
            rows = tuple(dict(zip((each.name for each in columns), row, strict=True)) for row in sample)
        return TableShape(
            head=head,
            columns=columns,
            key=tuple(key),
            unique=tuple(name for name in unique if name not in nullable),
            sample=rows,
        )

    def frequent(self, head: TableHead, name: str, *, most: int = 12) -> tuple[Frequent, ...]:
        """The most frequent values of a column, in the first 100,000 rows; nothing counts as none."""
        some = select(_raw(name)).select_from(_table(head)).limit(LOOKED_AT).subquery("daper_r")
        counts = (
            select(some.c[name], func.count().label("daper_n"))
            .where(some.c[name].is_not(None))
            .group_by(some.c[name])
            .order_by(_raw("daper_n").desc(), some.c[name])
            .limit(most)
        )
        with self._database.reading() as db:
            return tuple(Frequent(value=value, rows=int(rows)) for value, rows in db.execute(counts))

    def quoter(self) -> Callable[..., str]:
        """What puts a name, with those in front of it, in quotes where it needs them."""
        kind = self._database.kind
        with self._database.reading() as db:
            quote = db.dialect.identifier_preparer.quote

        def quoted(*names: str) -> str:
            return ".".join(name if quote(name) == name else in_quotes(name, kind) for name in names if name)

        return quoted


def _of_postgresql(db: Connection) -> list[TableHead]:
    return [
        TableHead(
            name=row["name"],
            schema="" if row["here"] else row["schema"],
            is_view=row["view"],
            rows=0 if row["view"] else int(row["rows"]) or -1,
        )
        for row in db.execute(_TABLES).mappings()
    ]


def _of_any(db: Connection) -> list[TableHead]:
    with _inspector(db) as looks:
        tables = [TableHead(name=name, rows=-1) for name in sorted(looks.get_table_names())]
        return [*tables, *(TableHead(name=name, is_view=True) for name in sorted(looks.get_view_names()))]


def _counted(db: Connection, head: TableHead) -> TableHead:
    some = select(text("1 AS one")).select_from(_table(head)).limit(COUNTED + 1).subquery("daper_r")
    rows = int(db.execute(select(func.count()).select_from(some)).scalar_one())
    return TableHead(name=head.name, schema=head.schema, rows=min(rows, COUNTED), or_more=rows > COUNTED)


def _alone(looks: Inspector, head: TableHead) -> list[str]:
    """Columns with a constraint or an index of their own that lets no value come twice."""
    schema = head.schema or None
    lists = [each["column_names"] for each in looks.get_unique_constraints(head.name, schema=schema)]
    lists += [
        [name for name in each["column_names"] if name]
        for each in looks.get_indexes(
            head.name, schema=schema, include_auto_indexes=True
        )  # those of SQLite's constraints
        if each["unique"]
        and None not in each["column_names"]
        and not each.get("dialect_options", {}).get("postgresql_where")
    ]
    return sorted({names[0] for names in lists if len(names) == 1})


def _listed(looks: Inspector, head: TableHead, kind: str) -> dict[str, tuple[str, ...]]:
    """The texts that a CHECK of a column lists, by column: of one that says nothing else."""
    found: dict[str, tuple[str, ...]] = {}
    with suppress(NotImplementedError):
        for each in looks.get_check_constraints(head.name, schema=head.schema or None):
            texts = checked_texts(str(each["sqltext"]), kind)
            if texts is not None:
                found.setdefault(*texts)
    return found


@contextmanager
def _inspector(db: Connection) -> Generator[Inspector]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # of types that nobody here has to know
        yield inspect(db)


# Any: what SQLAlchemy says of a column.
def _is_named(found: Any) -> bool:
    return bool(found["name"]) and str(found["name"]).isprintable()


# Any: what SQLAlchemy says of a column.
def _column(found: Any) -> ColumnHead:
    kind = found["type"]
    return ColumnHead(
        name=str(found["name"]),
        kind=_kind(kind),
        is_nullable=bool(found["nullable"]),
        allowed=tuple(getattr(kind, "enums", ())),
    )


# Any: a type of SQLAlchemy.
def _kind(kind: Any) -> str:
    try:
        return str(kind).upper()
    except Exception:  # noqa: BLE001 - a type that has no name in SQL of its own
        return type(kind).__name__.upper()


def _raw(name: str) -> "ColumnClause[Any]":
    return column(name)


def _table(head: TableHead) -> TableClause:
    return table(head.name, schema=head.schema or None)
