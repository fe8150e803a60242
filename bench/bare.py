"""The same number of activities in the same shape as a repair of four orders, with nothing in them."""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow

BEFORE, BESIDE, AFTER = 4, 4, 3


@activity.defn
async def nothing(_: str) -> str:
    """Does nothing."""
    return ""


@workflow.defn
class Bare:
    """Some activities one after the other, some beside each other, and some more."""

    @workflow.run
    async def run(self, queue: str) -> None:
        """Run them all."""
        for _ in range(BEFORE):
            await self._once(queue)
        await asyncio.gather(*(self._once(queue) for _ in range(BESIDE)))
        for _ in range(AFTER):
            await self._once(queue)

    async def _once(self, queue: str) -> None:
        await workflow.execute_activity(nothing, "", task_queue=queue, start_to_close_timeout=timedelta(seconds=60))
