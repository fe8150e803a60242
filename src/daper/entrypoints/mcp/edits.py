"""What a person changes in a plan, as a tool takes it: a list that every model's API can describe."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, cast

from pydantic import BeforeValidator, Field, JsonValue, WithJsonSchema

from daper.core.models import MOST_PROBLEMS

_PARTS: Final = ("action", "argument", "value")
# An object whose keys nobody can name beforehand is refused by some APIs, and by others in strict mode.
_SCHEMA: Final[dict[str, Any]] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "action": {"type": "string", "description": "Its id, like a1."},
            "argument": {"type": "string", "description": "Which one, like quantity."},
            "value": {"type": "string", "description": "The new value, like 250."},
        },
        "required": list(_PARTS),
        "additionalProperties": False,
    },
}


def edits_in(given: object) -> object:
    """Edits by action and argument, of a list of them; a text is JSON where it can be. Raises ValueError.

    What is by action and argument already stays so.
    """
    if not isinstance(given, list):
        return given
    edits: dict[str, dict[str, object]] = {}
    for each in cast("list[object]", given):
        action, argument, value = _parts(each)
        if argument in edits.setdefault(action, {}):
            raise ValueError("names an argument of an action twice")
        edits[action][argument] = _value(value)
    return edits


def _parts(entry: object) -> tuple[str, str, object]:
    wrong = f"has an entry that is no object of {', '.join(_PARTS)}"
    if not isinstance(entry, Mapping):
        raise ValueError(wrong)  # noqa: TRY004 - pydantic tells this one
    parts = cast("Mapping[str, object]", entry)
    action, argument = parts.get("action"), parts.get("argument")
    if set(parts) != set(_PARTS) or not (isinstance(action, str) and isinstance(argument, str)):
        raise ValueError(wrong)
    return action.strip(), argument.strip(), parts["value"]


def _value(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


Edits = Annotated[
    dict[str, dict[str, JsonValue]] | None,
    BeforeValidator(edits_in),
    WithJsonSchema(_SCHEMA),
    Field(
        max_length=MOST_PROBLEMS,
        description="What the person changes in actions that are named in `actions`, within the limits in `editable`.",
    ),
]
