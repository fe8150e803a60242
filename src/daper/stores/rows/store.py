"""Rows of somebody's own tables as records, changed together with a ledger that lies beside them."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Column, Connection, MetaData, String, Table, Text, bindparam, insert, inspect, select, update
from sqlalchemy.dialects.mysql import LONGTEXT
from sqlalchemy.exc import DataError, IntegrityError
from sqlglot import exp

from daper.clock import agreed_now
from daper.core.commands import CommandLine
from daper.core.digests import digest
from daper.core.errors import ActionFailed, StoreBusy, StoreDamaged, StoreError
from daper.core.models import StoreInfo
from daper.core.outcomes import Effect, OutcomeStatus
from daper.core.text import shown
from daper.ports.store import LedgerRow, Message
from daper.stores.rows import mysql, statements, syntax
from daper.stores.rows.address import MYSQL, POSTGRESQL
from daper.stores.rows.engine import NoTable, RowsDatabase
from daper.stores.rows.values import ColumnType, row_version, typed

LEDGER: Final = Table(
    syntax.LEDGER_NAME,
    MetaData(),
    Column("domain", String(64), primary_key=True),
    Column("effect_key", String(100), primary_key=True),
    Column("written", Text().with_variant(LONGTEXT(), MYSQL), nullable=False),  # JSON of a LedgerRow
    mysql_engine=mysql.TRANSACTIONAL,
    mysql_charset="utf8mb4",
    mysql_collate="utf8mb4_bin",
)
_SURE: Final = 10  # digits of a number that fits into any type of number
FILE: Final = "@file"
"""In place of a record's id: the text that says what its records are, and what may be done to them."""

