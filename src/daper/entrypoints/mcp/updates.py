"""Tells who subscribed to a repair of each change of its phase: in the newer era by streams, in the older by itself."""

import asyncio
import contextvars
import logging
import re
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.connection import Connection
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.subscriptions import ResourceUpdated, ServerEvent
from mcp.types import INVALID_PARAMS, EmptyResult, SubscribeRequestParams, UnsubscribeRequestParams

from daper.core.access import Access
from daper.core.errors import DaperError, NotBegun, NotFound
from daper.core.outcomes import RepairResult
from daper.entrypoints.mcp.door import Door
from daper.entrypoints.mcp.presentation import NOT_BEGUN
from daper.entrypoints.mcp.wrong_arguments import quoted
from daper.service.requests import Silence

log = logging.getLogger(__name__)

MOST_EACH: Final = 20  # repairs of one connection, or of one stream
MOST_OF_A_PERSON: Final = 100
MOST_FOLLOWED: Final = 500
_AGAIN_S: Final = 15.0  # after Temporal or the workers were lost
_SEND_S: Final = 5.0  # a client that does not read holds up nobody else for longer
_OURS: Final = "daper.subscriptions"
_REPAIR: Final = re.compile(r"daper://repairs/([^/?#%]+)")

# Any, here and below: messages as they go over the wire.
_Context = ServerRequestContext[Any, Any]


