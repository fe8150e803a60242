"""Of which columns of which tables a query makes what it gives: by its text alone, and rather too many than too few.

What a view, a function or a trigger makes of them, no text of a query shows.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlglot import exp

ANY: Final = "*"
"""In place of the name of a column: any of them; in place of that of a table: nobody can tell which."""

Seen = set[tuple[int, str]]
"""What was followed already: the columns of a query that reads itself lead nowhere new."""

# What comes of these tells something of a value, and is not it.
_OF_VALUES: Final = (exp.Predicate, exp.Count, exp.Length)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """A column of a table; in small letters, for whether those count is known to the database alone."""

    table: str
    column: str

    def meets(self, other: "Origin") -> bool:
        """Whether both may be the same."""
        tables, columns = {self.table, other.table}, {self.column, other.column}
        return (ANY in tables or len(tables) == 1) and (ANY in columns or len(columns) == 1)


# Functions that read by a text of their own.
_UNREAD: Final = re.compile(r"(query|table|cursor|schema|database)_to_xml|dblink", re.IGNORECASE)
UNKNOWN: Final = Origin(table=ANY, column=ANY)


def of_table(table: str, sql: exp.Expr) -> frozenset[Origin]:
    """Of what an expression over the columns of one table is made."""
    name = table.rpartition(".")[2].lower()
    return frozenset(Origin(table=name, column=each.name.lower()) for each in _in_values(sql))


def of_output(query: exp.Query, name: str) -> frozenset[Origin]:
    """Of what one column is made that a query gives."""
    return frozenset(_output(query, name.lower(), set()))


def of_stars(query: exp.Query) -> frozenset[Origin]:
    """The tables of which a query gives all columns, as they are called there."""
    found: set[Origin] = set()
    for each in query.selects:
        if each.is_star and (select := each.find_ancestor(exp.Select)) is not None:
            found |= set(_star(each, select, set()))
    return frozenset(found)


def of_all(query: exp.Query) -> frozenset[Origin]:
    """All that it reads, wherever that stands."""
    seen: Seen = set()
    found = {origin for column in query.find_all(exp.Column) for origin in _column(column, seen)}
    if any(_UNREAD.match(each.name) for each in query.find_all(exp.Anonymous)):
        found.add(UNKNOWN)
    for star in query.find_all(exp.Star):
        select = star.find_ancestor(exp.Select)
        if select is not None and star in select.expressions and isinstance(select.parent, exp.SetOperation):
            found |= set(_star(star, select, seen))  # what it gives is called as in the first of them
    return frozenset(found)


def _in_values(sql: exp.Expr) -> Iterator[exp.Column]:
    """The columns whose values it gives on, and not those that it only compares or counts."""
    match sql:
        case exp.Column():
            yield sql
        case exp.If():
            yield from _in_parts(sql.args.get("true"), sql.args.get("false"))
        case exp.Case():
            yield from _in_parts(*sql.args.get("ifs", ()), sql.args.get("default"))
        case exp.Query():
            for each in sql.selects:
                yield from _in_values(each)
        case _ if isinstance(sql, _OF_VALUES):
            return
        case _:
            for child in sql.iter_expressions():
                yield from _in_values(child)


def _in_parts(*parts: exp.Expr | None) -> Iterator[exp.Column]:
    for part in parts:
        if part is not None:
            yield from _in_values(part)


def _output(query: exp.Expr, name: str, seen: Seen) -> Iterator[Origin]:
    """Of what the column of that name is made; of several queries in one, the first names it."""
    selects = _selects(query)
    first = selects[0].expressions if selects else []
    places = [at for at, each in enumerate(first) if each.alias_or_name.lower() == name]
    has_star = any(each.is_star for each in first)
    for at in places:
        yield from _place(selects, at, seen)
    if places or not selects:
        return
    if not has_star or len(selects) > 1:
        yield UNKNOWN
        return
    yield from _among(name, selects[0], seen)


def _place(selects: list[exp.Select], at: int, seen: Seen) -> Iterator[Origin]:
    """Of what the column at a place is made, in each of several queries."""
    for select in selects:
        if (id(select), str(at)) in seen:
            continue
        seen.add((id(select), str(at)))
        if any(each.is_star for each in select.expressions[: at + 1]) or at >= len(select.expressions):
            yield UNKNOWN
            continue
        for column in _in_values(select.expressions[at]):
            yield from _column(column, seen)


def _selects(query: exp.Expr) -> list[exp.Select]:
    match query:
        case exp.Select():
            return [query]
        case exp.SetOperation():
            return [*_selects(query.left), *_selects(query.right)]
        case exp.Subquery():
            return _selects(query.this)
        case _:
            return []


def _column(column: exp.Column, seen: Seen) -> Iterator[Origin]:
    select = column.find_ancestor(exp.Select)
    if select is None:
        yield UNKNOWN
        return
    name = column.name.lower()
    if not column.table:
        yield from _unqualified(name, select, seen)
        return
    source = _source(column.table.lower(), select)
    if source is None:
        yield Origin(table=ANY, column=name)
    else:
        yield from _of_source(source, ANY if column.is_star else name, seen)


def _unqualified(name: str, select: exp.Select, seen: Seen) -> Iterator[Origin]:
    """A column without its table: any that is there, or around it, may have it."""
    at: exp.Select | None = select
    while at is not None:
        yield from _among(name, at, seen)
        at = at.find_ancestor(exp.Select)


def _among(name: str, select: exp.Select, seen: Seen) -> Iterator[Origin]:
    """A column of any of the tables of one query. A table's own name is its whole row."""
    for called, source in _sources(select).items():
        inner = _query_of(source)
        if called == name:
            yield from _of_source(source, ANY, seen)
        elif inner is None or _may_give(inner, source, name):
            yield from _of_source(source, name, seen)


