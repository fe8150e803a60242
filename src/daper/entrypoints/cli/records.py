"""`daper records …`: the records on this machine, without Temporal."""

from typing import cast

from daper.adapters.privacy import make_private
from daper.bootstrap import open_domains
from daper.clock import utc_now
from daper.core.models import Scope, StoreInfo
from daper.entrypoints.cli.exits import Exit, UsageError
from daper.entrypoints.cli.output import console, print_json, say
from daper.entrypoints.cli.parameters import Flag, Json, said_right
from daper.entrypoints.cli.record_lists import draw_records
from daper.entrypoints.cli.runner import run_to_end
from daper.entrypoints.documents import record_document
from daper.service.records import RecordList, RecordsService
from daper.service.selection import RecordFilter, RecordLine
from daper.settings import Part, load_settings


def list_records(
    *,
    status: str | None = None,
    problem: str | None = None,
    with_problems: Flag = False,
    search: str | None = None,
    first: int = 0,
    most: int = 50,
    domain: str | None = None,
    as_json: Json = False,
) -> int:
    """Records with what the rules find wrong with them, and which store answered. Filters may be combined.

    On a terminal each problem is a sentence. In a pipe each record is one line with the kinds of its problems; --json
    has it all.

    Parameters
    ----------
    status
        Only records with this status.
    problem
        Only records with a problem of this kind, as payment-denied.
    with_problems
        Only records with problems.
    search
        Only records with this text in their id or in what they are about: the customer of an order.
    first
        Begin with this one of those that are left, counted from 0.
    most
        How many to show.
    domain
        Which records; see DAPER_DOMAIN.
    as_json
        Print one JSON document.
    """
    if first < 0 or most < 1:
        raise UsageError(f"--first {first} must be at least 0, and --most {most} at least 1")
    service, name = open_records(domain)
    with said_right():
        scope = Scope(status=status)
        wanted = RecordFilter(problem=problem, with_problems=with_problems, search=search)
    found = run_to_end(service.list(name, scope, now=utc_now(), first=first, most=most, wanted=wanted))
    if as_json:
        print_json(found)
        return Exit.OK
    screen = console()
    say(screen, store_line(found.store))
    draw_records(screen, found.records)
    for line in _about_the_rest(found, first=first):
        say(screen, line)
    return Exit.OK


def show(record_id: str, *, domain: str | None = None, as_json: Json = False) -> int:
    """One record in full, with what is wrong with it.

    Parameters
    ----------
    record_id
        As `records list` shows it.
    domain
        Which records; see DAPER_DOMAIN.
    as_json
        Print one JSON document.
    """
    service, name = open_records(domain)
    line, data = run_to_end(service.show(name, record_id, now=utc_now()))
    if as_json:
        print_json(record_document(line, data))
        return Exit.OK
    screen = console()
    for text in (*_record_lines(data), *_problem_lines(line)):
        say(screen, text)
    return Exit.OK


def adopt(*, domain: str | None = None) -> int:
    """Give a copied store an id of its own, so that it and the original do not answer for one another.

    Parameters
    ----------
    domain
        Which records; see DAPER_DOMAIN.
    """
    service, name = open_records(domain)
    say(console(), store_line(run_to_end(service.adopt(name))))
    return Exit.OK


def recover(*, keep_edited: Flag = False, finish: Flag = False, domain: str | None = None) -> int:
    """Get a store going again that refuses an interrupted change, because somebody edited a file since.

    Parameters
    ----------
    keep_edited
        Keep the edited file and drop the interrupted change, in every file of it.
    finish
        Save the edited file beside, then finish the interrupted change.
    domain
        Which records; see DAPER_DOMAIN.
    """
    if keep_edited == finish:
        raise UsageError("say which way out: --keep-edited or --finish")
    service, name = open_records(domain)
    say(console(), run_to_end(service.recover(name, keep_edited=keep_edited)))
    return Exit.OK


def open_records(domain: str | None) -> tuple[RecordsService, str]:
    """The service, and the name of the domain: the given one, or the configured one.

    What is there is made private first: the first look at a new store writes one.
    """
    settings = load_settings(needs={Part.DATABASE})
    make_private(settings.home)
    service = RecordsService(domains=open_domains(settings), memory=settings.state.memory)
    return service, settings.domain_or(domain)


def store_line(store: StoreInfo) -> str:
    """Which store answered, and what day it is there."""
    today = f", today is {store.as_of:%Y-%m-%d}" if store.as_of else ""
    return f"Store {store.store_id} at {store.place}{today}"


def _about_the_rest(found: RecordList, *, first: int) -> list[str]:
    """What is not on the page, and how to get there."""
    shown = len(found.records)
    if found.total == 0:
        return [found.why_nothing]
    if not shown:
        return [f"there are {found.total}; --first {first} is behind the last"]
    return [f"{shown} of {found.total}; go on with --first {first + shown}"] if found.total > first + shown else []


def _record_lines(value: object, *, name: str = "", indent: str = "") -> list[str]:
    """A JSON value as indented lines: objects by key, lists by a dash for each entry."""
    if isinstance(value, dict) and value:
        # A JSON object: its keys are texts.
        inner = cast("dict[str, object]", value)
        deeper = indent + "  " if name else indent
        lines = [line for key, each in inner.items() for line in _record_lines(each, name=key, indent=deeper)]
        return [f"{indent}{name}:", *lines] if name else lines
    if isinstance(value, list) and value:
        entries = [_record_lines(each, indent=indent + "    ") for each in cast("list[object]", value)]
        marked = [line for first, *rest in entries for line in (f"{indent}  - {first.lstrip()}", *rest)]
        return [f"{indent}{name}:", *marked]
    return [f"{indent}{name}: {value}" if name else f"{indent}{value}"]


def _problem_lines(line: RecordLine) -> list[str]:
    if not line.problems:
        return ["problems: none"]
    lines = ["problems:"]
    for problem in line.problems:
        lines += [f"  - {problem.kind}: {problem.issue}", *(f"      {evidence}" for evidence in problem.evidence)]
    return lines
