"""How a person decides from the command line: y or n on a terminal, or named actions and edits."""

import json
from collections.abc import Sequence

from pydantic import JsonValue

from daper.core.models import IdentityProof, Person, Verdict
from daper.entrypoints.cli.exits import UsageError
from daper.entrypoints.cli.parameters import named
from daper.entrypoints.cli.runner import ask_line
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


async def ask_verdict(*, question: str = "Approve all of it?") -> Verdict | None:
    """y approves, n rejects, empty or end of input leaves the plan open."""
    again = False
    while True:
        answer = await ask_line(f"{question} [y]es, [n]o, empty leaves it open: ", again=again)
        again = True
        match (answer or "").lower():
            case "y" | "yes":
                return Verdict.APPROVE
            case "n" | "no":
                return Verdict.REJECT
            case "":
                return None
            case _:
                continue


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
