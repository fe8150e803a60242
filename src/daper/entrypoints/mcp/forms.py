"""The form in which a chat client asks its person for a decision, and what came back of it.

Both eras of the protocol: the newer one answers a call with the form, and is called again with what the person said;
the older one asks while the call runs, so there the call must end before its client loses patience.
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Final

from mcp import MCPError
from mcp.server.elicitation import AcceptedElicitation, CancelledElicitation, DeclinedElicitation
from mcp.server.mcpserver import Context, Elicit
from mcp_types.version import is_version_at_least
from pydantic import BaseModel, Field, JsonValue

from daper.core.base import Wire
from daper.core.decisions import who
from daper.core.errors import DecisionRefused
from daper.core.guard import LONGEST_ARGUMENT
from daper.core.lines import FieldLine, LineKind, Piece, PlanHead, Voice, action_lines
from daper.core.models import Confirmation, Decision, Verdict
from daper.core.text import counted, quotable, visible
from daper.core.views import ActionView, PlanView

MOST_IN_A_FORM: Final = 50
_FORMS_IN_ANSWERS: Final = "2026-07-28"
# A client of the older era may give up on a call after 60 s, or not as long as it hears of progress.
_PATIENCE_S: Final = 50.0
_PATIENCE_WITH_PROGRESS_S: Final = 600.0
_PROGRESS_S: Final = 15.0
_LONGEST_VALUE: Final = 2 * LONGEST_ARGUMENT + 2  # in quotes, and each character may be escaped
_LONGEST_FORM: Final = 40_000
_LONGEST_SENTENCE: Final = 300  # of what does not run: why it is wrong, why it is proposed


class Confirm(BaseModel):
    """What the person says in the form."""

    # Nothing else than true is a yes: no "y", and no 1.
    confirm: bool = Field(
        strict=True, title="Yes, do exactly this", description="No: nothing is decided, and the plan waits on."
    )
    comment: str = Field(default="", max_length=2000, title="Comment", description="Kept with the decision.")


class NotShown(Exception):
    """The client says that it shows forms, and answered this one with an error, or with what is no answer."""


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
    """Have the client ask its person. Raises NotShown."""
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
    except MCPError as error:
        raise NotShown(f"answered the form with an error (code {error.code})") from None
    except ValueError:  # accepted with nothing, or with what the form does not ask for
        raise NotShown("answered the form with what is no answer to it") from None
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


def question_of(repair_id: str, plan: PlanView, decision: Decision, *, decide_by: datetime | None = None) -> str:
    """What the person is asked, word for word: each action with all that would run. The same for the same decision.

    What comes from records or models stands in quotes on lines of its own, after what is ours. Nothing that would run
    is cut: raises DecisionRefused where a form cannot show all of it.
    """
    actions = {action.id: action for action in plan.actions}
    number, verdict = len(decision.verdicts), next(iter(decision.verdicts.values()))
    if number > MOST_IN_A_FORM:
        raise _too_much(f"{counted(number, 'action')} are more than a form can show ({MOST_IN_A_FORM})")
    does = "Run" if verdict is Verdict.APPROVE else "Reject"
    lines = [
        f"{does} {counted(number, 'action')} of repair {visible(repair_id)}, as {quotable(visible(who(decision.by)))}?"
    ]
    for action_id in decision.verdicts:
        lines += _action(actions[action_id], decision.edits.get(action_id, {}))
    unnamed = plan.total_actions - number
    if unnamed:
        lines.append(f"{counted(unnamed, 'other action')} of the plan will not run.")
    if decision.comment:
        lines.append(f"Comment: {_quoted(decision.comment)}")
    lines.append(f"Plan {plan.digest}")
    lines += map(_line, PlanHead.of(plan, decide_by=decide_by, changed=bool(decision.edits)).lines())
    text = "\n".join(lines)
    if len(text) > _LONGEST_FORM:
        raise _too_much("what would run is more text than a form can show")
    return text


def _action(action: ActionView, edits: Mapping[str, JsonValue]) -> list[str]:
    lines = action_lines(action, edits=edits)
    heading = "; ".join(line.text if line.kind is LineKind.TOOL else _named(line) for line in lines if _short(line))
    return [
        f"{visible(action.id)}: {heading}",
        f"  record: {_quoted(action.record_id)}, {_quoted(action.title)}",
        *(_line(line) for line in lines if not _short(line)),
    ]


def _line(line: FieldLine) -> str:
    style = _piece if line.kind is LineKind.ARGUMENT else _explained
    label = _quoted(line.label) if line.kind is LineKind.CHANGE else quotable(visible(line.label))
    return f"  {label}: {line.styled(style)}"


def _short(line: FieldLine) -> bool:
    """Whether it stands beside the action's id: all of it is ours."""
    return line.kind in {LineKind.TOOL, LineKind.RISK, LineKind.CONFIDENCE}


def _named(line: FieldLine) -> str:
    return f"{line.label} {line.text}"


def _piece(piece: Piece) -> str:
    return piece.text if piece.voice is Voice.OURS else _quoted(piece.value)


def _explained(piece: Piece) -> str:
    sentence = piece.voice is Voice.TEXT
    return _quoted(visible(piece.text, longest=_LONGEST_SENTENCE)) if sentence else _piece(piece)


def _quoted(value: JsonValue) -> str:
    """A value as JSON has it, so that text cannot pass for anything else; whole. Raises DecisionRefused.

    Where a client that shows Markdown, or makes links, could make more of it, it stands between backticks.
    """
    text = json.dumps(value, ensure_ascii=False)
    if len(text) > _LONGEST_VALUE:
        raise _too_much(f"a value of {len(text):,} characters is more than a form can show")
    return quotable(visible(text, longest=_LONGEST_VALUE))


def _too_much(what: str) -> DecisionRefused:
    return DecisionRefused(f"{what}, and nothing is approved that was not shown; decide in a terminal")
