"""`daper domain new`: a first file for a table of somebody's database, which runs as it is."""

import asyncio
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from daper.bootstrap import open_domains
from daper.clock import utc_now
from daper.core.commands import CommandLine, Said
from daper.core.errors import SettingError, UserError
from daper.core.text import shown, visible
from daper.domains.declared.checking import Check, Look
from daper.domains.declared.constants import near
from daper.domains.declared.document import NAME
from daper.domains.declared.drafting import Choices, Draft
from daper.domains.declared.file import Faulty
from daper.domains.declared.guesses import status_of
from daper.domains.declared.reading import read_file
from daper.entrypoints.cli.answers import answer, one_of
from daper.entrypoints.cli.exits import Exit, UsageError
from daper.entrypoints.cli.output import console, say, table
from daper.entrypoints.cli.parameters import NONE, Flag, Names
from daper.entrypoints.cli.runner import on_terminal, run_to_end
from daper.settings import Part, Settings, load_settings
from daper.stores.rows.address import database_address
from daper.stores.rows.catalog import COUNTED, LOOKED_AT, Catalog, Frequent, TableHead, TableShape
from daper.stores.rows.engine import RowsDatabase

_TIMEOUT = timedelta(seconds=30)
_MOST_TABLES = 200
_MOST_VALUES = 50  # of a status; a column with more is free text
_SHOWN_VALUES = 12
Text = Annotated[str | None, Parameter(show_default=False)]


def new(
    name: str,
    *,
    database_env: Text = None,
    writer_env: Text = None,
    table: Text = None,
    key: Names = NONE,
    status: Text = None,
    no_status: Flag = False,
    wrong: Names = NONE,
    to: Text = None,
    out: Annotated[Path | None, Parameter(show_default=False)] = None,
) -> int:
    """Write a first file that declares a domain, for one table of your database: it runs as it is, and has comments.

    It looks at the database, and changes nothing there: which tables there are, which column says how a row stands, and
    which of its values are wrong. What no option says is asked at the terminal. What columns hold, and which are
    personal, is guessed; look it over. A file that is there is never replaced.

    Exit codes: 0 it was written, and can be used; 1 it was not.

    Parameters
    ----------
    name
        What the domain is called: small letters, digits, - and _.
    database_env
        The variable of the environment or of .env that has the address of the database.
    writer_env
        The variable that has the address by a second role, which tools alone use.
    table
        The table or view with the records, with its schema where it needs one.
    key
        The column that is another one in each row. Its primary key if not given.
    status
        The column that says how a row stands.
    no_status
        There is none.
    wrong
        A value of the status that is wrong; may be given several times.
    to
        The status that a tool may set. Without it the tool is written as a comment.
    out
        Where to write it: a folder, or NAME.toml there. DAPER_HOME/domains if not given.
    """
    if status is not None and no_status:
        raise UsageError("--status and --no-status contradict each other; leave one of them out")
    settings = load_settings(needs={Part.DATABASE, Part.DOMAIN})
    path = _path(settings, name, out)
    given = _Given(
        name=name, database=database_env, writer=writer_env, table=table, key=key, status=status, no_status=no_status,
        wrong=wrong, to=to,
    )  # fmt: skip
    text = run_to_end(_Asking(settings, given).text(), temporal=False)
    _write(path, text)
    say(console(), visible(f"wrote {path}; look it over: what columns hold, and which are personal, is guessed"))
    named = name if out is None else str(path)
    say(
        console(), Said("next: ", CommandLine("domain", "check", named), ", then ", CommandLine("domain", "init", name))
    )
    return Exit.OK


@dataclass(frozen=True, kw_only=True)
class _Given:
    """What options say."""

    name: str
    database: str | None
    writer: str | None
    table: str | None
    key: Sequence[str]
    status: str | None
    no_status: bool
    wrong: Sequence[str]
    to: str | None