class Readers:
    """A bus for streams of updates: who may not read any more hears nothing more."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._hearing: dict[object, tuple[contextvars.Context, Callable[[ServerEvent], None]]] = {}

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """Call `listener` with each event, for whoever asks now; what is returned ends that."""
        token = object()
        self._hearing[token] = (contextvars.copy_context(), listener)
        return lambda: cast(None, self._hearing.pop(token, None))

    async def publish(self, event: ServerEvent) -> None:
        """Tell all who may read."""
        for context, listener in [*self._hearing.values()]:
            if await _may_read(self._door, context):
                try:
                    listener(event)
                except Exception:  # one stream that cannot hear keeps no other from it
                    log.exception("a stream does not hear of an update")


@dataclass
class _Followed:
    """A repair that somebody wants to hear of. `hearing`: how those are told who have no stream."""

    phase: str
    users: int = 0
    hearing: dict[object, Callable[[], Awaitable[None]]] = field(default_factory=dict[object, Any])
    task: asyncio.Task[None] | None = None


class Updates:
    """Follows each repair once, for as long as somebody subscribes to it."""

    def __init__(self, door: Door, readers: Readers) -> None:
        self._door = door
        self._readers = readers
        self._followed: dict[str, _Followed] = {}
        self._of_person = Counter[str]()

    @property
    def followed(self) -> frozenset[str]:
        """The ids of the repairs that somebody subscribes to."""
        return frozenset(self._followed)

    @asynccontextmanager
    async def on(self, repair_id: str, *, hears: Callable[[], Awaitable[None]] | None = None) -> AsyncGenerator[None]:
        """Follow a repair meanwhile. `hears`: called after each change of its phase; streams hear by the bus.

        Raises UserError for who may not read, NotFound, Unreachable, MCPError where too many are followed.
        """
        person = (await self._door.caller(Access.READ)).name
        phase, over = await self._phase(repair_id)
        token, context = object(), contextvars.copy_context()
        if self._of_person[person] >= MOST_OF_A_PERSON:
            raise MCPError(INVALID_PARAMS, f"{person} follows {MOST_OF_A_PERSON} repairs already; end some of them")
        if repair_id not in self._followed and len(self._followed) >= MOST_FOLLOWED:
            raise MCPError(INVALID_PARAMS, f"{MOST_FOLLOWED} repairs are followed already; end other subscriptions")
        followed = self._followed.setdefault(repair_id, _Followed(phase=phase))
        followed.users += 1
        self._of_person[person] += 1
        if hears is not None:
            followed.hearing[token] = _for_readers(self._door, context, hears)
        if followed.task is None and not over:
            # In no caller's context: it outlives whoever came first.
            followed.task = asyncio.get_running_loop().create_task(
                self._follow(repair_id, followed), context=contextvars.Context()
            )
        try:
            yield
        finally:
            followed.hearing.pop(token, None)
            followed.users -= 1
            self._of_person[person] -= 1
            self._of_person += Counter()  # without those who follow nothing any more
            if not followed.users:
                self._followed.pop(repair_id, None)
                if followed.task is not None:
                    followed.task.cancel()

    async def _phase(self, repair_id: str) -> tuple[str, bool]:
        """Where a repair stands, and whether it is over."""
        service = await self._door.repairs()
        try:
            look = await service.look(repair_id)
        except NotBegun:
            return NOT_BEGUN, False
        except DaperError as error:
            self._door.lost(error)
            raise
        return str(look.phase), isinstance(look, RepairResult)

    def told(self, error: DaperError) -> str:
        """An expected error in one line, as every tool tells it."""
        return self._door.told(error)

    async def _follow(self, repair_id: str, followed: _Followed) -> None:
        while True:
            try:
                async for look in (await self._door.repairs()).follow(repair_id):
                    if not isinstance(look, Silence) and str(look.phase) != followed.phase:
                        followed.phase = str(look.phase)
                        await self._tell(repair_id, followed)
            except NotFound:
                return
            except DaperError as error:
                self._door.lost(error)
                await asyncio.sleep(_AGAIN_S)
            else:
                return

    async def _tell(self, repair_id: str, followed: _Followed) -> None:
        await self._readers.publish(ResourceUpdated(uri=uri_of(repair_id)))
        await asyncio.gather(*(_in_time(hears) for hears in followed.hearing.values()))


def uri_of(repair_id: str) -> str:
    """The address of a repair."""
    return f"daper://repairs/{repair_id}"


class Subscriptions:
    """What clients say of subscriptions, and a middleware for the streams of the newer era."""

    def __init__(self, updates: Updates) -> None:
        self._updates = updates

    async def __call__(self, ctx: _Context, call_next: CallNext) -> HandlerResult:
        """The answer; a stream tells of repairs, at most so many, and of nothing else. Raises MCPError."""
        if ctx.method == "server/discover":
            return _without_lists(await call_next(ctx))
        if ctx.method != "subscriptions/listen":
            return await call_next(ctx)
        params = dict(ctx.params or {})
        if not isinstance(params.get("notifications"), Mapping):
            return await call_next(ctx)  # which refuses it
        wanted = _wanted(cast("Mapping[str, Any]", params["notifications"]))
        meant = params | {"notifications": {"resourceSubscriptions": [*map(uri_of, wanted)]}}
        async with AsyncExitStack() as following:
            for repair_id in wanted:
                await self._begin(following, repair_id)
            return await call_next(replace(ctx, params=meant))

    async def _begin(
        self, following: AsyncExitStack, repair_id: str, hears: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Follow a repair until the stack is left. Raises MCPError."""
        try:
            await following.enter_async_context(self._updates.on(repair_id, hears=hears))
        except DaperError as error:
            raise MCPError(INVALID_PARAMS, self._updates.told(error)) from None

    async def subscribe(self, ctx: _Context, params: SubscribeRequestParams) -> EmptyResult:
        """Tell a client of the older era of a repair until it says otherwise, or is gone. Raises MCPError."""
        mine = self._of(ctx)
        uri = str(params.uri)
        repair_id = _repair_in(uri)
        if repair_id is None:
            raise MCPError(INVALID_PARAMS, f"{quoted(uri)} tells of no changes; daper://repairs/{{repair_id}} does")
        if uri in mine:
            return EmptyResult()
        if len(mine) >= MOST_EACH:
            raise MCPError(INVALID_PARAMS, f"a connection has at most {MOST_EACH} subscriptions; end some")
        connection = _connection(ctx)
        entered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = mine[uri] = asyncio.create_task(self._hold(repair_id, connection, entered))
        try:
            await entered
        except BaseException:  # also a client that asks no longer
            mine.pop(uri, None)
            task.cancel()
            raise
        return EmptyResult()

    async def unsubscribe(self, ctx: _Context, params: UnsubscribeRequestParams) -> EmptyResult:
        """Tell no more of it."""
        if task := self._of(ctx).pop(str(params.uri), None):
            await _ended(task)
        return EmptyResult()

    async def _hold(self, repair_id: str, connection: Connection, entered: "asyncio.Future[None]") -> None:
        """One subscription, in a task of its own: entered and left in the same one, whoever asks for either."""

        async def hears() -> None:
            await connection.send_resource_updated(uri_of(repair_id))

        async with AsyncExitStack() as following:
            try:
                await self._begin(following, repair_id, hears)
            except Exception as error:  # noqa: BLE001 - whoever waits for it is told
                if not entered.done():
                    entered.set_exception(error)
                return
            if not entered.done():  # else nobody waits for it any more, and it is about to be ended
                entered.set_result(None)
            await asyncio.Event().wait()

    def _of(self, ctx: _Context) -> dict[str, asyncio.Task[None]]:
        """The subscriptions of a connection; they end with it."""
        connection = _connection(ctx)
        mine = connection.state.get(_OURS)
        if mine is None:
            mine = connection.state[_OURS] = dict[str, asyncio.Task[None]]()
            connection.exit_stack.push_async_callback(_end_all, mine)
        return mine


