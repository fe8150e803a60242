"""A file looked over with its database: every fault with its place, what is there, and what could not be proved."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches

from sqlalchemy import Connection, inspect
from sqlalchemy.dialects.mysql import FLOAT
from sqlalchemy.exc import DBAPIError, NoSuchTableError
from sqlglot import exp

from daper.core.commands import CommandLine, Said
from daper.core.errors import ActionFailed, DaperError, SettingError, StoreError
from daper.core.policy import DECISION_VALID_FOR
from daper.core.text import shown
from daper.domains.declared.binding import PAGE, Declared, declared
from daper.domains.declared.cases import case_faults
from daper.domains.declared.constants import Constants
from daper.domains.declared.document import CONTENT, ENV, HttpToolSection, SetSection, SqlToolSection, ToolSection
from daper.domains.declared.expressions import CannotJudge, Expression, ExpressionFault, MissingColumn, expression
from daper.domains.declared.file import DeclaredFile, Fault, Faulty
from daper.domains.declared.http_tool import HttpTool, Variables, doubts_of, secret_of
from daper.domains.declared.positions import Path as KeyPath
from daper.domains.declared.request import KEY, CannotSend, texts, told_address
from daper.domains.declared.set_tool import SetTool
from daper.domains.declared.shape import dotted
from daper.domains.declared.sql_tool import helped_of, is_sql, preview_of
from daper.domains.declared.tool import DeclaredTool
from daper.domains.declared.wording import named_in
from daper.stores.rows import mysql, statements, syntax
from daper.stores.rows.address import MYSQL
from daper.stores.rows.reasons import told_by
from daper.stores.rows.store import RowsView


@dataclass
class Look:
    """What there is to say of a file. `faults`: it cannot be used; `doubts`: what could not be proved, or is doubtful.

    `hints`: what looks like a slip, and may be meant.

    `columns`: what its query gives; `counts`: how many of the first `sample` records each rule is about.
    """

    faults: list[Fault] = field(default_factory=list[Fault])
    doubts: list[str] = field(default_factory=list[str])  # a Said is one, with commands as they run there
    hints: list[str] = field(default_factory=list[str])
    columns: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict[str, int])
    sample: int = 0


class Check:
    """Looks a file over that can be read: the query with no rows, then rules over a sample, then each tool, undone."""

    def __init__(self, file: DeclaredFile, *, variables: Variables, now: datetime) -> None:
        self._file = file
        self._variables = variables
        self._now = now
        self.look = Look()

    def run(self) -> Look:
        """All of it, as far as it can be looked at. Raises StoreError where the database does not answer."""
        try:
            made = declared(self._file, self._variables)
        except (SettingError, syntax.SqlFault) as error:
            said = str(error).removeprefix(f"{self._file.path}: ")
            self._fault(self._names(said), said)
            return self.look
        except Faulty as error:
            self.look.faults += error.faults
            return self.look
        if not self._query(made):
            return self.look
        conditions = self._conditions()
        self._words()
        self._cases()
        self._tables(made)
        if self.look.faults:
            return self.look
        self._rules(made, conditions)
        self.look.hints.extend(Constants(made).hints())
        self._tools(made)
        self._unlocked(made)
        self._roles(made)
        return self.look

    def _names(self, said: str) -> KeyPath:
        """The key with the variable that this is about."""
        domain = self._file.document.domain
        keys = {"writer": domain.writer, "database": domain.database}
        named = (key for key, given in keys.items() if given and said.startswith(f"{given.removeprefix(ENV)} "))
        return ("domain", *named)[:2]

    def _fault(self, path: Sequence[str | int], said: str) -> None:
        self.look.faults.append(Fault(self._file.at.key(path), said))

    def _query(self, made: Declared) -> bool:
        """Whether it runs, and has what the file says of its columns."""
        for path, query in (
            (("records", "sql"), made.store.rows.all),
            (("records", "scope"), made.store.rows.scoped),
            *((("rule", number, "sql"), query) for number, query in made.queries.items()),
            *self._queries_of_tools(made.store.reader.kind),
        ):
            if (found := self._columns_of(made, path, query)) is None:
                return False
            if path[0] == "records":
                self.look.columns = found
        self._named_columns(made)
        return not self.look.faults

    def _queries_of_tools(self, kind: str) -> Iterator[tuple[KeyPath, exp.Query]]:
        key = self._file.document.records.key
        for number, tool in enumerate(self._file.document.tool):
            if isinstance(tool, SqlToolSection):
                yield ("tool", number, "sql", "preview"), preview_of(tool.sql.preview, key, kind)
                if is_sql(tool.helped):
                    yield ("tool", number, "helped"), helped_of(tool.helped, key, kind)

    def _named_columns(self, made: Declared) -> None:
        """Whether the columns that `[records]` names are there."""
        records = self._file.document.records
        written = [each.alias_or_name for each in made.store.rows.all.selects if not each.is_star]
        # Around a query, SQLite gives the second of a name another one.
        if doubled := sorted(
            {name for given in (self.look.columns, written) for name in given if given.count(name) > 1}
        ):
            self._fault(("records", "sql"), f"two columns are called {doubled[0]!r}; give one another name: AS ...")
        self._is_column(("records", "key"), records.key)
        if records.status:
            self._is_column(("records", "status"), records.status)
        if records.version != CONTENT:
            self._is_column(("records", "version"), records.version)
        for name in records.types:
            self._is_column(("records", "types", name), name)
        for number, name in enumerate(records.hide):
            self._is_column(("records", "hide", number), name)

    def _columns_of(self, made: Declared, path: KeyPath, query: exp.Query) -> tuple[str, ...] | None:
        """What a query gives, asked for no row; None, and a fault, where the database refuses it."""
        sql = statements.empty(query, made.store.reader.kind)
        with made.store.reader.reading() as db:
            try:
                result = db.execute(sql.written, dict(sql.values))
            except DBAPIError as error:
                self._fault(path, f"the database refuses it: {told_by(error)}")
                return None
            for name in mysql.rounded(result) if path[-1] == "sql" and made.store.reader.kind == MYSQL else ():
                self._fault(path, statements.rounded_in_query(name))
            return tuple(result.keys())

    def _cases(self) -> None:
        """Whether the rows of cases have columns that are there."""
        for path, said in case_faults(self._file.document, self.look.columns):
            self._fault(path, said)

    def _is_column(self, path: KeyPath, name: str) -> None:
        if name not in self.look.columns:
            self._fault(path, str(MissingColumn(name, self.look.columns)))

    def _conditions(self) -> dict[str, Expression]:
        document = self._file.document
        found: dict[str, Expression] = {}
        for number, rule in enumerate(document.rule):
            if rule.when and (made := self._condition(("rule", number, "when"), rule.when)):
                found[rule.kind] = made
            for at, name in enumerate(rule.facts):
                self._is_column(("rule", number, "facts", at), name)
        for number, tool in enumerate(document.tool):
            self._of_tool(number, tool)
        return found

    def _of_tool(self, number: int, tool: ToolSection) -> None:
        if tool.helped and not is_sql(tool.helped):
            self._condition(("tool", number, "helped"), tool.helped)
        if tool.waits:
            self._condition(("tool", number, "waits"), tool.waits)
        if tool.only and not isinstance(tool, SetSection):
            self._condition(("tool", number, "only"), tool.only)
        if tool.spends:
            self._is_column(("tool", number, "spends"), tool.spends)
        if isinstance(tool, HttpToolSection):
            self._sent(number, tool)

    def _sent(self, number: int, tool: HttpToolSection) -> None:
        """Whether there is what it sends, and its secret; nothing is sent, and no name of a host is asked for."""
        http, at = tool.http, ("tool", number, "http")
        url = (*at, "url")
        self._values(tool, url, http.url, f"{dotted(list(url))} is '{told_address(http.url)}'")
        for text in texts(http.body):
            self._values(tool, (*at, "body"), text, f"{dotted([*at, 'body'])} has {shown(text)!r}")
        if http.secret:
            try:
                secret_of(http.secret, self._variables)
            except CannotSend as error:
                self._fault((*at, "secret", "value"), str(error))
        self.look.doubts.extend(doubts_of(tool))

    def _values(self, tool: HttpToolSection, path: KeyPath, text: str, told: str) -> None:
        """Whether there is a value for each name that stands in a text which is sent; `told`: where that is."""
        for name in named_in(text):
            if name in tool.args and name in self.look.columns:
                self._fault(path, f"{name!r} is an argument and a column; give the argument another name")
            elif name == KEY and KEY in self.look.columns:
                self._fault(path, "{key} is the key of the action, and a column; give the column another name: AS ...")
            elif name not in (known := (*self.look.columns, *tool.args, KEY)):
                self._fault(path, f"{told}: {MissingColumn(name, known, what='column or argument')}")

    def _condition(self, path: KeyPath, text: str) -> Expression | None:
        try:
            return expression(text, self.look.columns, hidden=self._file.document.records.hide)
        except ExpressionFault as error:
            self._fault(path, str(error))
            return None

    def _words(self) -> None:
        document = self._file.document
        sentences: list[tuple[KeyPath, str]] = [(("records", "title"), document.records.title)]
        sentences += [(("rule", number, "issue"), rule.issue) for number, rule in enumerate(document.rule)]
        for path, sentence in sentences:
            try:
                named = named_in(sentence)
            except ValueError as error:
                self._fault(path, str(error))
                continue
            for name in named:
                self._is_column(path, name)
                if name in document.records.hide:
                    self._fault(path, f"{name!r} is hidden, and this would show it")

    def _tables(self, made: Declared) -> None:
        """Whether the table of each tool that sets columns has them."""
        with made.store.writer.reading() as db:
            for number, tool in enumerate(self._file.document.tool):
                ready = made.tools[tool.name]
                if isinstance(tool, SetSection) and isinstance(ready, SetTool):
                    self._table(number, tool, ready, db, made.store.writer.kind)

    def _table(self, number: int, tool: SetSection, ready: SetTool, db: Connection, kind: str) -> None:
        path, key = ("tool", number, "table"), tool.key or self._file.document.records.key
        schema, _, name = tool.table.rpartition(".")
        try:
            columns = inspect(db).get_columns(name, schema=schema or None)
            if kind == MYSQL:
                mysql.refuse_untransacted(db, tool.table)
        except NoSuchTableError:
            near = get_close_matches(tool.table, inspect(db).get_table_names(schema=schema or None), n=1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            self._fault(path, f"there is no table {tool.table!r} where tools write{meant}")
            return
        except ActionFailed as error:
            self._fault(path, str(error))
            return
        found = [str(each["name"]) for each in columns]
        floats = {str(each["name"]) for each in columns if isinstance(each["type"], FLOAT)}
        for column in sorted(floats.intersection(ready.touched)):
            self._fault(path, ready.rounded(column))
        if key not in found:
            said = "its key" if tool.key else 'the records\' key; say which one has it: key = "..."'
            self._fault(("tool", number, "key") if tool.key else path, f"{tool.table!r} has no column {key!r}, {said}")
        self._sets(number, tool, found)
        self._reads(number, ready, found)

    def _sets(self, number: int, tool: SetSection, found: Sequence[str]) -> None:
        """Whether what it sets is there, and may be set."""
        records = self._file.document.records
        for column in tool.set:
            path = ("tool", number, "set", column)
            if column not in found:
                self._fault(path, str(MissingColumn(column, found)))
            elif column == (tool.key or records.key):
                self._fault(path, "the key of a record stays what it is; take it out")

    def _reads(self, number: int, tool: SetTool, found: Sequence[str]) -> None:
        """Whether its expressions name columns of the table alone."""
        pieces: dict[tuple[str, ...], exp.Expr] = {("set", column): part for column, part in tool.parts.items()}
        if tool.only is not None:
            pieces[("only",)] = tool.only
        for path, part in pieces.items():
            for name in sorted(syntax.columns(part) - set(found)):
                self._fault(("tool", number, *path), str(MissingColumn(name, found)))

    def _rules(self, made: Declared, conditions: Mapping[str, Expression]) -> None:
        """How many of the first records each rule is about."""
        rules = self._file.document.rule
        numbers = {rule.kind: number for number, rule in enumerate(rules)}
        self.look.counts = dict.fromkeys((rule.kind for rule in rules), 0)
        with made.store.reading() as view:
            records = made.read(view, view.page(None, most=PAGE)[0])
        self.look.sample = len(records)
        told: set[str] = set()
        for record in records:
            for kind in record.wrong:
                self.look.counts[kind] += 1
            for kind, condition in conditions.items():
                try:
                    self.look.counts[kind] += condition.holds(record.columns, self._now)
                except CannotJudge as error:
                    if kind not in told:
                        told.add(kind)
                        self._fault(("rule", numbers[kind], "when"), f"of record {record.record_id!r}: {error}")

    def _tools(self, made: Declared) -> None:
        """Each once, on a record that it fits, in a transaction that is rolled back."""
        with made.store.reading() as view:
            records = made.read(view, view.page(None, most=PAGE)[0])
        for number, (name, tool) in enumerate(made.tools.items()):
            if isinstance(tool, HttpTool):
                continue
            fitting = next(
                (each for each in records if not tool.terms(each.record_id, tool.defaults, [each]).obstacle), None
            )
            if fitting is None:
                self.look.doubts.append(
                    f"tool {name!r} was not tried: none of the first {len(records)} records fits it"
                )
                continue

            def attempt(
                view: RowsView, name: str = name, tool: DeclaredTool = tool, record_id: str = fitting.record_id
            ) -> None:
                if doubt := tool.try_out(view, record_id):
                    self.look.doubts.append(f"tool {name!r}: {doubt}")

            try:
                _undone(made, attempt)
            except DaperError as error:
                self._fault(("tool", number), f"tried on record {fitting.record_id!r}, and rolled back: {error}")

    def _unlocked(self, made: Declared) -> None:
        """Tables of MySQL that no transaction locks: what is written there while a tool runs is not seen."""
        if made.store.reader.kind != MYSQL:
            return
        with made.store.reader.reading() as db:
            for table in syntax.tables(made.store.rows.all):
                found = mysql.keeper(db, table.name, table.db)
                if found and found != mysql.TRANSACTIONAL:
                    self.look.doubts.append(
                        f"the query reads {table.name!r}, a table of {found}: what somebody writes there in the moment "
                        f"in which a tool runs is not noticed; make it one of {mysql.TRANSACTIONAL}"
                    )

    def _roles(self, made: Declared) -> None:
        if self._file.document.domain.writer is None:
            self.look.doubts.append(
                "queries and tools use one role ('database'), so that nothing but daper keeps queries from writing; "
                "give tools a role of their own: 'writer'"
            )
        self._canaries(made)
        try:
            if made.store.is_ready():
                made.store.try_ledger()
            else:
                self.look.doubts.append(
                    Said("there is no ledger yet: ", CommandLine("domain", "init", self._file.name))
                )
        except (StoreError, ActionFailed) as error:
            if error.retryable:
                raise
            self._fault(("domain",), f"the ledger cannot be written: {error}")

    def _canaries(self, made: Declared) -> None:
        for name, tool in made.tools.items():
            if tool.caps.canary * tool.settling >= DECISION_VALID_FOR:
                self.look.doubts.append(
                    f"tool {name!r}: trying {tool.caps.canary} first takes {tool.caps.canary * tool.settling}, and an "
                    f"approval is valid for {DECISION_VALID_FOR}, where no policy says more: the others would lapse, "
                    "and be asked for again"
                )


def _undone(made: Declared, attempt: Callable[[RowsView], None]) -> None:
    class Undone(Exception):
        """Ends the transaction."""

    with suppress(Undone), made.store.writer.changing() as db:
        attempt(RowsView(db, made.store.rows, made.store.writer.kind))
        raise Undone
