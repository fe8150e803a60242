"""What the SDK itself says of a wrong call quotes the call: there, too, nothing is hidden."""

import re
from typing import Any, Final

from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.types import INVALID_PARAMS
from pydantic import ValidationError

from daper.core.text import visible
from daper.entrypoints.mcp.door import LONGEST_ERROR

_ELSEWHERE: Final = re.compile(r"\n *For further information visit \S+")


async def nothing_hidden(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """A middleware: errors of a tool, resource or prompt with every character visible, in place of a traceback."""
    try:
        result = await call_next(ctx)
    except MCPError as error:
        told = visible(error.message, longest=LONGEST_ERROR)
        if told == error.message:
            raise
        raise MCPError(error.code, told, error.data) from None
    except ValueError as error:  # so the SDK refuses a prompt; without this its answer has the code 0
        if ctx.method != "prompts/get" or isinstance(error, ValidationError):
            raise
        raise MCPError(INVALID_PARAMS, visible(error, longest=LONGEST_ERROR)) from None
    if isinstance(result, dict) and result.get("isError"):  # as it goes over the wire
        return {**result, "content": [_shown(part) for part in result["content"]]}
    return result


# Any: a part of a tool's answer, as it goes over the wire.
def _shown(part: dict[str, Any]) -> dict[str, Any]:
    if part["type"] != "text":
        return part
    lines = _ELSEWHERE.sub("", part["text"]).split("\n")
    return {**part, "text": "\n".join(visible(line, longest=LONGEST_ERROR) for line in lines)}
