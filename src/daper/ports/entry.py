"""How a domain is opened: what its entry point names, and the options that it takes from the settings."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

from daper.core.errors import SettingError
from daper.ports.domain import Domain

Opened = TypeVar("Opened", bound=Domain)

DATABASE_OPTION: Final = "database_url"
"""The option by which a domain gets the address of the database that all is in, where there is one and none of its own
is set. It holds a password, so that only a domain that declares it gets it."""


@dataclass(frozen=True, kw_only=True)
class DomainOption:
    """One option of a domain: DAPER_<DOMAIN>_<NAME> sets it, `default` counts without that, `help` is what it does.

    A `secret` one is shown to nobody. Raises SettingError for a name that no variable could have.
    """

    name: str
    help: str
    default: str = ""
    secret: bool = False

    def __post_init__(self) -> None:
        """Refuse what could never be set."""
        if not re.fullmatch("[a-z][a-z0-9_]*", self.name):
            raise SettingError(f"the option {self.name!r} of a domain must be lower-case letters, digits and _")


@dataclass(frozen=True)
class DomainEntry(Generic[Opened]):
    """Opens a domain on its folder; each option that it declares is there, as it is set or by its default."""

    open: Callable[[Path, Mapping[str, str]], Opened]
    options: tuple[DomainOption, ...]

    def __call__(self, folder: Path, options: Mapping[str, str]) -> Opened:
        """The domain, as the function that is decorated opens it."""
        defaults = {option.name: option.default for option in self.options}
        return self.open(folder, {**defaults, **options})


def with_options(
    *options: DomainOption,
) -> Callable[[Callable[[Path, Mapping[str, str]], Opened]], DomainEntry[Opened]]:
    """Declare, at the function that an entry point names, which options the domain takes.

    They are then shown by `daper doctor`, and a variable that is like them and none of them is warned of.
    """
    return lambda function: DomainEntry(function, options)