class _Asking:
    """Asks for what no option says."""

    def __init__(self, settings: Settings, given: _Given) -> None:
        self._settings = settings
        self._given = given

    async def text(self) -> str:
        """The text of the file, looked over with its database. Raises UserError where it could not be used."""
        given = self._given
        variable, database, tables = await answer(
            given.database,
            self._opened,
            option="--database-env",
            question="Which variable has the address of the database?",
            suggested=f"{given.name.upper().replace('-', '_')}_URL",
        )
        catalog = Catalog(database)
        shape = await self._table(catalog, tables)
        key = await self._key(catalog, shape)
        status = await self._status(shape)
        looked = partial(catalog.frequent, shape.head, status, most=_MOST_VALUES + 1)
        values = await asyncio.to_thread(looked) if status else ()
        wrong = await self._wrong(shape, status, values) if status else ()
        said = Choices(
            name=given.name, variable=variable, kind=database.kind, shape=shape, key=key, status=status, wrong=wrong,
            quoted=await asyncio.to_thread(catalog.quoter),
        )  # fmt: skip
        return await self._with_tool(said, values)

    async def _opened(self, variable: str) -> tuple[str, RowsDatabase, tuple[TableHead, ...]]:
        name = variable.removeprefix("env:")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", name):
            raise UserError("that is no name of a variable; an address itself has a password in it, and is not taken")
        found = self._settings.variables.get(name)
        if not found:
            raise UserError(f"{name} is not set; set it to the address of the database, in the environment or in .env")
        database = RowsDatabase(database_address(found, variable=name), timeout=_TIMEOUT)
        tables = await asyncio.to_thread(Catalog(database).tables)
        if not tables:
            raise UserError(f"{database.named} has no table that {name} may read")
        return name, database, tables

    async def _table(self, catalog: Catalog, tables: tuple[TableHead, ...]) -> TableShape:
        names = [each.called for each in tables]

        async def read(text: str) -> TableShape:
            head = tables[names.index(one_of(text, names, what="table"))]
            shape = await asyncio.to_thread(catalog.shape, head)
            if not shape.columns:
                raise UserError(f"{shown(head.called)} has no columns")
            return shape

        def show() -> None:
            rows = [(str(at), each.called, _rows_of(each)) for at, each in enumerate(tables[:_MOST_TABLES], start=1)]
            table(console(), ("", "table", "rows"), rows)
            if len(tables) > _MOST_TABLES:
                say(console(), f"and {len(tables) - _MOST_TABLES} more, which can be named too")

        return await answer(
            self._given.table,
            read,
            option="--table",
            question="Which table has the records? Its name or number",
            show=show,
        )

    async def _key(self, catalog: Catalog, shape: TableShape) -> tuple[str, ...]:
        names = [each.name for each in shape.columns]
        if self._given.key:
            keys = tuple(_option("--key", each, names, what="column") for each in self._given.key)
            return _distinct(shape, keys)
        if len(shape.key) == 1:
            return shape.key
        if shape.unique:
            return shape.unique[:1]
        if shape.key:
            return shape.key

        async def read(text: str) -> tuple[str, ...]:
            return _distinct(shape, (one_of(text, names, what="column"),))

        return await answer(
            None, read, option="--key", question="Which column is another one in each row? Its name or number",
            show=lambda: _show_columns(shape),
        )  # fmt: skip

    async def _status(self, shape: TableShape) -> str:
        if self._given.no_status:
            return ""
        names = [each.name for each in shape.columns]
        guess = status_of(shape, names)

        async def read(text: str) -> str:
            return "" if text == "-" else one_of(text, names, what="column")

        return await answer(
            self._given.status,
            read,
            option="--status (or --no-status)",
            question="Which column says how a row stands? Its name or number, - for none",
            suggested=guess or "-",
            show=lambda: _show_columns(shape),
        )

    async def _wrong(self, shape: TableShape, status: str, values: tuple[Frequent, ...]) -> tuple[object, ...]:
        if self._given.wrong:
            chosen = tuple(_value(each, shape, status, values) for each in self._given.wrong)
            for each in chosen:
                _note(_unseen(each, shape, status, values))
            return chosen
        known = [str(each.value) for each in values] if len(values) <= _MOST_VALUES else []

        async def read(text: str) -> tuple[object, ...]:
            if text in known:
                return (_value(text, shape, status, values),)
            parts = [part.strip() for part in text.split(",") if part.strip()]
            if not known:
                listed = {str(at): str(each.value) for at, each in enumerate(values[:_SHOWN_VALUES], start=1)}
                return tuple(_value(listed.get(part, part), shape, status, values) for part in parts)
            return tuple(
                _value(one_of(part, known, what=f"row with {status}"), shape, status, values) for part in parts
            )

        def show() -> None:
            rows = [(str(at), shown(each.value), str(each.rows)) for at, each in enumerate(values, start=1)]
            table(console(), ("", status, "rows"), rows[:_SHOWN_VALUES])
            if more := len(rows) - _SHOWN_VALUES if len(rows) > _SHOWN_VALUES else 0:
                others = f"{more} others" if known else f"more than {more - 1} others"
                say(console(), f"and {others}, which can be named too")

        return await answer(
            None,
            read,
            option="--wrong",
            question="Which of its values are wrong? Values or numbers, with commas",
            show=show,
        )

    async def _with_tool(self, said: Choices, values: tuple[Frequent, ...]) -> str:
        """The file, with a tool where one is wanted; asked again where the database refuses what it would do."""
        given, why, unseen = self._given, Draft(said).why_no_tool, ""

        async def read(text: str) -> str:
            if text == "-":
                return await self._checked(said)
            nonlocal unseen
            target = _value(text, said.shape, said.status, values)
            note = _unseen(target, said.shape, said.status, values, yet=" yet")
            if note and given.to is None and unseen != text:
                unseen = text
                raise UserError(
                    f"{note} Type it again to take it all the same"
                    if note.endswith("?")
                    else f"{note}; type it again to take it all the same"
                )
            if given.to is not None:
                _note(note)
            chosen = replace(said, target=target, writer=self._writer())
            return await self._checked(chosen)

        if why and given.to is not None:
            raise UsageError(f"--to {shown(given.to)!r}: {why}")
        if why:
            say(console(), visible(f"No tool is written: {why}", longest=600))
        if why or not said.status or (given.to is None and not on_terminal()):
            return await self._checked(said)
        question = f"To which {shown(said.status)} may a tool set them? - for no tool yet"
        return await answer(given.to, read, option="--to", question=question, suggested="-")

    def _writer(self) -> str:
        name = (self._given.writer or "").removeprefix("env:")
        if name and not self._settings.variables.get(name):
            raise SettingError(f"--writer-env {name!r} is not set; set it to the address by the role that tools use")
        return name

    async def _checked(self, chosen: Choices) -> str:
        text = await asyncio.to_thread(lambda: Draft(chosen).text)
        look = await asyncio.to_thread(_look, chosen.name, text, self._settings)
        if look.faults:
            raise UserError(f"the file could not be used: {'; '.join(each.said for each in look.faults)}")
        return text


