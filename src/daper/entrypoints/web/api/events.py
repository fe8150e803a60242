"""What happens to a repair, as it happens: server-sent events, each of which says all that there is to say."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from daper.adapters.reports.repair_document import EndedRepair, OpenRepair, repair_document
from daper.core.base import Wire
from daper.core.errors import DaperError
from daper.core.outcomes import RepairResult
from daper.core.views import RepairView
from daper.entrypoints.web.api.operations import EVENTS, Answer, AnyOperation, Call, Nothing, Operation, Replied
from daper.entrypoints.web.api.problems import Kind, Problem, problem_of
from daper.service.requests import Silence

_PING_S: Final = 15
_ENDED: Final = "ended"
_RESUMES: Final = "Last-Event-ID"

Look = RepairView | RepairResult | Silence


class SilenceDocument(Wire):
    """Why nobody can say where the repair stands just now; it goes on by itself."""

    message: str


async def _follow(call: Call[Nothing, Nothing]) -> Replied | Response:
    if call.header(_RESUMES) == _ENDED:
        return Replied(document=None, status=204)  # a browser that gets this does not ask again
    looks = call.console.services.repairs.follow(call.path["repair_id"])
    try:
        first = await anext(looks)  # what cannot be followed at all is told as a problem
    except BaseException:
        await looks.aclose()
        raise
    return EventSourceResponse(_events(first, looks), ping=_PING_S, sep="\n")


async def _events(first: Look, looks: AsyncGenerator[Look]) -> AsyncGenerator[ServerSentEvent]:
    async with aclosing(looks):
        yield _event(first)
        try:
            async for look in looks:
                yield _event(look)
        except DaperError as error:
            yield ServerSentEvent(problem_of(error).model_dump_json(), event="problem", sep="\n")


def _event(look: Look) -> ServerSentEvent:
    if isinstance(look, Silence):
        return ServerSentEvent(SilenceDocument(message=look.message).model_dump_json(), event="silence", sep="\n")
    text = repair_document(look).model_dump_json()
    if isinstance(look, RepairResult):
        return ServerSentEvent(text, event=_ENDED, id=_ENDED, sep="\n")
    return ServerSentEvent(text, event="repair", sep="\n")


OPERATIONS: Final[tuple[AnyOperation, ...]] = (
    Operation(
        method="GET",
        path="/repairs/{repair_id}/events",
        name="follow_repair",
        tag="repairs",
        said=(
            "Follow a repair to its end. Each event says where it stands: `repair` while it is open, with at most 100 "
            "actions of its plan; `silence` while nobody can say; `ended` at last; `problem` if it cannot go on. "
            "Whoever comes again is told where it stands then."
        ),
        does=_follow,
        answers={
            200: Answer(
                said="The events, until it has ended.",
                model=OpenRepair | EndedRepair | SilenceDocument | Problem,
                media=EVENTS,
            ),
            204: Answer(said="It has ended, and the last event that you had said so."),
        },
        query=Nothing,
        body=Nothing,
        problems=frozenset({Kind.NOT_FOUND, Kind.NOT_BEGUN}),
        headers={_RESUMES: "The id of the last event that you had."},
    ),
)
