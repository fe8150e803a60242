"""Texts that a file compares a column with, and that no row has: likely a slip, and never a fault."""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

from sqlglot import exp

from daper.core.errors import ActionFailed, StoreError
from daper.core.text import shown
from daper.domains.declared.binding import Declared
from daper.domains.declared.document import SetSection, ToolSection
from daper.domains.declared.guesses import is_personal
from daper.domains.declared.positions import Path
from daper.domains.declared.set_tool import SetTool
from daper.domains.declared.sql_tool import is_sql
from daper.stores.rows import statements, syntax
from daper.stores.rows.engine import RowsDatabase

MOST: Final = 50
"""A column with more values than that has no list of them: it is free text."""
ROWS: Final = 100_000
"""In so many rows its values are looked for."""
_NAMED: Final = 10
_ALIKE: Final = 0.85
# CEL in pieces: texts, comments, names, and what stands between them.
_PIECE: Final = re.compile(
    r"""(?P<text>[rRbB]{0,2}(?:'''(?:\\.|[^\\])*?'''|\"\"\"(?:\\.|[^\\])*?\"\"\"|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"))"""
    r"""|(?P<left>//[^\n]*|\s+)|(?P<other>[A-Za-z_]\w*|==|!=|<=|>=|&&|\|\||[0-9][\w.]*|.)""",
    re.DOTALL,
)
_ENDS: Final = frozenset({".", "(", "[", "+", "-", "*", "/", "%"})
_COMPARES: Final = frozenset({"==", "!="})


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A column, the text that it is compared with, and where that stands in its expression, from 1 on."""

    column: str
    value: str
    line: int = 0
    place: int = 0


@dataclass(frozen=True)
class _Piece:
    said: str
    at: int
    is_text: bool


def near(value: str, known: Sequence[str]) -> str:
    """The one of these texts that somebody meant who wrote this one, if it looks like a slip; else nothing."""
    folded = value.casefold()

    def likeness(other: str) -> float:
        bare = other.casefold()
        if bare.strip() == folded.strip() or sorted(bare) == sorted(folded):
            return 1.0
        return SequenceMatcher(None, folded, bare).ratio()

    best = max(known, key=likeness, default="")
    return best if best and likeness(best) >= _ALIKE else ""


def compared(text: str) -> Iterator[Compared]:
    """What an expression of CEL compares a column of the record with, by ==, != or `in`: that column by itself."""
    pieces = [
        _Piece(each[0], each.start(), each["text"] is not None) for each in _PIECE.finditer(text) if not each["left"]
    ]
    for at, piece in enumerate(pieces):
        before, after = (pieces[at - 1].said if at else ""), _said(pieces, at + 1)
        if piece.is_text and before in _COMPARES and after not in _ENDS:
            column = _column_before(pieces, at - 1)
        elif piece.is_text and after in _COMPARES and before not in _ENDS:
            column = _column_after(pieces, at + 2)
        else:
            column = ""
        if column:
            yield from _found(text, column, piece)
        if piece.said == "in" and not piece.is_text and after == "[":
            yield from _listed(text, pieces, at)


def _listed(text: str, pieces: Sequence[_Piece], at: int) -> Iterator[Compared]:
    column = _column_before(pieces, at)
    for piece in pieces[at + 2 :] if column else ():
        if piece.said == "]":
            return
        if piece.is_text:
            yield from _found(text, column, piece)


def _found(text: str, column: str, piece: _Piece) -> Iterator[Compared]:
    try:
        value: object = ast.literal_eval(piece.said)
    except (ValueError, SyntaxError):
        return
    if isinstance(value, str):
        line = text.count("\n", 0, piece.at) + 1
        yield Compared(column=column, value=value, line=line, place=piece.at - text.rfind("\n", 0, piece.at))


def _said(pieces: Sequence[_Piece], at: int) -> str:
    return pieces[at].said if at < len(pieces) else ""


def _column_before(pieces: Sequence[_Piece], at: int) -> str:
    """The column whose name ends before a piece; nothing where more than its name stands there."""
    if at < 3 or [pieces[at - 3].said, pieces[at - 2].said] != ["r", "."]:
        return ""
    return "" if at > 3 and pieces[at - 4].said in _ENDS - {"(", "["} else pieces[at - 1].said


def _column_after(pieces: Sequence[_Piece], at: int) -> str:
    if [_said(pieces, at), _said(pieces, at + 1)] != ["r", "."] or _said(pieces, at + 3) in _ENDS:
        return ""
    return _said(pieces, at + 2)


class Constants:
    """Looks through a file with its database."""

    def __init__(self, made: Declared) -> None:
        self._made = made
        self._file = made.file
        self._known: dict[tuple[str, str], tuple[tuple[str, ...], bool]] = {}

    def hints(self) -> Iterator[str]:
        """What looks like a slip, each with its line."""
        made, kind = self._made, self._made.store.reader.kind
        for number, rule in enumerate(self._file.document.rule):
            yield from self._of_cel(("rule", number, "when"), rule.when, f"rule {rule.kind!r}")
            if rule.sql:
                found = syntax.select(rule.sql, kind)
                yield from self._of_query(("rule", number, "sql"), found, found, f"rule {rule.kind!r}")
        if self._file.document.records.scope:
            scope = syntax.expression(self._file.document.records.scope, kind)
            yield from self._of_query(("records", "scope"), scope, made.store.rows.all, "'records.scope'")
        for number, tool in enumerate(self._file.document.tool):
            yield from self._of_tool(("tool", number), tool)

    def _of_tool(self, at: Path, tool: ToolSection) -> Iterator[str]:
        who = f"tool {tool.name!r}"
        if not is_sql(tool.helped):
            yield from self._of_cel((*at, "helped"), tool.helped, who, slips=True)
        yield from self._of_cel((*at, "waits"), tool.waits, who, slips=True)
        ready = self._made.tools[tool.name]
        if not isinstance(tool, SetSection):
            yield from self._of_cel((*at, "only"), tool.only, who)
            return
        if not isinstance(ready, SetTool):
            return
        database = self._made.store.writer
        query = syntax.select(
            f"SELECT * FROM {statements.table_name(tool.table, database.kind)}",  # noqa: S608 - the operator's own SQL
            database.kind,
        )
        if ready.only is not None:
            for each in _of_sql(ready.only):
                yield from self._hint((*at, "only"), each, who, query, database)
        for column, part in ready.parts.items():
            if isinstance(part, exp.Literal) and part.is_string:
                each = Compared(column=column, value=str(part.this))
                yield from self._slip((*at, "set", column), each, who, query, database)

    def _slip(self, path: Path, each: Compared, who: str, query: exp.Query, database: RowsDatabase) -> Iterator[str]:
        known = self._missing(each, query, database)
        if known and not self._is_personal(each.column) and (meant := near(each.value, known)):
            told = f"it sets {each.column} to {shown(each.value)!r}, which no row has"
            yield f"{who}, line {self._line(path, each)}: {told}; did you mean {shown(meant)!r}?"

    def _of_cel(self, path: Path, text: str, who: str, *, slips: bool = False) -> Iterator[str]:
        for each in compared(text):
            yield from self._hint(path, each, who, self._made.store.rows.all, self._made.store.reader, slips=slips)

    def _of_query(self, path: Path, part: exp.Expr, query: exp.Query, who: str) -> Iterator[str]:
        """Of a condition over the tables that a query reads: of each column that it compares, those of the query."""
        for each, column in _columns_of(part):
            if isinstance(query, exp.Select) and not query.args.get("group"):
                all_of = query.copy().select(exp.alias_(column.copy(), each.column, quoted=True), append=False)
                if part is query:
                    all_of.set("where", None)
                yield from self._hint(path, each, who, all_of, self._made.store.reader)

    def _hint(
        self, path: Path, each: Compared, who: str, query: exp.Query, database: RowsDatabase, *, slips: bool = False
    ) -> Iterator[str]:
        known = self._missing(each, query, database)
        if not known:
            return
        told = "" if self._is_personal(each.column) else self._there(each, known, slips=slips)
        if told or not slips:
            yield f"{who}, line {self._line(path, each)}: no row has {each.column} {shown(each.value)!r}{told}"

    @staticmethod
    def _there(each: Compared, known: Sequence[str], *, slips: bool) -> str:
        listed = ", ".join(shown(value) for value in sorted(known)[:_NAMED]) + (", ..." if len(known) > _NAMED else "")
        meant = near(each.value, known)
        asked = f"; did you mean {shown(meant)!r}?" if meant else ""
        return asked if slips else f"; there are: {listed}{asked}"

    def _line(self, path: Path, each: Compared) -> int:
        return self._file.at.within(path, each.line, each.place).line

    def _is_personal(self, column: str) -> bool:
        """Whether its values are not to be told: it is hidden, under whatever name, or likely tells of a person."""
        hidden = set(self._file.document.records.hide)
        hidden |= {
            name.name
            for each in self._made.store.rows.all.selects
            if each.alias_or_name in hidden
            for name in each.find_all(exp.Column)
        }
        return column in hidden or is_personal(column)

    def _missing(self, each: Compared, query: exp.Query, database: RowsDatabase) -> tuple[str, ...]:
        """The texts that the rows have in its column, if this is none of them; nothing where that cannot be told."""
        try:
            known, whole = self._values(each.column, query, database)
            if not known or each.value in known:
                return ()
            return () if not whole and self._is_there(each, query, database) else known
        except (StoreError, ActionFailed):  # it takes too long, or cannot be asked so: a hint is no reason to fail
            self._known[each.column, query.sql()] = ((), True)
            return ()

    def _values(self, column: str, query: exp.Query, database: RowsDatabase) -> tuple[tuple[str, ...], bool]:
        """The texts in a column, if they are few; and whether all rows were looked at."""
        key = (column, query.sql())
        if key not in self._known:
            sql = statements.values(query, column, database.kind, rows=ROWS, most=MOST + 1)
            with database.reading() as db:
                found = [tuple(row) for row in db.execute(sql.written, dict(sql.values))]
            texts = tuple(value for value, _ in found if isinstance(value, str))
            few = len(texts) == len(found) <= MOST
            self._known[key] = (texts if few else (), sum(int(rows) for _, rows in found) < ROWS)
        return self._known[key]

    def _is_there(self, each: Compared, query: exp.Query, database: RowsDatabase) -> bool:
        sql = statements.holding(query, each.column, database.kind)
        with database.reading() as db:
            return db.execute(sql.written, sql.with_values(daper_value=each.value)).first() is not None


def _of_sql(part: exp.Expr) -> Iterator[Compared]:
    for each, _ in _columns_of(part):
        yield each


def _columns_of(part: exp.Expr) -> Iterator[tuple[Compared, exp.Column]]:
    """The columns that SQL compares with texts, by =, <> or IN; not those of a query within it."""
    whole = part.copy()  # of its own: it may be a piece of a query
    for each in whole.find_all(exp.EQ, exp.NEQ, exp.In):
        inner = each.find_ancestor(exp.Query)
        if inner is not None and inner is not whole:
            continue
        sides = [each.this, *(each.expressions if isinstance(each, exp.In) else [each.expression])]
        columns = [side for side in sides if isinstance(side, exp.Column)]
        if len(columns) == 1:
            for side in sides:
                if isinstance(side, exp.Literal) and side.is_string:
                    yield Compared(column=columns[0].name, value=str(side.this)), columns[0]
