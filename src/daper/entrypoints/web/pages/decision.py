"""The decision on the plan of a repair, as its page sends it."""

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from daper.core.access import Access
from daper.core.errors import AccessRefused, DecisionRefused
from daper.core.models import Decision, Person, Verdict
from daper.core.views import PlanView, RepairView, whole_plans
from daper.entrypoints.web.console import console_of, who_may
from daper.entrypoints.web.decision_form import Entered
from daper.entrypoints.web.pages.repair import DECIDED, Answer, shown
from daper.entrypoints.web.repair_page import Look, waits_now
from daper.entrypoints.web.step_up import step_up_required, verify_step_up
from daper.entrypoints.web.visitors import visitor_of
from daper.service.answers import AnswerKind, Authority
from daper.service.whole_plan import look_at_whole_plan

_MOST_FIELDS: Final = 10_000
_STATUS: Final = {
    AnswerKind.ALREADY_DECIDED: 409,
    AnswerKind.CHANGED: 409,
    AnswerKind.EXPIRED: 409,
    AnswerKind.NOT_YOURS: 403,
}


async def decide(request: Request) -> Response:
    """Decide on the plan that was shown; whatever comes of it is said, and what was filled in is kept."""
    visitor, repair_id = visitor_of(request), str(request.path_params["repair_id"])
    repairs = console_of(request).services.repairs
    entered = Entered.of(await request.form(max_fields=_MOST_FIELDS))
    look = await look_at_whole_plan(repairs, repair_id)
    may = visitor.may(Access.APPROVE)
    authority = Authority(may_decide=may, who_can=() if may else await who_may(request, Access.APPROVE))
    try:
        decision = await _signed(request, look, _decision(look, entered, visitor.person))
        answer = await repairs.answer(repair_id, decision, shown=entered.seen, authority=authority)
    except (DecisionRefused, AccessRefused) as error:
        now = await look_at_whole_plan(repairs, repair_id)
        return await shown(request, now, answer=Answer(said=str(error), tone="bad"), entered=entered, status=422)
    await console_of(request).board.touch(repair_id)
    if answer.kind is AnswerKind.RECORDED:
        page = request.url_for("repair", repair_id=repair_id).path
        return RedirectResponse(f"{page}?{DECIDED}={entered.plan_digest}", status_code=303)
    now = await look_at_whole_plan(repairs, repair_id)
    said = Answer(said=answer.sentence, more=answer.changes[1:], tone="warn")
    return await shown(request, now, answer=said, entered=entered, status=_STATUS[answer.kind])


def _decision(look: Look, entered: Entered, by: Person) -> Decision:
    """What was filled in, as a decision. Raises DecisionRefused where it cannot be one while its plan waits.

    Where it does not, nothing is said of what was filled in: the answer says why it comes too late.
    """
    plan = _plan_of(look, entered.plan_digest)
    try:
        return entered.decision(plan, by)
    except DecisionRefused:
        if waits_now(look) and plan is not None:
            raise
        return entered.decision(None, by)


async def _signed(request: Request, look: Look, decision: Decision) -> Decision:
    """The decision, by whoever signed its plan with a passkey where the policy wants that. Raises AccessRefused."""
    plan, policy = _plan_of(look, decision.plan_digest), console_of(request).settings.policy.of(look.domain)
    approved = [action_id for action_id, verdict in decision.verdicts.items() if verdict is Verdict.APPROVE]
    if plan is None or not waits_now(look) or not step_up_required(plan, policy, approved):
        return decision
    return decision.model_copy(update={"by": await verify_step_up(request, plan.digest)})


def _plan_of(look: Look, digest: str) -> PlanView | None:
    """The plan of that digest, if it is one of this repair."""
    plans = ([look.plan] if look.plan else []) if isinstance(look, RepairView) else whole_plans(look)
    return next((plan for plan in plans if plan.digest == digest), None)


ROUTES: Final = (Route("/repairs/{repair_id}/decision", decide, methods=["POST"], name="decide"),)
