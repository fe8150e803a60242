"""Domains are found by entry point: ours enters by the same door as a stranger's."""

import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from daper.core.errors import SettingError
from daper.core.ids import safe_name
from daper.ports import Domain, DomainEntry, DomainOption

GROUP = "daper.domains"


def load_domains(data: Path, *, options: Callable[[str], Mapping[str, str]]) -> dict[str, Domain]:
    """Every installed domain by name, each with its own folder under `data`. Opens no file.

    Raises SettingError for a domain that cannot be loaded.
    """
    return {name: _loaded(entry)(data / safe_name(name), options(name)) for name, entry in _installed().items()}


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
