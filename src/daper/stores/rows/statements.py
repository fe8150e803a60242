"""The statements that daper needs, made of SQL that somebody wrote: nothing of a record is ever part of one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from sqlalchemy import TextClause, bindparam, text
from sqlglot import exp

from daper.stores.rows.address import MYSQL, POSTGRESQL, SQLITE
from daper.stores.rows.syntax import DIALECTS, OURS, columns, filled

IDS: Final = "daper_ids"
AFTER: Final = "daper_after"


@dataclass(frozen=True, kw_only=True)
class Sql:
    """A statement with the values of its own texts; further values come with each use."""

    written: TextClause
    values: Mapping[str, object] = field(default_factory=dict[str, object])

    def with_values(self, **values: object) -> dict[str, object]:
        """All values of one use."""
        return {**self.values, **values}


def statement(sql: exp.Expr, kind: str) -> Sql:
    """A statement as it is executed, with its parameters by their names."""
    written, values = rendered(sql, kind)
    return Sql(written=text(written), values=values)


def told(sql: exp.Expr, kind: str, values: Mapping[str, object]) -> str:
    """As people read it: in the words of that kind of database, with what its parameters are."""
    whole = exp.Tuple(expressions=[sql.copy()])
    for placeholder in [*whole.find_all(exp.Placeholder)]:
        placeholder.replace(exp.Var(this=repr(values.get(str(placeholder.this)))))
    return whole.expressions[0].sql(dialect=DIALECTS[kind], copy=False, comments=False)


def page(query: exp.Query, key: str, kind: str, *, most: int, after: bool) -> Sql:
    """At most so many rows in the order of their key, from the first on or behind `AFTER`."""
    name = quoted(key, kind)
    where = f" WHERE daper_r.{name} > :{AFTER}" if after else ""
    written, values = rendered(query, kind)
    before, first = page_start(query, key, kind)
    return Sql(
        written=text(f"{before}{first} * FROM ({written}) AS daper_r{where} ORDER BY daper_r.{name} LIMIT {most:d}"),
        values=values,
    )


def page_start(query: exp.Query, key: str, kind: str) -> tuple[str, str]:
    """How a statement that gives a page of a query begins, and its SELECT.

    MySQL decides on the order of tables, and on buffers in which it is lost, as if all rows were wanted: it would join
    them all and sort them for each page. Where nothing but the first table, whose key it is, chooses among its rows,
    that one is read first, in the order of its key; and MariaDB, which alone reads `/*M!`, uses no buffers.
    """
    if kind == MYSQL and isinstance(query, exp.Select) and _is_led_by_key(query, key):
        return "/*M! SET STATEMENT join_cache_level = 0 FOR */ ", "SELECT STRAIGHT_JOIN"
    return "", "SELECT"


def _is_led_by_key(query: exp.Select, key: str) -> bool:
    first, joins, where = (query.args.get(name) for name in ("from_", "joins", "where"))
    if not joins or not set(filled(query)) <= {"expressions", "from_", "joins", "where"}:
        return False
    if not isinstance(first, exp.From) or not isinstance(first.this, exp.Table):
        return False
    chosen = [each.unalias() for each in query.selects if each.alias_or_name == key]
    if where is not None:
        chosen += [*where.find_all(exp.Column), *where.find_all(exp.Query)]
    leads = first.this.alias_or_name
    return (
        len(chosen) > 0
        and all(isinstance(each, exp.Column) and each.table == leads for each in chosen)
        and all(join.side in {"", "LEFT"} for join in joins)
    )


def named(query: exp.Query, key: str, kind: str, *, as_texts: bool = False) -> Sql:
    """The rows with these keys: `IDS`, as texts. `as_texts`: where one of them may be no key at all; reads them all."""
    written, values = rendered(query, kind)
    name = quoted(key, kind)
    known = f"CAST(daper_r.{name} AS TEXT)" if as_texts else f"daper_r.{name}"
    sql = f"SELECT * FROM ({written}) AS daper_r WHERE {known} IN :{IDS} ORDER BY daper_r.{name}"  # noqa: S608 - the operator's own SQL
    return Sql(written=text(sql).bindparams(bindparam(IDS, expanding=True)), values=values)


def counted(query: exp.Query, kind: str) -> Sql:
    """How many rows there are."""
    written, values = rendered(query, kind)
    return Sql(written=text(f"SELECT count(*) FROM ({written}) AS daper_r"), values=values)  # noqa: S608 - the operator's own SQL


def empty(query: exp.Query, kind: str) -> Sql:
    """Its columns, and no row."""
    written, values = rendered(query, kind)
    return Sql(written=text(f"SELECT * FROM ({written}) AS daper_r LIMIT 0"), values=values)  # noqa: S608 - the operator's own SQL


def values(query: exp.Query, column: str, kind: str, *, rows: int, most: int) -> Sql:
    """The most frequent values of a column with how many of the first `rows` rows have them, each byte for byte."""
    written, own = rendered(query, kind)
    some = f"SELECT {quoted(column, kind)} AS daper_v FROM ({written}) AS daper_r LIMIT {int(rows)}"  # noqa: S608 - the operator's own SQL
    same = "daper_v, HEX(daper_v)" if kind == MYSQL else "daper_v"
    return Sql(
        written=text(
            f"SELECT daper_v, count(*) AS daper_n FROM ({some}) AS daper_s WHERE daper_v IS NOT NULL "  # noqa: S608 - the operator's own SQL
            f"GROUP BY {same} ORDER BY daper_n DESC LIMIT {int(most)}"
        ),
        values=own,
    )


def holding(query: exp.Query, column: str, kind: str) -> Sql:
    """A row in which a column is `daper_value`, if there is one."""
    written, own = rendered(query, kind)
    sql = f"SELECT 1 FROM ({written}) AS daper_r WHERE {quoted(column, kind)} = :daper_value LIMIT 1"  # noqa: S608 - the operator's own SQL
    return Sql(written=text(sql), values=own)


def ahead(table: str, key: str, parts: Mapping[str, exp.Expr], kind: str) -> Sql:
    """What these expressions would come to in the rows of a table with these keys: `IDS`, as texts."""
    told = [f"{quoted(key, kind)} AS {quoted(key, kind)}"]
    values: dict[str, object] = {}
    for name, part in parts.items():
        written, own = rendered(part, kind, start=len(values))
        told.append(f"({written}) AS {quoted(name, kind)}")
        values |= own
    sql = f"SELECT {', '.join(told)} FROM {table_name(table, kind)} WHERE {quoted(key, kind)} IN :{IDS}"  # noqa: S608 - the operator's own SQL
    return Sql(written=text(sql).bindparams(bindparam(IDS, expanding=True)), values=values)


def of_key(key: str, kind: str, raw_key: object, *, table: str = "") -> str:
    """The condition that a row has the key `IDS`: this very one, also where texts that only look alike are equal."""
    name = f"{table}.{quoted(key, kind)}" if table else quoted(key, kind)
    same = f"{name} = :{IDS}"
    if not isinstance(raw_key, str) or kind == POSTGRESQL:
        return same
    if kind == SQLITE:
        return f"{same} AND {name} = :{IDS} COLLATE BINARY"
    return f"{same} AND {_octets(name)} = {_octets(f':{IDS}')}"


def _octets(sql: str) -> str:
    return f"CAST(CONVERT({sql} USING utf8mb4) AS BINARY)"


def update(
    table: str, key: str, parts: Mapping[str, exp.Expr], only: exp.Expr | None, kind: str, *, raw_key: object
) -> Sql:
    """Set columns of the row with the key `IDS`, of one, where a condition holds: each from the row as it was."""
    values: dict[str, object] = {}
    former, target, row = ("", table_name(table, kind), "")
    if kind == MYSQL:  # which would take what was set before in the same statement
        former, row = "daper_f", "daper_t"
        read = sorted({key}.union(*map(columns, parts.values()), columns(only) if only is not None else ()))
        names = ", ".join(quoted(name, kind) for name in read)
        # With a limit it is read first, and never merged into the statement around it.
        before = f"SELECT {names} FROM {target} WHERE {of_key(key, kind, raw_key)} LIMIT 2"  # noqa: S608 - names of the operator
        target = f"{target} AS {row} JOIN ({before}) AS {former} ON TRUE"
    sets: list[str] = []
    for name, part in parts.items():
        written, own = rendered(_of_table(part, former), kind, start=len(values))
        sets.append(f"{f'{row}.' if row else ''}{quoted(name, kind)} = {written}")
        values |= own
    where = of_key(key, kind, raw_key, table=row)
    if only is not None:
        written, own = rendered(_of_table(only, former), kind, start=len(values))
        where, values = f"{where} AND ({written})", values | own
    return Sql(written=text(f"UPDATE {target} SET {', '.join(sets)} WHERE {where}"), values=values)  # noqa: S608 - the operator's own SQL


def _of_table(sql: exp.Expr, table: str) -> exp.Expr:
    """The expression over the columns of that table, whatever it calls them; as it is where that has no name."""
    whole = exp.Tuple(expressions=[sql.copy()])
    for column in [*whole.find_all(exp.Column)] if table else ():
        column.replace(exp.column(column.name, table=table, quoted=True))
    return whole.expressions[0]


def rounded_in_query(column: str) -> str:
    """The same of a column of the query, with the way out."""
    return f"{rounded(column)}; write CAST({column} AS DOUBLE) AS {column}"


def rounded(column: str) -> str:
    """What is wrong with a FLOAT of MySQL, in words."""
    return f"column {column!r} is a FLOAT, which the server rounds as it sends it: nobody would see every change"


def quoted(name: str, kind: str) -> str:
    """A name, so that it is no other word, and a colon in it no parameter."""
    return in_quotes(name, kind).replace(":", r"\:")


@lru_cache(maxsize=1024)
def in_quotes(name: str, kind: str) -> str:
    """A name as somebody writes it who takes no chances."""
    return exp.to_identifier(name, quoted=True).sql(dialect=DIALECTS[kind], copy=False)


def table_name(table: str, kind: str) -> str:
    """A table, with its schema where it has one."""
    return ".".join(quoted(part, kind) for part in table.split("."))


def rendered(sql: exp.Expr, kind: str, *, start: int = 0) -> tuple[str, dict[str, object]]:
    """As text, with its values; in it, a text with a colon is a parameter: it would be taken for one."""
    whole, values = exp.Tuple(expressions=[sql.copy()]), dict[str, object]()  # around it, so that all of it may go
    for part in [*whole.find_all(exp.Literal, exp.Identifier, exp.Placeholder)]:
        if isinstance(part, exp.Identifier):
            part.set("this", str(part.this).replace(":", r"\:"))
        elif isinstance(part, exp.Placeholder):  # which each dialect writes in a way of its own
            part.replace(exp.Var(this=f":{part.this}"))
        elif part.is_string and ":" in str(part.this):
            name = f"{OURS}t{start + len(values)}"
            values[name] = str(part.this)
            part.replace(exp.Var(this=f":{name}"))
    return whole.expressions[0].sql(dialect=DIALECTS[kind], copy=False, comments=False), values
