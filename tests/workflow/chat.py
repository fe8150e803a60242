"""A chat client in the same process: the server's real tools, over a real protocol in memory, on a shop."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import mcp.types as types
import pytest
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.client.session import ElicitationFnT

from daper.bootstrap import Services, open_services
from daper.core.access import Access
from daper.core.models import Person
from daper.core.phases import Phase
from daper.entrypoints.mcp.door import Caller, Door
from daper.entrypoints.mcp.server import build_server
from daper.settings import ChatApproval, Settings
from tests.workflow.shop import HARRY, Shop

# The tools do the same in both eras of the protocol.
ERAS = ("auto", pytest.param("legacy", marks=pytest.mark.long))
Era = Literal["auto", "legacy"]


@dataclass
class Chat:
    """What a model calls, and what its person was shown and said."""

    client: Client
    asked: list[str] = field(default_factory=list[str])
    schemas: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    access: frozenset[Access] = frozenset(Access)

    # Any: whatever the tool's output schema says.
    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The document that a tool answers; its error fails the test."""
        said = await self.client.call_tool(tool, arguments)
        assert not said.is_error, said.content
        assert said.structured_content is not None
        return said.structured_content

    async def refused(self, tool: str, **arguments: Any) -> str:
        """The error that a tool answers; an answer fails the test."""
        said = await self.client.call_tool(tool, arguments)
        assert said.is_error, said.structured_content
        part = said.content[0]
        assert isinstance(part, types.TextContent)
        return part.text.removeprefix(f"Error executing tool {tool}: ")

    async def begin(self, **arguments: Any) -> dict[str, Any]:
        """Start a repair, and wait for its plan: the details with the plan."""
        begun = await self.call("start_repair", **arguments)
        state = await self.call("wait_for_repair", repair_id=begun["repair_id"], seconds=25)
        assert state["phase"] == Phase.PENDING_APPROVAL
        return await self.call("get_repair", repair_id=begun["repair_id"])


Answers = Callable[[types.ElicitRequestFormParams], Awaitable[types.ElicitResult]]


async def yes(_: types.ElicitRequestFormParams) -> types.ElicitResult:
    """A person who confirms."""
    return types.ElicitResult(action="accept", content={"confirm": True})


async def no(_: types.ElicitRequestFormParams) -> types.ElicitResult:
    """A person who sends the form and does not confirm."""
    return types.ElicitResult(action="accept", content={"confirm": False})


async def declines(_: types.ElicitRequestFormParams) -> types.ElicitResult:
    """A person who declines."""
    return types.ElicitResult(action="decline")


async def closes(_: types.ElicitRequestFormParams) -> types.ElicitResult:
    """A person who closes the form."""
    return types.ElicitResult(action="cancel")


def callback_of(answers: Answers, asked: list[str], schemas: list[dict[str, Any]]) -> ElicitationFnT:
    """How the official client shows a form to such a person; what was shown is kept."""

    async def form(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
        assert isinstance(params, types.ElicitRequestFormParams)
        asked.append(params.message)
        schemas.append(params.requested_schema)
        return await answers(params)

    return form


@asynccontextmanager
async def chat_with(
    shop: Shop,
    *,
    era: Era = "auto",
    answers: Answers | None = None,
    person: Person = HARRY,
    access: frozenset[Access] = frozenset(Access),
    approval: ChatApproval = ChatApproval.ELICIT,
    read_only: bool = False,
    form_key: bytes | None = None,
) -> AsyncGenerator[Chat]:
    """A chat in a shop. Without `answers` the client cannot show forms. What the person may do can change meanwhile."""
    asked: list[str] = []
    schemas: list[dict[str, Any]] = []

    async def connects(settings: Settings) -> Services:
        return await open_services(settings, client=shop.client)

    chats: list[Chat] = []
    door = Door(
        settings=shop.settings,
        load=lambda: shop.settings,
        who=lambda _: Caller(person=person, access=chats[0].access if chats else access),
        connects=connects,
    )
    server = build_server(door, approval=approval, read_only=read_only, form_key=form_key)
    async with Client(
        server, mode=era, elicitation_callback=callback_of(answers, asked, schemas) if answers else None
    ) as client:
        chats.append(Chat(client, asked, schemas, access))
        yield chats[0]
