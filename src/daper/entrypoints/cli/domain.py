"""`daper domain list`, `check` and `init`: domains that a file declares."""

from pathlib import Path

from daper.bootstrap import open_domains
from daper.clock import utc_now
from daper.core.commands import CommandLine
from daper.core.errors import StoreUnavailable, UserError
from daper.core.text import visible
from daper.domains.declared.checking import Check, Look
from daper.domains.declared.domain import DeclaredDomain
from daper.domains.declared.file import Faulty
from daper.domains.declared.reading import read_file
from daper.entrypoints.cli.exits import Exit
from daper.entrypoints.cli.output import console, print_json, say
from daper.entrypoints.cli.parameters import Json
from daper.ports.entry import absent
from daper.settings import Part, Settings, load_settings
from daper.settings.places import passed_over


def list_domains(*, as_json: Json = False) -> int:
    """Every domain that commands and workers know: those that are installed, and those that a file declares.

    Files are those in the folder `domains` of DAPER_HOME, and what DAPER_DOMAINS names. A file that cannot be used is
    listed with what is wrong; it keeps no other domain from working.

    Exit codes: 0 each of them can be used; 1 a file cannot.

    Parameters
    ----------
    as_json
        Print one JSON document.
    """
    settings = load_settings(needs={Part.DATABASE, Part.DOMAIN})
    rows: list[dict[str, object]] = []
    domains = open_domains(settings)
    for name, domain in domains.items():
        path = domain.path if isinstance(domain, DeclaredDomain) else None
        rows.append({"name": name, "file": path and str(path), "tools": [*domain.tools], "trouble": _trouble(domain)})
    if as_json:
        print_json(
            {
                "domains": rows,
                "passed_over": [str(path) for path in passed_over(settings.home)],
                "absent": absent(domains),
            }
        )
    else:
        screen = console()
        for row in rows:
            where = f"file {row['file']}" if row["file"] else "installed"
            tools = ", ".join(map(str, row["tools"])) if isinstance(row["tools"], list) else ""  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - made above
            say(screen, visible(f"{row['name']}: {where}; {row['trouble'] or f'tools: {tools}'}", longest=4000))
        for name, why in absent(domains).items():
            say(screen, visible(f"{name}: not there; {why}", longest=4000))
        for path in passed_over(settings.home):
            told = "passed over: a file of a domain is called NAME.toml, NAME in small letters, digits, - and _"
            say(screen, visible(f"{path}: {told}", longest=4000))
    return Exit.ERROR if any(row["trouble"] for row in rows) else Exit.OK


def check(file: str, *, as_json: Json = False) -> int:
    """Look a file that declares a domain over, with its database: all that is wrong, each with its line and column.

    The query is run without rows, rules over the first records with how many each is about, and each tool once, within
    a transaction that is rolled back. What could not be proved is said. Nothing is changed.

    Exit codes: 0 it can be used; 1 it cannot, or its database does not answer.

    Parameters
    ----------
    file
        The file, or the name of a domain that a file declares.
    as_json
        Print one JSON document.
    """
    settings = load_settings(needs={Part.DOMAIN})
    path = path_of(settings, file)
    try:
        look = Check(read_file(path), variables=settings.variables.get, now=utc_now()).run()
    except Faulty as error:
        look = Look(faults=list(error.faults))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    if as_json:
        print_json(_document(path, look))
    else:
        _tell(path, look)
    return Exit.ERROR if look.faults else Exit.OK


def init(name: str) -> int:
    """Make the ledger of a domain that a file declares: one table, daper_ledger, in the database that its tools write.

    Done twice, it does nothing. The role of `writer` needs the right to make a table there; afterwards SELECT, INSERT
    and UPDATE on it are enough.

    Exit codes: 0 it is there; 1 it could not be made.

    Parameters
    ----------
    name
        The domain.
    """
    settings = load_settings(needs={Part.DATABASE, Part.DOMAIN})
    store = declared_domain(settings, name).now().store
    made = store.init()
    done = "made daper_ledger" if made else "daper_ledger is there already"
    say(console(), f"{done} in {store.writer.named}")
    return Exit.OK


def _trouble(domain: object) -> str:
    if isinstance(domain, DeclaredDomain):
        try:
            domain.now()
        except StoreUnavailable as error:
            return str(error)
    return ""


def declared_domain(settings: Settings, name: str) -> DeclaredDomain:
    """A domain that a file declares. Raises UserError where none does."""
    domain = open_domains(settings).get(name)
    if isinstance(domain, DeclaredDomain):
        return domain
    if domain is not None:
        raise UserError(f"domain {name!r} is installed, and no file declares it: it makes what it needs by itself")
    raise UserError(f"no file declares a domain {name!r}; see: ", CommandLine("domain", "list"))


def path_of(settings: Settings, file: str) -> Path:
    """A path, or the file of a domain by that name."""
    if "/" not in file and not file.endswith(".toml"):
        return declared_domain(settings, file).path
    return Path(file).expanduser()


def _document(path: Path, look: Look) -> dict[str, object]:
    faults = [{"line": each.at.line, "column": each.at.column, "fault": each.said} for each in look.faults]
    return {
        "file": str(path),
        "faults": faults,
        "doubts": look.doubts,
        "hints": look.hints,
        "columns": look.columns,
        "sample": look.sample,
        "rules": look.counts,
    }


def _tell(path: Path, look: Look) -> None:
    screen = console()
    for fault in sorted(look.faults):
        say(screen, visible(fault.line(path), longest=2000))
    if look.columns:
        say(screen, visible(f"columns: {', '.join(look.columns)}", longest=2000))
    for kind, count in look.counts.items():
        say(screen, f"rule {kind}: {count} of the first {look.sample} records")
    for hint in look.hints:
        say(screen, visible(f"is that right? {hint}", longest=2000))
    for doubt in look.doubts:
        say(screen, visible(f"not proved: {doubt}", longest=2000))
    faults = f"{len(look.faults)} fault{'s' if len(look.faults) != 1 else ''}"
    say(screen, f"{path}: {faults}" if look.faults else f"{path}: it can be used")
