"""SQL that somebody wrote, read as a tree: what it is, what it names, and why it is refused."""

import re
from collections.abc import Iterable
from typing import Any, Final

import sqlglot
from sqlglot import exp
from sqlglot.dialects.mysql import MySQL
from sqlglot.errors import SqlglotError
from sqlglot.generator import Generator

from daper.core.errors import UserError
from daper.stores.rows.address import MYSQL, POSTGRESQL, SQLITE


def _regexp(writer: Generator, each: exp.RegexpLike) -> str:
    """The operator, which both know; with a flag it is a function that MySQL alone has."""
    flag = each.args.get("flag")
    return writer.func("REGEXP_LIKE", each.this, each.expression, flag) if flag else writer.binary(each, "REGEXP")


class _MySql(MySQL):
    """As MySQL and MariaDB both understand it."""

    class Generator(MySQL.Generator):
        TRANSFORMS = {  # noqa: RUF012 - as sqlglot has it
            **MySQL.Generator.TRANSFORMS,
            exp.RegexpLike: lambda self, each: _regexp(self, each),  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType] - as sqlglot has it
            exp.UtcDate: lambda *_: "UTC_DATE()",
        }


DIALECTS: Final[dict[str, str | type[MySQL]]] = {POSTGRESQL: "postgres", MYSQL: _MySql, SQLITE: "sqlite"}
OURS: Final = "daper_"  # names of parameters and columns that are daper's own
_CLOCK: Final = (
    exp.CurrentTimestamp, exp.CurrentDate, exp.CurrentTime, exp.CurrentDatetime,
    exp.Localtime, exp.Localtimestamp, exp.UtcTimestamp, exp.UtcDate, exp.UtcTime,
)  # fmt: skip
_CLOCKS_NAMES: Final = frozenset(
    {"now", "sysdate", "clock_timestamp", "transaction_timestamp", "statement_timestamp", "timeofday"}
)
_CLOCKS_WHEN_EMPTY: Final = frozenset({"unix_timestamp", "unixepoch", "julianday", "datetime"})
# What writes, wherever it stands.
_WRITES: Final = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.DDL, exp.Command)
# Functions whose effect stays when a transaction is rolled back, or that read what is no row.
_OUTSIDE: Final = re.compile(
    r"dblink|pg_(read_|ls_|stat_file|file_|sleep|terminate_|cancel_|reload_|rotate_|(try_)?advisory_|logical_|notify)"
    r"|lo_(import|export)|set_config$|setval$|query_to_xml|load_extension$|load_file$|readfile$|writefile$"
    r"|sleep$|benchmark$|get_lock$|release_lock$|sys_(exec|eval)|http(_|$)"
)
LEDGER_NAME: Final = "daper_ledger"
_INTERNAL: Final = re.compile(r"Required keyword: .* missing for <class .*>")  # of the parser's own classes


class SqlFault(UserError):
    """What is wrong with a piece of SQL. `line` and `column` count within the piece, from 1 on; 0: nobody knows."""

    def __init__(self, said: str, *, line: int = 0, column: int = 0) -> None:
        super().__init__(said)
        self.line = line
        self.column = column


def expression(sql: str, kind: str) -> exp.Expr:
    """One expression over the columns of a table. Raises SqlFault for what is none."""
    found = _parsed(f"SELECT {sql}", kind, shift=len("SELECT "))
    if not isinstance(found, exp.Select) or len(found.expressions) != 1 or set(filled(found)) != {"expressions"}:
        raise SqlFault(f"{sql!r} is not one expression over the columns of the table")
    return found.expressions[0].unalias()


def checked_texts(sql: str, kind: str) -> tuple[str, tuple[str, ...]] | None:
    """The column and the texts of a condition that it is one of these; None for any other condition."""
    try:
        found = expression(sql, kind).unnest()
    except SqlFault:
        return None
    # PostgreSQL has made it = ANY (ARRAY[...]).
    is_list = isinstance(found, exp.In) or (isinstance(found, exp.EQ) and found.expression.find(exp.Any) is not None)
    names = {each.name for each in found.find_all(exp.Column)}
    texts = tuple(str(each.this) for each in found.find_all(exp.Literal, bfs=False) if each.is_string)
    if not is_list or len(names) != 1 or not texts or found.find(exp.Connector, exp.Not, exp.Query) is not None:
        return None
    return names.pop(), texts


def of_one_row(sql: str, kind: str) -> exp.Expr:
    """An expression that reads no other row: nobody sees when that changes. Raises SqlFault for what does."""
    found = expression(sql, kind)
    if found.find(exp.Query) is not None:
        raise SqlFault(f"{sql!r} reads other rows; a tool may read the columns of its own row alone")
    return found


