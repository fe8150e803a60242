"""The tools with which a person decides: approve and reject. The name is the caller's own, never an argument."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Annotated, Any, Final

from mcp.server.mcpserver import Context, Elicit, Resolve
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from pydantic import Field, JsonValue

from daper.core.models import MOST_PROBLEMS
from daper.core.selections import LONGEST_SELECTION
from daper.entrypoints.mcp.answers import DecisionAnswer
from daper.entrypoints.mcp.arguments import SelectionTexts
from daper.entrypoints.mcp.deciding import Deciding, unconfirmed
from daper.entrypoints.mcp.door import Door, told
from daper.entrypoints.mcp.edits import Edits
from daper.entrypoints.mcp.forms import NO_ANSWER, Answer, Confirm, Heard
from daper.entrypoints.mcp.relayed_decision import Relayed, Wanted, approval, rejection
from daper.entrypoints.mcp.tools import DECIDES, Comment, PlainTool, RepairId, tool
from daper.settings import ChatApproval

# By which name a form and the answer to it go over the wire.
APPROVAL: Final = "approval"
REJECTION: Final = "rejection"

PlanDigest = Annotated[
    str, Field(min_length=1, max_length=200, description="The plan_digest of the plan that the person saw.")
]
_Selections = Annotated[list[Annotated[str, Field(max_length=LONGEST_SELECTION)]] | None, SelectionTexts()]
Actions = Annotated[
    _Selections,
    Field(
        min_length=1,
        max_length=MOST_PROBLEMS,
        description=(
            "Which ones: a1, a1-a48, all but a7, tool:NAME, kind:NAME, risk:low, amount<100. What is not named is not "
            "approved. Not given: every action of the plan."
        ),
    ),
]
Rejected = Annotated[
    _Selections,
    Field(
        max_length=MOST_PROBLEMS,
        description="What the person rejects beside that, said like `actions`; without those, all others are approved.",
    ),
]


def deciding_tools(door: Door, confirms: ChatApproval) -> list[Tool]:
    """The two tools. `confirms`: who, in a form or not."""
    deciding = Deciding(door, confirms)

    @told(door)
    async def ask_to_approve(
        repair_id: str,
        plan_digest: str,
        actions: list[str] | None,
        reject: list[str] | None,
        edits: dict[str, dict[str, JsonValue]] | None,
        comment: str,
        ctx: Context,
    ) -> Elicit[Confirm] | Heard | DecisionAnswer:
        return await deciding.ask(approval(repair_id, plan_digest, actions, reject, edits, comment), ctx)

    async def approve_repair(
        repair_id: RepairId,
        plan_digest: PlanDigest,
        ctx: Context,
        answer: Annotated[Answer, Resolve(ask_to_approve)],
        actions: Actions = None,
        reject: Rejected = None,
        edits: Edits = None,
        comment: Comment = "",
    ) -> DecisionAnswer:
        """Approve the plan that waits, or some of its actions, and reject others, after the person saw it and said so.

        The person is asked to confirm in a form, where the client can show one. What is not named does not run, and a
        plan is answered once: say all of it in one call. Refused for any plan but the one with this digest.

        The form may be open longer than this call (`form_open`): what the person says in it counts. After an error or a
        timeout look with get_repair before anything else; what was decided may stand.
        """
        return await deciding.settle(approval(repair_id, plan_digest, actions, reject, edits, comment), answer, ctx)

    @told(door)
    async def ask_to_reject(
        repair_id: str, plan_digest: str, actions: list[str] | None, comment: str, ctx: Context
    ) -> Elicit[Confirm] | Heard | DecisionAnswer:
        return await deciding.ask(rejection(repair_id, plan_digest, actions, comment), ctx)

    async def reject_repair(
        repair_id: RepairId,
        plan_digest: PlanDigest,
        ctx: Context,
        answer: Annotated[Answer, Resolve(ask_to_reject)],
        actions: Actions = None,
        comment: Comment = "",
    ) -> DecisionAnswer:
        """Reject the plan that waits, or some of its actions, because the person said so; nothing of it runs.

        The same problems are then left alone for 30 days, or until their facts change. The repair ends.

        The form may be open longer than this call (`form_open`): what the person says in it counts. After an error or a
        timeout look with get_repair before anything else; what was decided may stand.
        """
        return await deciding.settle(rejection(repair_id, plan_digest, actions, comment), answer, ctx)

    return [
        asking(door, APPROVAL, tool(door, approve_repair, title="Approve a plan", hints=DECIDES, kind=_ApprovalTool)),
        asking(door, REJECTION, tool(door, reject_repair, title="Reject a plan", hints=DECIDES, kind=_RejectionTool)),
    ]


def asking(door: Door, name: str, made: Tool) -> Tool:
    """The tool, whose form goes by that name; the SDK would name it by where its code stands."""
    for plan in made.resolver_plans.values():
        plan.wire_key = name
    return made.model_copy(update={"worded": door.worded})


class AskingTool(PlainTool, ABC):
    """What the SDK itself says of an answer to a form that is none is said in our words, with the way out."""

    worded: Callable[[str], str] = Field(default=str, exclude=True)

    @abstractmethod
    def wanted(self, arguments: dict[str, Any]) -> Relayed:  # Any: as a client sent them
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
            why = unconfirmed(self.wanted(arguments), NO_ANSWER)
            raise ToolError(said + self.worded(why)) from None


class _ApprovalTool(AskingTool):
    def wanted(self, arguments: dict[str, Any]) -> Wanted:
        """An approval."""
        return approval(**self.fn_metadata.validate_arguments(arguments))


class _RejectionTool(AskingTool):
    def wanted(self, arguments: dict[str, Any]) -> Wanted:
        """A rejection."""
        return rejection(**self.fn_metadata.validate_arguments(arguments))
