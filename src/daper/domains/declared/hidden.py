"""What a file hides, and would show all the same: by another name, a copy, or a tool; no database is asked."""

from collections.abc import Callable, Collection, Iterator, Sequence

from sqlglot import exp

from daper.domains.declared.document import CONTENT, DomainDocument, SetSection, SqlToolSection
from daper.domains.declared.positions import Path
from daper.stores.rows import origins, syntax
from daper.stores.rows.origins import Origin
from daper.stores.rows.syntax import SqlFault

Faults = Iterator[tuple[Path, str]]


def hidden_faults(document: DomainDocument, kinds: Sequence[str]) -> Faults:
    """Each with the path to its key; of SQL as the first of these kinds of database has it that can read it."""
    if not document.records.hide:
        return
    query = _read(document.records.sql, kinds, syntax.select)
    if not isinstance(query, exp.Query):  # which is told where it is
        return
    secrets = _secrets(query, document)
    yield from _shown(query, document, secrets)
    yield from _named(document)
    for number, tool in enumerate(document.tool):
        at: Path = ("tool", number)
        if tool.spends in document.records.hide and tool.spends:
            yield (*at, "spends"), f"{tool.spends!r} is hidden, and a plan would show it"
        match tool:
            case SetSection():
                yield from _set(tool, at, secrets, kinds)
            case SqlToolSection():
                preview = _read(tool.sql.preview, kinds, syntax.select)
                if isinstance(preview, exp.Query) and (name := _met(origins.of_all(preview), secrets)):
                    yield (*at, "sql", "preview"), f"{name!r} is hidden, and a plan would show it"
            case _:
                pass


def _secrets(query: exp.Query, document: DomainDocument) -> dict[str, frozenset[Origin]]:
    """Of what each hidden column is made; what is called like it anywhere counts as well."""
    return {
        name: origins.of_output(query, name) - {origins.UNKNOWN} | {Origin(table=origins.ANY, column=name.lower())}
        for name in document.records.hide
    }


def _shown(query: exp.Query, document: DomainDocument, secrets: dict[str, frozenset[Origin]]) -> Faults:
    """Columns of the query that are hidden ones by another name."""
    path: Path = ("records", "sql")
    hide = {name.lower() for name in document.records.hide}
    for each in query.selects:
        shown = each.alias_or_name
        if each.is_star or shown.lower() in hide:
            continue
        if name := _met(origins.of_output(query, shown) - {origins.UNKNOWN}, secrets):
            yield path, f"{shown!r} is made of {name!r}, which is hidden: hide it too, or take it out"
    for table in origins.of_stars(query):
        for name, made in secrets.items():
            for origin in made:
                if origin.table != origins.ANY and origin.meets(table) and origin.column not in hide:
                    yield path, f"* gives {origin.column!r}, of which {name!r} is made, which is hidden: hide it too"


def _named(document: DomainDocument) -> Faults:
    """What is shown of each record whatever is hidden."""
    records = document.records
    if records.status and records.status in records.hide:
        yield ("records", "status"), f"{records.status!r} is hidden, and each list would show it"
    if records.version != CONTENT and records.version in records.hide:
        yield ("records", "version"), f"{records.version!r} is hidden, and a plan would show it"


def _set(tool: SetSection, at: Path, secrets: dict[str, frozenset[Origin]], kinds: Sequence[str]) -> Faults:
    table = tool.table.rpartition(".")[2].lower()
    for column, text in tool.set.items():
        part = _read(text, kinds, syntax.of_one_row)
        read = origins.of_table(tool.table, part) if part is not None else frozenset[Origin]()
        if name := _met({*read, Origin(table=table, column=column.lower())}, secrets):
            yield (*at, "set", column), f"{name!r} is hidden, and a plan would show it"


def _met(found: Collection[Origin], secrets: dict[str, frozenset[Origin]]) -> str:
    """The hidden column of which one of these may be; empty where none is."""
    return next(
        (name for name, made in secrets.items() if any(origin.meets(each) for origin in made for each in found)), ""
    )


def _read(text: str, kinds: Sequence[str], read: Callable[[str, str], exp.Expr]) -> exp.Expr | None:
    for kind in kinds:
        try:
            return read(text, kind)
        except SqlFault:
            continue
    return None
