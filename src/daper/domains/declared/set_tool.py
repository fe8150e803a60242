"""A tool that sets columns of one row: preview, limits, versions, ledger, a look afterwards and undo follow from it."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import JsonValue
from sqlalchemy import MetaData, Table, TableClause, TextClause, column, select, table, text, update
from sqlglot import exp

from daper.clock import agreed_now
from daper.core.errors import ActionFailed, StoreDamaged
from daper.core.models import Change
from daper.core.outcomes import Effect, Holding, OutcomeStatus, Postcondition
from daper.core.text import shown
from daper.domains.declared.document import SetSection
from daper.domains.declared.record import Ahead, DeclaredRecord, otherwise, words
from daper.domains.declared.tool import FramedTool, ToolFrame, record_of
from daper.ports.domain import Record, Terms, ToolCall
from daper.stores.once import Deed, UndoableStoreTool
from daper.stores.rows import mysql, statements, syntax
from daper.stores.rows.address import MYSQL
from daper.stores.rows.kept import Columns
from daper.stores.rows.store import RowsStore, RowsView, counted_up
from daper.stores.rows.values import read_back, shown_value, written

_NOW: Final = "daper_now_"
_THEN: Final = "daper_then_"
_ONLY: Final = "daper_only"


class SetTool(FramedTool, UndoableStoreTool[RowsView]):
    """One `[[tool]]` with a `set`. `key`: the column of its table with the id of a record; `kind`: of database."""

    def __init__(
        self,
        section: SetSection,
        frame: ToolFrame,
        *,
        store: Callable[[], RowsStore],
        key: str,
        kind: str,
        read: Callable[[RowsView, Sequence[str]], tuple[DeclaredRecord, ...]],
        clock: Callable[[], datetime] = agreed_now,
    ) -> None:
        super().__init__(store, clock=clock)
        self.fit_into(frame)
        self.section = section
        self._key = key
        self._kind = kind
        self._read = read
        self._parts = {name: syntax.of_one_row(part, kind) for name, part in section.set.items()}
        self._only = syntax.of_one_row(section.only, kind) if section.only else None
        pieces = [*self._parts.values(), *([self._only] if self._only is not None else [])]
        self._touched = sorted({*self._parts, *(name for part in pieces for name in syntax.columns(part))})

    @property
    def parts(self) -> Mapping[str, exp.Expr]:
        """What each column is set to."""
        return self._parts

    @property
    def only(self) -> exp.Expr | None:
        """For which rows it is."""
        return self._only

    @property
    def touched(self) -> Sequence[str]:
        """The columns that it sets or reads."""
        return self._touched

    def rounded(self, column: str) -> str:
        """What is wrong with a FLOAT of MySQL that it sets or reads, in words."""
        return f"{statements.rounded(column)}; make it a DOUBLE or DECIMAL in {self.section.table!r}"

    def ahead(self, view: RowsView, keys: Sequence[object]) -> dict[object, Ahead]:
        """What it would do to the rows with these keys, those that its table has."""
        fixed = {
            name: part
            for name, part in self._parts.items()
            if not syntax.parameters(part) and not syntax.is_of_the_clock(part)
        }
        asked: dict[str, exp.Expr] = {_NOW + name: exp.column(name, quoted=True) for name in self._touched}
        asked |= {_THEN + name: part for name, part in fixed.items()}
        if self._only is not None:
            asked[_ONLY] = exp.Case(
                ifs=[exp.If(this=self._only.copy(), true=exp.Literal.number(1))], default=exp.Literal.number(0)
            )
        sql = statements.ahead(self.section.table, self._key, asked, self._kind)
        result = view.db.execute(sql.written, sql.with_values(**{statements.IDS: list(keys)}))
        if self._kind == MYSQL and (names := mysql.rounded(result)):
            raise StoreDamaged(f"{self.name}: {self.rounded(names[0].removeprefix(_NOW).removeprefix(_THEN))}")
        found = result.mappings()
        return {
            row[self._key]: Ahead(
                now={name: row[_NOW + name] for name in self._touched},
                then={name: row[_THEN + name] for name in fixed},
                allowed=bool(row[_ONLY]) if self._only is not None else True,
            )
            for row in found
        }

    def records(self, records: RowsView, record_id: str) -> tuple[Record, ...]:
        """The record as it is now."""
        return self._read(records, [record_id])

    def terms(self, record_id: str, arguments: Mapping[str, JsonValue], records: Sequence[Record]) -> Terms:
        """On what terms it may run; an obstacle where its `only` does not hold."""
        record = record_of(record_id, records)
        if record is None:
            return self._frame.no("it is not there any more")
        ahead = record.ahead.get(self.name)
        if not isinstance(ahead, Ahead):
            return self._frame.no(f"{self.section.table} has no row of it")
        if not ahead.allowed:
            return self._frame.no(f"this does not hold for it: {self.section.only}")
        return self._frame.terms(record, self._changes(record, ahead, arguments))

    def act(self, records: RowsView, call: ToolCall) -> Deed:
        """Set the columns of the one row. Raises ActionFailed where it is not one."""
        [record] = self._read(records, [call.record_id])
        originals, before = self._columns(records, record), self._seen(records, record)
        sql = statements.update(
            self.section.table, self._key, self._parts, self._only, self._kind, raw_key=record.raw_key
        )
        values = {**call.arguments, statements.IDS: record.raw_key}
        promised = self._promised(records, record, call.arguments)
        done = records.db.execute(sql.written, sql.with_values(**values)).rowcount
        if done != 1:
            raise ActionFailed(
                f"{self.name} would have changed {done} rows of {self.section.table}, and not one; nothing was changed"
            )
        columns = Columns(records.db, self._kind, table=self.section.table, key=self._key, raw_key=record.raw_key)
        if other := columns.differing(promised):
            raise ActionFailed(
                f"{other.column} of {self.section.table} would keep {otherwise(other.kept, other.promised)}; nothing "
                "was changed. Have 'set' say what the column keeps, as by ROUND or CAST; or a trigger changes it"
            )
        after = self._seen(records, record)
        version = records.version(call.record_id)
        if after != before and version is not None and counted_up(version) == counted_up(record.version):
            raise ActionFailed(
                f"the version of {shown(call.record_id)!r} is the same after a change: nobody could see who wrote "
                "since; nothing was changed. Let its column count up with each change, or take version = 'content'"
            )
        return Deed(
            before=_shown(before),
            after=_shown(after),
            wrote=[record.ref],
            evidence=[f"{name}: {words(before[name])} → {words(after[name])}" for name in self._parts],
            originals=json.dumps(_written(originals)),
        )

    def try_out(self, records: RowsView, record_id: str) -> str:
        """Do it and put it back, as a repair would, within a transaction that whoever asks rolls back.

        Raises ActionFailed, StoreDamaged where it could not.
        """
        call = ToolCall(key="", record_id=record_id, arguments=self.defaults, expected={}, today=self._clock())
        before = self._columns(records, self._read(records, [record_id])[0])
        deed = self.act(records, call)
        done = Effect(status=OutcomeStatus.APPLIED)
        self.take_back(records, call, done, deed.originals)
        after = self._columns(records, self._read(records, [record_id])[0])
        if _shown(after) != _shown(before):
            raise ActionFailed("it could be done, and not be taken back to what was there")
        return ""

    def take_back(self, records: RowsView, call: ToolCall, done: Effect, originals: str) -> Deed:
        """Put back what was there before, to the digit."""
        [record] = self._read(records, [call.record_id])
        former: dict[str, Any] = {name: read_back(value) for name, value in json.loads(originals).items()}
        before = self._seen(records, record)
        change = update(self._table(records)).where(self._row(record)).values(former)
        if records.db.execute(change).rowcount != 1:
            raise ActionFailed(f"{self.section.table} has no such row any more; nothing was changed")
        if _written(self._columns(records, record)) != _written(former):
            raise ActionFailed(f"{self.section.table} does not take back what was there; nothing was changed")
        after = self._seen(records, record)
        return Deed(before=_shown(before), after=_shown(after), wrote=[record.ref], evidence=["put back as it was"])

    def judge(self, call: ToolCall, effect: Effect, records: Sequence[Record]) -> Postcondition:
        """Whether it helped, by its `helped`; without one, whether what it set is still there."""
        record = record_of(call.record_id, records)
        if record is None:
            return Postcondition(holding=Holding.NO, evidence="it is not there any more")
        if self.section.helped:
            return self._frame.helped(record, self._clock())
        ahead = record.ahead.get(self.name)
        now = _shown(ahead.now) if isinstance(ahead, Ahead) else {}
        changed = [name for name, value in effect.after.items() if now.get(name) != value]
        if changed:
            return Postcondition(holding=Holding.NO, evidence=f"{', '.join(changed)} is not as it was set")
        return Postcondition(holding=Holding.YES, evidence="what was set is there")

    def _promised(
        self, records: RowsView, record: DeclaredRecord, arguments: Mapping[str, JsonValue]
    ) -> dict[str, object]:
        """What each column is to keep: as the plan shows it, and what an expression comes to with the arguments.

        What tells the time is left out: it comes to something else whenever it is asked.
        """
        ahead = record.ahead.get(self.name)
        found: dict[str, object] = dict(ahead.then) if isinstance(ahead, Ahead) else {}
        asked: dict[str, exp.Expr] = {}
        for name, part in self._parts.items():
            if isinstance(part, exp.Placeholder):
                found[name] = arguments.get(str(part.this))
            elif syntax.parameters(part) and not syntax.is_of_the_clock(part):
                asked[_THEN + name] = part
        if asked:
            sql = statements.ahead(self.section.table, self._key, asked, self._kind)
            values = sql.with_values(**{**arguments, statements.IDS: [record.raw_key]})
            for row in records.db.execute(sql.written, values).mappings():
                if row[self._key] == record.raw_key:
                    found |= {name.removeprefix(_THEN): row[name] for name in asked}
        return found

    def _seen(self, records: RowsView, record: DeclaredRecord) -> dict[str, object]:
        """The columns that it sets, as plans show them: some databases say what they hold in several ways."""
        found = self.ahead(records, [record.raw_key]).get(record.raw_key)
        if found is None:
            raise ActionFailed(f"{self.section.table} has no row of {shown(record.record_id)!r}; nothing was changed")
        return {name: found.now[name] for name in self._parts}

    def _columns(self, records: RowsView, record: DeclaredRecord) -> dict[str, object]:
        """The columns that it sets, to be put back as they are now."""
        kept = self._table(records)
        query = select(*(kept.c[name] for name in self._parts)).where(self._row(record))
        found = records.db.execute(query).mappings().first()
        if found is None:
            raise ActionFailed(f"{self.section.table} has no row of {shown(record.record_id)!r}; nothing was changed")
        return dict(found)

    def _row(self, record: DeclaredRecord) -> TextClause:
        """The condition that a row of its table is that record's."""
        where = text(statements.of_key(self._key, self._kind, record.raw_key))
        return where.bindparams(**{statements.IDS: record.raw_key})

    def _table(self, records: RowsView) -> Table | TableClause:
        """The table, whose columns are read and put back in the way that loses nothing."""
        schema, _, name = self.section.table.rpartition(".")
        if self._kind == MYSQL:  # as the driver has them: a TIME of more than a day is no time of a day
            mysql.refuse_untransacted(records.db, self.section.table)
            return table(name, *map(column, [self._key, *self._parts]), schema=schema or None)
        return Table(name, MetaData(), schema=schema or None, autoload_with=records.db, resolve_fks=False)

    def _changes(self, record: DeclaredRecord, ahead: Ahead, arguments: Mapping[str, JsonValue]) -> list[Change]:
        return [
            Change(
                record=record.ref,
                field=name,
                before=words(ahead.now[name]),
                after=words(ahead.then[name])
                if name in ahead.then
                else self._with(part, {**self.defaults, **arguments}),
            )
            for name, part in self._parts.items()
        ]

    def _with(self, part: exp.Expr, arguments: Mapping[str, JsonValue]) -> str:
        """What a column is set to that depends on an argument or the time: the argument, or the expression with it."""
        if isinstance(part, exp.Placeholder):
            return words(arguments.get(str(part.this)))
        return statements.told(part, self._kind, arguments)


# Any: JSON.
def _written(columns: Mapping[str, object]) -> dict[str, Any]:
    return {name: written(value) for name, value in columns.items()}


# Any: JSON.
def _shown(columns: Mapping[str, object]) -> dict[str, Any]:
    return {name: shown_value(value) for name, value in columns.items()}
