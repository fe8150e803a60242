"""A plan in lines, as a person reads it before a decision. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from pydantic import JsonValue

from daper.core.action_groups import ActionGroup, grouped
from daper.core.lines import (
    CHANGED_TO,
    HEADING,
    MAY_BE,
    PLAN_HEADING,
    TO,
    FieldLine,
    LineKind,
    Piece,
    PlanHead,
    Voice,
    action_lines,
    left_alone_lines,
)
from daper.core.selections import in_short
from daper.core.text import counted
from daper.core.views import ActionView, PlanView

Edits = Mapping[str, Mapping[str, JsonValue]]
_MARKS: Final = tuple(mark.strip() for mark in (TO, MAY_BE, CHANGED_TO))
_BETWEEN: Final = ("; ", ": ")  # what stands between the fields of a row
_WORTH_A_GROUP: Final = 3


def plan_lines(
    plan: PlanView, *, domain: str, decide_by: datetime | None = None, edits: Edits | None = None
) -> Iterator[str]:
    """The plan as a person reads it: its head, and per record each action with everything that would run.

    Of three actions or more that are the same but for their record, what is the same is told once, before a row for
    each. `decide_by`: while it waits; `edits`: by action, what the reader is about to change.
    """
    yield f"Repair planning is complete. Plan {plan.digest}"
    yield from _head_lines(PlanHead.of(plan, decide_by=decide_by, changed=bool(edits)))
    yield f"Proposed {domain.title()} to repair:" if plan.actions else "Nothing is proposed."
    apart_from = [group for group in _groups(plan, edits or {}) if len(group.actions) >= _WORTH_A_GROUP]
    together = {action.id for group in apart_from for action in group.actions}
    for group in apart_from:
        yield from _group_lines(group, plan)
    yield from _single_lines((action for action in plan.actions if action.id not in together), edits or {})
    if plan.pages > 1:
        yield f"  page {plan.page} of {plan.pages}; {plan.total_actions} actions in all"
    yield from (f"  - {line.styled(_quoted)}" for line in left_alone_lines(plan))


def apart(value: JsonValue, *marks: str) -> str:
    """A value, in quotes where it holds what stands beside it."""
    text = shown_value(value)
    return repr(text) if any(mark in text for mark in marks) else text


def shown_value(value: JsonValue) -> str:
    """A value as text, as previews have it where there is none."""
    return "(nothing)" if value is None else str(value)


def _groups(plan: PlanView, edits: Edits) -> tuple[ActionGroup, ...]:
    """What is edited is like nothing else."""
    unchanged = tuple(action for action in plan.actions if not edits.get(action.id))
    return grouped(plan.model_copy(update={"actions": unchanged}))


def _head_lines(head: PlanHead) -> Iterator[str]:
    lines = head.lines()
    if heading := ", ".join(f"{line.label} {line.text}" for line in lines if line.kind in PLAN_HEADING):
        yield f"  - {heading}"
    yield from (f"  - {line.label}: {line.text}" for line in lines if line.kind not in PLAN_HEADING)


def _group_lines(group: ActionGroup, plan: PlanView) -> Iterator[str]:
    """The head of a group, with what it spends in all, and a row for each of its actions."""
    ids, many = in_short(group.ids, plan), counted(len(group.actions), "action")
    yield f"  - {ids}: {many} that are the same but for the record, which spend {group.spends} in all:"
    yield from _fields(group.common, ids, indent="    ")
    for action in group.actions:
        own = "; ".join(f"{line.label}: {line.styled(_quoted_in_row)}" for line in group.own(action))
        yield f"    - {action.id} {_record(action)}{own and ': '}{own}"


def _single_lines(actions: Iterable[ActionView], edits: Edits) -> Iterator[str]:
    told = ""
    for action in actions:
        if action.record_id != told:
            told = action.record_id
            yield f"  - {_record(action)}:"
        yield from _fields(action_lines(action, edits=edits.get(action.id, {})), action.id, indent="    ")


def _fields(lines: Iterable[FieldLine], named: str, *, indent: str) -> Iterator[str]:
    """What is done, beside the ids of what does it, and below it each other field."""
    every = tuple(lines)
    heading = {line.kind: line for line in every if line.kind in HEADING}
    tool = heading.pop(LineKind.TOOL).text
    yield f"{indent}- {named} {tool}: " + ", ".join(f"{line.label} {line.text}" for line in heading.values())
    yield from (f"{indent}  - {line.label}: {line.styled(_quoted)}" for line in every if line.kind not in HEADING)


def _record(action: ActionView) -> str:
    about = f" ({apart(action.title, '(', ')', ':')})" if action.title else ""
    return f"{action.record_id}{about}"


def _quoted(piece: Piece) -> str:
    """Record text beside words of ours; in quotes where it could pass for them."""
    return apart(piece.text, *_MARKS) if piece.voice is Voice.VALUE else piece.text


def _quoted_in_row(piece: Piece) -> str:
    return piece.text if piece.voice is Voice.OURS else apart(piece.text, *_MARKS, *_BETWEEN)
