"""`daper records copy`: all of a domain's records, with ledger and outbox, into a store of another kind."""

import sys
from collections.abc import Mapping
from typing import Annotated

from cyclopts import Parameter

from daper.entrypoints.cli.exits import Exit
from daper.entrypoints.cli.output import console, print_json, say
from daper.entrypoints.cli.parameters import Flag, Json
from daper.entrypoints.cli.records import open_records
from daper.entrypoints.cli.runner import run_to_end
from daper.ports.copying import Copied
from daper.settings.domain_options import prefix_of
from daper.stores.copying import LEDGER, OUTBOX

_TOLD_EVERY = 10_000


def copy_records(
    *,
    to: str,
    source: Annotated[str | None, Parameter(name="--from", show_default=False)] = None,
    yes: Flag = False,
    domain: str | None = None,
    as_json: Json = False,
) -> int:
    """Copy the records, their ledger and their outbox into a store of another kind: daper records copy --to sqlite

    All of it arrives, to the digit, or nothing; what arrived is looked over before it counts. The source stays as it
    is, and takes no effect meanwhile. The same again does nothing.

    The store there has an id of its own. Repairs that are open were planned for the old one, and never run on another:
    decide or stop them, or let them expire, before you change over. What was rejected or tried is remembered for the
    old store alone, and may be proposed again. Then set DAPER_ORDERS_STORE for every worker and command.

    Parameters
    ----------
    to
        Where to: json, two files in the folder of the domain; sqlite, a file there; or postgresql, the database of
        DAPER_DATABASE_URL, of which daper db upgrade has made the tables.
    source
        Where from, the same; without it, what daper works on now.
    yes
        Replace records that are there. A backup of them is kept; the ledger and the outbox there are added to.
    domain
        Which records; see DAPER_DOMAIN.
    as_json
        Print one JSON document.
    """
    service, name = open_records(domain)
    now = service.store_kind(name)
    done = run_to_end(service.copy(name, source=source or now, target=to, replace=yes, tell=_tell))
    if as_json:
        print_json({**vars(done), "counts": dict(done.counts)})
        return Exit.OK
    screen = console()
    for line in _lines(done, setting=f"{prefix_of(name)}STORE={to}", works_on_it=to == now):
        say(screen, line)
    return Exit.OK


def _tell(what: str, number: int) -> None:
    if sys.stderr.isatty() and number and number % _TOLD_EVERY < 500:  # as many as go at once
        sys.stderr.write(f"{what}: {number:,}\n")


def _lines(done: Copied, *, setting: str, works_on_it: bool) -> list[str]:
    if not done.changed:
        lines = [f"{done.target} has the very same already; nothing was done"]
    else:
        lines = [f"copied from {done.source} to {done.target}, and looked over: {_counted(done.counts)}"]
    if done.backup is not None:
        lines.append(f"what was there before: {done.backup}")
    lines.append(
        f"The store there is {done.target_id}. Repairs that are open were planned for {done.source_id}, and run on no "
        "other: decide or stop them before you change over"
    )
    if not works_on_it:
        lines.append(f"To work on it: stop the workers, set {setting} for every worker and command, start them again")
    return lines


def _counted(counts: Mapping[str, int]) -> str:
    places = {LEDGER: "in the ledger", OUTBOX: "in the outbox"}
    return ", ".join(f"{number:,} {places.get(name, name)}" for name, number in counts.items())
