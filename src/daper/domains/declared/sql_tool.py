"""A tool by statements of the operator's own: what its preview showed is what it changes, all of it or nothing."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import JsonValue
from sqlglot import exp

from daper.clock import agreed_now
from daper.core.errors import ActionFailed
from daper.core.models import Change
from daper.core.outcomes import Effect, Holding, OutcomeStatus, Postcondition
from daper.core.text import shown
from daper.domains.declared.document import SqlToolSection
from daper.domains.declared.record import DeclaredRecord, Shown, otherwise, words
from daper.domains.declared.tool import FramedTool, ToolFrame, record_of, said_of
from daper.ports.domain import Record, Terms, ToolCall
from daper.stores.once import Deed, StoreTool, UndoableStoreTool
from daper.stores.rows import mysql, statements, syntax
from daper.stores.rows.address import MYSQL
from daper.stores.rows.kept import same
from daper.stores.rows.store import RowsStore, RowsView
from daper.stores.rows.syntax import SqlFault
from daper.stores.rows.values import shown_value, written

ID: Final = "id"
"""The parameter that has the key of the record."""

WHAT: Final = "what"
BEFORE: Final = "before"
AFTER: Final = "after"
MOST_SHOWN: Final = 50  # rows of a preview, of one record
_UNDOES: Final = (exp.Update, exp.Delete)


def preview_of(sql: str, key: str, kind: str) -> exp.Query:
    """A query that shows what would change, by the key of the record. Raises SqlFault for what does not."""
    query = syntax.select(sql, kind)
    names = query.named_selects
    if syntax.is_of_the_clock(query):
        raise SqlFault("it tells the time, and what it shows must be the same when it runs")
    if key not in names or not ({WHAT} <= set(names) or {BEFORE, AFTER} <= set(names)):
        raise SqlFault(
            f"it must give {key!r}, the key of the record, and 'before' and 'after', or 'what', or all three"
        )
    if strange := sorted(set(names) - {key, WHAT, BEFORE, AFTER}):
        raise SqlFault(f"it gives {strange[0]!r}, which nobody would see; there are: {key}, what, before, after")
    return query


def helped_of(sql: str, key: str, kind: str) -> exp.Query:
    """A query that gives the keys of the records that were helped. Raises SqlFault."""
    query = syntax.select(sql, kind)
    if query.named_selects != [key]:
        raise SqlFault(f"it must give {key!r} alone: the keys of the records that were helped")
    return query


def run_of(sql: str, kind: str) -> exp.Expr:
    """The statement that changes something for one record. Raises SqlFault."""
    return _of_one(syntax.change(sql, kind))


def undo_of(sql: str, kind: str) -> exp.Expr:
    """The statement that takes it back. Raises SqlFault."""
    return _of_one(syntax.change(sql, kind, allowed=_UNDOES))


def is_sql(helped: str) -> bool:
    """Whether a `helped` is a query, and no CEL."""
    first = helped.split(maxsplit=1)[:1]
    return bool(first) and first[0].upper() in {"SELECT", "WITH"}


def _of_one(found: exp.Expr) -> exp.Expr:
    if ID not in syntax.parameters(found):
        raise SqlFault("it has no :id, the key of the record, and would do the same whichever record is repaired")
    return found


class SqlTool(FramedTool, StoreTool[RowsView]):
    """One `[[tool]]` with an `sql` that has no undo. `key`: the column with the id of a record; `kind`: of database."""

    def __init__(
        self,
        section: SqlToolSection,
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
        self._sql = section.sql
        self._key = key
        self._read = read
        self._kind = kind
        run = run_of(section.sql.run, kind)
        self._run, self._table = statements.statement(run, kind), syntax.changed_table(run)
        self._undo_sql = statements.statement(undo_of(section.sql.undo, kind), kind) if section.sql.undo else None
        self._preview = statements.named(preview_of(section.sql.preview, key, kind), key, kind)
        by_sql = is_sql(section.helped)
        self._helped = statements.named(helped_of(section.helped, key, kind), key, kind) if by_sql else None

    def ahead(self, view: RowsView, keys: Sequence[object]) -> dict[object, Shown]:
        """What its preview shows for the rows with these keys, and which of them were helped."""
        asked = {statements.IDS: list(keys)}
        rows: dict[str, list[dict[str, object]]] = {}
        for row in view.db.execute(self._preview.written, self._preview.with_values(**asked)).mappings():
            rows.setdefault(str(row[self._key]), []).append({n: v for n, v in row.items() if n != self._key})
        helped: set[str] = set()
        if self._helped is not None:
            helped = set(map(str, view.db.execute(self._helped.written, self._helped.with_values(**asked)).scalars()))
        # In one order, for a database may give them in any.
        return {
            key: Shown(rows=tuple(sorted(rows.get(str(key), ()), key=_in_order)), helped=str(key) in helped)
            for key in keys
        }

    def records(self, records: RowsView, record_id: str) -> tuple[Record, ...]:
        """The record as it is now."""
        return self._read(records, [record_id])

    def terms(self, record_id: str, arguments: Mapping[str, JsonValue], records: Sequence[Record]) -> Terms:
        """On what terms it may run; an obstacle where its preview shows nothing."""
        record = record_of(record_id, records)
        if record is None:
            return self._frame.no("it is not there any more")
        if why := self._frame.unfit(record, self._clock()):
            return self._frame.no(why)
        rows = self._shown(record)
        if not rows:
            return self._frame.no("its preview shows nothing that it would change")
        if len(rows) > MOST_SHOWN:
            return self._frame.no(f"its preview shows {len(rows)} changes, and nobody looks at more than {MOST_SHOWN}")
        return self._frame.terms(record, [_change(record.ref, row) for row in rows])

    def act(self, records: RowsView, call: ToolCall) -> Deed:
        """Run the statement. Raises ActionFailed where it changes another number of rows than it says."""
        [record] = self._read(records, [call.record_id])
        rows = self._shown(record)
        self._executed(records, self._run, call, record)
        if self._undo_sql is not None and records.version(call.record_id) == record.version:
            raise ActionFailed(
                f"the version of {shown(call.record_id)!r} is the same after a change: nobody could see who wrote "
                "since, so that it could not be taken back; nothing was changed. Have the query of the records or the "
                "preview read what is changed, or leave out its undo"
            )
        if other := _otherwise(rows, self._seen(records, record)):
            raise ActionFailed(
                f"{other}; nothing was changed. Have its preview show what is kept, as by ROUND or CAST; or a trigger "
                "changes it"
            )
        return Deed(
            before={name: row[BEFORE] for name, row in _figures(rows) if BEFORE in row},
            after={name: row[AFTER] for name, row in _figures(rows) if AFTER in row},
            wrote=[record.ref],
            evidence=[_said(row) for row in rows],
            originals=json.dumps(_kept(rows)),
        )

    def judge(self, call: ToolCall, effect: Effect, records: Sequence[Record]) -> Postcondition:
        """Whether it helped, by its `helped`."""
        record = record_of(call.record_id, records)
        if record is None:
            return Postcondition(holding=Holding.NO, evidence="it is not there any more")
        if self._helped is None:
            return self._frame.helped(record, self._clock())
        asked = record.ahead.get(self.name)
        word = said_of(self.section.helped, holds=isinstance(asked, Shown) and asked.helped)
        return self._frame.or_waits(word, record, self._clock())

    def try_out(self, records: RowsView, record_id: str) -> str:
        """Do it, as a repair would, within a transaction that whoever asks rolls back; what of it is not proved.

        Raises ActionFailed, StoreDamaged where it could not.
        """
        return self._tried(records, self._trial(record_id))[1]

    def _tried(self, records: RowsView, call: ToolCall) -> tuple[Deed, str]:
        [record] = self._read(records, [call.record_id])
        deed = self.act(records, call)
        left = _by_what(self._seen(records, record))
        gone = [what for what in _by_what(self._shown(record)) if what not in left]
        return deed, (
            f"once it has run, its preview shows no {gone[0]!r} any more, so that what is kept is not compared with "
            "what was shown; leave what it changes out of its WHERE"
            if gone
            else ""
        )

    def _trial(self, record_id: str) -> ToolCall:
        return ToolCall(key="", record_id=record_id, arguments=self.defaults, expected={}, today=self._clock())

    def _executed(self, records: RowsView, sql: statements.Sql, call: ToolCall, record: DeclaredRecord) -> None:
        if self._kind == MYSQL:
            mysql.refuse_untransacted(records.db, self._table)
        values = {**call.arguments, ID: record.raw_key}
        done = records.db.execute(sql.written, sql.with_values(**values)).rowcount
        if done != self._sql.expects:
            raise ActionFailed(
                f"{self.name} would have changed {done} rows, and not {self._sql.expects}; nothing was changed"
            )

    def _seen(self, records: RowsView, record: DeclaredRecord) -> tuple[Mapping[str, object], ...]:
        """What its preview shows now."""
        asked = self.ahead(records, [record.raw_key])[record.raw_key]
        return asked.rows

    def _shown(self, record: DeclaredRecord) -> tuple[Mapping[str, object], ...]:
        asked = record.ahead.get(self.name)
        return asked.rows if isinstance(asked, Shown) else ()


class UndoableSqlTool(SqlTool, UndoableStoreTool[RowsView]):
    """One `[[tool]]` with an `sql` that has an undo."""

    def take_back(self, records: RowsView, call: ToolCall, done: Effect, originals: str) -> Deed:
        """Run its undo. Raises ActionFailed where its preview does not show the same again as before the change."""
        found = self._read(records, [call.record_id])
        if not found or self._undo_sql is None:
            raise ActionFailed(f"{shown(call.record_id)!r} is not there any more; nothing was changed")
        self._executed(records, self._undo_sql, call, found[0])
        again = self._read(records, [call.record_id])
        if not again or _kept(self._shown(again[0])) != json.loads(originals):
            raise ActionFailed("its undo does not bring back what its preview showed; nothing was changed")
        return Deed(
            before=dict(done.after),
            after=dict(done.before),
            wrote=[found[0].ref],
            evidence=["taken back: its preview shows what it did before"],
        )

    def try_out(self, records: RowsView, record_id: str) -> str:
        """Do it and take it back, as a repair would, within a transaction that whoever asks rolls back; what of it is
        not proved.

        Raises ActionFailed, StoreDamaged where it could not.
        """
        call = self._trial(record_id)
        deed, doubt = self._tried(records, call)
        self.take_back(records, call, Effect(status=OutcomeStatus.APPLIED), deed.originals)
        return doubt


def _by_what(rows: Sequence[Mapping[str, object]]) -> dict[str, list[Mapping[str, object]]]:
    """Rows that have figures, by what they are about."""
    found: dict[str, list[Mapping[str, object]]] = {}
    for row in rows:
        if BEFORE in row:
            found.setdefault(words(row[WHAT]) if WHAT in row else "value", []).append(row)
    return found


def _otherwise(promised: Sequence[Mapping[str, object]], now: Sequence[Mapping[str, object]]) -> str:
    """What is now otherwise than was promised; nothing where all is. Of what is not shown any more, nobody can tell."""
    wanted = _by_what(promised)
    for what, rows in _by_what(now).items():
        open_ones = [row[AFTER] for row in wanted.get(what, ())]
        for kept in [row[BEFORE] for row in rows] if open_ones else ():
            found = next((at for at, value in enumerate(open_ones) if _is_kept(value, kept)), None)
            if found is None:
                return (
                    f"{shown(what)} would be {otherwise(kept, open_ones[0])}"
                    if open_ones
                    else (f"{shown(what)} would be there more often than the plan has it, as {shown(words(kept))}")
                )
            del open_ones[found]
    return ""


def _is_kept(promised: object, kept: object) -> bool:
    if isinstance(promised, str) and isinstance(kept, str):  # CHAR is padded
        return kept.rstrip(" ") == promised.rstrip(" ") and len(kept) >= len(promised)
    return bool(same(promised, kept))


def _change(ref: str, row: Mapping[str, object]) -> Change:
    if BEFORE not in row:
        return Change(record=ref, field="does", before="", after=words(row.get(WHAT)))
    field = words(row[WHAT]) if WHAT in row else "value"
    return Change(record=ref, field=field, before=words(row[BEFORE]), after=words(row[AFTER]))


def _said(row: Mapping[str, object]) -> str:
    change = _change("", row)
    return f"{change.field}: {change.before} → {change.after}" if BEFORE in row else change.after


# Any: JSON.
def _figures(rows: Sequence[Mapping[str, object]]) -> list[tuple[str, dict[str, Any]]]:
    """Rows with what each is about, by which no two are called alike."""
    found: list[tuple[str, dict[str, Any]]] = []
    for at, row in enumerate(rows):
        name = words(row[WHAT]) if WHAT in row else "value"
        taken = any(name == other for other, _ in found)
        found.append((f"{name} {at + 1}" if taken else name, {n: shown_value(v) for n, v in row.items()}))
    return found


# Any: JSON.
def _kept(rows: Sequence[Mapping[str, object]]) -> list[Any]:
    return [{name: written(value) for name, value in row.items()} for row in rows]


def _in_order(row: Mapping[str, object]) -> tuple[str, str]:
    whole = json.dumps({name: written(value) for name, value in row.items()}, sort_keys=True)
    return str(row.get(WHAT, "")), whole
