"""The form in which a chat client asks its person for a decision, and what came back of it.

Both eras of the protocol: the newer one answers a call with the form, and is called again with what the person said;
the older one asks while the call runs, so there the call must end before its client loses patience.
"""

import asyncio
from contextlib import suppress
from typing import Final

from mcp.server.elicitation import AcceptedElicitation, CancelledElicitation, DeclinedElicitation
from mcp.server.mcpserver import Context, Elicit
from mcp_types.version import is_version_at_least
from pydantic import BaseModel, Field

from daper.core.base import Wire
from daper.core.decisions import who
from daper.core.errors import DecisionRefused
from daper.core.models import Confirmation, Decision, Verdict
from daper.core.text import counted, visible
from daper.core.views import ActionView, PlanView
from daper.entrypoints.mcp.telling import changes_of

MOST_IN_A_FORM: Final = 50
_FORMS_IN_ANSWERS: Final = "2026-07-28"
# A client of the older era may give up on a call after 60 s, or not as long as it hears of progress.
_PATIENCE_S: Final = 50.0
_PATIENCE_WITH_PROGRESS_S: Final = 600.0
_PROGRESS_S: Final = 15.0
_FALLBACK: Final = {"undo": "it is undone", "hand-over": "it is handed to a person"}


class Confirm(BaseModel):
    """What the person says in the form."""

    confirm: bool = Field(title="Yes, do exactly this", description="No: nothing is decided, and the plan waits on.")
    comment: str = Field(default="", max_length=2000, title="Comment", description="Kept with the decision.")


class Heard(Wire):
    """What a person said, or that nobody was asked. `confirmed` None: nothing is decided."""

    confirmed: Confirmation | None
    comment: str = ""
    why_not: str = ""


UNCONFIRMED: Final = Heard(confirmed=Confirmation.UNCONFIRMED)
Answer = AcceptedElicitation[Confirm | Heard] | DeclinedElicitation | CancelledElicitation


def can_show_forms(ctx: Context) -> bool:
    """Whether the client says that it shows forms; one that says only "elicitation" does."""
    elicitation = ctx.client_capabilities.elicitation if ctx.client_capabilities else None
    return elicitation is not None and (elicitation.form is not None or elicitation.url is None)


async def ask(ctx: Context, question: str) -> Elicit[Confirm] | Heard:
    """Have the client ask its person."""
    if is_version_at_least(ctx.protocol_version or "", _FORMS_IN_ANSWERS):
        return Elicit(question, Confirm)
    meta = ctx.request_context.meta
    hears = meta is not None and meta.get("progress_token") is not None
    waiting = asyncio.create_task(_say_that_we_wait(ctx))
    try:
        async with asyncio.timeout(_PATIENCE_WITH_PROGRESS_S if hears else _PATIENCE_S):
            return understood(await ctx.elicit(question, Confirm))
    except TimeoutError:
        return Heard(confirmed=None, why_not="nobody answered the form in time; ask again when the person is there")
    except ValueError:
        return Heard(confirmed=None, why_not="the client accepted the form without saying what the person chose")
    finally:
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting


async def _say_that_we_wait(ctx: Context) -> None:
    waited = 0
    while True:
        waited += 1
        await ctx.report_progress(waited, message="waiting for the person's answer to the form")
        await asyncio.sleep(_PROGRESS_S)


def understood(answer: Answer) -> Heard:
    """What the person said, whichever way it came."""
    if isinstance(answer, DeclinedElicitation):
        return Heard(confirmed=None, why_not="the person declined the form")
    if isinstance(answer, CancelledElicitation):
        return Heard(confirmed=None, why_not="the person closed the form without an answer")
    said = answer.data
    if isinstance(said, Heard):
        return said
    if not said.confirm:
        return Heard(confirmed=None, why_not="the person did not confirm")
    return Heard(confirmed=Confirmation.FORM, comment=said.comment)


def question_of(repair_id: str, plan: PlanView, decision: Decision) -> str:
    """What the person is asked, word for word: each action with all that would run. The same for the same decision.

    Raises DecisionRefused for more actions than a form can show.
    """
    actions = {action.id: action for action in plan.actions}
    verdict = next(iter(decision.verdicts.values()))
    if len(decision.verdicts) > MOST_IN_A_FORM:
        raise DecisionRefused(
            f"{counted(len(decision.verdicts), 'action')} are more than a form can show ({MOST_IN_A_FORM}), and a plan "
            "is answered once; decide in a terminal"
        )
    does = "Run" if verdict is Verdict.APPROVE else "Reject"
    lines = [f"{does} {counted(len(decision.verdicts), 'action')} of repair {repair_id}, as {who(decision.by)}?"]
    for action_id in decision.verdicts:
        lines += _action(actions[action_id], decision)
    unnamed = plan.total_actions - len(decision.verdicts)
    if unnamed:
        lines.append(f"{counted(unnamed, 'other action')} of the plan will not run.")
    if decision.comment:
        lines.append(f"Comment: {visible(decision.comment, longest=500)}")
    lines.append(f"Plan {plan.digest}")
    return "\n".join(lines)


def _action(action: ActionView, decision: Decision) -> list[str]:
    edits = decision.edits.get(action.id, {})
    about = f" ({action.title})" if action.title else ""
    # What an edit leads to was not worked out; to show the old preview as it stands would be wrong.
    spends = f"spends {action.spends}{' before the change' if edits else ''}"
    said = [f"{action.id}: {action.tool} on {action.record_id}{about}; risk {action.risk}; {spends}"]
    for name, value in action.arguments.items():
        changed = f", changed to {edits[name]} (may be {action.editable[name]})" if name in edits else ""
        said.append(f"  {name}: {value}{changed}")
    said += [] if edits else [f"  {change}" for change in changes_of(action)]
    said += [f"  {opinion}" for opinion in action.opinions]
    said.append(f"  if it does not help: {_FALLBACK[str(action.if_it_does_not_help)]}")
    return [line[:2] + visible(line[2:]) for line in said]
