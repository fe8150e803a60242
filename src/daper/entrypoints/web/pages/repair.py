"""One repair: where it stands, its plan with the form that decides on it, and what became of it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from daper.core.access import Access
from daper.core.decisions import in_one_line
from daper.core.errors import Unreachable
from daper.core.lines import SILENCE
from daper.core.policy import ApprovalPolicy
from daper.core.selections import HOW_TO_SELECT
from daper.entrypoints.web.console import console_of, who_may
from daper.entrypoints.web.decision_form import Entered
from daper.entrypoints.web.live_repair import RETRY_MS, known_of, news
from daper.entrypoints.web.plan_cards import PlanPart
from daper.entrypoints.web.rendering import page
from daper.entrypoints.web.repair_page import Look, RepairPage, decided_in, repair_page
from daper.entrypoints.web.visitors import require, visitor_of
from daper.service.whole_plan import look_at_whole_plan

DECIDED: Final = "decided"  # in an address: the plan that somebody has just decided on
PING_S: Final = 15


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of what somebody sent, in a sentence."""

    said: str
    more: tuple[str, ...] = ()
    tone: str = "warn"


async def repair(request: Request) -> Response:
    """The page of a repair; it needs no worker where the repair has ended."""
    require(request, Access.READ)
    look = await look_at_whole_plan(console_of(request).services.repairs, request.path_params["repair_id"])
    return await shown(request, look, answer=_recorded(look, request.query_params.get(DECIDED, "")))


def _recorded(look: Look, digest: str) -> Answer | None:
    """What is recorded for a plan that somebody has just decided on."""
    recorded = next((each for each in decided_in(look) if each.decision.plan_digest == digest), None)
    return Answer(said=f"recorded: {in_one_line(recorded)}", tone="good") if recorded else None


async def shown(
    request: Request, look: Look, *, answer: Answer | None = None, entered: Entered | None = None, status: int = 200
) -> Response:
    """The page, with what came of a form, and with what somebody filled in."""
    told = repair_page(look, may_decide=visitor_of(request).may(Access.APPROVE), entered=entered)
    return page(
        request,
        "repair.html",
        status=status,
        repair=told,
        answer=answer,
        known=known_of(repair_page(look, may_decide=visitor_of(request).may(Access.APPROVE))),
        **await _beside(request, told.repair_id, told.state.domain),
    )


# Any: what a template shows.
async def _beside(request: Request, repair_id: str, domain: str) -> dict[str, Any]:
    """What the parts of the page say beside the repair itself."""
    visitor, policy = visitor_of(request), console_of(request).settings.policy.of(domain)
    others = () if visitor.may(Access.APPROVE) else await who_may(request, Access.APPROVE)
    ask = f"Who can: {', '.join(others)}." if others else "Nobody can here yet: it takes a token with that scope."
    return {
        "silence": SILENCE,
        "how_to_select": HOW_TO_SELECT,
        "who_can": f"{visitor.person.name} may not decide here: that needs {Access.APPROVE}. {ask}",
        "temporal_link": console_of(request).settings.link_to(repair_id),
        "may_stop": visitor.may(Access.START),
        "signs": partial(_signs, policy),
        "passkeys": policy.passkey_from is not None,
    }


def _signs(policy: ApprovalPolicy, plan: PlanPart) -> bool:
    """Whether some of a plan is approved by a passkey alone."""
    return any(policy.needs_passkey(card.action.risk) for card in plan.cards)


async def events(request: Request) -> Response:
    """What is new for an open page, as server-sent events."""
    require(request, Access.READ)
    repair_id, service = str(request.path_params["repair_id"]), console_of(request).services.repairs
    may_decide = visitor_of(request).may(Access.APPROVE)
    known = request.headers.get("last-event-id") or request.url.query
    # An unknown repair is refused here, where that is still an answer; who does not answer is told in the stream.
    with suppress(Unreachable):
        await service.line(repair_id)

    async def stream() -> AsyncGenerator[ServerSentEvent]:
        def shown(look: Look) -> RepairPage:
            return repair_page(look, may_decide=may_decide)

        async with aclosing(news(service, repair_id, known, shown)) as every:
            async for each in every:
                beside = await _beside(request, repair_id, each.page.state.domain if each.page else "")
                told = page(request, "repair/news.html", news=each, repair=each.page, **beside)
                yield ServerSentEvent(bytes(told.body).decode(), id=each.known, retry=RETRY_MS)
                if each.ended:
                    yield ServerSentEvent("", event="end")

    return EventSourceResponse(stream(), ping=PING_S)


async def stop(request: Request) -> Response:
    """Ask it to end."""
    person = require(request, Access.START)
    repair_id: str = request.path_params["repair_id"]
    form = await request.form()
    await console_of(request).services.repairs.stop(repair_id, by=person.name, reason=str(form.get("reason", ""))[:200])
    await console_of(request).board.touch(repair_id)
    return RedirectResponse(request.url_for("repair", repair_id=repair_id).path, status_code=303)


ROUTES: Final = (
    Route("/repairs/{repair_id}", repair, name="repair"),
    Route("/repairs/{repair_id}/events", events, name="events"),
    Route("/repairs/{repair_id}/stop", stop, methods=["POST"], name="stop"),
)
