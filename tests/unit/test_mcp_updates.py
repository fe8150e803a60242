"""Subscriptions to repairs: each change of phase is told to whoever wants it and may read, and nothing is left over."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal, cast

import httpx2
import mcp.types as types
import pytest
import uvicorn
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.subscriptions import ResourceUpdated, ServerEvent
from pydantic import AnyHttpUrl
from tests.unit.every_door import LOOK

from daper.bootstrap import Services
from daper.core.access import Access
from daper.core.errors import NotFound, Unreachable, UserError
from daper.core.models import IdentityProof, Person
from daper.core.phases import Phase
from daper.core.views import RepairView
from daper.entrypoints.mcp import updates
from daper.entrypoints.mcp.door import Caller, Door
from daper.entrypoints.mcp.server import build_server
from daper.entrypoints.mcp.updates import Readers
from daper.settings import ChatApproval, Settings, load_settings

LUNA = Person(name="Luna", how=IdentityProof.CLAIMED)
DEADLINE = 20.0
Era = Literal["auto", "legacy"]
both_eras = pytest.mark.parametrize("era", ["auto", "legacy"])


class _Repairs:
    """Repairs that change when a test says so; counts who follows which."""

    def __init__(self) -> None:
        self.following: list[str] = []
        self.begun = 0
        self.coming: asyncio.Queue[RepairView | Exception] = asyncio.Queue()

    async def look(self, repair_id: str) -> RepairView:
        if not repair_id.startswith("repair-"):
            raise NotFound(f"there is no repair {repair_id!r}")
        return LOOK.model_copy(update={"repair_id": repair_id, "phase": Phase.INITIALIZING})

    async def follow(self, repair_id: str) -> AsyncGenerator[RepairView]:
        self.following.append(repair_id)
        self.begun += 1
        try:
            while True:
                look = await self.coming.get()
                if isinstance(look, Exception):
                    raise look
                yield look
        finally:
            self.following.remove(repair_id)

    def comes(self, *phases: Phase) -> None:
        """So it goes on."""
        for phase in phases:
            self.coming.put_nowait(LOOK.model_copy(update={"phase": phase}))


async def subscribe(client: Client, uri: str) -> None:
    """As clients of the older era do."""
    request = types.SubscribeRequest(params=types.SubscribeRequestParams(uri=uri))
    await client.session.send_request(request, types.EmptyResult)


async def unsubscribe(client: Client, uri: str) -> None:
    request = types.UnsubscribeRequest(params=types.UnsubscribeRequestParams(uri=uri))
    await client.session.send_request(request, types.EmptyResult)


_AUTH = AuthSettings(issuer_url=AnyHttpUrl("http://127.0.0.1"), resource_server_url=None, required_scopes=["read"])


class _Verifier(TokenVerifier):
    """Every token was one once."""

    async def verify_token(self, token: str) -> AccessToken:
        return AccessToken(token=token, client_id=token, subject=token, scopes=["read"])


class World:
    """A server, and the clients that talk to it; `access`: what they may do by now."""

    def __init__(self, *, tokens: set[str] | None = None) -> None:
        self.repairs = _Repairs()
        self.access = frozenset(Access)
        self.connected = 0
        self.tokens = tokens
        settings = load_settings(environ={"HOME": "/nowhere"})
        self.door = Door(settings=settings, load=lambda: settings, who=self._who, connects=self._connects)
        self.server = build_server(
            self.door,
            approval=ChatApproval.ELICIT,
            read_only=True,
            verifier=None if tokens is None else _Verifier(),
            auth=None if tokens is None else _AUTH,
        )

    def _who(self, _: Settings) -> Caller:
        if self.tokens is not None:
            came = get_access_token()
            if came is None or came.token not in self.tokens:
                raise UserError("the access token of this call allows nothing any more")
        return Caller(person=LUNA, access=self.access)

    async def _connects(self, _: Settings) -> Services:
        self.connected += 1
        services: Any = type("Services", (), {"repairs": self.repairs})()
        return cast(Services, services)

    @asynccontextmanager
    async def hearing(
        self, era: Era, *uris: str, at: str = "", whose: str = ""
    ) -> AsyncGenerator["asyncio.Queue[str]"]:
        """What a client hears that subscribes to these, in this process or over HTTP."""
        heard: asyncio.Queue[str] = asyncio.Queue()

        async def hears(message: object) -> None:
            if era == "legacy" and isinstance(message, types.ResourceUpdatedNotification):
                heard.put_nowait(str(message.params.uri))

        async with (
            httpx2.AsyncClient(headers={"Authorization": f"Bearer {whose}"} if whose else {}) as http,
            Client(
                streamable_http_client(at, http_client=http) if at else self.server, mode=era, message_handler=hears
            ) as client,
        ):
            if era == "legacy":
                for uri in uris:
                    await subscribe(client, uri)
                yield heard
                return
            async with client.listen(resource_subscriptions=uris) as stream:

                async def listens() -> None:
                    async for event in stream:
                        heard.put_nowait(getattr(event, "uri", "?"))

                task = asyncio.create_task(listens())
                yield heard
                task.cancel()

    async def refused(self, era: Era, uri: str) -> str:
        """What is said to a client that may not subscribe to this."""
        async with Client(self.server, mode=era) as client:
            begins = subscribe(client, uri) if era == "legacy" else _listens(client, uri)
            with pytest.raises(MCPError) as refused:
                await begins
        return refused.value.error.message


async def _listens(client: Client, uri: str) -> None:
    async with client.listen(resource_subscriptions=[uri]):
        pass


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(DEADLINE):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0)


async def next_of(heard: "asyncio.Queue[str]") -> str:
    async with asyncio.timeout(DEADLINE):
        return await heard.get()


@both_eras
async def test_each_change_of_phase_is_told_once(era: Era) -> None:
    world = World()
    async with world.hearing(era, "daper://repairs/repair-1") as heard:
        world.repairs.comes(Phase.INITIALIZING, Phase.DETECTING_PROBLEMS, Phase.DETECTING_PROBLEMS)
        assert await next_of(heard) == "daper://repairs/repair-1"
        world.repairs.comes(Phase.ANALYZING_PROBLEMS)
        assert await next_of(heard) == "daper://repairs/repair-1"
        await until(world.repairs.coming.empty)
        assert heard.empty()


@both_eras
async def test_one_repair_is_followed_once_for_all_and_no_longer_than_somebody_subscribes(era: Era) -> None:
    world = World()
    uri = "daper://repairs/repair-1"
    async with world.hearing(era, uri) as first:
        async with world.hearing(era, uri) as second, world.hearing("auto", uri) as third:
            await until(lambda: world.repairs.following == ["repair-1"])
            world.repairs.comes(Phase.DETECTING_PROBLEMS)
            for heard in (first, second, third):
                assert await next_of(heard) == uri
        world.repairs.comes(Phase.ANALYZING_PROBLEMS)
        assert await next_of(first) == uri
        assert world.repairs.following == ["repair-1"]
    await until(lambda: world.repairs.following == [])
    assert world.repairs.begun == 1


async def test_a_client_of_the_older_era_can_end_a_subscription_and_begin_it_again() -> None:
    world = World()
    uri = "daper://repairs/repair-1"
    async with Client(world.server, mode="legacy") as client:
        for times in (1, 2):
            await subscribe(client, uri)
            await subscribe(client, uri)
            await until(lambda: world.repairs.following == ["repair-1"])
            assert world.repairs.begun == times
            await unsubscribe(client, uri)
            await unsubscribe(client, uri)
            await until(lambda: world.repairs.following == [])


@both_eras
async def test_who_may_not_read_any_more_hears_nothing_more(era: Era) -> None:
    world = World()
    async with world.hearing(era, "daper://repairs/repair-1") as heard:
        world.repairs.comes(Phase.DETECTING_PROBLEMS)
        await next_of(heard)
        world.access = frozenset()
        world.repairs.comes(Phase.ANALYZING_PROBLEMS)
        await until(world.repairs.coming.empty)
        world.access = frozenset(Access)
        world.repairs.comes(Phase.PLANNING_REPAIR)
        await next_of(heard)
        assert heard.empty()
    world.access = frozenset()
    assert "allows nothing, and this needs read" in await world.refused(era, "daper://repairs/repair-1")


@both_eras
async def test_after_temporal_was_lost_a_repair_is_followed_again(era: Era, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates, "_AGAIN_S", 0.0)
    world = World()
    async with world.hearing(era, "daper://repairs/repair-1") as heard:
        world.repairs.coming.put_nowait(Unreachable("Temporal cannot be reached"))
        world.repairs.comes(Phase.DETECTING_PROBLEMS)
        await next_of(heard)
    assert (world.repairs.begun, world.connected) == (2, 2)


@both_eras
async def test_what_is_no_repair_is_refused(era: Era) -> None:
    world = World()
    assert await world.refused(era, "daper://repairs/nobody") == "there is no repair 'nobody'"
    assert world.repairs.begun == 0


async def test_a_connection_has_so_many_subscriptions_and_only_to_repairs() -> None:
    world = World()
    async with Client(world.server, mode="legacy") as client:
        for number in range(updates.MOST_EACH):
            await subscribe(client, f"daper://repairs/repair-{number}")
        with pytest.raises(MCPError, match="at most 20 subscriptions"):
            await subscribe(client, "daper://repairs/repair-x")
        with pytest.raises(MCPError, match="tells of no changes"):
            await subscribe(client, "daper://records/ORD-001-HJP")
    await until(lambda: world.repairs.following == [])
    many = [f"daper://repairs/repair-{number}" for number in range(50)]
    async with (
        Client(world.server) as client,
        client.listen(tools_list_changed=True, resource_subscriptions=["daper://records/ORD-001-HJP", *many]) as stream,
    ):
        assert stream.honored.resource_subscriptions == many[: updates.MOST_EACH]
        assert not stream.honored.tools_list_changed
        await until(lambda: len(world.repairs.following) == updates.MOST_EACH)
    await until(lambda: world.repairs.following == [])


async def test_a_person_follows_so_many_repairs_however_many_connections_they_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(updates, "MOST_OF_A_PERSON", 3)
    world = World()
    async with Client(world.server, mode="legacy") as one, Client(world.server, mode="legacy") as other:
        for number, client in enumerate((one, other, one)):
            await subscribe(client, f"daper://repairs/repair-{number}")
        with pytest.raises(MCPError, match="Luna follows 3 repairs already; end some of them"):
            await subscribe(other, "daper://repairs/repair-x")
        await unsubscribe(one, "daper://repairs/repair-0")
        await subscribe(other, "daper://repairs/repair-x")


@both_eras
async def test_only_what_works_is_announced(era: Era) -> None:
    async with Client(World().server, mode=era) as client:
        capabilities = client.server_capabilities
        prompts = {prompt.name for prompt in (await client.list_prompts()).prompts}
    assert capabilities is not None
    assert capabilities.resources is not None
    assert capabilities.resources.subscribe
    for lists in (capabilities.tools, capabilities.prompts, capabilities.resources):
        assert lists is not None
        assert not lists.list_changed
    assert prompts == {"find_and_repair", "explain_plan", "what_is_waiting"}


@asynccontextmanager
async def served(world: World) -> AsyncGenerator[str]:
    """The world's server over HTTP, at this URL."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        app = world.server.streamable_http_app()
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
        finally:
            server.should_exit = True
            await serving


