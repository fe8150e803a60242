"""What is said of a wrong call, by the SDK or by us: one line, in which nothing is hidden and no key is shown."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, cast

from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.types import INVALID_PARAMS
from pydantic import ValidationError

from daper.core.text import visible
from daper.entrypoints.mcp.arguments import without_added
from daper.entrypoints.mcp.door import LONGEST_ERROR
from daper.entrypoints.mcp.wrong_arguments import (
    joined,
    missing_argument,
    params_wrong,
    quoted,
    unknown_arguments,
    why_wrong,
)
from daper.settings.secrecy import masked

_NAMING: Final = {"tools/call": "tool", "prompts/get": "prompt", "resources/read": "resource"}

# Any, here and below: messages as they go over the wire.
_Context = ServerRequestContext[Any, Any]


class WrongCalls:
    """A middleware: a call that the server cannot answer is refused in a sentence, with what there is."""

    def __init__(self, server: MCPServer[None]) -> None:
        self._server = server

    async def __call__(self, ctx: _Context, call_next: CallNext) -> HandlerResult:
        """The answer. Raises MCPError."""
        try:
            if ctx.method == "prompts/get":
                ctx = await self._prompt_as_meant(ctx)
            result = await call_next(ctx)
        except ValidationError as error:
            if ctx.request_id is None:
                raise
            raise MCPError(INVALID_PARAMS, params_wrong(error)) from None
        except MCPError as error:
            told = await self._unknown(ctx) if error.message.startswith("Unknown ") else ""
            raise MCPError(error.code, _shown(told or error.message), error.data) from None
        except ValueError as error:  # so the SDK refuses a prompt; without this its answer has the code 0
            if ctx.method != "prompts/get":
                raise
            raise MCPError(INVALID_PARAMS, await self._no_prompt(ctx, error)) from None
        if isinstance(result, dict) and result.get("isError"):
            told = await self._unknown(ctx)
            content = [{"type": "text", "text": told}] if told else [_shown_part(part) for part in result["content"]]
            return {**result, "content": content}
        return result

    async def _unknown(self, ctx: _Context) -> str:
        """That there is nothing of the name in a request, and what there is; empty where there is."""
        name, kind = _name(ctx), _NAMING.get(ctx.method, "")
        if name is None or not kind:
            return ""
        match kind:
            case "tool":
                known = [tool.name for tool in await self._server.list_tools()]
            case "prompt":
                known = [prompt.name for prompt in await self._server.list_prompts()]
            case _:
                known = [template.uri_template for template in await self._server.list_resource_templates()]
        return "" if name in known else f"there is no {kind} {quoted(name)}; there are: {', '.join(known)}"

    async def _prompt_as_meant(self, ctx: _Context) -> _Context:
        """Without what clients add to the arguments. Raises MCPError where there is another that it does not have."""
        given = (ctx.params or {}).get("arguments")
        prompt = next((each for each in await self._server.list_prompts() if each.name == _name(ctx)), None)
        if prompt is None or not isinstance(given, Mapping | None):
            return ctx
        known = {each.name: each for each in prompt.arguments or ()}
        meant = without_added(cast("Mapping[str, object]", given or {}), known=known)
        unknown = [name for name in meant if name not in known]
        missing = [each for name, each in known.items() if each.required and name not in meant]
        wrong = [unknown_arguments(unknown, of=prompt.name, known=list(known))] if unknown else []
        wrong += [missing_argument(each.name, is_what=each.description or "") for each in missing]
        if wrong:
            raise MCPError(INVALID_PARAMS, joined(wrong))
        return replace(ctx, params={**(ctx.params or {}), "arguments": meant})

    async def _no_prompt(self, ctx: _Context, error: ValueError) -> str:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ValidationError):
                return why_wrong(cause, of=_name(ctx) or "", schema={})
            cause = cause.__cause__
        return await self._unknown(ctx) or _shown(error)


def _name(ctx: _Context) -> str | None:
    """What a request names, where that is a text."""
    name = (ctx.params or {}).get("uri" if ctx.method == "resources/read" else "name")
    return name if isinstance(name, str) else None


def _shown(text: object) -> str:
    return visible(masked(str(text)), longest=LONGEST_ERROR)


def _shown_part(part: dict[str, Any]) -> dict[str, Any]:
    return {**part, "text": _shown(part["text"])} if part["type"] == "text" else part
