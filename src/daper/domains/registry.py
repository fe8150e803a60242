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
    """Every installed domain by name, each with its own folder under `data`, but those that nothing is set of that they
    need. Opens no file.

    Raises SettingError for a domain that cannot be loaded.
    """
    opened: dict[str, Domain] = {}
    for name, entry in _installed().items():
        door, given = _loaded(entry), options(name)
        needed = _needs(door)
        if needed is None or given.get(needed.name, "").strip():
            opened[name] = door(data / safe_name(name), given)
    return opened


def lacking(name: str, options: Mapping[str, str]) -> DomainOption | None:
    """The option that an installed domain needs and that is not set; None where it needs none, or there is no such."""
    entry = _installed().get(name)
    needed = None if entry is None else _needs(_loaded(entry))
    return None if needed is None or options.get(needed.name, "").strip() else needed


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
