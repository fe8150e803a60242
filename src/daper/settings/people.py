"""Who may be told, and who is told by default: by names, which a file leads on to addresses and secrets."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from daper.adapters.regular_file import is_there, read_if_there
from daper.core.errors import SettingError
from daper.core.people import MOST_TARGETS, People

FILE: Final = "people.toml"
_LONGEST: Final = 60


@dataclass(frozen=True, kw_only=True)
class PeopleFile:
    """Where people are named, and what stood there when it was read; "" where there was no file."""

    path: Path
    digest: str = ""

    @classmethod
    def at(cls, values: Mapping[str, str], home: Path, folder: Path) -> "PeopleFile":
        """The one that is meant, as it is now."""
        named = values.get("DAPER_PEOPLE")
        path = folder / named if named else home / FILE
        return cls(path=path, digest=_digest(path))

    @property
    def changed(self) -> bool:
        """Whether something else stands there by now."""
        return _digest(self.path) != self.digest


def _digest(path: Path) -> str:
    try:
        content = read_if_there(path)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return "" if content is None else sha256(content).hexdigest()


def people_of(values: Mapping[str, str], home: Path, folder: Path) -> People:
    """Everybody in the file that DAPER_PEOPLE names, or in `people.toml` of the home; nobody where there is none.

    Raises SettingError: one line with file, key, value (never a secret, nor a webhook's address) and what is right.
    """
    named = values.get("DAPER_PEOPLE")
    path = folder / named if named else home / FILE
    if not is_there(path):
        if named:
            raise SettingError(f"DAPER_PEOPLE is {named!r}, and there is no such file; name one or unset it")
        return People()
    from daper.settings.people_file import read_people  # what those who tell nobody need not pay

    return read_people(path, values)


def told_of(values: Mapping[str, str], people: People, *, by_policy: Sequence[str]) -> tuple[str, ...]:
    """Who is told by default: the names in DAPER_TELL, or else those of the policy. Raises SettingError."""
    names = tuple(dict.fromkeys(name.strip() for name in values.get("DAPER_TELL", "").split(",") if name.strip()))
    if names:
        refuse_unknown("DAPER_TELL names", names, people)
        return names
    refuse_unknown("people.tell of the policy names", by_policy, people)
    return tuple(by_policy)


def refuse_unknown(what: str, names: Collection[str], people: People) -> None:
    """Raises SettingError for a name that no target has, or for too many of them."""
    if len(names) > MOST_TARGETS:
        raise SettingError(f"{what} {len(names)} targets; at most {MOST_TARGETS} can be told")
    for name in names:
        if name not in people.targets:
            raise SettingError(f"{what} {name[:_LONGEST]!r}, and there is no such target; {people.known()}")
