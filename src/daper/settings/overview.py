"""Every setting as it may be shown: its value, where that comes from, what it is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from daper.core.urls import masked_setting
from daper.settings.domain_options import every_setting
from daper.settings.secrecy import holds_pem, masked
from daper.settings.table import DEFAULT, Setting
from daper.settings.variables import read_values

SET: Final = "(set)"


@dataclass(frozen=True)
class Shown:
    """One row of what `daper doctor` shows. Secrets are `(set)`; those in an address are `***`."""

    name: str
    value: str
    source: str
    help: str


def shown_settings(
    *, environ: Mapping[str, str] | None = None, folder: Path | None = None, dotenv: bool = True
) -> tuple[Shown, ...]:
    """Every setting with its value and where that comes from, in the table's order; secrets are `(set)` or `***`.

    Checks no value, so that it can be shown when one is wrong. Raises SettingError if `.env` cannot be read.
    """
    values = read_values(environ, Path.cwd() if folder is None else folder, dotenv=dotenv)
    return tuple(row for setting in every_setting() for row in _rows(setting, values))


def _rows(setting: Setting, values: Mapping[str, tuple[str, str]]) -> Iterator[Shown]:
    names = [setting.name]
    if setting.name.endswith("*"):
        names = sorted(name for name in values if name.startswith(setting.name[:-1])) or names
    for name in names:
        value, source = values.get(name, (setting.default, DEFAULT))
        if value and (setting.secret or holds_pem(value)):
            value = SET
        elif source != DEFAULT:
            value = masked(masked_setting(value) if setting.address else value)
        yield Shown(name=name, value=value, source=source, help=setting.help)
