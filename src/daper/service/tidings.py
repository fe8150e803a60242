"""Tidings: lets the agents that run know that something has happened to a record, so that those that wait go on."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from temporalio.client import Client

from daper.core.errors import DaperError
from daper.core.facts import ToldFact
from daper.core.messages import Nudge
from daper.core.proactive import LONGEST_REASON
from daper.core.text import shown
from daper.service.inquiry import ANSWER_WITHIN
from daper.service.listing import quoted
from daper.service.rpc_errors import AGENT, temporal_errors
from daper.workflows.labels import DOMAIN_MEMO, PROACTIVE_NAME, STORE_MEMO
from daper.workflows.proactive import RepairAgentWorkflowProactive

_MOST_TOLD: Final = 100

log = logging.getLogger(__name__)


class Tidings:
    """What the proactive agents on one namespace and task queue are told."""

    def __init__(self, client: Client, *, queue: str) -> None:
        self._client = client
        self._queue = queue

    async def tell(self, told: ToldFact, *, domain: str, store_id: str) -> tuple[str, ...]:
        """Ask every agent of these records for a cycle, at once or after the one that runs; says which.

        Needs no worker. Raises Unreachable. One that ends meanwhile is left out.
        """
        nudge = Nudge(by=told.by.name, reason=f"{shown(told.record_id)}: {told.fact}"[:LONGEST_REASON])
        agents = await self._running(domain, store_id)
        reached = await asyncio.gather(*(self._nudge(each, nudge) for each in agents))
        return tuple(each for each, heard in zip(agents, reached, strict=True) if heard)

    async def _running(self, domain: str, store_id: str) -> Sequence[str]:
        running = f"WorkflowType = '{PROACTIVE_NAME}' AND ExecutionStatus = 'Running'"
        query, found = f"{running} AND TaskQueue = {quoted(self._queue)}", list[str]()
        with temporal_errors("", queue=self._queue, of=AGENT):
            async for each in self._client.list_workflows(query, limit=_MOST_TOLD, rpc_timeout=ANSWER_WITHIN):
                memo = await each.memo()
                if (memo.get(DOMAIN_MEMO), memo.get(STORE_MEMO)) == (domain, store_id):
                    found.append(each.id)
        return sorted(found)

    async def _nudge(self, agent_id: str, nudge: Nudge) -> bool:
        handle = self._client.get_workflow_handle_for(RepairAgentWorkflowProactive.run, agent_id)
        try:
            with temporal_errors(agent_id, queue=self._queue, of=AGENT):
                await handle.signal(RepairAgentWorkflowProactive.check_now, nudge, rpc_timeout=ANSWER_WITHIN)
        except DaperError as error:
            log.info("an agent could not be told of a fact", extra={"agent_id": agent_id, "reason": str(error)})
            return False
        return True
