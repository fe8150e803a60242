"""Which variables lead another process, in another folder and environment, to what is configured here."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from daper.core.urls import HIDDEN
from daper.settings.environment import Settings
from daper.settings.overview import SET, Shown
from daper.settings.table import BY_NAME, DEFAULT

_FILES: Final = ("_PATH", "_FILE", "_CERT", "_KEY")
_OWN_FILES: Final = ("DAPER_POLICY", "DAPER_PEOPLE")
_PROFILE_FILE: Final = "TEMPORAL_CONFIG_FILE"


@dataclass(frozen=True, kw_only=True)
class Leads:
    """What is set, and may be told: paths are absolute. `hidden`: names of what may be secret, and is not told."""

    variables: dict[str, str]
    hidden: tuple[str, ...] = ()


def leads_of(settings: Settings, told: Iterable[Shown], *, wanted: Callable[[str], bool]) -> Leads:
    """What is set of the variables that are wanted. `told`: every setting as it may be shown, and from where it is."""
    found: dict[str, str] = {}
    hidden: list[str] = []
    known: set[str] = set()
    for row in told:
        known.add(row.name)
        if row.source == DEFAULT or not wanted(row.name):
            continue
        if row.name == "DAPER_HOME":
            found[row.name] = str(settings.home)
        elif row.value == SET or HIDDEN in row.value or not row.value.isprintable():
            hidden.append(row.name)
        else:
            found[row.name] = _absolute(row) if _is_file(row.name) else row.value
    # The official place of it hangs on variables that are not handed on.
    if (profiles := settings.temporal.get(_PROFILE_FILE)) and wanted(_PROFILE_FILE):
        found[_PROFILE_FILE] = str(Path(profiles).absolute())
    # Options of domains of other people: nobody here can tell which of them is a secret.
    hidden += sorted(name for name in settings.options if name not in known and wanted(name))
    return Leads(variables=found, hidden=tuple(hidden))


def leads_to_records(settings: Settings, told: Iterable[Shown]) -> Leads:
    """What leads a command in a plain shell to the same Temporal and records, but for what is so anyway."""
    leads = leads_of(settings, told, wanted=_leads_to_records)
    if settings.home == Path(BY_NAME["DAPER_HOME"].default).expanduser():
        leads.variables.pop("DAPER_HOME", None)
    return leads


def _leads_to_records(name: str) -> bool:
    """Not who one is, what is granted, who is told or who thinks; but what a domain is told of its records."""
    of_a_domain = name.startswith("DAPER_") and name not in BY_NAME
    return of_a_domain or name.startswith("TEMPORAL_") or name in ("DAPER_HOME", "DAPER_DATABASE_URL", "DAPER_DOMAIN")


def _is_file(name: str) -> bool:
    return (name.startswith("TEMPORAL_") and name.endswith(_FILES)) or name in _OWN_FILES


def _absolute(row: Shown) -> str:
    """Only the files of ours may begin in a home folder; Temporal takes a path as it stands."""
    return str(Path(os.path.expanduser(row.value) if row.name in _OWN_FILES else row.value).absolute())
