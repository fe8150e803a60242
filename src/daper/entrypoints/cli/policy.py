"""`daper policy show` and `check`: what may run without a person's yes, and where that is said."""

from pathlib import Path

from daper.bootstrap import open_domains
from daper.entrypoints.checks.policy import policy_notes
from daper.entrypoints.cli.exits import Exit
from daper.entrypoints.cli.output import console, print_json, say, table
from daper.entrypoints.cli.parameters import Json
from daper.settings import Part, load_settings, policy_document, policy_rows, read_policy


def show(*, as_json: Json = False) -> int:
    """The approval policy in force, key by key, and where it comes from.

    A proactive agent that runs goes on with the policy that it was started with, within the one that its worker reads.

    Parameters
    ----------
    as_json
        Print one JSON document.
    """
    settings = load_settings(needs={Part.POLICY})
    source, notes = settings.policy_source, policy_notes(settings.policy, open_domains(settings))
    if as_json:
        file = str(source.path) if source.there else None
        print_json({"source": str(source), "file": file, "policy": policy_document(settings.policy), "notes": notes})
        return Exit.OK
    screen = console()
    say(screen, f"Policy: {source}")
    table(screen, ("key", "value", "what it is"), list(policy_rows(settings.policy)))
    for note in notes:
        say(screen, f"note: {note}")
    return Exit.OK


def check(file: Path) -> int:
    """Look a policy file over, and put it to no use. Exit 2, with the fault, if it could not be used.

    Parameters
    ----------
    file
        The file, as DAPER_POLICY would name it.
    """
    policy = read_policy(file).policy()
    settings = load_settings(needs=())
    say(console(), f"{file} can be used; to use it, set DAPER_POLICY, or put it at {settings.home / 'policy.toml'}")
    for note in policy_notes(policy, open_domains(settings)):
        say(console(), f"note: {note}")
    return Exit.OK
