"""What is wrong with a file whose shape is right, and no single key shows; no database is asked."""

from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches

from sqlglot import exp

from daper.core.text import shown
from daper.domains.declared.cases import CANNOT_JUDGE, columns_of
from daper.domains.declared.document import (
    ArgumentSection,
    DomainDocument,
    HttpToolSection,
    RuleSection,
    SetSection,
    SqlToolSection,
    ToolSection,
)
from daper.domains.declared.expressions import MissingColumn
from daper.domains.declared.file import DeclaredFile, Fault
from daper.domains.declared.hidden import hidden_faults
from daper.domains.declared.positions import Positions
from daper.domains.declared.shape import dotted
from daper.domains.declared.sql_tool import ID, helped_of, is_sql, preview_of, run_of, undo_of
from daper.domains.declared.tool_faults import tool_faults
from daper.stores.rows import syntax
from daper.stores.rows.address import MYSQL, POSTGRESQL, SQLITE
from daper.stores.rows.syntax import SqlFault

_Reads = Callable[[str, str], exp.Expr | exp.Query]


def contradictions(file: DeclaredFile) -> Iterator[Fault]:
    """What no single key shows."""
    document, at = file.document, file.at
    if file.path.stem != file.name:
        yield Fault(
            at.key(("domain", "name")),
            f"'domain.name' is {file.name!r}, and the file is {file.path.name!r}: call it {file.name}.toml",
        )
    yield from _twice("rule", [rule.kind for rule in document.rule], "kind", at)
    yield from _twice("tool", [tool.name for tool in document.tool], "name", at)
    yield from _rules(file)
    fixes = {rule.fix for rule in document.rule}
    for number, tool in enumerate(document.tool):
        if tool.name not in fixes:
            yield Fault(at.key(("tool", number)), f"no rule has tool {tool.name!r} as its fix, so that nothing uses it")
        for name, argument in tool.args.items():
            yield from _argument(name, argument, at, ("tool", number, "args", name))
    columns = columns_of(document)
    if columns is not None and document.records.key not in columns:
        yield Fault(at.key(("records", "key")), str(MissingColumn(document.records.key, columns)))
    yield from sql_faults(file, (POSTGRESQL, MYSQL, SQLITE))
    for path, said in tool_faults(document):
        yield Fault(at.key(path), said)
    for path, said in hidden_faults(document, (POSTGRESQL, MYSQL, SQLITE)):
        yield Fault(at.key(path), said)


def _rules(file: DeclaredFile) -> Iterator[Fault]:
    document, at = file.document, file.at
    tools = [tool.name for tool in document.tool]
    for number, rule in enumerate(document.rule):
        yield from _rule(rule, at, number)
        if rule.fix and rule.fix not in tools:
            near = get_close_matches(rule.fix, tools, n=1)
            meant = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(tools) or 'none'}"
            yield Fault(at.key(("rule", number, "fix")), f"there is no tool {rule.fix!r}; {meant}")
    if document.records.key in document.records.hide:
        path = ("records", "hide", document.records.hide.index(document.records.key))
        yield Fault(
            at.key(path), f"{document.records.key!r} is the key, which is shown everywhere; it cannot be hidden"
        )


def _rule(rule: RuleSection, at: Positions, number: int) -> Iterator[Fault]:
    if rule.when and rule.sql:
        yield Fault(
            at.key(("rule", number, "sql")), f"rule {rule.kind!r} has both 'when' and 'sql'; take one of them out"
        )
    elif not rule.when and not rule.sql:
        yield Fault(at.key(("rule", number)), f"rule {rule.kind!r} needs either 'when' or 'sql'")
    if rule.kind == CANNOT_JUDGE:
        said = f"{rule.kind!r} is what rules without an answer find; call it something else"
        yield Fault(at.key(("rule", number, "kind")), said)


def _twice(section: str, names: list[str], key: str, at: Positions) -> Iterator[Fault]:
    for number, name in enumerate(names):
        if name in names[:number]:
            yield Fault(at.key((section, number, key)), f"{section} {name!r} is there twice; give it a name of its own")


