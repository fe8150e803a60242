"""How a function becomes a tool: closed to arguments that it does not know, with hints on what it does."""

import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import FuncMetadata
from mcp.types import CallToolResult, InputRequiredResult, TextContent, ToolAnnotations
from pydantic import Field, ValidationError

from daper.core.models import MOST_PROBLEMS
from daper.entrypoints.mcp.arguments import Arguments
from daper.entrypoints.mcp.door import Door, told
from daper.entrypoints.mcp.schemas import published, untitled
from daper.entrypoints.mcp.wrong_arguments import why_wrong

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
PartitionText = Annotated[
    str | None, Field(max_length=200, description="Share with other repairs: 1/4 is the first of four parts.")
]
Page = Annotated[int, Field(ge=1, le=1_000_000, description="Which page; the answer says how many there are.")]
Domain = Annotated[str, Field(max_length=50, description="Which records; empty: the configured domain.")]
Comment = Annotated[str, Field(max_length=2000, description="Kept with it, in the words of the person.")]


class PlainTool(Tool):
    """A tool that refuses wrong arguments in one line of ours."""

    # Any: as the SDK has it.
    async def run(self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False) -> Any:
        """Run it. Raises ToolError."""
        try:
            return await super().run(arguments, context, convert_result)
        except UnexpectedToolError:
            raise
        except ToolError as error:
            if not isinstance(error.__cause__, ValidationError):
                raise
            schema = self.fn_metadata.arg_model.model_json_schema(by_alias=True)
            why = why_wrong(error.__cause__, of=self.name, schema=schema)
            raise ToolError(f"Error executing tool {self.name}: {why}") from None


class _Compact(FuncMetadata):
    """The text of an answer is its document as JSON, the same as beside it, in one line without blanks."""

    # Any: whatever a tool answers.
    def convert_result(self, result: Any) -> CallToolResult | InputRequiredResult:
        """The answer as it goes over the wire."""
        made = super().convert_result(result)
        if isinstance(result, CallToolResult) or isinstance(made, InputRequiredResult):
            return made
        if made.structured_content is not None:
            text = json.dumps(made.structured_content, ensure_ascii=False, separators=(",", ":"))
            made.content = [TextContent(type="text", text=text)]
        return made


def tool(
    door: Door, fn: Callable[..., Awaitable[Any]], *, title: str, hints: ToolAnnotations, kind: type[Tool] = PlainTool
) -> Tool:
    """A tool by the name and docstring of `fn`; its expected errors are told to the client.

    Its arguments are read as models write them; see `Arguments`.
    """
    made = kind.from_function(told(door)(fn), title=title, description=_paragraphs(fn), annotations=hints)
    known = made.fn_metadata
    closed = type(known.arg_model.__name__, (Arguments, known.arg_model), {"__module__": known.arg_model.__module__})
    made.fn_metadata = _Compact(
        arg_model=closed,
        output_schema=untitled(known.output_schema),
        output_model=known.output_model,
        wrap_output=known.wrap_output,
    )
    made.parameters = published(closed.model_json_schema(by_alias=True))
    return made


def _paragraphs(fn: Callable[..., Any]) -> str:
    """The docstring, each of its paragraphs on one line."""
    paragraphs = (fn.__doc__ or "").strip().split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