def _may_give(inner: exp.Expr, source: exp.Expr, name: str) -> bool:
    given = [each.lower() for each in _renamed(source)]
    selects = _selects(inner)
    if given or not selects:
        return name in given or not selects
    return any(each.is_star or each.alias_or_name.lower() == name for each in selects[0].expressions)


def _of_source(source: exp.Expr, name: str, seen: Seen) -> Iterator[Origin]:
    """Of what a column of a table, or of a query in place of one, is made."""
    inner, renamed = _query_of(source), [each.lower() for each in _renamed(source)]
    if (id(source), name) in seen:
        return
    seen.add((id(source), name))
    if inner is None:
        whole = bool(renamed) or not isinstance(source, exp.Table)
        yield Origin(table=source.name.lower() if isinstance(source, exp.Table) else ANY, column=ANY if whole else name)
    elif name == ANY:
        for select in _selects(inner):
            for at, each in enumerate(select.expressions):
                yield from _star(each, select, seen) if each.is_star else _place([select], at, seen)
    elif name in renamed:
        yield from _place(_selects(inner), renamed.index(name), seen)
    else:
        yield from _output(inner, name, seen)


def _star(star: exp.Expr, select: exp.Select, seen: Seen) -> Iterator[Origin]:
    """All columns of one of the tables, or of each."""
    wanted = star.table.lower() if isinstance(star, exp.Column) else ""
    for called, source in _sources(select).items():
        if not wanted or called == wanted:
            yield from _of_source(source, ANY, seen)


def _source(name: str, select: exp.Select) -> exp.Expr | None:
    """What goes by that name in a query, or around it."""
    at: exp.Select | None = select
    while at is not None:
        if (found := _sources(at).get(name)) is not None:
            return found
        at = at.find_ancestor(exp.Select)
    return None


def _sources(select: exp.Select) -> dict[str, exp.Expr]:
    first = select.args.get("from_")
    given: list[exp.Expr] = [first.this] if isinstance(first, exp.From) else []
    given += [each.this for each in select.args.get("joins") or ()]
    given += list(select.args.get("laterals") or ())
    found: dict[str, exp.Expr] = {}
    for at, source in enumerate(given):
        for each in [source, *[join.this for join in source.args.get("joins") or ()]]:
            found[each.alias_or_name.lower() or f"{ANY}{at}"] = each
    return found


def _query_of(source: exp.Expr) -> exp.Expr | None:
    """The query that stands for a table: in its place, or by a name that WITH gives; None for a table."""
    if isinstance(source, exp.Table):
        found = None if source.db else _with(source)
        return None if found is None else found.this
    if isinstance(source, exp.Lateral):
        return source.this if isinstance(source.this, exp.Subquery) else None
    return source if isinstance(source, exp.Subquery) and _selects(source) else None


def _with(table: exp.Table) -> exp.CTE | None:
    at: exp.Expr | None = table
    while at is not None:
        if isinstance(whole := at.args.get("with_"), exp.With):
            for each in whole.expressions:
                inside = table.find_ancestor(exp.CTE) is each and not whole.args.get("recursive")
                if each.alias.lower() == table.name.lower() and not inside:
                    return each
        at = at.parent
    return None


def _renamed(source: exp.Expr) -> list[str]:
    """The names that are given to its columns, where there are any: beside it, or in WITH."""
    named = source.args.get("alias")
    if isinstance(named, exp.TableAlias) and named.columns:
        return [each.name for each in named.columns]
    found = _with(source) if isinstance(source, exp.Table) and not source.db else None
    return list(found.alias_column_names) if found is not None else []
