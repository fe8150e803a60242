"""The tools for the proactive agent: start it, see it. Ending it is for the command line, where a person is."""

from datetime import timedelta
from typing import Annotated

from mcp.server.mcpserver.tools import Tool
from pydantic import Field

from daper.core.access import Access
from daper.core.errors import Unreachable
from daper.core.models import Scope
from daper.core.partition import parse_partition
from daper.core.proactive import PROACTIVE_INTERVAL
from daper.entrypoints.mcp.answers import ProactiveAgent
from daper.entrypoints.mcp.door import Door
from daper.entrypoints.mcp.presentation import agent_of, just_begun
from daper.entrypoints.mcp.tools import READS, STARTS, Domain, PartitionText, tool
from daper.service.requests import ProactiveStatus, StartProactive
from daper.settings import STARTING

_MINUTE = timedelta(minutes=1)
_A_DAY = timedelta(days=1) // _MINUTE

Minutes = Annotated[
    int, Field(ge=1, le=366 * _A_DAY, description="Minutes between the end of a cycle and the next; a day is 1440.")
]


class ProactiveTools:
    """What starts and shows the proactive agent of the person who calls."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def starting(self) -> list[Tool]:
        """What starts something."""
        return [tool(self._door, self.initiate_proactive_agent, title="Start your proactive agent", hints=STARTS)]

    def reading(self) -> list[Tool]:
        """What changes nothing."""
        return [tool(self._door, self.get_proactive_agent, title="See your proactive agent", hints=READS)]

    async def initiate_proactive_agent(
        self,
        interval_minutes: Minutes = PROACTIVE_INTERVAL // _MINUTE,
        partition: PartitionText = None,
        domain: Domain = "",
    ) -> ProactiveAgent:
        """Start the agent that looks for problems by itself, at once and after every interval, until it is stopped.

        There is one for each person and domain: if it runs already, it is left as it is, and answered. Each cycle is a
        repair whose plan waits for a person; it approves nothing, whatever the policy lets others do.
        """
        person = await self._door.caller(Access.START)
        await self._door.ready(*STARTING)
        services, settings = await self._door.connected_for(*STARTING)
        service = services.proactive
        order = StartProactive(
            requested_by=person,
            domain=settings.domain_or(domain),
            scope=Scope(partition=parse_partition(partition)),
            interval=timedelta(minutes=interval_minutes),
            asks_always=True,  # acting alone is a grant, and no chat client can ask for one
            tell=settings.tell,
        )
        begun = await service.start(order)
        try:
            found = await service.status(person.name, order.domain)
        except Unreachable:
            return just_begun(order, begun, lacking=self._door.worded(await service.unserved(begun.store_id)))
        return agent_of(self._worded(found), already_running=begun.already_running)

    async def get_proactive_agent(self, domain: Domain = "") -> ProactiveAgent:
        """See the proactive agent of this person: its phase, the repair that runs, the next cycle, the last results."""
        person = await self._door.caller(Access.READ, by_name=True)
        of = self._door.settings.domain_or(domain)
        service = await self._door.proactive()
        return agent_of(self._worded(await service.status(person.name, of)))

    def _worded(self, found: ProactiveStatus) -> ProactiveStatus:
        return found.model_copy(update={"trouble": self._door.worded(found.trouble)})
