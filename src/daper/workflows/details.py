"""The current details of a repair: what the Temporal UI shows, with the JSON to paste for a decision."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from daper.core.action_groups import ActionGroup, grouped
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
    from daper.core.selections import in_short
    from daper.core.text import markdown, markdown_code
    from daper.core.views import ActionView, PlanView, view_plan

SHOWN_ACTIONS = 50
_ELSEWHERE = (
    ". What is pasted here decides on those above alone, and the others are then not approved; "
    "to decide on all of them: `daper repair approve`, or the console"
)
# The UI cannot read what our codec compresses, which is what is longer than 16 KiB.
MOST_BYTES = 12_000
_ALL_ELSE = 900  # bytes at most for what is neither phase, message, head, action, nor a problem left alone
_HOW_MANY_MORE = 100
_LONGEST_TEXT = 300
_LONGEST_MESSAGE = 900  # what a repair waits for comes with the ways out
# All that would run is shown whole: an action that does not fit is not shown, nor offered.
_WHOLE = frozenset({LineKind.ARGUMENT, LineKind.CHANGE})
# Where there is no room for all that is said of each action of a group, this is, for it is what would be done.
_NEEDED = _WHOLE | {LineKind.SPENDS, LineKind.DOUBT, LineKind.ALTERNATIVE}
_WORTH_A_GROUP = 3


Texts = tuple[list[str], dict[str, list[str]]]
"""What is said of some actions together, and what of each by its id."""

ActionTexts = dict[tuple[str, ...], tuple[tuple[ActionView, ...], list[Texts]]]
"""What was said of actions, by ids: saying it anew each time is most of what telling where a repair stands costs.

Of a group first whole, and then with only what would be done of each.
"""


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

    Actions that are the same but for their record are told as one group, what may harm most first. A plan that does not
    fit is shown in part, and what is to be pasted then decides on that part alone. `known`: what was said of its
    actions before, kept here for the next time.
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
    told, shown = _fitting(view, {} if known is None else known, left=MOST_BYTES - _ALL_ELSE - _size(lines))
    lines += told
    waits = phase is Phase.PENDING_APPROVAL
    if left := len(plan.actions) - len(shown):
        lines += ["", f"… and {left} more: `daper repair show`" + (_ELSEWHERE if waits else "")]
    if waits and shown:
        lines += ["", "To decide here, send the update `decide` with this input (`approve` or `reject`, for each):"]
        lines += ["", "```json", _answer(plan, [action for action in view.actions if action.id in shown]), "```"]
    return "\n".join([*lines, *_left_alone(plan, left=MOST_BYTES - _size(lines))])


def _size(lines: Sequence[str]) -> int:
    return len("\n".join(lines).encode())


def _head(head: PlanHead) -> list[str]:
    lines = head.lines()
    heading = ", ".join(f"{line.label} {line.styled(_styled)}" for line in lines if line.kind in PLAN_HEADING)
    rest = [_item(line) for line in lines if line.kind not in PLAN_HEADING]
    return [*(["", heading] if heading else []), *(["", *rest] if rest else [])]


def _fitting(plan: PlanView, known: ActionTexts, *, left: int) -> tuple[list[str], frozenset[str]]:
    """What is said of as many actions as there is room for, and their ids."""
    lines, shown = list[str](), set[str]()
    for actions in _together(plan):
        ids = tuple(action.id for action in actions)
        if ids not in known or known[ids][0] != actions:
            known[ids] = (actions, _texts(actions, plan))
        texts = known[ids][1]
        common, each = next((said for said in texts if _room(said) <= left), texts[-1])
        fits = dict[str, list[str]]()
        left -= _size(common) + 2
        for action_id, row in each.items():
            left -= _row_size(action_id, row)
            if left < 0:
                break
            fits[action_id] = row
        if fits:
            lines += ["", *common, *(line for row in fits.values() for line in row)]
            shown |= fits.keys()
        if len(fits) < len(each):
            break
    return lines, frozenset(shown)


def _together(plan: PlanView) -> Iterator[tuple[ActionView, ...]]:
    """Groups, and what is like nothing else one by one."""
    for group in grouped(plan):
        if len(group.actions) >= _WORTH_A_GROUP:
            yield group.actions
        else:
            yield from ((action,) for action in group.actions)


def _texts(actions: tuple[ActionView, ...], plan: PlanView) -> list[Texts]:
    if len(actions) == 1:
        return [([], {actions[0].id: _action(actions[0])})]
    group = ActionGroup(actions)
    common, spare = _group_head(group, plan), _group_head(group, plan, spare=True)
    whole = {action.id: [_row(action, group.own(action))] for action in actions}
    needed = {
        action.id: [_row(action, [line for line in group.own(action) if line.kind in _NEEDED])] for action in actions
    }
    return [(common, whole), (spare, needed)]


def _group_head(group: ActionGroup, plan: PlanView, *, spare: bool = False) -> list[str]:
    """What all of a group have; `spare`: and that there is more to say of each."""
    common = [line for line in group.common if line.kind is not LineKind.TOOL]
    said = ", ".join(f"{line.label} {line.styled(_styled)}" for line in common if line.kind in HEADING)
    first = f"{markdown_code(in_short(group.ids, plan))} {group.heading.styled(_styled)}: {said}"
    more = ["- what is wrong with each, and why: `daper repair show --all`"] if spare else []
    return [first, "", *(_item(line) for line in common if line.kind not in HEADING), *more]


def _row(action: ActionView, own: Sequence[FieldLine]) -> str:
    about = f" ({markdown(action.title, longest=_LONGEST_TEXT)})" if action.title else ""
    said = "; ".join(f"{markdown(line.label)}: {line.styled(_set(line))}" for line in own)
    return f"- {markdown_code(action.id)} {markdown_code(action.record_id)}{about}{said and ': '}{said}"


def _room(said: Texts) -> int:
    common, each = said
    return _size(common) + 2 + sum(_row_size(action_id, row) for action_id, row in each.items())


def _row_size(action_id: str, row: Sequence[str]) -> int:
    """With its line in what is to be pasted."""
    return _size(row) + 1 + len(f'    "{action_id}": "approve",\n') + 1


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
        return f"- {markdown(line.label)}: {line.styled(_set(line))}"
    return f"- **{markdown(line.label)}**: {line.styled(_styled)}"  # a word of ours, unlike the name of an argument


def _set(line: FieldLine) -> Callable[[Piece], str]:
    return _whole if line.kind in _WHOLE else _styled


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
