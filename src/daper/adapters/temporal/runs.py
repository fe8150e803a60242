"""Asks Temporal which repairs run, behind the port."""

import asyncio
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Final

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from daper.core.errors import Unreachable
from daper.ports import RunState

_ANSWER_WITHIN: Final = timedelta(seconds=3)
_AT_ONCE: Final = 10


class TemporalRuns:
    """`daper.ports.Runs` on one namespace."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def states(self, repair_ids: Collection[str]) -> Mapping[str, RunState]:
        """The state of each, as it is now: Temporal's lists lag behind, and are not asked. Raises Unreachable."""
        ids = tuple(dict.fromkeys(repair_ids))
        return dict(zip(ids, await asyncio.gather(*(self._state(each) for each in ids)), strict=True))

    async def _state(self, repair_id: str) -> RunState:
        handle = self._client.get_workflow_handle(repair_id)
        try:
            async with self._slots:
                described = await handle.describe(rpc_timeout=_ANSWER_WITHIN)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return RunState.UNKNOWN
            raise Unreachable(f"Temporal does not say whether repair {repair_id!r} runs: {error.message}") from error
        return RunState.OPEN if described.status is WorkflowExecutionStatus.RUNNING else RunState.ENDED
