"""The tools with which a person decides: approve and reject. The name is the caller's own, never an argument."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from mcp.server.mcpserver import Context, Elicit, Resolve
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from pydantic import Field, JsonValue

from daper.core.access import Access
from daper.core.commands import CommandLine, Said
from daper.core.decisions import answer_plan
from daper.core.digests import canonical
from daper.core.errors import DecisionRefused
from daper.core.models import MOST_PROBLEMS, Confirmation, Decision, Verdict
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.core.views import PlanView, whole_plans
from daper.entrypoints.mcp import forms
from daper.entrypoints.mcp.answers import DecisionAnswer
from daper.entrypoints.mcp.door import NAME, Door, told
from daper.entrypoints.mcp.presentation import decision_of, visible_answer
from daper.entrypoints.mcp.tools import DECIDES, Comment, RepairId, tool
from daper.settings import ChatApproval

PlanDigest = Annotated[
    str, Field(min_length=1, max_length=200, description="The plan_digest of the plan that the person saw.")
]
ActionIds = Annotated[
    list[Annotated[str, Field(max_length=16)]] | None,
    Field(
        min_length=1,
        max_length=MOST_PROBLEMS,
        description="Ids like a1; what is not named is not approved. Not given: every action of the plan.",
    ),
]
Edits = Annotated[
    dict[str, dict[str, JsonValue]] | None,
    Field(
        max_length=MOST_PROBLEMS,
        description="Arguments that the person changes in actions that are named, within the limits in `editable`: "
        '{"a1": {"quantity": 250}}.',
    ),
]


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """A decision as a client relays it."""

    repair_id: str
    plan_digest: str
    verdict: Verdict
    actions: tuple[str, ...] = ()
    edits: dict[str, dict[str, JsonValue]]
    comment: str = ""

    @property
    def command(self) -> CommandLine:
        """The command line that decides the same in a terminal, where it shows the plan and asks.

        Without the digest: with it, it would decide also where no person is.
        """
        parts = ["repair", str(self.verdict), self.repair_id]
        for action_id in self.actions:
            parts += ["--action", action_id]
        for action_id, edits in self.edits.items():
            for name, value in edits.items():
                parts += ["--edit", f"{action_id}.{name}={json.dumps(value, ensure_ascii=False)}"]
        return CommandLine(*parts)


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

    async def _decision_on(self, wanted: _Wanted) -> tuple[_Quoted, Decision]:
        """The plan, and what would be decided on it. Raises DecisionRefused where that can be said at once."""
        by = self._door.caller(Access.APPROVE)
        quoted = await _quoted_plan(self._door, wanted)
        if unnamed := [action_id for action_id in wanted.edits if action_id not in wanted.actions]:
            raise DecisionRefused(
                f"{', '.join(unnamed)} is changed but not named in `actions`; name all actions that are to run, "
                "for a plan is answered once"
            )
        try:
            decision = answer_plan(
                quoted.plan,
                wanted.verdict,
                by=by,
                door=NAME,
                actions=wanted.actions,
                edits=wanted.edits,
                comment=wanted.comment,
            )
            canonical(decision.model_dump(mode="json"))
        except ValueError as error:  # pydantic's too: names too long, numbers that are none
            raise DecisionRefused("the decision does not fit: a name is too long, or a number is none") from error
        if why := _refuse_content(quoted.plan, decision):
            raise DecisionRefused(why)
        return quoted, decision

    async def ask(self, wanted: _Wanted, ctx: Context) -> Elicit[forms.Confirm] | forms.Heard:
        """Have the person asked, or say why nobody is; or that nobody has to be."""
        quoted, decision = await self._decision_on(wanted)
        if self._trusted or quoted.answered:
            return forms.UNCONFIRMED
        if not forms.can_show_forms(ctx):
            raise DecisionRefused(_in_a_terminal(wanted, "cannot show the person a form"))
        question = forms.question_of(wanted.repair_id, quoted.plan, decision, decide_by=quoted.decide_by)
        try:
            return await forms.ask(ctx, question)
        except forms.NotShown as error:
            raise DecisionRefused(_in_a_terminal(wanted, str(error))) from None

    async def settle(self, wanted: _Wanted, answer: forms.Answer) -> DecisionAnswer:
        """Decide as the person said, if they did."""
        heard = forms.understood(answer)
        if heard.confirmed is None:
            return DecisionAnswer(
                repair_id=wanted.repair_id,
                decided=False,
                message=f"nothing was decided: {heard.why_not}",
                next_step="ask the person what they want; the plan waits on",
            )
        quoted, decision = await self._decision_on(wanted)
        if heard.confirmed is Confirmation.UNCONFIRMED and not (self._trusted or quoted.answered):
            raise DecisionRefused("the plan waits again; look at it with get_repair, and ask the person")
        service = await self._door.repairs()
        receipt = await service.decide(
            wanted.repair_id,
            decision.model_copy(update={"confirmed": heard.confirmed, "comment": heard.comment or decision.comment}),
        )
        return visible_answer(
            DecisionAnswer(
                repair_id=wanted.repair_id,
                decided=True,
                repeated=receipt.repeated,
                decision=decision_of(receipt.recorded),
                message=_MESSAGES.get(receipt.recorded.decision.confirmed, ""),
                next_step="call wait_for_repair",
            )
        )


def deciding_tools(door: Door, approval: ChatApproval) -> list[Tool]:
    """The two tools."""
    deciding = Deciding(door, approval)

    @told(door)
    async def ask_to_approve(
        repair_id: str,
        plan_digest: str,
        actions: list[str] | None,
        edits: dict[str, dict[str, JsonValue]] | None,
        comment: str,
        ctx: Context,
    ) -> Elicit[forms.Confirm] | forms.Heard:
        return await deciding.ask(_approval(repair_id, plan_digest, actions, edits, comment), ctx)

    async def approve_repair(
        repair_id: RepairId,
        plan_digest: PlanDigest,
        answer: Annotated[forms.Answer, Resolve(ask_to_approve)],
        actions: ActionIds = None,
        edits: Edits = None,
        comment: Comment = "",
    ) -> DecisionAnswer:
        """Approve the plan that waits, or some of its actions, after the person has seen it and said so.

        The person is asked to confirm in a form, where the client can show one. What is not named does not run, and a
        plan is answered once: say all of it in one call. Refused for any plan but the one with this digest.
        """
        return await deciding.settle(_approval(repair_id, plan_digest, actions, edits, comment), answer)

    @told(door)
    async def ask_to_reject(
        repair_id: str, plan_digest: str, actions: list[str] | None, comment: str, ctx: Context
    ) -> Elicit[forms.Confirm] | forms.Heard:
        return await deciding.ask(_rejection(repair_id, plan_digest, actions, comment), ctx)

    async def reject_repair(
        repair_id: RepairId,
        plan_digest: PlanDigest,
        answer: Annotated[forms.Answer, Resolve(ask_to_reject)],
        actions: ActionIds = None,
        comment: Comment = "",
    ) -> DecisionAnswer:
        """Reject the plan that waits, or some of its actions, because the person said so; nothing of it runs.

        The same problems are then left alone for 30 days, or until their facts change. The repair ends.
        """
        return await deciding.settle(_rejection(repair_id, plan_digest, actions, comment), answer)

    tools = [
        tool(door, approve_repair, title="Approve a plan", hints=DECIDES, kind=_ApprovalTool),
        tool(door, reject_repair, title="Reject a plan", hints=DECIDES, kind=_RejectionTool),
    ]
    return [each.model_copy(update={"worded": door.worded}) for each in tools]


class _DecidingTool(Tool, ABC):
    """What the SDK itself says of an answer to a form that is none is said in our words, with the way out."""

    worded: Callable[[str], str] = Field(default=str, exclude=True)

    @abstractmethod
    def wanted(self, arguments: dict[str, Any]) -> _Wanted:  # Any: as a client sent them
        """What is to be decided."""

    # Any: as the SDK has it.
    async def run(self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False) -> Any:
        """Run it. Raises ToolError."""
        try:
            return await super().run(arguments, context, convert_result)
        except ToolError as error:
            said = f"Error executing tool {self.name}: "
            if not str(error).startswith(f"{said}Resolver '"):
                raise
            why = _in_a_terminal(self.wanted(arguments), "answered the form with what is no answer to it")
            raise ToolError(said + self.worded(why)) from None


class _ApprovalTool(_DecidingTool):
    def wanted(self, arguments: dict[str, Any]) -> _Wanted:
        """An approval."""
        return _approval(**self.fn_metadata.validate_arguments(arguments))


class _RejectionTool(_DecidingTool):
    def wanted(self, arguments: dict[str, Any]) -> _Wanted:
        """A rejection."""
        return _rejection(**self.fn_metadata.validate_arguments(arguments))


def _in_a_terminal(wanted: _Wanted, why: str) -> Said:
    return Said(
        f"this client {why}, so nobody can confirm here that it is what they want. "
        "The person can say it in a terminal, which shows the plan and asks: ",
        wanted.command,
    )


_MESSAGES = {Confirmation.UNCONFIRMED: "recorded as told by a client; nobody confirmed it in a form"}


def _approval(
    repair_id: str,
    plan_digest: str,
    actions: list[str] | None,
    edits: dict[str, dict[str, JsonValue]] | None,
    comment: str,
) -> _Wanted:
    return _Wanted(
        repair_id=repair_id,
        plan_digest=plan_digest,
        verdict=Verdict.APPROVE,
        actions=tuple(actions or ()),
        edits=edits or {},
        comment=comment,
    )


def _rejection(repair_id: str, plan_digest: str, actions: list[str] | None, comment: str) -> _Wanted:
    return _Wanted(
        repair_id=repair_id,
        plan_digest=plan_digest,
        verdict=Verdict.REJECT,
        actions=tuple(actions or ()),
        edits={},
        comment=comment,
    )


async def _quoted_plan(door: Door, wanted: _Wanted) -> _Quoted:
    """All of the plan. Raises DecisionRefused where another one waits, or none."""
    from daper.service.whole_plan import look_at_whole_plan

    look = await look_at_whole_plan(await door.repairs(), wanted.repair_id)
    if isinstance(look, RepairResult):
        if not look.plans:
            raise DecisionRefused(f"repair {look.repair_id!r} ended as {look.phase}; there was no plan to decide on")
        quoted = _Quoted(plan=whole_plans(look)[-1], answered=True)
    elif look.plan is None:
        raise DecisionRefused(f"no plan is waiting for a decision yet (phase {look.phase}); call wait_for_repair")
    else:
        quoted = _Quoted(plan=look.plan, decide_by=look.decide_by, answered=look.decision is not None)
    if quoted.plan.digest != wanted.plan_digest:
        raise DecisionRefused(
            f"the decision quotes plan {wanted.plan_digest!r}, and that is not the plan; "
            "look at it again with get_repair, and show it to the person"
        )
    if not quoted.answered and look.phase is not Phase.PENDING_APPROVAL:
        raise DecisionRefused(f"no plan is waiting for a decision (phase {look.phase}); call wait_for_repair")
    return quoted


def _refuse_content(plan: PlanView, decision: Decision) -> str | None:
    """What can be refused before a person is asked; the workflow checks all of it again, and the limits."""
    known = {action.id: action for action in plan.actions}
    for action_id in decision.verdicts:
        if action_id not in known:
            return f"the plan has no action {action_id!r}; it has: {', '.join(list(known)[:20])}"
        other = known[action_id].instead_of
        if other in decision.verdicts and decision.verdicts[action_id] is Verdict.APPROVE:
            return f"{other} and {action_id} answer the same problem; approve one of them"
        for argument in decision.edits.get(action_id, {}):
            if argument not in known[action_id].editable:
                allowed = ", ".join(sorted(known[action_id].editable)) or "nothing"
                return f"{action_id}.{argument} may not be changed; what may be: {allowed}"
    return None
