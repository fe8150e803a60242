"""Identifiers: made in one place, safe in file names."""

import re

from daper.core.digests import canonical, digest
from daper.core.models import Person

DEFAULT_DOMAIN = "orders"

_UNNAMED = "unnamed"
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


def safe_name(text: str, *, longest: int = 60) -> str:
    """A text made safe as a part of an id or a file name: letters, digits, `_`, `.`, `-`; never empty or dots alone."""
    name = _UNSAFE.sub("-", text)[:longest].strip("-.")
    return name or _UNNAMED


def repair_id(user: str, unique: str) -> str:
    """The id of one repair: `repair-USER-UNIQUE`."""
    return f"repair-{safe_name(user, longest=40)}-{unique}"


def keyed_repair_id(queue: str, person: Person, key: str) -> str:
    """The id of the one repair on a task queue that a person asks for under a key: the same for the same three.

    A name that was checked and one that is a claim are two persons.
    """
    return repair_id(person.name, f"k{digest(canonical([queue, person.name, person.how, key]))[:24]}")


def agent_id(user: str, domain: str) -> str:
    """The id of the one proactive agent of a user in a domain: `always-be-repairin-for-USER`, and `-DOMAIN`."""
    who = safe_name(user, longest=40)
    if who == _UNNAMED and user != _UNNAMED:  # in letters of which an id has none: not one agent for all of them
        who = f"{_UNNAMED}-{digest(user)[:8]}"
    name = f"always-be-repairin-for-{who}"
    return name if domain == DEFAULT_DOMAIN else f"{name}-{safe_name(domain, longest=40)}"


def file_stem(identifier: str) -> str:
    """A file name for an identifier: sanitised, plus a hash, so that two identifiers never share one."""
    return f"{safe_name(identifier)}-{digest(identifier)[:8]}"
