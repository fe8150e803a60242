"""`daper db status` and `upgrade`: the database that records and state are in, and its tables."""

from rich.console import Console

from daper.adapters.privacy import make_private
from daper.bootstrap import databases_of, open_domains
from daper.entrypoints.checks.databases import look_at
from daper.entrypoints.cli.exits import Exit
from daper.entrypoints.cli.output import console, print_json, say
from daper.entrypoints.cli.parameters import Json
from daper.settings import Part, Settings, load_settings
from daper.stores.sql.engine import Database

_NONE = (
    "All is in files under {home}, and none of them needs an upgrade by hand. To have it in PostgreSQL, for several "
    "machines, set DAPER_DATABASE_URL; see docs/operations.md."
)


def status(*, as_json: Json = False) -> int:
    """Which database the records and daper's own state are in, which tables it has, and which this version needs.

    It changes nothing. A table's revision is its branch and a number, as records_0001. A database on a server is used
    only with the very revisions of this version: behind, it is upgraded by hand (daper db upgrade); ahead, a newer
    daper wrote it, and only that one may use it. A file of SQLite is upgraded by whoever uses it first.

    Exit codes: 0 this version works with it; 1 it does not, or nobody can tell.

    Parameters
    ----------
    as_json
        Print one JSON document.
    """
    settings = load_settings(needs={Part.DATABASE})
    looks = [look_at(each) for each in _databases(settings)]
    if as_json:
        print_json({"databases": [look.document() for look in looks]})
    else:
        screen = console()
        for line in (line for look in looks for line in look.lines):
            say(screen, line)
        if not looks:
            say(screen, _NONE.format(home=settings.home))
    return Exit.OK if all(look.usable for look in looks) else Exit.ERROR


def upgrade(*, as_json: Json = False) -> int:
    """Make the tables that this version needs, or bring those that are there to it. Done twice, it does nothing.

    All of it happens, or nothing. Save the database first: there is no way back but that. Whoever runs it needs the
    right to make and change tables there; workers need less. Stop the workers, upgrade, and start workers of the new
    version: older ones that go on are refused by the database from then on, and change nothing. Two upgrades at once
    are one: the second waits, and finds it done.

    Exit codes: 0 this version works with it; 1 it does not: a newer daper wrote it, it is not whole, nobody answers.

    Parameters
    ----------
    as_json
        Print one JSON document.
    """
    settings = load_settings(needs={Part.DATABASE})
    make_private(settings.home)
    screen, done = console(), list[dict[str, object]]()
    for database in _databases(settings):
        if database.dialect == "sqlite" and not database.is_there():
            continue  # its first use makes it
        done.append(_upgraded(screen, database, quiet=as_json))
    if as_json:
        print_json({"databases": done})
    elif not done:
        say(screen, _NONE.format(home=settings.home))
    return Exit.OK


def _databases(settings: Settings) -> tuple[Database, ...]:
    return databases_of(settings, open_domains(settings).values())


def _upgraded(screen: Console, database: Database, *, quiet: bool) -> dict[str, object]:
    from daper.stores.sql.upgrading import upgrade as bring_up  # with Alembic

    found = bring_up(database)
    if not quiet:
        ran = f"done: {', '.join(found.ran)}" if found.ran else "nothing to do"
        say(screen, f"{database.named}: {ran}; it has {', '.join(sorted(found.after))}")
    return {
        "name": database.named,
        "ran": list(found.ran),
        "before": sorted(found.before),
        "revisions": sorted(found.after),
    }
