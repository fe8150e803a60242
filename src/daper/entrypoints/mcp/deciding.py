"""Decides as a client relays it, once the person confirmed it in a form: the same checks before, and again after."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from mcp.server.mcpserver import Context, Elicit

from daper.clock import agreed_now
from daper.core.access import Access
from daper.core.commands import Said
from daper.core.decisions import answer_plan, in_one_line, refuse_at_sight, who
from daper.core.digests import canonical
from daper.core.errors import DaperError, DecisionRefused, Unreachable
from daper.core.models import Confirmation, Decision
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.core.selections import choose
from daper.core.views import PlanView, whole_plans
from daper.entrypoints.mcp import forms
from daper.entrypoints.mcp.answers import DecisionAnswer
from daper.entrypoints.mcp.door import NAME, Door
from daper.entrypoints.mcp.open_forms import PATIENCE_S, NotShown, OpenForm, OpenForms, TurnedAway, shown, told_of
from daper.entrypoints.mcp.presentation import decided_until_now, decision_of, visible_answer
from daper.entrypoints.mcp.relayed_decision import Relayed, Wanted
from daper.settings import ChatApproval

LOOK_FIRST = "look with get_repair before anything else, for what was decided may stand"
_MESSAGES = {Confirmation.UNCONFIRMED: "recorded as told by a client; nobody confirmed it in a form"}


@dataclass(frozen=True, kw_only=True)
class _Quoted:
    """The plan that a decision quotes, and until when it waits.

    `answered`: it has been, and whoever answers it again only hears how.
    """

    plan: PlanView
    decide_by: datetime | None = None
    answered: bool


class Deciding:
    """Decides as a client relays it. `approval`: whether the person has to confirm in a form that the client shows."""

    def __init__(self, door: Door, approval: ChatApproval) -> None:
        self._door = door
        self._trusted = approval is ChatApproval.CLIENT
        self._forms = OpenForms()
        self._turned_away = TurnedAway()

    async def ask(self, wanted: Wanted, ctx: Context) -> Elicit[forms.Confirm] | forms.Heard | DecisionAnswer:
        """Have the person asked, or say why nobody is, or that nobody has to be; or what came of it already."""
        quoted, decision = await self._decision_on(wanted)
        if self._trusted or quoted.answered:
            return forms.UNCONFIRMED
        if not forms.can_show_forms(ctx):
            raise DecisionRefused(unconfirmed(wanted, "cannot show the person a form"))
        question = _question(wanted, quoted, decision)
        about = await self._about(wanted, ctx)
        if forms.are_answers(ctx):
            again = None if ctx.input_responses else self._turned_away.just_now(*about)
            return again or Elicit(question, forms.Confirm)
        form = self._form_of(wanted, ctx)
        if form is None:
            if again := self._turned_away.just_now(*about):
                return again
            form = self._forms.add(
                OpenForm(
                    ctx.session.client_params,
                    wanted,
                    showing=shown(ctx, question, within=_seconds_until(quoted.decide_by)),
                    then=lambda heard: self._acted_late(wanted, heard, ctx, asked=decision),
                )
            )
        try:
            told = await told_of(form, ctx)
        except NotShown as error:
            raise DecisionRefused(unconfirmed(wanted, str(error))) from None
        try:
            return told or await self._still_open(wanted)
        except asyncio.CancelledError:
            form.withdraw()
            raise

    async def settle(self, wanted: Wanted, answer: forms.Answer, ctx: Context) -> DecisionAnswer:
        """Decide as the person said, if they did."""
        heard = forms.understood(answer)
        return heard if isinstance(heard, DecisionAnswer) else await self._act(wanted, heard, ctx)

    async def _acted_late(self, wanted: Wanted, heard: forms.Heard, ctx: Context, *, asked: Decision) -> DecisionAnswer:
        """As if the call were open, which it may not be any more."""
        try:
            return await self._act(wanted, heard, ctx, asked=asked)
        except DaperError as error:
            self._door.lost(error)
            raise

    async def _act(
        self, wanted: Wanted, heard: forms.Heard, ctx: Context, *, asked: Decision | None = None
    ) -> DecisionAnswer:
        """`asked`: what the person saw, where the form was not bound to it by its seal."""
        if heard.confirmed is None:
            self._turned_away.note(*await self._about(wanted, ctx), heard=heard)
            return await self._undecided(wanted, heard)
        quoted, decision = await self._decision_on(wanted)
        if heard.confirmed is Confirmation.UNCONFIRMED and not (self._trusted or quoted.answered):
            raise DecisionRefused("the plan waits again; look at it with get_repair, and ask the person")
        if asked is not None and asked != decision:
            raise DecisionRefused("the form asked for another decision; look with get_repair, and ask the person again")
        service = await self._door.repairs()
        try:
            receipt = await service.decide(
                wanted.repair_id,
                decision.model_copy(
                    update={"confirmed": heard.confirmed, "comment": heard.comment or decision.comment}
                ),
            )
        except DecisionRefused as error:
            raise DecisionRefused(error.said, f"; until now: {await self._until_now(wanted.repair_id)}") from error
        except Unreachable as error:
            raise type(error)(error.said, f"; {LOOK_FIRST}") from error
        return visible_answer(
            DecisionAnswer(
                repair_id=wanted.repair_id,
                decided=True,
                repeated=receipt.repeated,
                decision=decision_of(receipt.recorded),
                message=_MESSAGES.get(receipt.recorded.decision.confirmed, ""),
                what_was_decided=in_one_line(receipt.recorded),
                next_step="call wait_for_repair",
            )
        )

    async def _undecided(self, wanted: Wanted, heard: forms.Heard) -> DecisionAnswer:
        """Nothing came of a form; what came of others meanwhile is told."""
        why = f"nothing was decided: {heard.why_not}"
        return visible_answer(
            DecisionAnswer(
                repair_id=wanted.repair_id,
                decided=False,
                message=self._door.worded(Said(why, ". ", wanted.in_a_terminal)) if heard.unseen else why,
                what_was_decided=await self._until_now(wanted.repair_id),
                next_step="tell the person so, and ask what they want",
            )
        )

    async def _still_open(self, wanted: Wanted) -> DecisionAnswer:
        return visible_answer(
            DecisionAnswer(
                repair_id=wanted.repair_id,
                decided=False,
                form_open=True,
                message="the form is still open, and nobody has answered it; when the person does, it counts",
                what_was_decided=await self._until_now(wanted.repair_id),
                next_step="tell the person that the form waits for them; call wait_for_repair with seen_plan",
            )
        )

    async def _until_now(self, repair_id: str) -> str:
        try:
            look = await (await self._door.repairs()).look(repair_id)
        except DaperError as error:
            self._door.lost(error)
            return "nobody can say now; look with get_repair"
        return decided_until_now(look)

    def _form_of(self, wanted: Wanted, ctx: Context) -> OpenForm | None:
        """The form about this decision, if there is one. Raises DecisionRefused where one about another is open."""
        form = self._forms.of(ctx.session.client_params, wanted.repair_id)
        if form is None or form.wanted == wanted:
            return form
        if form.is_open:
            raise DecisionRefused(
                f"a form is open about another decision on this repair ({form.wanted.in_short}, plan "
                f"{form.wanted.plan_digest!r}, since {form.since:%H:%M:%S} UTC); nothing was decided by this call. "
                "The person can answer that one first. ",
                wanted.in_a_terminal,
            )
        return None

    async def _about(self, wanted: Wanted, ctx: Context) -> tuple[str, ...]:
        """Which plan, for whom, in which chat: as far as chats can be told apart, the newer era has no connections."""
        by, client = await self._door.caller(Access.READ), ctx.session.client_params
        program = f"{client.client_info.name} {client.client_info.version}" if client else ""
        chat = program if forms.are_answers(ctx) else str(id(client))
        return who(by), chat, wanted.repair_id, wanted.plan_digest

    async def _decision_on(self, wanted: Wanted) -> tuple[_Quoted, Decision]:
        """The plan, and what would be decided on it. Raises DecisionRefused where that can be said at once."""
        by = await self._door.caller(Access.APPROVE)
        quoted = await _quoted_plan(self._door, wanted)
        chosen = choose(quoted.plan, wanted.verdict, actions=wanted.actions, rejecting=wanted.rejecting)
        named = chosen.approved if wanted.actions else ()
        if unnamed := [action_id for action_id in wanted.edits if action_id not in named]:
            raise DecisionRefused(
                f"{', '.join(unnamed)} is changed but not named in `actions`; name all actions that are to run, "
                "for a plan is answered once"
            )
        try:
            decision = answer_plan(
                quoted.plan,
                approved=chosen.approved,
                rejected=chosen.rejected,
                edits=wanted.edits,
                by=by,
                door=NAME,
                comment=wanted.comment,
            )
            canonical(decision.model_dump(mode="json"))
        except ValueError as error:  # pydantic's too: names too long, numbers that are none
            raise DecisionRefused("the decision does not fit: a name is too long, or a number is none") from error
        if why := refuse_at_sight(quoted.plan, decision):
            raise DecisionRefused(why)
        return quoted, decision


def _question(wanted: Wanted, quoted: _Quoted, decision: Decision) -> str:
    """What the person is asked. Raises DecisionRefused, with the way out, where a form cannot show it."""
    try:
        return forms.question_of(wanted.repair_id, quoted.plan, decision, decide_by=quoted.decide_by)
    except DecisionRefused as error:
        raise DecisionRefused(error.said, ". ", wanted.in_a_terminal) from None


def unconfirmed(wanted: Relayed, why: str) -> Said:
    """What is said where this client is no way to confirm anything."""
    return Said(f"this client {why}, so nobody can confirm here that it is what they want. ", wanted.in_a_terminal)


def _seconds_until(decide_by: datetime | None) -> float:
    """How long a form is open; never so short that a clock which is wrong takes it away at once."""
    left = (decide_by - agreed_now()).total_seconds() if decide_by else 0.0
    return max(left, PATIENCE_S)


async def _quoted_plan(door: Door, wanted: Wanted) -> _Quoted:
    """All of the plan. Raises DecisionRefused where another one waits, or none."""
    from daper.service.whole_plan import look_at_whole_plan

    look = await look_at_whole_plan(await door.repairs(), wanted.repair_id)
    if isinstance(look, RepairResult):
        if not look.plans:
            raise DecisionRefused(
                f"repair {look.repair_id!r} ended as {look.phase}; there was no plan, so nothing was decided"
            )
        quoted = _Quoted(plan=whole_plans(look)[-1], answered=True)
    elif look.plan is None:
        raise DecisionRefused(
            f"no plan is waiting for a decision yet (phase {look.phase}), and nothing was decided; call wait_for_repair"
        )
    else:
        quoted = _Quoted(plan=look.plan, decide_by=look.decide_by, answered=look.decision is not None)
    if quoted.plan.digest != wanted.plan_digest:
        raise DecisionRefused(
            f"the decision quotes plan {wanted.plan_digest!r}, and that is not the plan; "
            f"look at it again with get_repair, and show it to the person. Until now: {decided_until_now(look)}"
        )
    if not quoted.answered and look.phase is not Phase.PENDING_APPROVAL:
        raise DecisionRefused(
            f"no plan is waiting for a decision (phase {look.phase}); {decided_until_now(look)}; call wait_for_repair"
        )
    return quoted
