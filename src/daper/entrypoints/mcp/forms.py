"""The form in which a chat client asks its person for a decision: what it says, and what an answer to it means."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from mcp.server.elicitation import AcceptedElicitation, CancelledElicitation, DeclinedElicitation
from mcp.server.mcpserver import Context
from mcp_types.version import is_version_at_least
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from daper.core.action_groups import ActionGroup, alike
from daper.core.base import Wire
from daper.core.decisions import who
from daper.core.errors import DecisionRefused
from daper.core.guard import LONGEST_ARGUMENT
from daper.core.lines import FieldLine, LineKind, Piece, PlanHead, Voice, action_lines
from daper.core.models import Confirmation, Decision, Verdict
from daper.core.selections import in_short
from daper.core.text import counted, quotable, visible
from daper.core.views import ActionView, PlanView
from daper.entrypoints.mcp.answers import DecisionAnswer

MOST_IN_A_FORM: Final = 50
NO_ANSWER: Final = "answered the form with what is no answer to it"
_FORMS_IN_ANSWERS: Final = "2026-07-28"
_LONGEST_VALUE: Final = 2 * LONGEST_ARGUMENT + 2  # in quotes, and each character may be escaped
_MOST_IN_SHORT: Final = 6
_DOES: Final = {Verdict.APPROVE: "run", Verdict.REJECT: "reject"}
_LONGEST_FORM: Final = 40_000
_LONGEST_SENTENCE: Final = 300  # of what does not run: why it is wrong, why it is proposed


# Any: a JSON schema.
def _fields_alone(schema: dict[str, Any]) -> None:
    """The protocol lets a form's schema have a type, properties and required; a strict client refuses any more."""
    schema.pop("title", None)
    schema.pop("description", None)


class Confirm(BaseModel):
    """What the person says in the form. Each description stands alone: there are clients that show no titles."""

    model_config = ConfigDict(json_schema_extra=_fields_alone)

    # Nothing else than true is a yes: no "y", and no 1.
    confirm: bool = Field(
        strict=True,
        title="Yes, do exactly this",
        description="Yes: do exactly this. No: nothing is decided, and the plan waits on.",
        json_schema_extra={"default": False},  # a client that chooses one beforehand must not choose yes
    )
    comment: str = Field(
        default="",
        max_length=2000,
        title="Comment",
        description="A comment, if you like. It is kept with the decision.",
    )


class Heard(Wire):
    """What a person said, or that nobody was asked. `confirmed` None: nothing is decided.

    `unseen`: a client answered by itself, or somebody closed the form; nobody can tell which. `repeated`: that was a
    moment ago, and now no form was sent.
    """

    confirmed: Confirmation | None
    comment: str = ""
    why_not: str = ""
    unseen: bool = False
    repeated: bool = False


UNCONFIRMED: Final = Heard(confirmed=Confirmation.UNCONFIRMED)
# A form that was open while the call ran has been acted upon: what came of it is the answer.
Answer = AcceptedElicitation[Confirm | Heard | DecisionAnswer] | DeclinedElicitation | CancelledElicitation


def can_show_forms(ctx: Context) -> bool:
    """Whether the client says that it shows forms; one that says only "elicitation" does."""
    elicitation = ctx.client_capabilities.elicitation if ctx.client_capabilities else None
    return elicitation is not None and (elicitation.form is not None or elicitation.url is None)


def are_answers(ctx: Context) -> bool:
    """Whether a form is the answer to the call, which is then made again with what the person said."""
    return is_version_at_least(ctx.protocol_version or "", _FORMS_IN_ANSWERS)


def understood(answer: Answer) -> Heard | DecisionAnswer:
    """What the person said, whichever way it came; or what came of that already."""
    if isinstance(answer, DeclinedElicitation | CancelledElicitation):
        return unseen(answer.action)
    said = answer.data
    return heard_in(said) if isinstance(said, Confirm) else said


def heard_in(said: Confirm) -> Heard:
    """What the person said in a form."""
    if not said.confirm:
        return Heard(confirmed=None, why_not="the form came back with no")
    return Heard(confirmed=Confirmation.FORM, comment=said.comment)


