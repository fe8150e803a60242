"""What a file says as it is understood: its records, rules and tools, with how many records are wrong now."""

from datetime import datetime

from pydantic import Field

from daper.core.base import Wire
from daper.core.digests import canonical
from daper.core.errors import DaperError
from daper.core.spans import written_span
from daper.core.text import counted
from daper.domains.declared.binding import PAGE, Declared
from daper.domains.declared.cases import columns_of
from daper.domains.declared.document import (
    ArgumentSection,
    HttpToolSection,
    LimitSection,
    RuleSection,
    SetSection,
    SqlToolSection,
    ToolSection,
)


class RuleView(Wire):
    """A rule. `condition`: in CEL, or the SQL; `count`: how many of the first records it is about, where known."""

    kind: str
    issue: str
    condition: str
    in_sql: bool
    facts: tuple[str, ...] = ()
    fix: str = ""
    count: int | None = None


class ToolView(Wire):
    """A tool. `fixes`: the kinds it is the fix of; `args`: each with what it may be; `limits`: the most in one plan.

    It has one of three ways: `sets` columns of `table`, `asks` an address and `sends` JSON, or `runs` a statement.
    """

    name: str
    does: str
    risk: str
    fixes: tuple[str, ...]
    table: str = ""
    sets: dict[str, str] = Field(default_factory=dict[str, str])
    asks: str = ""
    sends: str = ""
    settled_by: str = ""
    runs: str = ""
    preview: str = ""
    undo: str = ""
    only: str
    args: dict[str, str]
    spends: str
    limits: str
    settles: str
    helped: str
    waits: str
    when_not: str


class Overview(Wire):
    """A whole file. `in_scope`: how many records are looked at; `trouble`: why nobody could count, where that is so.

    `sample`: how many of them the rules' counts are of.
    """

    name: str
    about: str
    file: str
    database: str
    writer: str
    columns: tuple[str, ...]
    key: str
    title: str
    status: str
    scope: str
    types: dict[str, str]
    hidden: tuple[str, ...]
    version: str
    rules: tuple[RuleView, ...]
    tools: tuple[ToolView, ...]
    cases: int
    sample: int | None = None
    in_scope: int | None = None
    trouble: str = ""


def overview(made: Declared, *, now: datetime) -> Overview:
    """Of a file with its database; what that would have to tell is left out while it does not answer."""
    document = made.file.document
    counts, sample, in_scope, trouble = _counts(made, now)
    records = document.records
    return Overview(
        name=made.file.name,
        about=document.domain.about,
        file=str(made.file.path),
        database=made.store.reader.named,
        writer=document.domain.writer or document.domain.database,
        columns=columns_of(document) or (),
        key=records.key,
        title=records.title,
        status=records.status,
        scope=records.scope,
        types={name: str(kind) for name, kind in records.types.items()},
        hidden=records.hide,
        version=records.version,
        rules=tuple(_rule(rule, counts.get(rule.kind) if sample is not None else None) for rule in document.rule),
        tools=tuple(_tool(tool, document.rule) for tool in document.tool),
        cases=len(document.case),
        sample=sample,
        in_scope=in_scope,
        trouble=trouble,
    )


def _counts(made: Declared, now: datetime) -> tuple[dict[str, int], int | None, int | None, str]:
    try:
        with made.store.reading() as view:
            in_scope = view.count()
            records = made.read(view, view.page(None, most=PAGE)[0])
        counts = dict.fromkeys((rule.kind for rule in made.file.document.rule), 0)
        for kind in (kind for record in records for kind in made.kinds(record, now)):
            counts[kind] = counts.get(kind, 0) + 1
    except DaperError as error:
        return {}, None, None, str(error)
    return counts, len(records), in_scope, ""


def _rule(rule: RuleSection, count: int | None) -> RuleView:
    return RuleView(
        kind=rule.kind,
        issue=rule.issue,
        condition=rule.when or rule.sql,
        in_sql=bool(rule.sql),
        facts=rule.facts,
        fix=rule.fix,
        count=count,
    )


def _tool(tool: ToolSection, rules: tuple[RuleSection, ...]) -> ToolView:
    return ToolView(
        name=tool.name,
        does=tool.does,
        risk=str(tool.risk),
        fixes=tuple(rule.kind for rule in rules if rule.fix == tool.name),
        table=tool.table if isinstance(tool, SetSection) else "",
        sets=dict(tool.set) if isinstance(tool, SetSection) else {},
        asks=f"{tool.http.method} {tool.http.url}" if isinstance(tool, HttpToolSection) else "",
        sends=canonical(tool.http.body) if isinstance(tool, HttpToolSection) and tool.http.body else "",
        settled_by=tool.http.settle.url if isinstance(tool, HttpToolSection) and tool.http.settle else "",
        runs=tool.sql.run if isinstance(tool, SqlToolSection) else "",
        preview=tool.sql.preview if isinstance(tool, SqlToolSection) else "",
        undo=tool.sql.undo if isinstance(tool, SqlToolSection) else "",
        only=tool.only,
        args={name: _argument(each) for name, each in tool.args.items()},
        spends=tool.spends,
        limits=_limits(tool.limit),
        settles="" if tool.settles is None else written_span(tool.settles),
        helped=tool.helped,
        waits=tool.waits,
        when_not=tool.when_not,
    )


def _limits(limit: LimitSection) -> str:
    said = (
        f"{counted(limit.per_plan, 'action')} in one plan" if limit.per_plan is not None else "",
        f"{limit.money} together" if limit.money is not None else "",
        f"{limit.canary} tried first" if limit.canary else "",
    )
    return ", ".join(filter(None, said))


def _argument(argument: ArgumentSection) -> str:
    if argument.sentence is not None:
        return f"a sentence of {argument.sentence} characters at most"
    if argument.one_of is not None:
        return f"one of {', '.join(map(str, argument.one_of))}"
    low, high = argument.between or (0, 0)
    return f"a whole number from {low} to {high}"
