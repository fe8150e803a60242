"""Domains are found by entry point: ours enters by the same door as a stranger's."""

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path

from daper.core.errors import SettingError
from daper.core.ids import safe_name
from daper.ports import Domain

GROUP = "daper.domains"


def load_domains(data: Path, *, options: Callable[[str], Mapping[str, str]]) -> dict[str, Domain]:
    """Every installed domain by name, each with its own folder under `data`. Opens no file.

    Raises SettingError for a domain that cannot be loaded.
    """
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    domains: dict[str, Domain] = {}
    for name in sorted(found):
        try:
            open_domain: Callable[[Path, Mapping[str, str]], Domain] = found[name].load()
        except (ImportError, AttributeError) as error:
            raise SettingError(f"domain {name!r} ({found[name].value}) cannot be loaded: {error}") from error
        domains[name] = open_domain(data / safe_name(name), options(name))
    return domains
