"""`daper domain show`: what a file says, as daper understands it."""

from collections.abc import Iterator

from daper.clock import utc_now
from daper.core.text import counted, visible
from daper.domains.declared.overview import Overview, RuleView, ToolView, overview
from daper.entrypoints.cli.domain import declared_domain
from daper.entrypoints.cli.exits import Exit
from daper.entrypoints.cli.output import console, print_json, say
from daper.entrypoints.cli.parameters import Json
from daper.settings import Part, load_settings


def show(name: str, *, as_json: Json = False) -> int:
    """What the file of a domain says, as it is understood: records, rules with how many are wrong now, tools.

    Exit codes: 0 it was shown; 1 the file cannot be used, or there is none.

    Parameters
    ----------
    name
        The domain.
    as_json
        Print one JSON document.
    """
    settings = load_settings(needs={Part.DATABASE, Part.DOMAIN})
    seen = overview(declared_domain(settings, name).now(), now=utc_now())
    if as_json:
        print_json(seen)
        return Exit.OK
    screen = console()
    for line in _lines(seen):
        say(screen, visible(line, longest=4000))
    return Exit.OK


def _lines(seen: Overview) -> Iterator[str]:
    yield f"{seen.name}: {seen.about}"
    yield f"file: {seen.file}"
    yield f"database: {seen.database}; tools by {seen.writer}"
    scope = f", where {seen.scope}" if seen.scope else ""
    yield f"records: {seen.in_scope if seen.in_scope is not None else 'not counted'}{scope}"
    if seen.trouble:
        yield f"not counted: {seen.trouble}"
    columns = [f"{name} ({seen.types[name]})" if name in seen.types else name for name in seen.columns]
    yield f"columns: {', '.join(columns) or 'as the query gives them'}; key {seen.key}"
    if seen.hidden:
        yield f"hidden from models and reports: {', '.join(seen.hidden)}"
    for rule in seen.rules:
        yield from _rule(rule, seen.sample)
    for tool in seen.tools:
        yield from _tool(tool)
    if seen.cases:
        yield f"{counted(seen.cases, 'case')} to try"


def _rule(rule: RuleView, sample: int | None) -> Iterator[str]:
    count = "" if rule.count is None else f": {rule.count} of the first {sample} records"
    yield f"rule {rule.kind}{count}"
    yield f"  {'in SQL' if rule.in_sql else 'when'}: {' '.join(rule.condition.split())}"
    yield f"  says: {rule.issue}"
    yield f"  fix: {rule.fix or 'none, a person looks at it'}"


def _tool(tool: ToolView) -> Iterator[str]:
    yield f"tool {tool.name}, risk {tool.risk}: {tool.does}"
    if tool.sets:
        yield f"  sets in {tool.table}: {', '.join(f'{name} = {part}' for name, part in tool.sets.items())}"
    rest = {"asks": tool.asks, "sends": tool.sends, "settled by": tool.settled_by, "runs": tool.runs}
    rest |= {"shows before": tool.preview, "undone by": tool.undo, "only where": tool.only, "spends": tool.spends}
    rest |= {"at most": tool.limits, "settles": tool.settles, "helped": tool.helped, "waits": tool.waits}
    rest |= {"not when": tool.when_not}
    rest |= {f"argument {name}": limit for name, limit in tool.args.items()}
    for name, value in rest.items():
        if value:
            yield f"  {name}: {' '.join(value.split())}"