@both_eras
async def test_over_http_too_updates_come_and_end_with_the_connection(era: Era) -> None:
    world = World()
    async with served(world) as url:
        async with world.hearing(era, "daper://repairs/repair-1", at=url) as heard:
            await until(lambda: world.repairs.following == ["repair-1"])
            world.repairs.comes(Phase.DETECTING_PROBLEMS)
            assert await next_of(heard) == "daper://repairs/repair-1"
        await until(lambda: world.repairs.following == [])


@both_eras
async def test_a_token_that_is_taken_away_hears_nothing_more_and_others_do(era: Era) -> None:
    world = World(tokens={"lunas", "harrys"})
    uri = "daper://repairs/repair-1"
    async with (
        served(world) as url,
        world.hearing(era, uri, at=url, whose="lunas") as luna,
        world.hearing(era, uri, at=url, whose="harrys") as harry,
    ):
        world.repairs.comes(Phase.DETECTING_PROBLEMS)
        assert (await next_of(luna), await next_of(harry)) == (uri, uri)
        world.tokens = {"harrys"}
        world.repairs.comes(Phase.ANALYZING_PROBLEMS)
        assert await next_of(harry) == uri
        world.tokens = {"lunas", "harrys"}
        world.repairs.comes(Phase.PLANNING_REPAIR)
        assert (await next_of(harry), await next_of(luna)) == (uri, uri)
        assert luna.empty()


async def test_a_stream_that_cannot_hear_keeps_no_other_from_an_update() -> None:
    readers, heard = Readers(World().door), list[ServerEvent]()

    def broken(_: ServerEvent) -> None:
        raise RuntimeError("gone")

    readers.subscribe(broken)
    readers.subscribe(heard.append)
    await readers.publish(ResourceUpdated(uri="daper://repairs/r1"))
    assert len(heard) == 1
