"""`daper doctor`: what is configured, what answers, what is missing, and how to mend it."""

from collections.abc import Mapping

from daper.bootstrap import open_domains
from daper.core.errors import SettingError
from daper.entrypoints.checks.check import Check
from daper.entrypoints.checks.everything import check_all
from daper.entrypoints.cli.exits import Exit
from daper.entrypoints.cli.output import console, print_json, say, table
from daper.entrypoints.cli.parameters import Json
from daper.entrypoints.cli.runner import run_to_end
from daper.ports import Domain
from daper.settings import Part, Shown, load_settings, shown_settings


def doctor(*, as_json: Json = False) -> int:
    """What is configured, what answers, what is missing and how to mend it. Exit 0 if a repair could run now.

    Of each language model that is configured it makes one cheap call. What is wrong with one thing hides nothing of
    the others.

    Parameters
    ----------
    as_json
        Print one JSON document.
    """
    rows, warnings, checks = _looked_over()
    if as_json:
        print_json(
            {
                "settings": [vars(row) for row in rows],
                "warnings": list(warnings),
                "checks": [vars(check) for check in checks],
            }
        )
    else:
        screen = console()
        table(screen, ("setting", "value", "from", "what it is"), [(r.name, r.value, r.source, r.help) for r in rows])
        for warning in warnings:
            say(screen, f"warning: {warning}")
        for check in checks:
            say(screen, f"{'ok     ' if check.ok else 'MISSING'} {check.name}: {check.what}")
    return Exit.OK if all(check.ok or not check.needed for check in checks) else Exit.ERROR


def _looked_over() -> tuple[tuple[Shown, ...], tuple[str, ...], list[Check]]:
    try:
        rows, settings = shown_settings(), load_settings(needs=())
    except SettingError as error:  # where everything is, or the file that says it: there is nothing to go on with
        return shown_settings(dotenv=False), (), [Check("settings", False, str(error))]
    troubles = [Check("settings", False, str(error)) for error in dict.fromkeys(map(str, settings.troubles.values()))]
    domains: Mapping[str, Domain] = {}
    try:
        settings.need(Part.DATABASE)  # else the records of a file would stand for those that are meant
        domains = open_domains(settings)
    except SettingError as error:
        if Part.DATABASE not in settings.troubles:  # which is told already
            troubles.append(Check("domains", False, str(error)))
    return rows, settings.warnings(domains), [*troubles, *run_to_end(check_all(settings, domains))]
