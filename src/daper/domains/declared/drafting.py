"""A first file for a table of somebody's database: it runs as it is, and says what to change."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from daper.core.commands import CommandLine
from daper.core.text import shown
from daper.domains.declared.document import TABLE
from daper.domains.declared.guesses import is_of_use, is_personal, type_of
from daper.stores.rows.catalog import ColumnHead, TableShape
from daper.stores.rows.values import ColumnType, typed

ROW_KEY: Final = "row_key"
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CEL: Final = frozenset({
    "as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop",
    "null", "package", "namespace", "return", "true", "var", "void", "while",
})  # fmt: skip
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_WIDTH: Final = 110


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What a person chose. `key`: columns; `wrong`: values of `status`; `target`: the one that a tool sets, if any.

    `variable` and `writer` have the addresses. `kind`: of database.
    """

    name: str
    variable: str
    kind: str
    shape: TableShape
    key: tuple[str, ...]
    writer: str = ""
    status: str = ""
    wrong: tuple[object, ...] = ()
    target: object = None
    quoted: Callable[..., str]


class Draft:
    """The text of a file, and what it leaves out."""

    def __init__(self, chosen: Choices) -> None:
        self._chosen = chosen
        used = [each for each in chosen.shape.columns if is_of_use(each, chosen.shape) or each.name in chosen.key]
        self._left_out = [each for each in chosen.shape.columns if each not in used]
        self._names = _names(used, chosen.key)
        self._types = {each.name: found for each in used if (found := type_of(each, chosen.shape, chosen.kind))}
        self._key = chosen.key[0] if len(chosen.key) == 1 else ROW_KEY
        self._hidden = [
            self._names[each.name]
            for each in used
            if is_personal(each.name) and each.name not in (*chosen.key, chosen.status)
        ]

    @property
    def why_no_tool(self) -> str:
        """Why no tool can be written for it; empty where one can."""
        head, key = self._chosen.shape.head, self._chosen.key
        if head.is_view:
            return f"{head.called} is a view, and a tool sets columns of a table: name the table that it reads"
        if len(key) != 1:
            return (
                f"the key of {head.called} has {len(key)} columns ({', '.join(key)}), and a tool finds its row by one: "
                "add a column that is another one in each row, take that as the key, and the tool can be used"
            )
        if not re.fullmatch(TABLE, head.called) or "." in head.name or (head.schema and "." in head.schema):
            return f"no tool can name the table {head.called}: make a view of it that can be written, and name that"
        return ""

    @property
    def text(self) -> str:
        """The whole file."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        name = self._chosen.name
        yield f"# Look it over, then: {CommandLine('domain', 'check', name)!s}; {CommandLine('domain', 'init', name)!s}"
        yield from self._domain()
        yield from self._records()
        yield from self._rule()
        yield from self._tool()

    def _domain(self) -> Iterator[str]:
        chosen = self._chosen
        yield "[domain]"
        yield f"name     = {_toml(chosen.name)}"
        yield f"about    = {_toml(f'Rows of {chosen.shape.head.called}.')}  # say in a sentence what they are"
        yield f"database = {_toml(f'env:{chosen.variable}')}  # a role that may only read is enough"
        if chosen.writer:
            yield f"writer   = {_toml(f'env:{chosen.writer}')}  # used by tools alone"
        else:
            yield '# writer = "env:..."  # a second role, which tools alone use'

    def _records(self) -> Iterator[str]:
        chosen = self._chosen
        yield ""
        yield "[records]  # one SELECT, joins and all; its columns are what rules and people see"
        yield f"sql     = {_block(self._select())}"
        if chosen.status and chosen.wrong:
            yield f"scope   = {_toml(self._where())}  # which rows are looked at"
        else:
            yield "# scope = \"status = 'failed'\"  # which rows are looked at; all, without it"
        yield f"key     = {_toml(self._key)}{self._about_key()}"
        yield f"# title = {_toml(self._title())}  # how people know a row, beside its key"
        if chosen.status:
            yield f"status  = {_toml(self._names[chosen.status])}"
        if self._types:
            known = ", ".join(f"{_name(self._names[name])} = {_toml(str(kind))}" for name, kind in self._types.items())
            yield f"types   = {{ {known} }}  # guessed: what the database does not say"
        if self._hidden:
            hidden = ", ".join(map(_toml, self._hidden))
            yield f"hide    = [{hidden}]  # guessed: never told to a language model, never in a report"
        else:
            yield '# hide  = ["email"]  # never told to a language model, never in a report'
        for each in self._left_out:
            yield f"# left out, as nobody could read it: {shown(each.name)} ({each.kind})"

    def _about_key(self) -> str:
        if len(self._chosen.key) == 1:
            return ""
        return "  # made of several columns: it is enough to find what is wrong, and not for a tool"

    def _title(self) -> str:
        hidden = {*self._hidden, self._key}
        named = [name for name in self._names.values() if name not in hidden and _PLAIN.fullmatch(name)]
        return ", ".join(f"{{{name}}}" for name in named[:2]) or "..."

    def _select(self) -> str:
        quoted = self._chosen.quoted
        parts = [
            quoted(name) if name == alias else f"{quoted(name)} AS {quoted(alias)}"
            for name, alias in self._names.items()
        ]
        if self._key == ROW_KEY and self._key not in self._chosen.key:
            texts = " || '/' || ".join(
                f"CAST({quoted(name)} AS {'CHAR' if self._chosen.kind == 'mysql' else 'TEXT'})"
                for name in self._chosen.key
            )
            parts.insert(0, f"{texts} AS {ROW_KEY}")
        head = self._chosen.shape.head
        return f"SELECT {_wrapped(parts)}\nFROM {quoted(head.schema, head.name)}"

    def _where(self) -> str:
        chosen = self._chosen
        values = [_sql(value) for value in chosen.wrong]
        name = chosen.quoted(chosen.status)
        return f"{name} = {values[0]}" if len(values) == 1 else f"{name} IN ({', '.join(values)})"

    def _rule(self) -> Iterator[str]:
        chosen = self._chosen
        has_tool = chosen.target is not None and not self.why_no_tool
        yield ""
        yield "# What is wrong: CEL over one record `r`, and `now`. Each rule that holds is a problem of its own."
        yield "[[rule]]"
        if chosen.status and chosen.wrong:
            alias = self._names[chosen.status]
            yield f"kind  = {_toml(_kind(chosen))}"
            yield f"when  = {_toml(self._when())}  # && now - r.some_time > duration('24h')"
            yield f"issue = {_toml(f'Its {alias} is {{{alias}}}.')}"
        else:
            yield 'kind  = "wrong"'
            yield "when  = \"false\"  # as in: r.status == 'failed' && r.attempts < 4"
            yield 'issue = "It is wrong."'
        fix = f"fix   = {_toml(self._tool_name)}"
        yield fix if has_tool else f"# {fix}  # without one, a person looks at it"

    def _when(self) -> str:
        chosen = self._chosen
        alias = self._names[chosen.status]
        values = [_cel(value, self._types.get(chosen.status)) for value in chosen.wrong]
        return f"r.{alias} == {values[0]}" if len(values) == 1 else f"r.{alias} in [{', '.join(values)}]"

    @property
    def _tool_name(self) -> str:
        slug = _slug(str(self._chosen.target), to="_") if self._chosen.target is not None else ""
        return f"set_{slug}" if slug else "set_status"

    def _tool(self) -> Iterator[str]:
        chosen, head = self._chosen, self._chosen.shape.head
        live = chosen.target is not None and not self.why_no_tool
        mark = "" if live else "# "
        column = chosen.status or "status"
        yield ""
        yield "# What may be done: columns that are set. It is shown before, done once, looked at afterwards, undone."
        if why := self.why_no_tool:
            yield f"# No tool yet: {shown(why, longest=400)}."
        target = _sql(chosen.target) if chosen.target is not None else "'queued'"
        yield f"{mark}[[tool]]"
        yield f"{mark}name  = {_toml(self._tool_name)}"
        yield f"{mark}does  = {_toml(f'Sets {column} to {_plain(chosen.target)}.')}"
        yield f'{mark}risk  = "medium"  # low, medium or high: the policy decides what needs a yes'
        yield f"{mark}table = {_toml(head.called)}"
        yield f"{mark}set   = {{ {_name(column)} = {_toml(target)} }}  # expressions over the row: attempts + 1, NULL"
        if chosen.status and chosen.wrong:
            yield f"{mark}only  = {_toml(self._where())}  # asked again when it is done"
        yield '# settles = "15m"               # how long until the effect shows'
        yield "# helped  = \"r.status == 'done'\"  # if not by then, it is undone"
        yield "# waits   = \"r.status == 'queued'\"  # but while somebody else is to act, it waits"


def _names(used: Sequence[ColumnHead], key: Sequence[str]) -> dict[str, str]:
    """Each column, and what the query calls it, so that an expression can name it; a key stays what it is."""
    taken = {each.name for each in used}
    found: dict[str, str] = {}
    for each in used:
        alias = each.name
        if not (len(key) == 1 and each.name == key[0]) and (not _PLAIN.fullmatch(alias) or alias in _CEL):
            alias = _slug(alias, to="_") or "value"
            alias = f"{alias}_" if alias in _CEL else alias
            while alias in taken:
                alias += "_"
        taken.add(alias)
        found[each.name] = alias
    return found


def _kind(chosen: Choices) -> str:
    slugs = [_slug(str(value)) for value in chosen.wrong]
    return slugs[0] if len(slugs) == 1 and slugs[0] else "wrong-status"


def _slug(said: str, *, to: str = "-") -> str:
    """Small letters, digits and a mark between them, beginning with a letter; empty where there is nothing of those."""
    found = re.sub(r"[^a-z0-9]+", to, said.lower()).strip(to)
    return found[:40] if found[:1].isalpha() else f"n{to}{found}"[:40] if found else ""


def _plain(value: object) -> str:
    return "queued" if value is None else shown(str(value), longest=100)


def _sql(value: object) -> str:
    """A value as SQL has it."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float | Decimal):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def _cel(value: object, kind: ColumnType | None) -> str:
    """A value as CEL has it, of a column with that type."""
    meant = typed(value, kind)
    if isinstance(meant, bool):
        return "true" if meant else "false"
    if isinstance(meant, Decimal):
        return str(int(meant) if meant == meant.to_integral_value() else float(meant))
    if isinstance(meant, int | float):
        return str(meant)
    said = str(meant)
    if said.isprintable() and "'" not in said and "\\" not in said:
        return f"'{said}'"
    return f'"{_escaped(said)}"'


def _toml(value: str) -> str:
    return f'"{_escaped(value)}"'


def _escaped(value: str) -> str:
    return "".join(
        _ESCAPES.get(each)
        or (each if each.isprintable() else f"\\u{ord(each):04x}" if ord(each) < 0x10000 else f"\\U{ord(each):08x}")
        for each in value
    )


def _name(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)


def _block(sql: str) -> str:
    """A text of several lines, where it can be one."""
    if "'''" in sql or not all(each.isprintable() or each == "\n" for each in sql):
        return _toml(sql)
    quotes = "'''" if '"""' in sql or "\\" in sql or sql.endswith('"') else '"""'
    return f"{quotes}\n{sql}{quotes}"


def _wrapped(parts: Sequence[str]) -> str:
    lines, line = list[str](), ""
    for part in parts:
        if line and len(line) + len(part) > _WIDTH:
            lines.append(line.rstrip())
            line = "       "
        line += f"{part}, "
    return "\n".join([*lines, line]).rstrip().removesuffix(",")
