"""Whether anybody works on the queues that a repair waits for; and where nobody does, what to start."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from typing import Final

from temporalio.api.enums.v1 import PendingActivityState, PendingWorkflowTaskState
from temporalio.client import Client

from daper.core.commands import CommandLine, Said, joined
from daper.core.errors import DaperError, StoreUnavailable
from daper.ports import Domain
from daper.service.inquiry import ANSWER_WITHIN, Asking
from daper.service.rpc_errors import REPAIR, no_worker, temporal_errors
from daper.workflows.queues import activity_queue

TELL_AFTER: Final = timedelta(seconds=3)
"""How long nothing happens before somebody looks whether anybody is there."""

SELDOM: Final = timedelta(minutes=1)
"""How far apart such looks are at most, while all is quiet."""


class Attendance:
    """Who works on the queues of one task queue: its own, and those of each store."""

    def __init__(self, client: Client, *, queue: str, domains: Mapping[str, Domain]) -> None:
        self._client = client
        self._queue = queue
        self._domains = domains
        self._asking = Asking(client, queue=queue)

    async def of_store(self, store_id: str) -> Said:
        """What to say where nobody works on the task queue, or for the records of a store; else nothing."""
        return await self.of_queues(self._queue, activity_queue(self._queue, store_id))

    async def of_queues(self, *queues: str) -> Said:
        """The same for these queues."""
        try:
            return await self._lacking(queues)
        except DaperError:  # whatever needs an answer of Temporal says so itself
            return Said()

    async def of_repair(self, repair_id: str) -> Said:
        """The same for the queues on which the repair waits at this moment."""
        try:
            return await self._lacking(await self._awaited(repair_id))
        except DaperError:
            return Said()

    def quiet(self, repair_id: str) -> "Quiet":
        """For whoever follows a repair."""
        return Quiet(lambda: self.of_repair(repair_id))

    async def _awaited(self, repair_id: str) -> tuple[str, ...]:
        """The queues on which there is something that nobody has taken yet."""
        with temporal_errors(repair_id, queue=self._queue, of=REPAIR):
            described = await self._client.get_workflow_handle(repair_id).describe(rpc_timeout=ANSWER_WITHIN)
        raw, found = described.raw_description, dict[str, None]()
        if raw.pending_workflow_task.state == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED:
            found[described.task_queue] = None
        for each in raw.pending_activities:
            if each.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED:
                found[each.activity_options.task_queue.name] = None
        return tuple(queue for queue in found if queue)

    async def _lacking(self, queues: Iterable[str]) -> Said:
        queues = tuple(queues)
        polled = await asyncio.gather(*(self._asking.workers(queue) for queue in queues))
        said = [await self._words(queue) for queue, workers in zip(queues, polled, strict=True) if not workers]
        return joined("; ", said)

    async def _words(self, queue: str) -> Said:
        if queue == self._queue:
            return no_worker(queue).said
        place, lacking = await self._place(queue)
        if lacking and not place:
            return Said(
                f"no worker answered on queue {queue!r}, which may be for records that cannot be read: {lacking}"
            )
        records = f"the records in {place}" if place else "records that are not here"
        return Said(
            f"no worker answered on queue {queue!r}, which is for {records}; "
            "start one where they are, with their DAPER_HOME and settings: ",
            CommandLine("worker"),
            "; one that runs was started without these, or says what it lacks",
        )

    async def _place(self, queue: str) -> tuple[str, str]:
        """Where the records of a queue are, if they are here; and why that cannot be told, where a domain fails."""
        lacking: list[str] = []
        for domain in self._domains.values():
            try:
                store = await domain.store()
            except StoreUnavailable as error:
                lacking.append(str(error))
                continue
            own = activity_queue(self._queue, store.store_id)
            if queue == own or queue.startswith(f"{own}--"):
                return store.place, ""
        return "", "; ".join(lacking)


class Quiet:
    """The times in which nothing changes of a repair: looks then whether anybody is there to change it."""

    def __init__(self, look: Callable[[], Awaitable[Said]]) -> None:
        self._look = look
        self._pause, self._told = TELL_AFTER, Said()

    async def lacking(self, changes_within: Callable[[timedelta], Awaitable[bool]]) -> Said:
        """What is lacking, as soon as that is something else than was said before; nothing once something changes."""
        while not await changes_within(self._pause):
            said, before = await self._look(), self._told
            self._told, self._pause = said, min(2 * self._pause, SELDOM)
            if said and said != before:
                return said
        self._pause = TELL_AFTER
        return Said()
