"""A file with the database that its variables name, ready for use: its records, rules and tools."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Final, cast

from sqlglot import exp

from daper.core.errors import SettingError, StoreError
from daper.domains.declared.cases import CANNOT_JUDGE
from daper.domains.declared.contradictions import sql_faults
from daper.domains.declared.document import (
    CONTENT,
    ENV,
    HttpToolSection,
    SetSection,
    SqlToolSection,
)
from daper.domains.declared.expressions import CannotJudge, Expression, ExpressionFault, expression
from daper.domains.declared.file import DeclaredFile, Fault, Faulty
from daper.domains.declared.hidden import hidden_faults
from daper.domains.declared.http_tool import HttpTool, Variables
from daper.domains.declared.record import Asked, DeclaredRecord
from daper.domains.declared.request import names_of
from daper.domains.declared.set_tool import SetTool
from daper.domains.declared.sql_tool import SqlTool, UndoableSqlTool
from daper.domains.declared.tool import DeclaredTool, ToolFrame
from daper.domains.declared.wording import SET_THERE
from daper.stores.rows import statements, syntax
from daper.stores.rows.address import database_address
from daper.stores.rows.engine import RowsDatabase
from daper.stores.rows.store import Beside, Row, Rows, RowsStore, RowsView
from daper.stores.rows.values import shown_value

PAGE: Final = 500
"""So many records are read at once."""


@dataclass(frozen=True, kw_only=True)
class Declared:
    """A file with its database: what it says, ready for use. `queries`: those of rules, by their number."""

    file: DeclaredFile
    store: RowsStore
    tools: Mapping[str, DeclaredTool]
    rules: Mapping[str, statements.Sql] = field(default_factory=dict[str, statements.Sql])
    queries: Mapping[int, exp.Query] = field(default_factory=dict[int, exp.Query])

    @cached_property
    def _judges(self) -> dict[frozenset[str], dict[str, Expression]]:
        return {}

    def conditions(self, columns: frozenset[str]) -> dict[str, Expression]:
        """The rules in CEL over records with these columns, by kind. Raises SettingError for one that cannot be."""
        if columns not in self._judges:
            self._judges[columns] = {
                rule.kind: self.condition(rule.when, columns, what=f"rule {rule.kind!r}")
                for rule in self.file.document.rule
                if rule.when
            }
        return self._judges[columns]

    def condition(self, text: str, columns: frozenset[str], *, what: str) -> Expression:
        """One condition. Raises SettingError."""
        try:
            return expression(text, sorted(columns), hidden=self.file.document.records.hide)
        except ExpressionFault as error:
            raise SettingError(f"{self.file.path}: {what}: {error}") from None

    def kinds(self, record: DeclaredRecord, now: datetime) -> Iterator[str]:
        """The kinds of the rules that hold for a record."""
        for kind, condition in self.conditions(frozenset(record.columns)).items():
            try:
                if condition.holds(record.columns, now):
                    yield kind
            except CannotJudge:
                yield CANNOT_JUDGE
        yield from record.wrong

    def beside(self, view: RowsView, keys: Sequence[object]) -> dict[object, Beside]:
        """What tools would do to the rows with these keys; the columns that they set or read count as the record's."""
        ahead = {name: tool.ahead(view, keys) for name, tool in self.tools.items()}
        found: dict[object, Beside] = {}
        for key in keys:
            of_key = {name: each[key] for name, each in ahead.items() if key in each}
            counts = {f"{name}.{what}": value for name, each in of_key.items() for what, value in each.counts.items()}
            found[key] = Beside(counts=counts, told=of_key)
        return found

    def read(self, view: RowsView, rows: Sequence[Row]) -> tuple[DeclaredRecord, ...]:
        """These rows as records, with what tools would do to them and the rules in SQL that name them."""
        keys, hidden = [row.raw_key for row in rows], set(self.file.document.records.hide)
        if rows and (unknown := sorted(hidden - rows[0].columns.keys())):
            raise StoreError(f"{self.file.name} hides {unknown[0]!r}, and its query gives no such column; mend 'hide'")
        wrong: dict[str, set[str]] = {}
        for kind, sql in self.rules.items() if keys else ():
            found = view.db.execute(sql.written, sql.with_values(**{statements.IDS: keys}))
            for key in found.scalars():
                wrong.setdefault(str(key), set()).add(kind)
        return tuple(
            DeclaredRecord(
                ref=f"{self.file.name}/{row.record_id}",
                record_id=row.record_id,
                version=row.version,
                data={name: shown_value(value) for name, value in row.columns.items() if name not in hidden},
                columns=row.columns,
                raw_key=row.raw_key,
                ahead=cast("Mapping[str, Asked]", row.beside.told) if row.beside else {},
                wrong=frozenset(wrong.get(row.record_id, ())),
            )
            for row in rows
        )


