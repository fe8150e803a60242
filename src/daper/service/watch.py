"""One watcher per repair and process: told of every change by Temporal, instead of asking every few seconds."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final, Generic, TypeVar

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

# A server rewrites the last events of a history now and then (a worker's task that came to nothing), and then refuses
# to go on from the place that it had given: "branch tokens don't match". Of an id that told events, it means nothing
# else.
_MOVED: Final = RPCStatusCode.INVALID_ARGUMENT
_MOST_READINGS: Final = 20

Look = TypeVar("Look")


class Watch(Generic[Look]):
    """Counts the changes of one repair for as long as somebody looks, and looks once at each for all of them."""

    def __init__(self, client: Client, repair_id: str) -> None:
        self._handle = client.get_workflow_handle(repair_id)
        self._changed = asyncio.Condition()
        self._version = 0
        self._error: RPCError | None = None
        self._closed = False
        self._told = False
        self._look: asyncio.Task[Look] | None = None
        self._looked_at = 0
        self.users = 0
        self.task: asyncio.Task[None] | None = None

    @property
    def closed(self) -> bool:
        """Whether the repair has ended, or is not there any more."""
        return self._closed

    async def run(self) -> None:
        """Follow the history to its end."""
        error = await self._read()
        readings = 1
        while error is not None and self._told and error.status is _MOVED and readings < _MOST_READINGS:
            error = await self._read()
            readings += 1
        # It may be forgotten as soon as it has ended.
        self._closed = error is None or error.status is RPCStatusCode.NOT_FOUND
        self._error = None if self._closed else error
        await self._announce()

    async def _read(self) -> RPCError | None:
        """Follow the history from its beginning; says what ended that before the history did."""
        self._told = False
        try:
            async for _ in self._handle.fetch_history_events(wait_new_event=True):
                self._told = True
                await self._announce()
        except RPCError as error:
            return error
        return None

    async def _announce(self) -> None:
        async with self._changed:
            self._version += 1
            self._changed.notify_all()

    async def changed_since(self, seen: int) -> int:
        """Wait until something changed after `seen`; says up to where. Raises RPCError when Temporal is lost."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._version > seen or self._error is not None)
            if self._error is not None:
                raise self._error
            return self._version

    async def changes_within(self, seen: int, span: timedelta) -> bool:
        """Whether something changes after `seen`, or Temporal is lost, within a span of time."""
        try:
            async with asyncio.timeout(span.total_seconds()), self._changed:
                await self._changed.wait_for(lambda: self._version > seen or self._error is not None)
        except TimeoutError:
            return False
        return True

    async def look(self, seen: int, ask: Callable[[], Coroutine[object, object, Look]]) -> Look:
        """What `ask` says of the repair as it is after change `seen`: asked once for all who have seen as much."""
        failed = self._look is not None and self._look.done() and self._look.exception() is not None
        if self._look is None or failed or self._looked_at < seen:
            self._looked_at = self._version
            self._look = asyncio.create_task(ask())
            self._look.add_done_callback(_heard)
        return await asyncio.shield(self._look)


def _heard(look: asyncio.Task[Look]) -> None:
    """Whoever asked may have left meanwhile; its error is nobody's then."""
    if not look.cancelled():
        look.exception()


class Watches(Generic[Look]):
    """The watches of one process, shared by everybody who looks at the same repair."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._open: dict[str, Watch[Look]] = {}

    @asynccontextmanager
    async def on(self, repair_id: str) -> AsyncGenerator[Watch[Look]]:
        """Watch a repair; the last one to leave ends the watch."""
        watch = self._open.get(repair_id)
        if watch is None:
            watch = self._open[repair_id] = Watch(self._client, repair_id)
            watch.task = asyncio.create_task(watch.run())
        watch.users += 1
        try:
            yield watch
        finally:
            watch.users -= 1
            if watch.users == 0:
                self._open.pop(repair_id, None)
                if watch.task is not None:
                    watch.task.cancel()
