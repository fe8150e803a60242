"""What works by itself: the proactive agents, the schedules, and what was reported and waits; each with its trouble."""

import asyncio
from collections.abc import Awaitable
from typing import Final, Generic, TypeVar

from daper.core.base import Wire
from daper.core.errors import DaperError
from daper.service.proactive import ProactiveService
from daper.service.repairs import RepairService
from daper.service.requests import Collected, ProactiveLine, ProactiveStatus
from daper.service.schedule_orders import ScheduleLine
from daper.service.schedules import ScheduleService

_MOST_ASKED: Final = 20  # agents of which more than Temporal's list is told

T = TypeVar("T")


class AgentState(Wire):
    """An agent, and where it stands as it says itself; `trouble`: why it cannot say that."""

    line: ProactiveLine
    status: ProactiveStatus | None = None
    trouble: str = ""


class Listed(Wire, Generic[T]):
    """Some things, or as many as could be told; `trouble`: why not all."""

    items: tuple[T, ...] = ()
    trouble: str = ""


class AgentsView(Wire):
    """All that works by itself on one task queue."""

    agents: Listed[AgentState]
    schedules: Listed[ScheduleLine]
    waiting: Listed[Collected]


async def all_agents(repairs: RepairService, proactive: ProactiveService, schedules: ScheduleService) -> AgentsView:
    """Everything at once; what Temporal or a worker does not tell is missing, with the reason."""
    agents, planned, waiting = await asyncio.gather(
        _told(_agents(proactive)), _told(_listed(schedules.list())), _told(_waiting(repairs))
    )
    return AgentsView(agents=agents, schedules=planned, waiting=waiting)


async def _told(asked: Awaitable[Listed[T]]) -> Listed[T]:
    try:
        return await asked
    except DaperError as error:
        return Listed[T](trouble=str(error))


async def _listed(asked: Awaitable[tuple[T, ...]]) -> Listed[T]:
    return Listed[T](items=await asked)


async def _agents(proactive: ProactiveService) -> Listed[AgentState]:
    lines = await proactive.list()
    asked = await asyncio.gather(*(_state(proactive, line) for line in lines[:_MOST_ASKED]))
    rest = tuple(AgentState(line=line) for line in lines[_MOST_ASKED:])
    return Listed[AgentState](items=(*asked, *rest))


async def _state(proactive: ProactiveService, line: ProactiveLine) -> AgentState:
    try:
        return AgentState(line=line, status=await proactive.status(line.user, line.domain))
    except DaperError as error:
        return AgentState(line=line, trouble=str(error))


async def _waiting(repairs: RepairService) -> Listed[Collected]:
    items, trouble = await repairs.collected()
    return Listed[Collected](items=items, trouble=str(trouble))
