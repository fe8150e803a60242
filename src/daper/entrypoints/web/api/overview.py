"""How it goes, and what works by itself: figures of the last days, health, agents, schedules, what waits."""

from typing import Annotated, Final

from pydantic import Field

from daper.clock import utc_now
from daper.core.base import Reply
from daper.entrypoints.web.api.operations import Answer, AnyOperation, Call, Nothing, Operation, Replied
from daper.service.agents import AgentsView, all_agents
from daper.service.overview import Health, Overview, health, overview

_LONGEST: Final = 366


class OverviewQuery(Reply):
    """Of which days."""

    days: Annotated[int, Field(ge=1, le=_LONGEST, description="How many days, up to today (UTC).")] = 30


class OverviewDocument(Overview):
    """The figures, and whether Temporal, workers, stores and models answer."""

    health: tuple[Health, ...]


async def _overview(call: Call[OverviewQuery, Nothing]) -> Replied:
    console, now = call.console, utc_now()
    settings = console.settings
    found = await overview(console.figures, now=now, days=call.query.days)
    answers = await health(
        console.services.repairs,
        console.records,
        queue=settings.task_queue,
        models=settings.thinking.players,
        now=now,
    )
    return Replied(document=OverviewDocument(**dict(found), health=answers))


async def _agents(call: Call[Nothing, Nothing]) -> Replied:
    services = call.console.services
    return Replied(document=await all_agents(services.repairs, services.proactive, services.schedules))


OPERATIONS: Final[tuple[AnyOperation, ...]] = (
    Operation(
        method="GET",
        path="/overview",
        name="get_overview",
        tag="overview",
        said="What was found and repaired, decided and spent in the last days, and whether everything answers.",
        does=_overview,
        answers={200: Answer(said="The figures.", model=OverviewDocument)},
        query=OverviewQuery,
        body=Nothing,
    ),
    Operation(
        method="GET",
        path="/agents",
        name="list_agents",
        tag="overview",
        said="All that works by itself: proactive agents, schedules, and what was reported and has not begun.",
        does=_agents,
        answers={200: Answer(said="They, and why some cannot be told.", model=AgentsView)},
        query=Nothing,
        body=Nothing,
    ),
)