def declared(file: DeclaredFile, variables: Variables) -> Declared:
    """A file with the databases that its variables name. Opens none. Raises SettingError, Faulty."""
    document = file.document
    reader = _database(file, document.domain.database, variables)
    writer = _database(file, document.domain.writer, variables) if document.domain.writer else reader
    if reader.kind != writer.kind:
        raise SettingError(
            f"{file.path}: 'writer' names {writer.kind}, and 'database' {reader.kind}: they are one database"
        )
    kind, records = reader.kind, document.records
    hidden = (Fault(file.at.key(path), said) for path, said in hidden_faults(document, (kind,)))
    if faults := (*sql_faults(file, (kind,)), *hidden):
        raise Faulty(file.path, faults)
    try:
        every = syntax.select(records.sql, kind)
        scoped = syntax.within(every, records.scope, kind) if records.scope else every
        queries = {
            number: _keyed(syntax.select(rule.sql, kind), records.key)
            for number, rule in enumerate(document.rule)
            if rule.sql
        }
    except syntax.SqlFault as error:
        raise SettingError(f"{file.path}: {error}") from None
    tools: dict[str, DeclaredTool] = {}

    def beside(view: RowsView, keys: Sequence[object]) -> dict[object, Beside]:
        return made.beside(view, keys)

    rows = Rows(
        beside=beside,
        name=file.name,
        all=every,
        scoped=scoped,
        key=records.key,
        types=records.types,
        hidden=frozenset(records.hide),
        counter="" if records.version == CONTENT else records.version,
        sent=frozenset(
            name for tool in document.tool if isinstance(tool, HttpToolSection) for name in names_of(tool.http)
        ),
        text=file.text,
    )
    store = RowsStore(rows, reader=reader, writer=writer)
    rules = {
        document.rule[number].kind: statements.named(query, records.key, kind) for number, query in queries.items()
    }
    made = Declared(file=file, store=store, tools=tools, rules=rules, queries=queries)

    def read(view: RowsView, record_ids: Sequence[str]) -> tuple[DeclaredRecord, ...]:
        return made.read(view, view.named(record_ids))

    tools.update({each.name: _tool(each, made, read, kind, variables) for each in document.tool})
    return made


def _tool(
    section: SetSection | SqlToolSection | HttpToolSection,
    made: Declared,
    read: Callable[[RowsView, Sequence[str]], tuple[DeclaredRecord, ...]],
    kind: str,
    variables: Variables,
) -> DeclaredTool:
    document, key = made.file.document, made.file.document.records.key
    frame = ToolFrame(
        section=section,
        kinds=frozenset(rule.kind for rule in document.rule if rule.fix == section.name),
        text=made.file.text,
        condition=lambda text, columns, what: made.condition(text, columns, what=what),
    )
    match section:
        case SetSection():
            return SetTool(section, frame, store=lambda: made.store, key=section.key or key, kind=kind, read=read)
        case SqlToolSection():
            make = UndoableSqlTool if section.sql.undo else SqlTool
            return make(section, frame, store=lambda: made.store, key=key, kind=kind, read=read)
        case HttpToolSection():
            return HttpTool(section, frame, store=lambda: made.store, key=key, read=read, variables=variables)


def _database(file: DeclaredFile, variable: str, variables: Variables) -> RowsDatabase:
    name = variable.removeprefix(ENV)
    found = variables(name)
    if not found:
        raise SettingError(
            f"{file.path}: {name} is not set; it must have the URL of the database of {file.name!r}; ",
            SET_THERE,
        )
    return RowsDatabase(database_address(found, variable=name), timeout=file.document.domain.timeout)


def _keyed(query: exp.Query, key: str) -> exp.Query:
    """A query whose one column is called as the key is, whatever it calls it itself."""
    if len(query.selects) == 1 and query.selects[0].alias_or_name != key:
        copy = query.copy()
        copy.selects[0].replace(exp.alias_(copy.selects[0].unalias(), key, quoted=True))
        return copy
    return query
