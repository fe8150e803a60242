"""A plan in lines, as a person reads it before a decision: at a glance, or whole. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import JsonValue

from daper.core.action_groups import ActionGroup, by_tool, grouped
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
_MOST_APART: Final = 12  # actions like no other that are told at length at a glance
_FIRST_ROWS: Final = 5  # of what is the same, at a glance
_FIRST_OWN_ROWS: Final = 20  # of what does the same, each in its own way
_FIRST_LEFT: Final = 10
_RECORDS_NAMED: Final = 12
_WORTH_HIDING: Final = 3


@dataclass(frozen=True, kw_only=True)
class _Block:
    """Actions that are told together: one alone at length, or several with a head and a row for each of the first."""

    group: ActionGroup
    rows: int

    @property
    def told(self) -> tuple[ActionView, ...]:
        """Those of which everything is told."""
        return self.group.actions[: self.rows]

    @property
    def hidden(self) -> tuple[ActionView, ...]:
        """Those of which only the record is named."""
        return self.group.actions[self.rows :]


def plan_lines(
    plan: PlanView,
    *,
    domain: str,
    decide_by: datetime | None = None,
    edits: Edits | None = None,
    more: str = "",
) -> Iterator[str]:
    """The plan as a person reads it: its head, and per record each action with everything that would run.

    Of three actions or more that are the same but for their record, what is the same is told once, before a row for
    each. What may harm most comes first; of what may harm as much, what is like nothing else. `decide_by`: while it
    waits; `edits`: by action, what the reader is about to change. `more`: how to have the rest; with it a long plan is
    told at a glance, and of many that are alike only the first have a row.
    """
    yield f"Repair planning is complete. Plan {plan.digest}"
    yield from _head_lines(PlanHead.of(plan, decide_by=decide_by, changed=bool(edits)))
    yield f"Proposed {_records_of(domain)} to repair:" if plan.actions else "Nothing is proposed."
    yield from action_block_lines(plan, edits=edits, more=more)
    if plan.pages > 1:
        yield f"  page {plan.page} of {plan.pages}; {plan.total_actions} actions in all"
    left = list(left_alone_lines(plan))
    first = len(left) if not more or len(left) < _FIRST_LEFT + _WORTH_HIDING else _FIRST_LEFT
    for line in left[:first]:
        yield f"  - {line.styled(_quoted)}"
        yield from message_lines(line.below)
    if first < len(left):
        yield f"  - … and {counted(len(left) - first, 'more problem')} not acted on: {more}"


def _records_of(domain: str) -> str:
    """What a domain has: many are called by that."""
    return domain.title() if domain.endswith("s") else f"records of {domain}"


def message_lines(lines: Iterable[str]) -> Iterator[str]:
    """A message that a person may send, to be copied."""
    every = tuple(lines)
    if every:
        yield "    to send by hand:"
        yield from (f"      {line}" for line in every)


def action_block_lines(
    plan: PlanView, *, edits: Edits | None = None, more: str = "", only: Collection[str] | None = None
) -> Iterator[str]:
    """The actions alone, as `plan_lines` tells them; or `only` some of them, by their ids."""
    told = ""
    actions = tuple(action for action in plan.actions if only is None or action.id in only)
    for block in _blocks(plan.model_copy(update={"actions": actions}), edits or {}, glance=bool(more)):
        if len(block.group.actions) > 1:
            told = ""
            yield from _group_lines(block, plan, more)
            continue
        action = next(iter(block.group.actions))
        if action.record_id != told:
            told = action.record_id
            yield f"  - {_record(action)}:"
        yield from _fields(action_lines(action, edits=(edits or {}).get(action.id, {})), action.id, indent="    ")


def hidden_at_a_glance(plan: PlanView, *, edits: Edits | None = None) -> frozenset[str]:
    """The ids of what a glance at the plan names and does not tell."""
    return frozenset(action.id for block in _blocks(plan, edits or {}, glance=True) for action in block.hidden)


def apart(value: JsonValue, *marks: str) -> str:
    """A value, in quotes where it holds what stands beside it."""
    text = shown_value(value)
    return repr(text) if any(mark in text for mark in marks) else text


def shown_value(value: JsonValue) -> str:
    """A value as text, as previews have it where there is none."""
    return "(nothing)" if value is None else str(value)


def _blocks(plan: PlanView, edits: Edits, *, glance: bool) -> tuple[_Block, ...]:
    """The actions of a plan as they are told. What is edited is like nothing else."""
    unchanged = tuple(action for action in plan.actions if not edits.get(action.id))
    groups = [
        group
        for group in grouped(plan.model_copy(update={"actions": unchanged}))
        if len(group.actions) >= _WORTH_A_GROUP
    ]
    together = {action.id for group in groups for action in group.actions}
    alone = [action for action in plan.actions if action.id not in together]
    blocks = [_block(group, _FIRST_ROWS, glance=glance) for group in groups]
    if glance and len(alone) > _MOST_APART:
        kept = [action for action in alone if edits.get(action.id)]
        for group in by_tool(action for action in alone if not edits.get(action.id)):
            if len(group.actions) >= _WORTH_A_GROUP:
                blocks.append(_block(group, _FIRST_OWN_ROWS, glance=True))
            else:
                kept += group.actions
        left = {action.id for action in kept}
        alone = [action for action in alone if action.id in left]
    blocks += [_Block(group=ActionGroup((action,)), rows=1) for action in alone]
    places = {action.id: place for place, action in enumerate(plan.actions)}
    return tuple(sorted(blocks, key=lambda block: _order(block.group, places)))


def _block(group: ActionGroup, first: int, *, glance: bool) -> _Block:
    number = len(group.actions)
    return _Block(group=group, rows=number if not glance or number < first + _WORTH_HIDING else first)


def _order(group: ActionGroup, places: Mapping[str, int]) -> tuple[int, bool, int]:
    return -group.risk.rank, len(group.actions) > 1, places[group.actions[0].id]


def _head_lines(head: PlanHead) -> Iterator[str]:
    lines = head.lines()
    if heading := ", ".join(f"{line.label} {line.text}" for line in lines if line.kind in PLAN_HEADING):
        yield f"  - {heading}"
    yield from (f"  - {line.label}: {line.text}" for line in lines if line.kind not in PLAN_HEADING)


def _group_lines(block: _Block, plan: PlanView, more: str) -> Iterator[str]:
    """The head of a group, with how many and what they spend in all, what all have, and a row for each of the first."""
    group, ids = block.group, in_short(block.group.ids, plan)
    common = [line for line in group.common if line.kind is not LineKind.TOOL]
    yield f"  - {ids}: {group.heading.styled(_quoted)}: " + ", ".join(
        f"{line.label} {line.text}" for line in common if line.kind in HEADING
    )
    yield from (f"    - {line.label}: {line.styled(_quoted)}" for line in common if line.kind not in HEADING)
    for action in block.told:
        yield f"    - {action.id} {_record(action)}{_own(group, action)}"
    if block.hidden:
        yield f"    - … {_hidden(block, plan)}: {more}"


def _own(group: ActionGroup, action: ActionView) -> str:
    own = "; ".join(f"{line.label}: {line.styled(_quoted_in_row)}" for line in group.own(action))
    return f": {own}" if own else ""


def _hidden(block: _Block, plan: PlanView) -> str:
    """Which ones have no row, by record too, and what of each is not told."""
    hidden = block.hidden
    records = list(dict.fromkeys(action.record_id for action in hidden))
    named = ", ".join(records[:_RECORDS_NAMED])
    named += f" and {len(records) - _RECORDS_NAMED:,} more" if len(records) > _RECORDS_NAMED else ""
    kinds = dict.fromkeys(line.label for action in hidden for line in block.group.own(action))
    own = f"; each has its own {_listed(list(kinds))}" if kinds else ""
    return f"and {in_short((action.id for action in hidden), plan)} for {named}{own}"


def _listed(words: Sequence[str]) -> str:
    first = words[:_FIRST_ROWS]
    return ", ".join(first) + (f" and {len(words) - _FIRST_ROWS} more fields" if len(words) > _FIRST_ROWS else "")


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