_HERE: Final = (LEDGER.c.domain == bindparam("at_domain"), LEDGER.c.effect_key == bindparam("at_key"))
_ROW: Final = select(LEDGER.c.written).where(*_HERE)
_REWRITE: Final = update(LEDGER).where(*_HERE).values(written=bindparam("new"))


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What was asked of the database beside a row, in the same moment.

    `counts`: what its version counts too, also where that is a column that counts up.
    """

    counts: Mapping[str, object]
    told: object = None


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What the records of a domain are. `name`: of the domain, and of the refs: `payments/7`.

    `all`: every row that there may be one of; `scoped`: those that are looked at; `key`: the column with their id.
    `hidden`: columns whose values no error tells.
    `counter`: a column that counts up with each change, where there is one; else the version is all that a row holds.
    `sent`: columns that a version counts in any case, because an outside system is sent what they hold.
    `text`: names the text that all this is from, and is another one when that changes. `beside`: what tools set and
    read of the rows with these keys, which the query need not have: a change there is one of the record.
    """

    name: str
    all: exp.Query
    scoped: exp.Query
    key: str
    types: Mapping[str, ColumnType] = field(default_factory=dict[str, ColumnType])
    hidden: frozenset[str] = frozenset()
    counter: str = ""
    sent: frozenset[str] = frozenset()
    text: str = ""
    beside: "Callable[[RowsView, Sequence[object]], Mapping[object, Beside]] | None" = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One record as it was read: `columns` as they are meant, and `raw_key` as the database has it.

    `beside`: what was asked beside it.
    """

    record_id: str
    raw_key: object
    columns: Mapping[str, object]
    version: str
    beside: Beside | None = None


class RowsView:
    """The rows of one moment, or within a change. Raises StoreDamaged for rows without an id, or with one that others
    have."""

    def __init__(self, db: Connection, rows: Rows, kind: str) -> None:
        self.db = db
        self.kind = kind
        self._rows = rows

    @property
    def name(self) -> str:
        """Of the domain."""
        return self._rows.name

    def named(self, record_ids: Sequence[str]) -> tuple[Row, ...]:
        """Those with these ids that are there, also outside of the scope, in the order of their keys."""
        if not record_ids:
            return ()
        ids = dict.fromkeys(record_ids)
        found = self._those(list(ids))
        return tuple(row for row in found if row.record_id in ids)  # some databases take 07 for 7, and 'A1 ' for 'a1'

    def _those(self, ids: list[str]) -> tuple[Row, ...]:
        sql = statements.named(self._rows.all, self._rows.key, self.kind)
        if self.kind != POSTGRESQL or all(each.isdecimal() and len(each) < _SURE for each in ids):
            return self._read(sql, **{statements.IDS: ids})
        try:
            with self.db.begin_nested():
                return self._read(sql, **{statements.IDS: ids})
        except DataError:  # a text that no key of that type can be
            as_texts = statements.named(self._rows.all, self._rows.key, self.kind, as_texts=True)
            return self._read(as_texts, **{statements.IDS: ids})

    def page(self, after: object, *, most: int) -> tuple[tuple[Row, ...], bool]:
        """So many of those in the scope, from the first on (None), or behind one with that key; and whether more come.

        Those whose keys the database takes for the same as the last one come with it: none is behind it.
        """
        sql = statements.page(self._rows.scoped, self._rows.key, self.kind, most=most + 1, after=after is not None)
        found = self._read(sql, **({} if after is None else {statements.AFTER: after}))
        rows = found[:most]
        if len(found) <= most:
            return rows, False
        if self.kind != POSTGRESQL and isinstance(last := rows[-1].raw_key, str):
            like_it = statements.named(self._rows.scoped, self._rows.key, self.kind)
            known = {row.record_id for row in rows}
            rows += tuple(row for row in self._read(like_it, **{statements.IDS: [last]}) if row.record_id not in known)
        return rows, True

    def count(self) -> int:
        """How many are in the scope."""
        sql = statements.counted(self._rows.scoped, self.kind)
        return int(self.db.execute(sql.written, dict(sql.values)).scalar_one())

    def rows(self, sql: statements.Sql, **values: object) -> tuple[Row, ...]:
        """The records that a statement over the query gives."""
        return self._read(sql, **values)

    def value(self, sql: statements.Sql, **values: object) -> Any:
        """The one value that a statement over the query gives; None where it gives none."""
        return self.db.execute(sql.written, sql.with_values(**values)).scalar()

    def version(self, record_id: str) -> str | None:
        """The version that a record has now; of `@file` what the text says. None for one that is not there."""
        if record_id == FILE:
            return self._rows.text
        found = self.named([record_id])
        return found[0].version if found else None

    def _read(self, sql: statements.Sql, **values: object) -> tuple[Row, ...]:
        result = self.db.execute(sql.written, sql.with_values(**values))
        if self.kind == MYSQL and (names := mysql.rounded(result)):
            raise StoreDamaged(f"{self._rows.name}: {statements.rounded_in_query(names[0])}")
        found = result.mappings().all()
        keys = [each[self._rows.key] for each in found if each.get(self._rows.key) is not None]
        beside: Mapping[object, Beside] = self._rows.beside(self, keys) if self._rows.beside and keys else {}
        rows = [self._row(dict(each), beside.get(each.get(self._rows.key))) for each in found]
        seen: set[str] = set()
        for row in rows:
            if row.record_id in seen:
                raise StoreDamaged(
                    f"several rows of {self.name} are {shown(row.record_id)!r}: {self._rows.key!r} must be another one "
                    "in each row; nothing was changed"
                )
            seen.add(row.record_id)
        return tuple(rows)

    def _row(self, found: Mapping[str, object], beside: Beside | None) -> Row:
        key = found.get(self._rows.key)
        if key is None:
            raise StoreDamaged(f"a row of {self.name} has no {self._rows.key!r}; nothing was changed")
        if isinstance(key, bytes):
            raise StoreDamaged(
                f"{self._rows.key!r} of {self.name} is binary, and nobody could name a record by it; take another "
                "column, as one that the table generates: CHAR(32) AS (HEX(id)); nothing was changed"
            )
        columns: dict[str, object] = {}
        for name, value in found.items():
            try:
                columns[name] = typed(value, self._rows.types.get(name))
            except ValueError as error:
                why = f"not {self._rows.types[name]} (not shown)" if name in self._rows.hidden else error
                raise StoreDamaged(f"{self.name} {shown(key)!r}: {name} is not as its type says: {why}") from None
        counter = self._rows.counter
        counts = {f"beside {name}": value for name, value in beside.counts.items()} if beside else {}
        version = f"{found.get(counter)}" if counter else row_version({**found, **counts})
        counts |= {name: found[name] for name in self._rows.sent if name in found}
        if counter and counts:
            version = f"{version} {row_version(counts)}"
        return Row(record_id=str(key), raw_key=key, columns=columns, version=version, beside=beside)


def counted_up(version: str) -> str:
    """Of a version that is a column which counts up, what that column has; else all of it."""
    return version.rpartition(" ")[0] or version


class RowsStore:
    """A store of the once-only kernel over a user's own tables: one role that reads, and one by which tools write.

    The ledger is where the tools write, in the transaction of the effect; `init` makes it. Methods block, and raise
    what those of a database do.
    """

    def __init__(self, rows: Rows, *, reader: RowsDatabase, writer: RowsDatabase) -> None:
        self.rows = rows
        self.reader = reader
        self.writer = writer

    def info(self) -> StoreInfo:
        """Which store this is, by where it is; asks nobody. What was planned for another place never runs here."""
        whole = f"{self.reader.address.place} {self.rows.name}"
        return StoreInfo(store_id=digest(whole)[:32], place=self.reader.named)

    @contextmanager
    def change(self) -> Generator["RowsChange"]:
        """A change of rows and ledger: all of it at the end of the block, or nothing if that raises."""
        with ExitStack() as stack:
            try:
                db = stack.enter_context(self.writer.changing(behind=LEDGER.name))
            except NoTable:
                raise self._without_ledger() from None
            if self.writer.kind != POSTGRESQL and not self._has_ledger(db):  # there, the lock shows it
                raise self._without_ledger()
            yield RowsChange(RowsView(db, self.rows, self.writer.kind))

    @contextmanager
    def reading(self) -> Generator[RowsView]:
        """The rows as they are together at one moment; nothing can be written to them."""
        with self.reader.reading() as db:
            yield RowsView(db, self.rows, self.reader.kind)

    def is_ready(self) -> bool:
        """Whether there is a ledger."""
        with self.writer.reading() as db:
            return self._has_ledger(db)

    def init(self) -> bool:
        """Make the ledger where there is none; whether it was made."""
        with self.writer.changing() as db:
            made = not self._has_ledger(db)
            LEDGER.create(db, checkfirst=True)
        return made

    def try_ledger(self) -> None:
        """Write to the ledger in each way that tools do, and roll it back. Raises where the writing role may not."""

        class Undone(Exception):
            """Ends the transaction."""

        begun = Effect(status=OutcomeStatus.UNKNOWN)
        row = LedgerRow(key="tried out", kind="begun", at=agreed_now(), effect=begun)
        with suppress(Undone), self.change() as change:
            change.write_row(row)
            change.write_row(row)
            raise Undone

    def _without_ledger(self) -> StoreError:
        return StoreError(
            f"{self.writer.named} has no {LEDGER.name} yet, without which nothing is done once; make it: ",
            CommandLine("domain", "init", self.rows.name),
        )

    def _has_ledger(self, db: Connection) -> bool:
        if self.writer.kind != MYSQL:
            return inspect(db).has_table(LEDGER.name)
        found = mysql.keeper(db, LEDGER.name)
        if found is not None and found != mysql.TRANSACTIONAL:
            kept = f"a table of {found}, which has no transactions" if found else "a view"
            raise StoreError(f"{LEDGER.name} is {kept}; it must be a table of {mysql.TRANSACTIONAL}")
        return found is not None


class RowsChange:
    """A change in the making: rows, and in the same transaction the ledger."""

    def __init__(self, view: RowsView) -> None:
        self._view = view

    @property
    def records(self) -> RowsView:
        """The rows as this change sees them."""
        return self._view

    def version(self, ref: str) -> str | None:
        """The version that a record has now, this change included; None for one that is not there."""
        name, _, record_id = ref.partition("/")
        return self._view.version(record_id) if name == self._view.name else None

    def row(self, key: str) -> LedgerRow | None:
        """The ledger row of a key: written by this change, or before."""
        found = self._view.db.execute(_ROW, {"at_domain": self._view.name, "at_key": key}).scalar()
        return None if found is None else LedgerRow.model_validate_json(found)

    def write_row(self, row: LedgerRow) -> None:
        """Record what happened for a key. Raises ActionFailed for a key that has a row, unless that is `begun`.

        Raises StoreBusy where somebody wrote one at the same time: whoever tries again sees it.
        """
        known = self.row(row.key)
        if known is not None and known.kind != "begun":
            raise ActionFailed(f"the ledger has a row of key {row.key!r} already; nothing was changed")
        written = row.model_dump_json()
        if known is not None:
            self._view.db.execute(_REWRITE, {"at_domain": self._view.name, "at_key": row.key, "new": written})
            return
        try:
            self._view.db.execute(
                insert(LEDGER), {"domain": self._view.name, "effect_key": row.key, "written": written}
            )
        except IntegrityError:
            raise StoreBusy(f"somebody has just written what became of key {row.key!r}; try again") from None

    def send(self, message: Message) -> None:
        """Nobody is written to from here. Raises ActionFailed."""
        raise ActionFailed(f"{self._view.name} sends no messages; nothing was changed")
