"""The current details of a repair: what the Temporal UI shows, with the JSON to paste for a decision."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from daper.core.digests import canonical
    from daper.core.lines import (
        HEADING,
        PLAN_HEADING,
        FieldLine,
        LineKind,
        Piece,
        PlanHead,
        Voice,
        action_lines,
        left_alone_lines,
        partition_words,
    )
    from daper.core.models import Finding, Plan, RecordHead
    from daper.core.phases import Phase
    from daper.core.text import markdown, markdown_code
    from daper.core.views import ActionView, view_plan

SHOWN_ACTIONS = 50
# The UI cannot read what our codec compresses, which is what is longer than 16 KiB.
MOST_BYTES = 12_000
_ALL_ELSE = 900  # bytes at most for what is neither phase, message, head, action, nor a problem left alone
_HOW_MANY_MORE = 100
_LONGEST_TEXT = 300
_LONGEST_MESSAGE = 900  # what a repair waits for comes with the ways out
# All that would run is shown whole: an action that does not fit is not shown, nor offered.
_WHOLE = frozenset({LineKind.ARGUMENT, LineKind.CHANGE})


ActionTexts = dict[str, tuple[ActionView, list[str]]]
"""What was said of actions, by id: saying it anew each time is most of what telling where a repair stands costs."""


def details(
    phase: Phase,
    plan: Plan | None,
    message: str,
    decided: str = "",
    *,
    decide_by: datetime | None = None,
    heads: Mapping[str, RecordHead] | None = None,
    findings: Mapping[str, Finding] | None = None,
    partition: str = "",
    known: ActionTexts | None = None,
) -> str:
    """Phase, plan and how to decide, as Markdown in which record text is text; narrow, and never over 12,000 bytes.

    `decided`: who decided on the plan; `decide_by`: until when it waits; `heads` by record, `findings` by fingerprint;
    `partition`: in which part of the records it looks. What is left alone comes last, as far as there is room.

    A plan that does not fit is shown in part, and what is to be pasted then decides on that part alone. `known`: what
    was said of its actions before, kept here for the next time.
    """
    lines = [f"**{phase}**"]
    if message:
        lines += ["", markdown(message, longest=_LONGEST_MESSAGE)]
    if decided:
        lines += ["", f"Decided by {markdown(decided, longest=500)}"]
    if plan is None:
        return "\n".join([*lines, *(["", f"It looks at {partition_words(partition)}"] if partition else [])])
    view = view_plan(plan, size=SHOWN_ACTIONS, heads=heads, findings=findings, partition=partition)
    lines += _head(PlanHead.of(view, decide_by=decide_by))
    shown = _fitting(view.actions, {} if known is None else known, left=MOST_BYTES - _ALL_ELSE - _size(lines))
    for told in shown.values():
        lines += ["", *told]
    if len(shown) < len(plan.actions):
        lines += ["", f"… and {len(plan.actions) - len(shown)} more: `daper repair show`"]
    if phase is Phase.PENDING_APPROVAL and shown:
        lines += ["", "To decide here, send the update `decide` with this input (`approve` or `reject`, for each):"]
        lines += ["", "```json", _answer(plan, view.actions[: len(shown)]), "```"]
    return "\n".join([*lines, *_left_alone(plan, left=MOST_BYTES - _size(lines))])


def _size(lines: Sequence[str]) -> int:
    return len("\n".join(lines).encode())


def _head(head: PlanHead) -> list[str]:
    lines = head.lines()
    heading = ", ".join(f"{line.label} {line.styled(_styled)}" for line in lines if line.kind in PLAN_HEADING)
    rest = [_item(line) for line in lines if line.kind not in PLAN_HEADING]
    return [*(["", heading] if heading else []), *(["", *rest] if rest else [])]


def _fitting(actions: Sequence[ActionView], known: ActionTexts, *, left: int) -> dict[str, list[str]]:
    """By id, what is said of the first actions, as many as there is room for."""
    said: dict[str, list[str]] = {}
    for action in actions:
        if action.id not in known or known[action.id][0] != action:
            known[action.id] = (action, _action(action))
        lines = known[action.id][1]
        left -= _size(lines) + len(f'    "{action.id}": "approve",\n') + 2
        if left < 0:
            break
        said[action.id] = lines
    return said


def _left_alone(plan: Plan, *, left: int) -> list[str]:
    every = list(left_alone_lines(plan))
    lines: list[str] = []
    for line in every:
        item = f"- {line.styled(_styled)}"
        left -= len(item.encode()) + 1
        if left < _HOW_MANY_MORE:
            break
        lines.append(item)
    if len(lines) < len(every):
        lines.append(f"- {len(every) - len(lines)} more problems are left alone: `daper repair show`")
    return ["", *lines] if lines else []


def _action(action: ActionView) -> list[str]:
    lines = action_lines(action)
    heading = {line.kind: line for line in lines if line.kind in HEADING}
    tool = heading.pop(LineKind.TOOL).styled(_styled)
    about = f" ({markdown(action.title, longest=_LONGEST_TEXT)})" if action.title else ""
    said = ", ".join(f"{line.label} {line.styled(_styled)}" for line in heading.values())
    first = f"{markdown_code(action.id)} {tool} for {markdown_code(action.record_id)}{about}: {said}"
    return [first, "", *(_item(line) for line in lines if line.kind not in HEADING)]


def _item(line: FieldLine) -> str:
    if line.kind in _WHOLE:
        return f"- {markdown(line.label)}: {line.styled(_whole)}"
    return f"- **{markdown(line.label)}**: {line.styled(_styled)}"  # a word of ours, unlike the name of an argument


def _styled(piece: Piece) -> str:
    if piece.voice is Voice.OURS:
        return piece.text
    return markdown_code(piece.text) if piece.voice is Voice.VALUE else markdown(piece.text, longest=_LONGEST_TEXT)


def _whole(piece: Piece) -> str:
    return piece.text if piece.voice is Voice.OURS else markdown(piece.text, longest=MOST_BYTES)


def _answer(plan: Plan, shown: Sequence[ActionView]) -> str:
    """The decision to paste: JSON of ids and digests alone, one entry a line, for the page is narrow."""
    lines = [
        f'  "plan_digest": {canonical(plan.digest)},',
        '  "by": {"kind": "person", "name": "YOUR NAME"},',
        '  "door": "temporal-ui",',
        '  "verdicts": {',
        ",\n".join(f'    {canonical(action.id)}: "approve"' for action in shown if not action.instead_of),
        "  }",
    ]
    return "\n".join(["{", *lines, "}"])
