"""The domains in a file that come with daper: with rows to try them on, and what is right for each."""

import sqlite3
from collections.abc import Collection
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import Final

from sqlglot import exp

from daper.core.cases import Case, CaseSet, CaseSort, ExpectedAction
from daper.core.commands import CommandLine
from daper.core.digests import digest
from daper.core.errors import UserError
from daper.domains.declared.document import CaseSection, DomainDocument, SetSection
from daper.domains.declared.file import DeclaredFile
from daper.stores.rows import syntax
from daper.stores.rows.address import SQLITE
from daper.stores.rows.store import RowsStore

EXAMPLES: Final = ("payments", "jobs")
_FOLDER: Final = files("daper.domains.declared.shipped")


def example_text(name: str) -> str:
    """The file of an example."""
    return (_FOLDER / name / f"{name}.toml").read_text(encoding="utf-8")


def example_seed(name: str) -> tuple[str, ...]:
    """The statements that make its tables and rows, for PostgreSQL and SQLite."""
    text = (_FOLDER / name / "seed.sql").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    return tuple(part.strip() for part in "\n".join(lines).split(";\n") if part.strip())


def example_variable(name: str) -> str:
    """The variable that has the address of its database."""
    return f"{name.upper()}_URL"


def install_example(name: str, folder: Path) -> dict[str, str]:
    """Put the file into `domains` of a folder, and its rows into a database beside it; the variable that names that.

    Raises UserError, and does nothing, where there is a database already.
    """
    path = folder / f"{name}.db"
    place_example(name, folder)
    fill(path, name)
    return {example_variable(name): f"{SQLITE}:///{path}"}


def place_example(name: str, folder: Path) -> Path:
    """Put the file alone into `domains` of a folder."""
    place = folder / "domains" / f"{name}.toml"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(example_text(name), encoding="utf-8")
    return place


def fill(path: Path, name: str) -> None:
    """Make an SQLite database with the rows of an example. Raises UserError where there is one."""
    if path.exists():
        raise UserError(f"{path} is there already; the rows of {name!r} are put into a new database alone")
    with closing(sqlite3.connect(path)) as db:
        for statement in example_seed(name):
            db.execute(statement)
        db.commit()


def install_cases(file: DeclaredFile, store: RowsStore, *, kinds: Collection[str] = ()) -> CaseSet:
    """Fill the database of an example, which must be new, and say what is right for each row.

    Raises UserError, and does nothing, for any other file, for a database that is there, for a kind that there is not.
    """
    path = Path(store.writer.address.url.database or "")
    if (
        file.name not in EXAMPLES
        or file.text != digest(example_text(file.name).encode())[:32]
        or store.writer.kind != SQLITE
    ):
        raise UserError(
            f"the records of {file.name!r} are rows of your own database, which an evaluation would change; "
            "try its cases: ",
            CommandLine("domain", "test", file.name),
        )
    cases = expected(file.document, kinds=kinds)
    fill(path, file.name)
    store.init()
    return cases


def expected(document: DomainDocument, *, kinds: Collection[str] = ()) -> CaseSet:
    """What is right for the rows of an example: its cases, each of the row with its key. `kinds`: of those alone.

    Raises UserError for a kind that there is not.
    """
    known = [rule.kind for rule in document.rule]
    for kind in kinds:
        if kind not in known:
            raise UserError(f"there is no kind of case {kind!r}; there are: {', '.join(known)}")
    cases = tuple(
        _case(document, case)
        for case in document.case
        if case.finds is not None and (not kinds or set(kinds) & {*case.finds})
    )
    return CaseSet(name=document.domain.name, seed=0, per_kind=1, cases=cases)


def _case(document: DomainDocument, case: CaseSection) -> Case:
    finds = case.finds or ()
    fixes = {rule.kind: rule.fix for rule in document.rule}
    tools = [fixes[kind] for kind in finds if fixes.get(kind)]
    return Case(
        record_id=str(case.row[document.records.key]),
        kind=finds[0] if finds else "nothing wrong",
        sort=CaseSort.CLEAN if not finds else CaseSort.FAULT if len(finds) == 1 else CaseSort.SEVERAL,
        why=case.name or "",
        problems=finds,
        actions=tuple(ExpectedAction(tool=tool) for tool in tools),
        calls_person=any(not fixes.get(kind) for kind in finds),
        end_status=_end(document, case, tools),
    )


def _end(document: DomainDocument, case: CaseSection, tools: Collection[str]) -> str:
    """The status that the last tool sets, where that is a plain text; else that of the row."""
    column = document.records.status
    status = str(case.row.get(column, ""))
    for tool in document.tool:
        if isinstance(tool, SetSection) and tool.name in tools and column in tool.set:
            part = syntax.expression(tool.set[column], SQLITE)
            status = str(part.this) if isinstance(part, exp.Literal) else status
    return status
