"""The proactive agent of a person: where it stands, and what starts, hurries and stops it."""

from typing import Annotated, Final

from pydantic import Field

from daper.core.access import Access
from daper.core.base import Reply
from daper.core.models import Line
from daper.core.proactive import PROACTIVE_INTERVAL, Interval
from daper.entrypoints.documents import AgentDocument, AgentStartedDocument, agent_document
from daper.entrypoints.web.api.operations import Answer, AnyOperation, Call, Nothing, Operation, Replied
from daper.entrypoints.web.api.problems import Kind
from daper.entrypoints.web.api.records import DomainName
from daper.entrypoints.web.api.repairs import Asked, Looked, StopBody
from daper.service.requests import StartProactive
from daper.settings import STARTING

_KNOWN: Final = frozenset({Kind.NOT_FOUND, Kind.OCCUPIED, Kind.REFUSED})


class AgentQuery(Reply):
    """Whose agent, for which records."""

    user: Annotated[Line, Field(description="Whose; empty: that of whoever asks.")] = ""
    domain: DomainName = ""


class AgentBody(Looked):
    """An agent somebody asks for. Each of its cycles is a repair whose plan waits for a person, whatever the policy."""

    domain: Line = Field(default="", description="Which records; empty: those that are configured.")
    interval: Interval = Field(default=PROACTIVE_INTERVAL, description="From the end of a cycle to the next.")
    approval_timeout: Interval | None = Field(default=None, description="How long a plan waits for a decision.")


class NudgeBody(StopBody):
    """Which agent of whoever asks, and why."""

    domain: Line = ""


async def _show(call: Call[AgentQuery, Nothing]) -> Replied:
    of, user = call.console.settings.domain_or(call.query.domain), call.query.user or call.person.name
    return Replied(document=agent_document(await call.console.services.proactive.status(user, of)))


async def _start(call: Call[Nothing, AgentBody]) -> Replied:
    settings, asked, service = call.console.settings, call.body, call.console.services.proactive
    settings.need(*STARTING)
    order = StartProactive(
        requested_by=call.person,
        domain=settings.domain_or(asked.domain),
        scope=asked.scope,
        interval=asked.interval,
        approval_timeout=asked.approval_timeout,
        asks_always=True,  # acting alone is a grant, which nobody gives over the network
        tell=settings.tell,
    )
    begun = await service.start(order)
    lacking = await service.unserved(begun.store_id)
    return Replied(
        document=AgentStartedDocument(**dict(begun), lacking=lacking), status=200 if begun.already_running else 201
    )


async def _check_now(call: Call[Nothing, NudgeBody]) -> Replied:
    user, of = call.person.name, call.console.settings.domain_or(call.body.domain)
    agent_id = await call.console.services.proactive.check_now(user, of, by=user, reason=call.body.reason)
    return Replied(document=Asked(asked="check-now", id=agent_id), status=202)


async def _stop(call: Call[Nothing, NudgeBody]) -> Replied:
    user, of = call.person.name, call.console.settings.domain_or(call.body.domain)
    agent_id = await call.console.services.proactive.stop(user, of, by=user, reason=call.body.reason)
    return Replied(document=Asked(asked="stop", id=agent_id), status=202)


OPERATIONS: Final[tuple[AnyOperation, ...]] = (
    Operation(
        method="GET",
        path="/proactive",
        name="get_proactive_agent",
        tag="proactive",
        said="A proactive agent: its phase, the repair that runs, when the next cycle begins, and the last results.",
        does=_show,
        answers={200: Answer(said="The agent, also one that has ended.", model=AgentDocument)},
        query=AgentQuery,
        body=Nothing,
        problems=_KNOWN,
    ),
    Operation(
        method="POST",
        path="/proactive",
        name="start_proactive_agent",
        tag="proactive",
        said="Start your proactive agent. There is one for each person and domain: one that runs is left as it is.",
        does=_start,
        answers={
            200: Answer(said="It runs already, as it was started.", model=AgentStartedDocument),
            201: Answer(said="It was started.", model=AgentStartedDocument),
        },
        query=Nothing,
        body=AgentBody,
        access=Access.START,
        problems=_KNOWN,
    ),
    Operation(
        method="POST",
        path="/proactive/check-now",
        name="nudge_proactive_agent",
        tag="proactive",
        said="Ask your proactive agent for a cycle: at once, or right after the one that runs.",
        does=_check_now,
        answers={202: Answer(said="It was asked.", model=Asked)},
        query=Nothing,
        body=NudgeBody,
        access=Access.START,
        problems=_KNOWN,
    ),
    Operation(
        method="POST",
        path="/proactive/stop",
        name="stop_proactive_agent",
        tag="proactive",
        said="End your proactive agent. A repair that runs is stopped too, and settled first.",
        does=_stop,
        answers={202: Answer(said="It was asked.", model=Asked)},
        query=Nothing,
        body=NudgeBody,
        access=Access.START,
        problems=_KNOWN,
    ),
)
