"""How a domain is opened: what its entry point names, and the options that it takes from the settings."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar, runtime_checkable

from daper.core.errors import SettingError
from daper.ports.domain import Domain

Opened = TypeVar("Opened", bound=Domain)

DATABASE_OPTION: Final = "database_url"
"""The option by which a domain gets the address of the database that all is in, where there is one and none of its own
is set. It holds a password, so that only a domain that declares it gets it."""

TEMPLATES: Final = "templates"
TEMPLATES_OPTION: Final = "templates"
"""The option by which a domain that declares it gets its folder in the folder TEMPLATES of the home, where none is set:
a person's own texts are there."""


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
    """Opens a domain on its folder; each option that it declares is there, as it is set or by its default.

    `needs`: the option without which there is no such domain, "" for one that is always there.
    """

    open: Callable[[Path, Mapping[str, str]], Opened]
    options: tuple[DomainOption, ...]
    needs: str = ""

    def __call__(self, folder: Path, options: Mapping[str, str]) -> Opened:
        """The domain, as the function that is decorated opens it."""
        defaults = {option.name: option.default for option in self.options}
        return self.open(folder, {**defaults, **options})


class OpenDomains(dict[str, Domain]):
    """Domains by name, and why others are not among them: what to set for each that is installed and not there."""

    def __init__(self, there: Mapping[str, Domain], absent: Mapping[str, str]) -> None:
        super().__init__(there)
        self.absent = dict(absent)


def absent(domains: Mapping[str, Domain]) -> Mapping[str, str]:
    """What to set for each domain that is installed and not there."""
    return domains.absent if isinstance(domains, OpenDomains) else {}


def why_absent(domains: Mapping[str, Domain], name: str) -> str:
    """What to set so that an installed domain is there; "" for one that is not installed."""
    return absent(domains).get(name, "")


@runtime_checkable
class OnTemporal(Protocol):
    """A domain whose records are on a Temporal cluster: daper's own, or another one."""

    def reach_by(self, connect: Callable[[Mapping[str, str]], Awaitable[object]]) -> None:
        """Say how a cluster is connected to; called once, before anything is asked of the domain.

        `connect` takes what is set of another cluster, each by the last part of its official variable (`address`,
        `tls_client_key_path`), gives a client of Temporal's library, and raises Unreachable and SettingError.
        """
        ...


def with_options(
    *options: DomainOption, needs: str = ""
) -> Callable[[Callable[[Path, Mapping[str, str]], Opened]], DomainEntry[Opened]]:
    """Declare, at the function that an entry point names, which options the domain takes.

    They are then shown by `daper doctor`, and a variable that is like them and none of them is warned of. The domain
    is there only where the option that it `needs` is set.
    """
    return lambda function: DomainEntry(function, options, needs)
