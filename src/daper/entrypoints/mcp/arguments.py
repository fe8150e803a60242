"""The arguments of a tool as language models write them: blank for what they leave out, a list as text."""

from collections.abc import Mapping
from typing import Any, Final, cast, get_args, get_origin

from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase
from pydantic import ConfigDict, model_validator
from pydantic.fields import FieldInfo

from daper.core.names import distinct, is_blank, names_in
from daper.core.selections import selections_in

# What clients put beside the arguments that a tool names, for ends of their own; it says nothing of what is asked.
ADDED_BY_CLIENTS: Final = frozenset(
    {
        "wait_for_previous",  # gemini-cli: whether a call may run beside the one before it
        "toolCallId",  # n8n: its own id of the call; https://github.com/n8n-io/n8n/issues/21500
        "task_progress",  # Cline: the model's list of what is done; https://github.com/cline/cline/issues/9684
    }
)

_LEFT_OUT = object()


class SelectionTexts:
    """Marks a list of selections: one text of it may have commas that say what is left out."""


class Arguments(ArgModelBase):
    """Closed: an argument that it does not know is refused, and not dropped: `auto_approve` would seem to be heard.

    Only what clients are known to add is dropped. What is blank or null, and need not be given, counts as not given. A
    list may be a text with commas, or with JSON; a selection that leaves out stays whole.
    """

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _as_meant(cls, given: object) -> object:
        if not isinstance(given, Mapping):
            return given
        fields = cls.model_fields
        # JSON objects have texts for keys.
        named = without_added(cast("Mapping[str, object]", given), known=fields)
        read = {name: _read(fields[name], value) if name in fields else value for name, value in named.items()}
        return {name: value for name, value in read.items() if value is not _LEFT_OUT}


def without_added(given: Mapping[str, object], *, known: Mapping[str, object]) -> dict[str, object]:
    """What was given, without what clients add to every call."""
    return {name: value for name, value in given.items() if name in known or name not in ADDED_BY_CLIENTS}


def _read(field: FieldInfo, value: object) -> object:
    if not field.is_required() and is_blank(value):
        return _LEFT_OUT
    if not _holds_names(field.annotation):
        return value
    if isinstance(value, str):
        whole = any(isinstance(mark, SelectionTexts) for mark in field.metadata)
        return list(selections_in(value) if whole else names_in(value))
    return _names(cast("list[object]", value)) if isinstance(value, list) else value


def _names(entries: list[object]) -> list[object]:
    """What else than names is in it is for the schema to refuse."""
    named = all(isinstance(each, str | int | None) and not isinstance(each, bool) for each in entries)
    return [*distinct(entries)] if named else entries


def _holds_names(annotation: Any) -> bool:  # Any: whatever stands there
    """Whether an argument is a list; all of ours are of names."""
    return get_origin(annotation) is list or any(_holds_names(each) for each in get_args(annotation))
