"""`daper records import` and `reset`: a person's own records brought in or up to date, or the shipped ones again."""

from pathlib import Path

from daper.clock import utc_now
from daper.core.errors import UserError
from daper.core.text import counted
from daper.entrypoints.cli.exits import Exit, UsageError
from daper.entrypoints.cli.import_report import draft_document, say_backup, say_draft, say_outcome
from daper.entrypoints.cli.output import console, print_json, say
from daper.entrypoints.cli.parameters import Flag, Json
from daper.entrypoints.cli.progress import progress
from daper.entrypoints.cli.records import open_records, store_line
from daper.entrypoints.cli.runner import ask_line, on_terminal, run_to_end
from daper.ports import ImportDraft, ImportWay

_OWN = "the records in this store are your own; say --yes to have them replaced. A backup of them is kept"


def import_records(
    *files: Path,
    mapping: str = "",
    replace: Flag = False,
    check: Flag = False,
    yes: Flag = False,
    domain: str | None = None,
    as_json: Json = False,
) -> int:
    """Bring in your own records: daper records import ORDERS.json INVENTORY.json

    Each file is a JSON list, or an object with that list: {"orders": [...]} and {"inventory": [...]}; with --mapping,
    CSV or JSON as another system writes it. All of it is looked over first. What makes it impossible is told, each with
    its place, and then nothing is imported; what only should be known is told as a warning.

    The first import replaces the shipped records. From then on nobody's answers are simulated, and today is today. Each
    later one brings your records up to date: new ones come in, changed ones change, those that are not in the files
    stay. What repairs did (asked, ordered, put on hold) is laid over a record that comes again while its facts are the
    same; where they changed, that is told.

    What is changed goes into a dated backup. The store keeps its id, its ledger of effects and its outbox. Waiting
    repairs of records that changed come to nothing: their actions end as stale.

    Exit codes: 0 imported, or there already, or fine with --check; 1 refused, because of what is in the files; 2 the
    command line does not say enough.

    Parameters
    ----------
    files
        For orders: the orders, then the inventory. Both are needed.
    mapping
        What says how another system writes them: shopify, woocommerce, magento, or a file. See records mapping.
    replace
        Replace all records by these, also your own, and lay nothing over them.
    check
        Only look the files over, and change nothing.
    yes
        Replace records that are your own without asking. Needed for that where there is no terminal.
    domain
        Which records; see DAPER_DOMAIN.
    as_json
        Print one JSON document, with all faults and warnings. Does not ask.
    """
    service, name = open_records(domain)
    needed = service.import_files(name)
    if len(files) != len(needed):
        raise UsageError(f"an import of {name} needs {len(needed)} files: {', then '.join(needed)}; got {len(files)}")
    with progress(shown=not as_json) as tell:
        way = ImportWay(mapping=mapping, merge=not replace, tell=tell)
        draft = run_to_end(service.read_import(name, files, now=utc_now(), way=way))
    screen = console()
    if not as_json:
        say_draft(screen, draft)
    if draft.faults:
        if as_json:
            print_json(draft_document(draft))
        raise UserError(f"{counted(len(draft.faults), 'fault')}; nothing was imported. Mend the files and try again")
    done = None
    if not (check or draft.same) and _may_replace(draft, yes=yes, asks=not as_json):
        with progress(shown=not as_json) as tell:
            done = run_to_end(service.import_records(name, draft, replace_own=draft.replaces_own, tell=tell))
    if as_json:
        print_json(draft_document(draft, done))
    else:
        say_outcome(screen, draft, done)
    return Exit.OK


def reset(*, domain: str | None = None, yes: Flag = False) -> int:
    """Restore the shipped records. What is there goes into a dated backup beside them.

    The ledger of effects and the outbox are kept.

    Parameters
    ----------
    domain
        Which records; see DAPER_DOMAIN.
    yes
        Do not ask. Needed where there is no terminal and the records are your own.
    """
    service, name = open_records(domain)
    screen = console()
    if not yes and on_terminal():
        if not _confirmed(f"Replace the {name} in this store by the shipped ones?"):
            say(screen, "nothing was changed")
            return Exit.OK
        yes = True
    if not yes and run_to_end(service.holds_own(name)):
        raise UsageError(_OWN)
    done = run_to_end(service.reset(name, replace_own=yes))
    say(screen, f"restored the shipped {name}. {store_line(done.store)}")
    say_backup(screen, done)
    return Exit.OK


def _may_replace(draft: ImportDraft, *, yes: bool, asks: bool) -> bool:
    if yes or not draft.replaces_own:
        return True
    if asks and on_terminal():
        return _confirmed("Replace the records in this store, which are your own, by these?")
    raise UsageError(_OWN)


def _confirmed(question: str) -> bool:
    answer = run_to_end(ask_line(f"{question} A backup is kept. [y]es, empty for no: "))
    return (answer or "").lower() in {"y", "yes"}
