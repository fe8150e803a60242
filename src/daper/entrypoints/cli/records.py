"""`daper records …`: the records on this machine, without Temporal."""

from typing import cast

from daper.bootstrap import open_domains
from daper.clock import utc_now
from daper.core.models import Scope, StoreInfo
from daper.entrypoints.cli.exits import Exit, UsageError
from daper.entrypoints.cli.output import console, print_json, say, table
from daper.entrypoints.cli.parameters import Flag, Json
from daper.entrypoints.cli.running import ask_line, on_terminal, run_to_end
from daper.service.records import RecordLine, RecordsService
from daper.settings import load_settings


def list_records(
    *, status: str | None = None, first: int = 0, most: int = 50, domain: str | None = None, as_json: Json = False
) -> int:
    """Records with what the rules find wrong with them, and which store answered.

    Parameters
    ----------
    status
        Only records with this status.
    first
        Begin with this one, counted from 0.
    most
        How many to show.
    domain
        Which records; see DAPER_DOMAIN.
    as_json
        Print one JSON document.
    """
    if first < 0 or most < 1:
        raise UsageError(f"--first {first} must be at least 0, and --most {most} at least 1")
    service, name = _open(domain)
    found = run_to_end(service.list(name, Scope(status=status), now=utc_now(), first=first, most=most))
    if as_json:
        print_json(found)
        return Exit.OK
    screen = console()
    say(screen, _store(found.store))
    rows = [
        (
            line.head.record_id,
            line.head.title,
            line.head.status,
            "; ".join(each.kind for each in line.problems) or "-",
        )
        for line in found.records
    ]
    table(screen, ("record", "about", "status", "problems"), rows)
    if found.total > first + len(rows):
        say(screen, f"{len(rows)} of {found.total}; go on with --first {first + len(rows)}")
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
    service, name = _open(domain)
    line, data = run_to_end(service.show(name, record_id, now=utc_now()))
    if as_json:
        print_json({"record": data, "problems": [problem.model_dump(mode="json") for problem in line.problems]})
        return Exit.OK
    screen = console()
    for text in (*_record_lines(data), *_problem_lines(line)):
        say(screen, text)
    return Exit.OK


def reset(*, domain: str | None = None, yes: Flag = False) -> int:
    """Restore the shipped records. What was changed in them is lost; the ledger of effects and the outbox are kept.

    Parameters
    ----------
    domain
        Which records; see DAPER_DOMAIN.
    yes
        Do not ask.
    """
    service, name = _open(domain)
    screen = console()
    if not yes and on_terminal():
        answer = run_to_end(ask_line(f"Replace the {name} in this store by the shipped ones? [y]es, empty for no: "))
        if (answer or "").lower() not in {"y", "yes"}:
            say(screen, "nothing was changed")
            return Exit.OK
    store = run_to_end(service.reset(name))
    say(screen, f"restored the shipped {name}. {_store(store)}")
    return Exit.OK


def adopt(*, domain: str | None = None) -> int:
    """Give a copied store an id of its own, so that it and the original do not answer for one another.

    Parameters
    ----------
    domain
        Which records; see DAPER_DOMAIN.
    """
    service, name = _open(domain)
    say(console(), _store(run_to_end(service.adopt(name))))
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
    service, name = _open(domain)
    say(console(), run_to_end(service.recover(name, keep_edited=keep_edited)))
    return Exit.OK


def _open(domain: str | None) -> tuple[RecordsService, str]:
    settings = load_settings()
    return RecordsService(domains=open_domains(settings)), domain or settings.domain


def _store(store: StoreInfo) -> str:
    today = f", today is {store.as_of:%Y-%m-%d}" if store.as_of else ""
    return f"Store {store.store_id} at {store.place}{today}"


def _record_lines(value: object, *, name: str = "", indent: str = "") -> list[str]:
    """A JSON value as indented lines: objects by key, lists by a dash for each entry."""
    if isinstance(value, dict):
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
    return ["problems:", *(f"  - {problem.kind}: {problem.issue}" for problem in line.problems)]
