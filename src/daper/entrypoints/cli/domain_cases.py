"""`daper domain test`: the cases of a file, tried without its database."""

from daper.clock import utc_now
from daper.core.errors import UserError
from daper.core.text import counted, visible
from daper.domains.declared.cases import Tried, expression_faults, try_cases
from daper.domains.declared.file import DeclaredFile, Fault, Faulty
from daper.domains.declared.reading import read_file
from daper.entrypoints.cli.domain import path_of
from daper.entrypoints.cli.exits import Exit
from daper.entrypoints.cli.output import console, print_json, say
from daper.entrypoints.cli.parameters import Json
from daper.settings import Part, load_settings


def try_file(file: str, *, as_json: Json = False) -> int:
    """Try the cases of a file that declares a domain: rows that it makes up, and what is expected of each.

    No database is asked: rules and `helped` in CEL are tried, and what is in SQL is said to be unproved.

    Exit codes: 0 all is as expected; 1 a case is not, or the file cannot be used.

    Parameters
    ----------
    file
        The file, or the name of a domain that a file declares.
    as_json
        Print one JSON document.
    """
    path = path_of(load_settings(needs={Part.DOMAIN}), file)
    tried: tuple[Tried, ...] = ()
    lines: list[Fault] = []
    try:
        found = read_file(path)
        faults = tuple(Fault(found.at.key(where), said) for where, said in expression_faults(found.document))
        if not faults:
            tried = try_cases(found, now=utc_now())
            lines = _lines(found, tried)
    except Faulty as error:
        faults = error.faults
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    if as_json:
        print_json(_document(str(path), faults, tried))
    else:
        screen = console()
        for each in (*sorted(faults), *lines):
            say(screen, visible(each.line(path), longest=2000))
        say(screen, f"{path}: {counted(len(faults), 'fault') if faults else _sum(tried)}")
    return Exit.ERROR if faults or any(each.amiss for each in tried) else Exit.OK


def _lines(file: DeclaredFile, tried: tuple[Tried, ...]) -> list[Fault]:
    return [
        Fault(file.at.key(("case", each.number)), f"{each.name}: {said}{why}")
        for each in tried
        for said, why in (*((said, "") for said in each.amiss), *((said, " (not proved)") for said in each.unproved))
    ]


def _sum(tried: tuple[Tried, ...]) -> str:
    if not tried:
        return "it has no [[case]]"
    amiss = sum(bool(each.amiss) for each in tried)
    unproved = sum(bool(each.unproved) and not each.amiss for each in tried)
    parts = [f"{len(tried) - amiss - unproved} as expected"]
    parts += [f"{amiss} not"] if amiss else []
    parts += [f"{unproved} not proved"] if unproved else []
    return f"{counted(len(tried), 'case')}: {', '.join(parts)}"


def _document(path: str, faults: tuple[Fault, ...], tried: tuple[Tried, ...]) -> dict[str, object]:
    return {
        "file": path,
        "faults": [{"line": each.at.line, "column": each.at.column, "fault": each.said} for each in faults],
        "cases": [{"case": each.name, "amiss": each.amiss, "unproved": each.unproved} for each in tried],
    }
