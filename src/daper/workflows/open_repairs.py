"""The repairs that an event-driven agent has begun, and which of them have ended."""

import asyncio
from collections.abc import Iterable
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from daper.activities.runs import RunActivities
    from daper.core.messages import RepairIds
    from daper.workflows import options
    from daper.workflows.children import Child
    from daper.workflows.queues import activity_queue


class OpenRepairs:
    """Those that have not ended, as far as the agent knows.

    Of what this run began Temporal tells it every end, however it comes. Of what an earlier run began nobody tells it:
    the ends that repairs signal come at once, all others are found by looking now and then.
    """

    def __init__(self, carried: Iterable[str], *, store_id: str) -> None:
        self._children: dict[str, Child | None] = dict.fromkeys(carried)
        self._carried = set(self._children)
        self._store_id = store_id
        self._looked_at: datetime | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """All of them, in the order in which they began."""
        return tuple(self._children)

    @property
    def some_ended(self) -> bool:
        """Whether `forget_ended` would forget any."""
        return any(child is not None and child.done() for child in self._children.values())

    def add(self, repair_id: str, child: Child | None = None) -> None:
        """It begins, or has begun as this child."""
        self._children[repair_id] = child

    def close(self, repair_id: str) -> None:
        """It has ended, or never began."""
        self._children.pop(repair_id, None)
        self._carried.discard(repair_id)

    def forget_ended(self) -> None:
        """Those of which Temporal has told the end. How they ended is told by their reports."""
        for repair_id, child in list(self._children.items()):
            if child is not None and child.done():
                if not child.cancelled():
                    child.exception()
                self.close(repair_id)

    def looks_at(self, *, eagerly: bool) -> datetime | None:
        """When to look for ends that nobody tells; None where none can be. `eagerly`: something waits for one."""
        if not self._carried:
            return None
        if self._looked_at is None:
            return workflow.now()
        return self._looked_at + (options.LOOKS_EAGERLY if eagerly else options.LOOKS_IDLY)

    async def look(self, *, eagerly: bool) -> None:
        """Look for such ends, if it is time. Where nobody can tell, it is looked again."""
        at = self.looks_at(eagerly=eagerly)
        if at is None or at > workflow.now():
            return
        self._looked_at = workflow.now()
        queue = activity_queue(workflow.info().task_queue, self._store_id)
        try:
            ended = await workflow.execute_activity_method(
                RunActivities.find_ended_repairs,
                RepairIds(repair_ids=tuple(sorted(self._carried))),
                **options.look(queue),
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise asyncio.CancelledError from error
        else:
            for repair_id in ended.repair_ids:
                self.close(repair_id)
