"""What waits for a person: most urgent first, what is alike together, and how that changes while somebody looks."""

from collections.abc import AsyncGenerator
from typing import Final

import simplejson
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daper.core.access import Access
from daper.core.lines import SILENCE
from daper.entrypoints.web.console import console_of
from daper.entrypoints.web.fragments import fragments_of
from daper.entrypoints.web.inbox_page import InboxAsked, field_of, inbox_page
from daper.entrypoints.web.rendering import ENVIRONMENT, page
from daper.entrypoints.web.visitors import require, visitor_of
from daper.service.board import BoardView

PING_S: Final = 15
RETRY_MS: Final = 5000


async def inbox(request: Request) -> Response:
    """The part of the inbox that the address asks for."""
    require(request, Access.READ)
    board, visitor = console_of(request).board, visitor_of(request)
    view, may_decide = await board.snapshot(), visitor.may(Access.APPROVE)
    shown = inbox_page(board, view, InboxAsked.of(request.query_params), may_decide=may_decide)
    groups = fragments_of(request).get(
        ("inbox", view.mark, shown.asked, may_decide),
        lambda: ENVIRONMENT.get_template("inbox/groups.html").render(inbox=shown, field_of=field_of),
    )
    who_can = "" if may_decide else f"{visitor.person.name} may not decide here: that needs {Access.APPROVE}."
    return page(request, "inbox.html", inbox=shown, groups=groups, silence=SILENCE, who_can=who_can)


async def events(request: Request) -> Response:
    """That something else waits than an open page shows: how many, and the mark of what is known now."""
    require(request, Access.READ)
    board = console_of(request).board
    known = request.headers.get("last-event-id") or request.query_params.get("mark", "")
    shown = await board.snapshot()

    async def stream() -> AsyncGenerator[ServerSentEvent]:
        view: BoardView = shown
        if view.mark != known:
            yield _news(view)
        while True:
            before, view = view, await board.changed_since(view.version)
            if not view.shows_as(before):
                yield _news(view)

    return EventSourceResponse(stream(), ping=PING_S)


def _news(view: BoardView) -> ServerSentEvent:
    data = simplejson.dumps({"count": view.count, "mark": view.mark})
    return ServerSentEvent(data, id=view.mark, retry=RETRY_MS)


ROUTES: Final = (Route("/", inbox, name="inbox"), Route("/inbox/events", events, name="inbox-events"))