def _look(name: str, text: str, settings: Settings) -> Look:
    with tempfile.TemporaryDirectory(prefix="daper-new-") as folder:
        path = Path(folder, f"{name}.toml")
        path.write_text(text, encoding="utf-8")
        try:
            return Check(read_file(path), variables=settings.variables.get, now=utc_now()).run()
        except Faulty as error:
            return Look(faults=list(error.faults))


def _path(settings: Settings, name: str, out: Path | None) -> Path:
    if not re.fullmatch(NAME, name):
        raise UsageError(f"{shown(name)!r} is no name of a domain: small letters, digits, - and _, and a letter first")
    if name in open_domains(settings):
        raise UserError(
            f"there is a domain {name!r} already; take another name, or see: ", CommandLine("domain", "list")
        )
    file = f"{name}.toml"
    if out is None:
        return settings.home / "domains" / file
    path = out / file if out.is_dir() else out
    if path.name != file:
        raise UsageError(f"--out {str(out)!r}: a domain has the name of its file; write it as {file}")
    if path.exists():
        raise UserError(f"{path} is there already, and is not replaced; move it away, or take another name")
    return path


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UserError(f"{path} is there already, and is not replaced; move it away, or take another name") from None


def _rows_of(head: TableHead) -> str:
    if head.is_view:
        return "a view"
    return f"over {COUNTED:,}" if head.or_more else f"about {head.rows:,}"


def _show_columns(shape: TableShape) -> None:
    rows = [(str(at), each.name, each.kind.lower()) for at, each in enumerate(shape.columns, start=1)]
    table(console(), ("", "column", "type"), rows)


def _distinct(shape: TableShape, key: tuple[str, ...]) -> tuple[str, ...]:
    """The key. Raises UserError where rows have none, or the same."""
    seen = [tuple(row[name] for name in key) for row in shape.sample]
    if any(None in each for each in seen):
        raise UserError(f"{', '.join(key)} is empty in some rows; name a column that every row has")
    if len({*map(repr, seen)}) < len(seen):
        raise UserError(f"{', '.join(key)} is the same in several rows; name a column that is another one in each")
    return key


def _option(option: str, text: str, names: list[str], *, what: str) -> str:
    try:
        return one_of(text, names, what=what)
    except UserError as error:
        raise UsageError(f"{option} {shown(text)!r}: {error}") from error


def _unseen(value: object, shape: TableShape, status: str, values: Sequence[Frequent], *, yet: str = "") -> str:
    """What to say of a status that no row has; nothing where one has it, may have it, or nobody can tell."""
    known, column = [str(each.value) for each in values], shape.column(status)
    said = str(value)
    if not known or len(known) > _MOST_VALUES or said in known or (column is not None and said in column.allowed):
        return ""
    whole = sum(each.rows for each in values) < LOOKED_AT
    rows = f"no row of {shape.head.called}" if whole else f"none of the first {LOOKED_AT:,} rows of {shape.head.called}"
    listed = ", ".join(map(shown, known[:_SHOWN_VALUES])) + (", ..." if len(known) > _SHOWN_VALUES else "")
    meant = near(said, known)
    asked = f"; did you mean {shown(meant)!r}?" if meant else ""
    return f"{rows} has {status} {shown(said)!r}{yet}; there are: {listed}{asked}"


def _note(said: str) -> None:
    if said:
        say(console(), f"note: {said}")


def _value(text: str, shape: TableShape, status: str, values: tuple[Frequent, ...]) -> object:
    """What was typed as the column has it. Raises UserError for what it cannot have."""
    for each in values:
        if str(each.value) == text:
            return each.value
    column = shape.column(status)
    if column is not None and column.allowed and text not in column.allowed:
        meant = near(text, column.allowed)
        asked = f"; did you mean {shown(meant)!r}?" if meant else ""
        raise UserError(f"{status} can only be {', '.join(map(shown, column.allowed))}{asked}")
    kind = next((type(each.value) for each in values), str)
    if kind is bool:
        raise UserError(f"{status} is true or false; write True or False")
    if kind in {int, float}:
        try:
            return kind(text)
        except ValueError:
            raise UserError(f"{status} has numbers, and {shown(text)!r} is none") from None
    return text
