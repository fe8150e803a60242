"""How a function becomes a tool: closed to arguments that it does not know, with hints on what it does."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from mcp.server.mcpserver.tools import Tool
from mcp.types import ToolAnnotations
from pydantic import Field

from daper.core.models import MOST_PROBLEMS
from daper.entrypoints.mcp.arguments import Arguments
from daper.entrypoints.mcp.door import Door, told

READS: Final = ToolAnnotations(read_only_hint=True, open_world_hint=False)
STARTS: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
DECIDES: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=True
)
STOPS: Final = DECIDES.model_copy(update={"open_world_hint": False})

RepairId = Annotated[str, Field(min_length=1, max_length=200, description="The repair_id that start_repair answered.")]
_SomeIds = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=MOST_PROBLEMS)]
_OF_RECORDS: Final = "Ids of records, like ORD-001-HJP."
RecordIds = Annotated[_SomeIds, Field(min_length=1, description=_OF_RECORDS)]
AnyRecordIds = Annotated[_SomeIds | None, Field(description=f"{_OF_RECORDS} Not given: all records.")]
Page = Annotated[int, Field(ge=1, le=1_000_000, description="Which page; the answer says how many there are.")]
Domain = Annotated[str, Field(max_length=50, description="Which records; empty: the configured domain.")]
Comment = Annotated[str, Field(max_length=2000, description="Kept with it, in the words of the person.")]


def tool(
    door: Door, fn: Callable[..., Awaitable[Any]], *, title: str, hints: ToolAnnotations, kind: type[Tool] = Tool
) -> Tool:
    """A tool by the name and docstring of `fn`; its expected errors are told to the client.

    Its arguments are read as models write them; see `Arguments`.
    """
    made = kind.from_function(told(door)(fn), title=title, description=_paragraphs(fn), annotations=hints)
    known = made.fn_metadata.arg_model
    closed = type(known.__name__, (Arguments, known), {"__module__": known.__module__})
    made.fn_metadata.arg_model = closed
    made.parameters = closed.model_json_schema(by_alias=True)
    return made


def _paragraphs(fn: Callable[..., Any]) -> str:
    """The docstring, each of its paragraphs on one line."""
    paragraphs = (fn.__doc__ or "").strip().split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
