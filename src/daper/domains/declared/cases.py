"""What a file says of rows that it makes up: looked over, and tried without a database."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from daper.core.text import shown
from daper.domains.declared.document import CaseSection, DomainDocument
from daper.domains.declared.expressions import (
    CannotJudge,
    Expression,
    ExpressionFault,
    MissingColumn,
    expression,
    read_by,
)
from daper.domains.declared.positions import Path
from daper.domains.declared.sql_tool import is_sql
from daper.stores.rows import syntax
from daper.stores.rows.address import MYSQL, POSTGRESQL, SQLITE
from daper.stores.rows.syntax import SqlFault
from daper.stores.rows.values import typed

if TYPE_CHECKING:
    from daper.domains.declared.file import DeclaredFile

CANNOT_JUDGE: Final = "cannot-be-judged"


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What became of a case. `amiss`: what is not as expected; `unproved`: what takes the database to tell."""

    number: int
    name: str
    amiss: tuple[str, ...] = ()
    unproved: tuple[str, ...] = ()


@dataclass
class _Judged:
    amiss: list[str] = field(default_factory=list[str])
    unproved: list[str] = field(default_factory=list[str])


def columns_of(document: DomainDocument) -> tuple[str, ...] | None:
    """The columns that the query of the records names; None where that takes its database: a star, or no SQL."""
    query = next(filter(None, (_query(document.records.sql, kind) for kind in (POSTGRESQL, MYSQL, SQLITE))), None)
    if query is None or any(each.is_star for each in query.selects):
        return None
    names: dict[str, None] = {}
    for each in query.selects:
        names[each.alias_or_name] = None
        if not _is_quoted(each):
            names.setdefault(each.alias_or_name.lower())  # as PostgreSQL has it
    return tuple(names)


def _query(sql: str, kind: str) -> exp.Query | None:
    try:
        return syntax.select(sql, kind)
    except SqlFault:
        return None


def _is_quoted(part: exp.Expr) -> bool:
    named = part.args.get("alias") or part.this
    return isinstance(named, exp.Identifier) and bool(named.args.get("quoted"))


def case_faults(document: DomainDocument, columns: Sequence[str] | None = None) -> Iterator[tuple[Path, str]]:
    """What is wrong with cases, and where: a column, kind or tool that is not there, a value that is none."""
    known = columns_of(document) if columns is None else columns
    for number, case in enumerate(document.case):
        path: Path = ("case", number)
        if case.finds is None and case.fix is None and not case.helped and not case.waits:
            yield path, f"{_called(case, number)} expects nothing: give it 'finds', 'fix', 'helped' or 'waits'"
        yield from ((path + at, said) for at, said in _row_faults(document, case, known))
        yield from ((path + at, said) for at, said in _name_faults(document, case))


def _row_faults(document: DomainDocument, case: CaseSection, known: Sequence[str] | None) -> Iterator[tuple[Path, str]]:
    for name, value in case.row.items():
        if known is not None and name not in known:
            yield ("row", name), str(MissingColumn(name, known))
        try:
            typed(value, document.records.types.get(name))
        except ValueError as error:
            yield ("row", name), f"{name} is not as its type says: {error}"


def _name_faults(document: DomainDocument, case: CaseSection) -> Iterator[tuple[Path, str]]:
    kinds = [*(rule.kind for rule in document.rule), CANNOT_JUDGE]
    tools = {tool.name: tool for tool in document.tool}
    for number, kind in enumerate(case.finds or ()):
        if kind not in kinds:
            yield ("finds", number), f"there is no rule {kind!r}; {_meant(kind, kinds)}"
    if case.fix and case.fix not in tools:
        yield ("fix",), f"there is no tool {case.fix!r}; {_meant(case.fix, [*tools])}"
    for key, names in (("helped", case.helped), ("waits", case.waits)):
        for name in names:
            if name not in tools:
                yield (key, name), f"there is no tool {name!r}; {_meant(name, [*tools])}"
            elif not (tools[name].helped if key == "helped" else tools[name].waits):
                yield (key, name), f"tool {name!r} has no {key!r} that could be tried; give it one"


def expression_faults(document: DomainDocument) -> Iterator[tuple[Path, str]]:
    """What is wrong with expressions in CEL, and where, as far as that can be told without a database."""
    columns = columns_of(document)
    texts: list[tuple[Path, str]] = [(("rule", number, "when"), rule.when) for number, rule in enumerate(document.rule)]
    texts += [(("tool", number, "helped"), tool.helped) for number, tool in enumerate(document.tool)]
    texts += [(("tool", number, "waits"), tool.waits) for number, tool in enumerate(document.tool)]
    for path, text in texts:
        try:
            if text and not is_sql(text):
                expression(text, _read_by([text]) if columns is None else columns)
        except ExpressionFault as error:
            yield path, str(error)


