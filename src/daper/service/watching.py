"""One watcher per repair and process: told of every change by Temporal, instead of asking every few seconds."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

# A server rewrites the last events of a history now and then (a worker's task that came to nothing), and then refuses
# to go on from the place that it had given: "branch tokens don't match". Of an id that told events, it means nothing
# else.
_MOVED: Final = RPCStatusCode.INVALID_ARGUMENT
_MOST_READINGS: Final = 20


class Watch:
    """Counts the changes of one repair for as long as somebody looks."""

    def __init__(self, client: Client, repair_id: str) -> None:
        self._handle = client.get_workflow_handle(repair_id)
        self._changed = asyncio.Condition()
        self._version = 0
        self._error: RPCError | None = None
        self._closed = False
        self._told = False
        self.users = 0
        self.task: asyncio.Task[None] | None = None

    @property
    def closed(self) -> bool:
        """Whether the repair has ended."""
        return self._closed

    async def run(self) -> None:
        """Follow the history to its end."""
        error = await self._read()
        readings = 1
        while error is not None and self._told and error.status is _MOVED and readings < _MOST_READINGS:
            error = await self._read()
            readings += 1
        self._error, self._closed = error, error is None
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


class Watches:
    """The watches of one process, shared by everybody who looks at the same repair."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._open: dict[str, Watch] = {}

    @asynccontextmanager
    async def on(self, repair_id: str) -> AsyncGenerator[Watch]:
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