def unseen(action: str) -> Heard:
    """The client answered by itself, or somebody closed the form."""
    return Heard(
        confirmed=None,
        why_not=f"the client answered the form with {action}; perhaps it showed nobody the form",
        unseen=True,
    )


def question_of(repair_id: str, plan: PlanView, decision: Decision, *, decide_by: datetime | None = None) -> str:
    """What the person is asked, word for word: each action with all that would run. The same for the same decision.

    What comes from records or models stands in quotes on lines of its own, after what is ours. Nothing that would run
    is cut: raises DecisionRefused where a form cannot show all of it.
    """
    actions = {action.id: action for action in plan.actions}
    number = len(decision.verdicts)
    if number > MOST_IN_A_FORM:
        raise _too_much(f"{counted(number, 'action')} are more than a form can show ({MOST_IN_A_FORM})")
    parts = [(does, _given(decision, verdict)) for verdict, does in _DOES.items()]
    parts = [(does, ids) for does, ids in parts if ids]
    does_all = " and ".join(f"{does} {counted(len(ids), 'action')}" for does, ids in parts).capitalize()
    lines = [f"{does_all} of repair {visible(repair_id)}, as {quotable(visible(who(decision.by)))}?"]
    mixed = len(parts) > 1
    lines.append(_in_short(actions, plan, decision, mixed=mixed))
    for does, ids in parts:
        lines += [f"To {does}:"] if mixed else []
        lines += _told([actions[action_id] for action_id in ids], plan, decision)
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


def _given(decision: Decision, verdict: Verdict) -> list[str]:
    return [action_id for action_id, given in decision.verdicts.items() if given is verdict]


def _in_short(actions: Mapping[str, ActionView], plan: PlanView, decision: Decision, *, mixed: bool) -> str:
    """Each action in a few words: Claude Code (2.1) shows three lines of a form, and says how many more there are.

    What is rejected beside what runs says so first of all, in its few words and in how many there are. What is the same
    but for its record is told as one.
    """
    told, left = list[str](), len(decision.verdicts)
    for verdict, does in _DOES.items():
        for group in _groups([actions[action_id] for action_id in _given(decision, verdict)], decision):
            if len(told) == _MOST_IN_SHORT:
                break
            told.append((f"{does} " if mixed else "") + _few_words(group, plan, decision))
            left -= len(group.actions)
    if left:
        told.append(f"{left} more")
    return f"In short: {'; '.join(told)}. All of it:"


def _few_words(group: ActionGroup, plan: PlanView, decision: Decision) -> str:
    each, *others = group.actions
    if others:
        return f"{visible(in_short(group.ids, plan))} {visible(group.heading.text)}"
    changes = bool(decision.edits.get(each.id))
    spends = "with changes" if changes else f"spends {quotable(visible(each.spends))}"
    return f"{visible(each.id)} {visible(each.tool)} {_quoted(each.record_id)}, {spends}"


def _groups(actions: Sequence[ActionView], decision: Decision) -> list[ActionGroup]:
    """The actions as they are told: in their order, those that are the same where the first of them is."""
    found = alike(action for action in actions if not decision.edits.get(action.id))
    of = {action_id: group for group in found for action_id in group.ids}
    groups = (of.get(action.id, ActionGroup((action,))) for action in actions)
    return list({group.ids: group for group in groups}.values())


def _told(actions: Sequence[ActionView], plan: PlanView, decision: Decision) -> Iterator[str]:
    for group in _groups(actions, decision):
        action, *others = group.actions
        if others:
            yield from _group(group, plan)
        else:
            yield from _action(action, decision.edits.get(action.id, {}))


def _group(group: ActionGroup, plan: PlanView) -> Iterator[str]:
    """What all of them have, once, and with each its record and what it alone has: nothing is left out."""
    heading = [_named(line) for line in group.common if _short(line) and line.kind is not LineKind.TOOL]
    yield f"{visible(in_short(group.ids, plan))}: {'; '.join((visible(group.heading.text), *heading))}"
    yield from (_line(line) for line in group.common if not _short(line))
    for action in group.actions:
        own = "".join(f"; {_line(line).strip()}" for line in group.own(action))
        yield f"  {visible(action.id)}: record: {_quoted(action.record_id)}, {_quoted(action.title)}{own}"


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
    return DecisionRefused(f"{what}, and nothing is approved that was not shown")