def try_cases(file: "DeclaredFile", *, now: datetime) -> tuple[Tried, ...]:
    """Each case tried at `now`, or at its own moment; the file has no `expression_faults`."""
    document, known = file.document, columns_of(file.document)
    return tuple(_tried(document, number, case, known, now) for number, case in enumerate(document.case))


def _tried(
    document: DomainDocument, number: int, case: CaseSection, known: Sequence[str] | None, now: datetime
) -> Tried:
    types = document.records.types
    row = {name: typed(value, types.get(name)) for name, value in case.row.items()}
    columns = known if known is not None else _every_column(document, row)
    moment = now if case.now is None else case.now.replace(tzinfo=case.now.tzinfo or UTC)
    judged = _Judged()
    whole = {**dict.fromkeys(columns), **row}
    found = _found(document, columns, whole, moment)
    if case.finds is not None:
        _kinds(document, case.finds, found, judged)
    if case.fix is not None:
        _fix(document, case.fix, found, judged)
    tools = {tool.name: tool for tool in document.tool}
    for name, wanted in case.helped.items():
        if is_sql(tools[name].helped):
            judged.unproved.append(f"whether {name} helped is asked in SQL, and takes the database")
            continue
        _word(expression(tools[name].helped, columns), whole, moment, judged, name, ("helped", "did not help"), wanted)
    for name, wanted in case.waits.items():
        _word(expression(tools[name].waits, columns), whole, moment, judged, name, ("waits", "does not wait"), wanted)
    return Tried(number=number, name=_called(case, number), amiss=tuple(judged.amiss), unproved=tuple(judged.unproved))


def _word(
    asked: Expression,
    row: dict[str, object],
    now: datetime,
    judged: _Judged,
    name: str,
    words: tuple[str, str],
    wanted: bool,
) -> None:
    try:
        holds = asked.holds(row, now)
    except CannotJudge as error:
        judged.amiss.append(f"whether {name} {words[0]}: {error}")
        return
    if holds is not wanted:
        judged.amiss.append(f"{name} {words[not holds]}, and the contrary was expected")


def _fix(document: DomainDocument, wanted: str, found: dict[str, str], judged: _Judged) -> None:
    fixes = [rule.fix for rule in document.rule if rule.fix and rule.kind in found]
    if wanted in (fixes or [""]):
        return
    told = f"the fix is {' and '.join(fixes) or 'none'}, and {wanted or 'none'} was expected"
    in_sql = [rule.fix for rule in document.rule if rule.sql]
    (judged.unproved if wanted in in_sql else judged.amiss).append(told)


def _found(document: DomainDocument, columns: Sequence[str], row: dict[str, object], now: datetime) -> dict[str, str]:
    """The kinds that rules in CEL find, each with why."""
    found: dict[str, str] = {}
    for rule in document.rule:
        if not rule.when:
            continue
        try:
            if expression(rule.when, columns).holds(row, now):
                found[rule.kind] = rule.when
        except CannotJudge as error:
            found[CANNOT_JUDGE] = f"rule {rule.kind!r}: {error}"
    return found


def _kinds(document: DomainDocument, wanted: Sequence[str], found: dict[str, str], judged: _Judged) -> None:
    in_sql = {rule.kind for rule in document.rule if rule.sql}
    for kind in wanted:
        if kind in in_sql:
            judged.unproved.append(f"rule {kind!r} is in SQL, and takes the database")
    missing = [kind for kind in wanted if kind not in found and kind not in in_sql]
    more = [f"{kind} ({shown(why, longest=200)})" for kind, why in found.items() if kind not in wanted]
    if missing:
        judged.amiss.append(f"{', '.join(missing)} was expected, and not found")
    if more:
        judged.amiss.append(f"{', '.join(more)} was found, and not expected")


def _every_column(document: DomainDocument, row: Iterable[str]) -> tuple[str, ...]:
    """Of a query that does not name its columns: what the case has, and what expressions read."""
    texts = [
        *(rule.when for rule in document.rule),
        *(tool.helped for tool in document.tool if not is_sql(tool.helped)),
        *(tool.waits for tool in document.tool),
    ]
    return tuple(dict.fromkeys([*row, *_read_by(texts)]))


def _read_by(texts: Iterable[str]) -> list[str]:
    return [name for text in texts for name in read_by(text)]


def _called(case: CaseSection, number: int) -> str:
    return f"case {case.name!r}" if case.name else f"case {number + 1}"


def _meant(name: str, names: Sequence[str]) -> str:
    near = get_close_matches(name, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names) or 'none'}"
