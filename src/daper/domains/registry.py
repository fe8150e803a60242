"""Domains are found by entry point: ours enters by the same door as a stranger's."""

import re
import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from daper.core.errors import SettingError
from daper.core.ids import safe_name
from daper.ports import Domain, DomainEntry, DomainOption
from daper.ports.entry import OpenDomains

GROUP = "daper.domains"


def load_domains(data: Path, *, options: Callable[[str], Mapping[str, str]]) -> OpenDomains:
    """Every installed domain by name, each with its own folder under `data`, but those that nothing is set of that they
    need. Opens no file.

    Raises SettingError for a domain that cannot be loaded.
    """
    opened, absent = dict[str, Domain](), dict[str, str]()
    for name, entry in _installed().items():
        door, given = _loaded(entry), options(name)
        needed = _needs(door)
        if needed is None or given.get(needed.name, "").strip():
            opened[name] = door(data / safe_name(name), given)
        else:
            variable = f"{prefix_of(name)}{needed.name.upper()}"
            absent[name] = f"the domain {name!r} is there once {variable} is set, and that is not: {needed.help}"
    return OpenDomains(opened, absent)


def prefix_of(domain: str) -> str:
    """How every variable of a domain begins."""
    return f"DAPER_{re.sub(r'[^A-Z0-9]', '_', domain.upper())}_"


def _needs(door: Callable[[Path, Mapping[str, str]], Domain]) -> DomainOption | None:
    if not isinstance(door, DomainEntry):
        return None
    return next((option for option in door.options if option.name == door.needs), None)


def declared_options() -> dict[str, tuple[DomainOption, ...]]:
    """The options of each installed domain that declares some; a domain that cannot be loaded declares none."""
    declared: dict[str, tuple[DomainOption, ...]] = {}
    for name, entry in _installed().items():
        try:
            door = _loaded(entry)
        except SettingError:
            continue  # whoever opens the domains is told
        if isinstance(door, DomainEntry) and door.options:
            declared[name] = door.options
    return declared


def _installed() -> dict[str, EntryPoint]:
    return _found_on(tuple(sys.path))


@cache
def _found_on(path: tuple[str, ...]) -> dict[str, EntryPoint]:
    """What is installed there: looking through all of it takes a tenth of a second, and it stays for a process."""
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    return {name: found[name] for name in sorted(found)}


def _loaded(entry: EntryPoint) -> Callable[[Path, Mapping[str, str]], Domain]:
    try:
        return entry.load()
    except (ImportError, AttributeError, SettingError) as error:
        raise SettingError(f"domain {entry.name!r} ({entry.value}) cannot be loaded: {error}") from error
