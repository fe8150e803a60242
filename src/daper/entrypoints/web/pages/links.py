"""Deciding by the link of a message: to look changes nothing, whoever looks; to decide uses the link up."""

import asyncio
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daper.adapters.decision_links import DecisionLink, read_link, what_it_uses
from daper.clock import utc_now
from daper.core.decisions import answer_plan
from daper.core.errors import AccessRefused, DecisionRefused, NotFound, Unreachable
from daper.core.lines import action_lines
from daper.core.models import IdentityProof, Person, Verdict
from daper.core.views import PlanView, RepairView
from daper.entrypoints.web.console import DOOR, console_of
from daper.entrypoints.web.rendering import page
from daper.service.answers import AnswerKind, Shown
from daper.service.whole_plan import look_at_whole_plan

_OLD: Final = "This link counts no more: it is older than 15 minutes, or no link of this console. Nothing was done."
_USED: Final = "This link was used already; it counts once. Nothing more was done."
_OTHER: Final = "The plan that this link is about waits no more. Nothing was done."


async def look(request: Request) -> Response:
    """The plan, with a button for yes and one for no. Scanners of mail come here as well, and do no harm."""
    link = await _link(request)
    plan = await _plan(request, link)
    if plan is None:
        return _said(request, link, _OTHER, HTTPStatus.GONE)
    return page(
        request,
        "link.html",
        plan=plan,
        actions=[(action, action_lines(action)) for action in plan.actions],
        repair_id=link.repair_id,
        target=link.target,
        until=link.until,
    )


async def decide(request: Request) -> Response:
    """Decide on all of it, once; whether a link may, the repair itself says."""
    link = await _link(request)
    said = str((await request.form()).get("do", ""))
    if said not in {str(verdict) for verdict in Verdict}:
        raise DecisionRefused("the form says neither approve nor reject; nothing was done")
    plan = await _plan(request, link)
    if plan is None:
        return _said(request, link, _OTHER, HTTPStatus.GONE)
    person = Person(name=link.target, how=IdentityProof.MAILBOX)
    yes = [action.id for action in plan.actions if not action.instead_of] if said == Verdict.APPROVE else []
    no = [action.id for action in plan.actions] if said == Verdict.REJECT else []
    decision = answer_plan(plan, approved=yes, rejected=no, by=person, door=f"{DOOR}, by a link")
    once, used = console_of(request).reception.kept.once, what_it_uses(link)
    if not await asyncio.to_thread(once.use, used, link.until):
        return _said(request, link, _USED, HTTPStatus.GONE)
    try:
        answer = await console_of(request).services.repairs.answer(link.repair_id, decision, shown=Shown.of(plan))
    except Unreachable:
        await asyncio.to_thread(once.give_back, used)  # the very same decision may be sent again
        raise
    await console_of(request).board.touch(link.repair_id)
    status = HTTPStatus.OK if answer.kind is AnswerKind.RECORDED else HTTPStatus.CONFLICT
    return _said(request, link, answer.sentence, status)


async def _link(request: Request) -> DecisionLink:
    """What the link is for. Raises AccessRefused for one that counts no more."""
    reception = console_of(request).reception
    link = read_link(reception.key, str(request.path_params["token"]), now=utc_now())
    if link is None:
        raise AccessRefused(_OLD)
    if await asyncio.to_thread(reception.kept.once.is_used, what_it_uses(link)):
        raise AccessRefused(_USED)
    return link


async def _plan(request: Request, link: DecisionLink) -> PlanView | None:
    """The plan that the link is for, where it still waits."""
    try:
        found = await look_at_whole_plan(console_of(request).services.repairs, link.repair_id)
    except NotFound:
        return None
    if not isinstance(found, RepairView) or found.plan is None or found.decision is not None:
        return None
    return found.plan if found.plan.digest == link.plan_digest else None


def _said(request: Request, link: DecisionLink, said: str, status: HTTPStatus) -> Response:
    return page(request, "link_said.html", status=status, said=said, repair_id=link.repair_id)


ROUTES: Final = (
    Route("/links/{token}", look, methods=["GET"], name="link"),
    Route("/links/{token}", decide, methods=["POST"]),
)