def is_of_the_clock(sql: exp.Expr) -> bool:
    """Whether it comes to another value whenever it is asked, because it tells the time."""
    says_now = any(each.is_string and str(each.this).lower() == "now" for each in sql.find_all(exp.Literal))
    return says_now or sql.find(*_CLOCK) is not None or any(map(_tells_the_time, sql.find_all(exp.Anonymous)))


def _tells_the_time(function: exp.Anonymous) -> bool:
    name = function.name.lower()
    return name in _CLOCKS_NAMES or (name in _CLOCKS_WHEN_EMPTY and not function.expressions)


def select(sql: str, kind: str) -> exp.Query:
    """One SELECT without parameters. Raises SqlFault for what is none."""
    found = _parsed(sql, kind)
    if not isinstance(found, exp.Query):
        raise SqlFault("it must be one SELECT")
    if found.find(exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Into) is not None:
        raise SqlFault("it writes, and a query of records reads")
    if names := parameters(found):
        raise SqlFault(f"a query of records takes no parameters; it has :{', :'.join(names)}")
    return found


def change(sql: str, kind: str, *, allowed: tuple[type[exp.Expr], ...] = (exp.Update, exp.Insert)) -> exp.Expr:
    """One statement of these kinds that changes rows, and does nothing else. Raises SqlFault for what does more."""
    found = _parsed(sql, kind)
    if not isinstance(found, allowed):
        raise SqlFault(f"it must be one {' or '.join(each.__name__.upper() for each in allowed)}")
    if any(each is not found for each in found.find_all(*_WRITES)):
        raise SqlFault("it writes within what it reads; it must be one statement that changes rows of one table")
    if found.find(exp.Returning, exp.Into) is not None or found.args.get("overwrite") or found.args.get("alternative"):
        raise SqlFault("it may neither give rows back nor replace some: RETURNING, INTO, OR REPLACE")
    if found.find(exp.Parameter) is not None or any(not each.this for each in found.find_all(exp.Placeholder)):
        raise SqlFault("a parameter has a name, as in :reason")
    if any(each.name.lower() == LEDGER_NAME for each in found.find_all(exp.Table)):
        raise SqlFault(f"{LEDGER_NAME} is daper's own")
    if reaching := sorted(each.name for each in found.find_all(exp.Anonymous) if _OUTSIDE.match(each.name.lower())):
        raise SqlFault(f"{reaching[0]}() reaches out of the transaction, which could not take that back")
    return found


def changed_table(change: exp.Expr) -> str:
    """The table whose rows a statement of `change` is about, with its schema where it names one."""
    table = next(change.find_all(exp.Table))
    return f"{table.db}.{table.name}" if table.db else table.name


def within(query: exp.Query, scope: str, kind: str) -> exp.Query:
    """The same rows, but only those for which a condition holds. Raises SqlFault."""
    condition = expression(scope, kind)
    if not isinstance(query, exp.Select):
        raise SqlFault("a scope needs a plain SELECT; put the condition into the query itself")
    return query.where(condition)


def parameters(sql: exp.Expr) -> tuple[str, ...]:
    """The names of the parameters that stand in it, as in `:reason`."""
    return tuple(sorted({str(each.this) for each in sql.find_all(exp.Placeholder) if each.this}))


def tables(sql: exp.Expr) -> tuple[exp.Table, ...]:
    """The tables that it reads."""
    return tuple(sql.find_all(exp.Table))


def columns(sql: exp.Expr) -> frozenset[str]:
    """The names of the columns that it reads."""
    return frozenset(each.name for each in sql.find_all(exp.Column))


def filled(found: exp.Select) -> Iterable[str]:
    """The names of the parts that a SELECT has."""
    return (name for name, value in found.args.items() if value)


def _parsed(sql: str, kind: str, *, shift: int = 0) -> exp.Expr:
    try:
        found = [each for each in sqlglot.parse(sql, dialect=DIALECTS[kind]) if each is not None]
    except SqlglotError as error:
        raise _fault(error, shift) from None
    except RecursionError:
        raise SqlFault("it is nested too deeply") from None
    if len(found) != 1:
        raise SqlFault(f"it must be one statement; it is {len(found)}")
    for name in parameters(found[0]):
        if name.startswith(OURS):
            raise SqlFault(f"parameters that begin with {OURS} are daper's own: :{name}; call it something else")
    return found[0]


def _fault(error: SqlglotError, shift: int) -> SqlFault:
    # Any: what sqlglot says of each error.
    known: list[dict[str, Any]] = getattr(error, "errors", [])
    if not known:
        return SqlFault(f"it cannot be read: {str(error).partition(chr(10))[0]}")
    first = known[0]
    line, column = int(first.get("line") or 0), int(first.get("col") or 0)
    described = _INTERNAL.sub("something is missing", str(first.get("description", "")))
    return SqlFault(
        f"it cannot be read: {described} near {str(first.get('highlight', ''))!r}",
        line=line,
        column=max(1, column - shift) if line == 1 else column,
    )