def _argument(name: str, argument: ArgumentSection, at: Positions, path: tuple[str | int, ...]) -> Iterator[Fault]:
    given = [each for each in (argument.sentence, argument.one_of, argument.between) if each is not None]
    if name.startswith("daper_"):
        yield Fault(at.key(path), f"argument {name!r}: names that begin with daper_ are daper's own")
    if len(given) != 1:
        yield Fault(at.key(path), f"argument {name!r} needs one of sentence, one_of and between")
    elif argument.between is not None and argument.between[0] > argument.between[1]:
        yield Fault(
            at.key((*path, "between")),
            f"argument {name!r}: {argument.between[0]} is over {argument.between[1]}; turn them round",
        )
    elif argument.default is not None and not _may_be(argument, argument.default):
        default = shown(repr(argument.default))
        yield Fault(
            at.key((*path, "default")), f"argument {name!r} may not be its default, {default}; give one that fits"
        )


def _may_be(argument: ArgumentSection, value: object) -> bool:
    if argument.sentence is not None:
        return isinstance(value, str) and len(value) <= argument.sentence
    if argument.one_of is not None:
        return value in argument.one_of
    low, high = argument.between or (0, 0)
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def sql_faults(file: DeclaredFile, kinds: Sequence[str]) -> Iterator[Fault]:
    """What is no SQL of any of these kinds of database, told as the first of them has it; no database is asked."""
    document, at = file.document, file.at
    taken: set[tuple[int, str]] = set()
    faulty: set[int] = set()
    for path, text, read in _pieces(document):
        number = int(path[1]) if path[0] == "tool" else -1
        parsed = _read_by_any(text, kinds, read)
        if isinstance(parsed, SqlFault):
            faulty.add(number)
            yield Fault(at.within(path, parsed.line, parsed.column), f"{dotted(list(path))}: {parsed}")
            continue
        for name in syntax.parameters(parsed) if number >= 0 else ():
            taken.add((number, name))
            if name not in _known(document.tool[number]):
                yield Fault(at.key(path), f"{dotted(list(path))} takes :{name}, and args has no {name!r}")
    for number, tool in enumerate(document.tool):
        for name in tool.args if not isinstance(tool, HttpToolSection) and number not in faulty else ():
            if (number, name) not in taken:
                path = ("tool", number, "args", name)
                yield Fault(at.key(path), f"no expression takes :{name}; use it, or take it out")


def _known(tool: ToolSection) -> set[str]:
    return {*tool.args, *([ID] if isinstance(tool, SqlToolSection) else [])}


def _read_by_any(text: str, kinds: Sequence[str], read: _Reads) -> exp.Expr | exp.Query | SqlFault:
    faults: list[SqlFault] = []
    for kind in kinds:
        try:
            return read(text, kind)
        except SqlFault as fault:
            faults.append(fault)
    return faults[0]


def _pieces(
    document: DomainDocument,
) -> Iterator[tuple[tuple[str | int, ...], str, _Reads]]:
    """Every piece of SQL, where it stands, and what reads it."""
    yield ("records", "sql"), document.records.sql, syntax.select
    yield ("records", "scope"), document.records.scope or "1 = 1", syntax.expression
    for number, rule in enumerate(document.rule):
        if rule.sql:
            yield ("rule", number, "sql"), rule.sql, syntax.select
    for number, tool in enumerate(document.tool):
        match tool:
            case SetSection():
                for column, part in tool.set.items():
                    yield ("tool", number, "set", column), part, syntax.of_one_row
                yield ("tool", number, "only"), tool.only or "1 = 1", syntax.of_one_row
            case SqlToolSection():
                yield from _statements(number, tool, document.records.key)
            case HttpToolSection():
                pass


def _statements(number: int, tool: SqlToolSection, key: str) -> Iterator[tuple[tuple[str | int, ...], str, _Reads]]:
    yield ("tool", number, "sql", "run"), tool.sql.run, run_of
    yield ("tool", number, "sql", "preview"), tool.sql.preview, lambda text, kind: preview_of(text, key, kind)
    if tool.sql.undo:
        yield ("tool", number, "sql", "undo"), tool.sql.undo, undo_of
    if is_sql(tool.helped):
        yield ("tool", number, "helped"), tool.helped, lambda text, kind: helped_of(text, key, kind)