def add_subscriptions(server: MCPServer[None], updates: Updates) -> None:
    """Adds them to a server that has the bus of `updates`."""
    subscriptions = Subscriptions(updates)
    server.middleware.append(subscriptions)
    lowlevel = server._lowlevel_server  # pyright: ignore[reportPrivateUsage] - no public way to add these
    lowlevel.add_request_handler("resources/subscribe", SubscribeRequestParams, subscriptions.subscribe)
    lowlevel.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, subscriptions.unsubscribe)


def _connection(ctx: _Context) -> Connection:
    return ctx.session._connection  # pyright: ignore[reportPrivateUsage] - nothing else knows its end


async def _end_all(tasks: Mapping[str, asyncio.Task[None]]) -> None:
    for task in tasks.values():
        await _ended(task)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _may_read(door: Door, context: contextvars.Context) -> bool:
    try:
        await asyncio.create_task(door.caller(Access.READ), context=context)
    except DaperError:
        return False
    return True


def _for_readers(
    door: Door, context: contextvars.Context, hears: Callable[[], Awaitable[None]]
) -> Callable[[], Awaitable[None]]:
    async def told() -> None:
        if await _may_read(door, context):
            await hears()

    return told


async def _in_time(hears: Callable[[], Awaitable[None]]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_SEND_S):
            await hears()


def _repair_in(uri: str) -> str | None:
    found = _REPAIR.fullmatch(uri)
    return found[1] if found else None


def _wanted(filters: Mapping[str, Any]) -> list[str]:
    """The repairs that a stream is wanted for: each once, and at most so many."""
    uris = filters.get("resourceSubscriptions")
    texts = [each for each in cast("list[Any]", uris) if isinstance(each, str)] if isinstance(uris, list) else []
    return [*dict.fromkeys(filter(None, map(_repair_in, texts)))][:MOST_EACH]


def _without_lists(result: HandlerResult) -> HandlerResult:
    """Tools, prompts and resources stay the same while a server runs: nothing tells of changes of these lists."""
    if not isinstance(result, dict):
        return result
    told = cast("dict[str, dict[str, Any]]", result.get("capabilities", {}))
    true = {name: each | {"listChanged": False} if "listChanged" in each else each for name, each in told.items()}
    return {**result, "capabilities": true}
