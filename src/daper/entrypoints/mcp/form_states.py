"""What a client of the newer era carries from a form to the answer: sealed, and valid as long as a plan can wait."""

import secrets
from datetime import timedelta
from typing import Any, Final

from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.request_state import RequestStateSecurity
from mcp.types import CallToolResult, TextContent

from daper.core.models import LONGEST_SPAN
from daper.settings import Part, Settings

REFUSED: Final = (
    "nothing was decided by this call: its form is too old, or the server that asked has another key by now, or it was "
    "for another call or another person. Look with get_repair first, for what was decided otherwise stands; while the "
    "plan waits, call approve_repair or reject_repair again, which asks the person anew"
)
_SLACK: Final = timedelta(days=1)
_REASON: Final = "invalid_request_state"


def form_key_of(settings: Settings) -> bytes | None:
    """The key that seals forms, for a server; None where nobody can tell in which database it is. Blocks."""
    if Part.DATABASE in settings.troubles:  # which is told where it is needed
        return None
    return settings.state.form_key().for_a_server()


def sealed_by(key: bytes | None) -> RequestStateSecurity:
    """How it is sealed: for one call with its arguments, and for one person. No `key`: by one of this process alone.

    The plan's own deadline decides how long an answer counts; the seal is never the first to end.
    """
    return RequestStateSecurity(keys=[key or secrets.token_bytes(32)], ttl=(LONGEST_SPAN + _SLACK).total_seconds())


# Any: as the SDK has it.
async def refused_in_our_words(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """A middleware around the seal's: what it refuses is answered by the tool, in a sentence that says the way on."""
    try:
        return await call_next(ctx)
    except MCPError as error:
        if ctx.method != "tools/call" or not _is_refusal(error):
            raise
    said = CallToolResult(content=[TextContent(type="text", text=REFUSED)], is_error=True)
    return said.model_dump(by_alias=True, mode="json", exclude_none=True)


def _is_refusal(error: MCPError) -> bool:
    data: object = error.data
    return isinstance(data, dict) and data.get("reason") == _REASON  # type: ignore[reportUnknownMemberType]  # JSON
