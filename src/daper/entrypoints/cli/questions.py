"""Who asks at the command line, who is told, and what is edited."""

import json
from collections.abc import Sequence

from pydantic import JsonValue

from daper.core.models import IdentityProof, Person
from daper.entrypoints.cli.exits import UsageError
from daper.entrypoints.cli.parameters import named
from daper.settings import Settings, refuse_unknown

DOOR = "cli"


def who_asks(settings: Settings, *, claimed: str | None = None) -> Person:
    """The person at this terminal; a name given with `--as` is a claim."""
    return Person(name=claimed, how=IdentityProof.CLAIMED) if claimed else settings.person


def who_is_told(settings: Settings, names: Sequence[str]) -> tuple[str, ...]:
    """Who was named with `--tell`, or else in DAPER_TELL. Raises SettingError for a name that no target has."""
    told = named("--tell", names)
    refuse_unknown("--tell names", told, settings.people)
    return told or settings.tell


def parse_edits(edits: Sequence[str]) -> dict[str, dict[str, JsonValue]]:
    """`a1.quantity=250` as {"a1": {"quantity": 250}}. A value is JSON where it can be, else text. Raises UsageError."""
    parsed: dict[str, dict[str, JsonValue]] = {}
    for edit in edits:
        target, equals, text = edit.partition("=")
        action_id, dot, argument = target.partition(".")
        if not (equals and dot and action_id and argument):
            raise UsageError(f"--edit {edit!r} does not read as ACTION.ARGUMENT=VALUE, like a1.quantity=250")
        try:
            value: JsonValue = json.loads(text)
        except json.JSONDecodeError:
            value = text
        parsed.setdefault(action_id, {})[argument] = value
    return parsed
