"""Identifiers: made in one place, safe in file names."""

import re

from daper.core.commands import CommandLine
from daper.core.digests import canonical, digest
from daper.core.models import Person

PROACTIVE = "always-be-repairin-for"  # how the ids of proactive agents begin
SCHEDULED = "repair-schedule"  # how the ids of schedules begin that were given no name
EVENT_DRIVEN = "event-driven-for"  # how the ids of event-driven agents begin
DEFAULT_DOMAIN = "orders"
LONGEST_SCHEDULE_ID = 120

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
    return _of_user(PROACTIVE, user, domain)


def agent_command(verb: str, domain: str, *, configured: str = DEFAULT_DOMAIN) -> CommandLine:
    """`daper proactive VERB` for the agent of a domain, which it names where the command would not take it by itself.

    `configured`: which domain it takes where it is run, if that is known.
    """
    return CommandLine("proactive", verb, *(() if domain == configured else ("--domain", domain)))


def event_driven_id(queue: str, person: Person, domain: str, store_id: str) -> str:
    """The id of the one event-driven agent of a person for a store on a task queue: `event-driven-for-USER-…`.

    A name that was checked and one that is a claim are two persons.
    """
    unique = digest(canonical([queue, person.name, person.how, store_id]))[:12]
    return f"{_of_user(EVENT_DRIVEN, person.name, domain)}-{unique}"


def schedule_id(user: str, domain: str) -> str:
    """The id of a user's schedule in a domain that was given no name: `repair-schedule-USER`, and `-DOMAIN`."""
    return _of_user(SCHEDULED, user, domain)


def scheduled_repair_prefix(schedule_id: str) -> str:
    """How the ids of the repairs of a schedule begin; Temporal adds the time of each."""
    return schedule_id if schedule_id.startswith("repair-") else f"repair-{schedule_id}"


def fits_schedule_id(name: str) -> bool:
    """Whether a name can be the id of a schedule as it is."""
    return len(name) <= LONGEST_SCHEDULE_ID and name == safe_name(name, longest=LONGEST_SCHEDULE_ID)


def _of_user(what: str, user: str, domain: str) -> str:
    who = safe_name(user, longest=40)
    if who == _UNNAMED and user != _UNNAMED:  # in letters of which an id has none: not one for all of them
        who = f"{_UNNAMED}-{digest(user)[:8]}"
    name = f"{what}-{who}"
    return name if domain == DEFAULT_DOMAIN else f"{name}-{safe_name(domain, longest=40)}"


def file_stem(identifier: str) -> str:
    """A file name for an identifier: sanitised, plus a hash, so that two identifiers never share one."""
    return f"{safe_name(identifier)}-{digest(identifier)[:8]}"
