"""Where things are: the folder for all of it, and the files that may be elsewhere."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from daper.adapters.regular_file import is_there
from daper.core.errors import SettingError
from daper.settings.policy import POLICY_FILE, PolicySource
from daper.settings.table import BY_NAME

DOMAINS: Final = "domains"
DOMAIN_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,49}")


def home_of(values: Mapping[str, str], folder: Path) -> Path:
    """DAPER_HOME, which need not be there. Raises SettingError for what is there and is no folder that can be used."""
    value = values.get("DAPER_HOME", BY_NAME["DAPER_HOME"].default)
    home = path_of(values, "DAPER_HOME", value, folder)
    if is_there(home) and not (os.path.isdir(home) and os.access(home, os.R_OK | os.X_OK)):
        raise SettingError(
            f"DAPER_HOME is {value!r}, and that is no folder that can be used: {_why(home)}; name another, or mend it"
        )
    return home


def policy_source_of(values: Mapping[str, str], home: Path, folder: Path) -> PolicySource:
    """Where the approval policy is."""
    value = values.get("DAPER_POLICY")
    if value is None:
        return PolicySource(path=home / POLICY_FILE)
    return PolicySource(path=path_of(values, "DAPER_POLICY", value, folder), named=True)


def domain_files_of(values: Mapping[str, str], home: Path, folder: Path) -> tuple[Path, ...]:
    """The files that declare domains: those in the folder `domains` of the home, and what DAPER_DOMAINS names.

    Raises SettingError for what is named and is not there.
    """
    found = [*_tomls(home / DOMAINS)]
    for value in filter(None, values.get("DAPER_DOMAINS", "").split(os.pathsep)):
        path = path_of(values, "DAPER_DOMAINS", value, folder)
        if not is_there(path):
            raise SettingError(f"DAPER_DOMAINS names {value!r}, and there is no such file or folder")
        found += _tomls(path) if path.is_dir() else [path]
    return tuple(dict.fromkeys(found))


def passed_over(home: Path) -> tuple[Path, ...]:
    """What lies in the folder `domains` of the home, and is no file of a domain by its name; nothing hidden."""
    folder = home / DOMAINS
    known = {*_tomls(folder)}
    there = sorted(folder.iterdir()) if folder.is_dir() else []
    return tuple(path for path in there if path not in known and not path.name.startswith("."))


def _tomls(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.toml") if DOMAIN_NAME.fullmatch(path.stem)) if folder.is_dir() else []


def path_of(values: Mapping[str, str], name: str, value: str, folder: Path) -> Path:
    """A path that a variable names, from `folder` on. Raises SettingError for a home folder that nobody has."""
    path = Path(value)
    if path.parts[:1] == ("~",) and values.get("HOME"):
        return folder.joinpath(values["HOME"], *path.parts[1:]).absolute()
    try:
        return (folder / path.expanduser()).absolute()
    except RuntimeError as error:
        raise SettingError(f"{name} is {value!r}, which names no home folder; give a full path") from error


def _why(path: Path) -> str:
    try:
        os.listdir(path)
    except FileNotFoundError:
        return "it is a link that leads nowhere"
    except OSError as error:
        return error.strerror or type(error).__name__
    return "it cannot be entered"
