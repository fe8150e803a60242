"""The current details of a repair: what the Temporal UI shows, with the JSON to paste for a decision."""

from collections.abc import Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from daper.core.digests import canonical
    from daper.core.models import Plan, ProposedAction, SuppressedFinding
    from daper.core.phases import Phase
    from daper.core.text import markdown, markdown_code
    from daper.core.views import view_action

SHOWN_ACTIONS = 50
# The UI cannot read what our codec compresses, which is what is longer than 16 KiB.
MOST_BYTES = 12_000
_ALL_ELSE = 900  # bytes at most for what is neither phase, nor message, nor action, nor a problem left alone
_HOW_MANY_MORE = 100


def details(phase: Phase, plan: Plan | None, message: str, decided: str = "") -> str:
    """Phase, plan and how to decide, as Markdown in which record text is text; narrow, and never over 12,000 bytes.

    `decided`: who decided on the plan. What is left alone comes last, as far as there is room.

    A plan that does not fit is shown in part, and what is to be pasted then decides on that part alone.
    """
    lines = [f"**{phase}**"]
    if message:
        lines += ["", markdown(message, longest=500)]
    if decided:
        lines += ["", f"Decided by {markdown(decided, longest=500)}"]
    actions = plan.actions if plan else ()
    shown = _fitting(actions, left=MOST_BYTES - _ALL_ELSE - len("\n".join(lines).encode()))
    for action in shown:
        lines += ["", *_action(action)]
    if len(shown) < len(actions):
        lines += ["", f"… and {len(actions) - len(shown)} more: `daper repair show`"]
    if phase is Phase.PENDING_APPROVAL and plan and shown:
        lines += ["", "To decide here, send the update `decide` with this input (`approve` or `reject`, for each):"]
        lines += ["", "```json", _answer(plan, shown), "```"]
    lines += _left_alone(plan.suppressed if plan else (), left=MOST_BYTES - len("\n".join(lines).encode()))
    return "\n".join(lines)


def _fitting(actions: Sequence[ProposedAction], *, left: int) -> Sequence[ProposedAction]:
    for count, action in enumerate(actions[:SHOWN_ACTIONS]):
        left -= len("\n".join(_action(action)).encode()) + len(f'    "{action.id}": "approve",\n') + 1
        if left < 0:
            return actions[:count]
    return actions[:SHOWN_ACTIONS]


def _left_alone(suppressed: Sequence[SuppressedFinding], *, left: int) -> list[str]:
    lines: list[str] = []
    for item in suppressed:
        about = f"{markdown_code(item.finding.record_id)} {markdown(item.finding.kind)}"
        line = f"- {about} is left alone: {markdown(item.reason, longest=300)}"
        left -= len(line.encode()) + 1
        if left < _HOW_MANY_MORE:
            break
        lines.append(line)
    if len(lines) < len(suppressed):
        lines.append(f"- {len(suppressed) - len(lines)} more problems are left alone: `daper repair show`")
    return ["", *lines] if lines else []


def _action(action: ProposedAction) -> list[str]:
    bound = action.bound
    sure = f"confidence {action.confidence_score}, risk {bound.risk}, if it does not help: {bound.if_it_does_not_help}"
    heading = f"{markdown_code(action.id)} {markdown_code(bound.tool)} for {markdown_code(bound.record_id)}: {sure}"
    arguments = [f"- {markdown(name)}: {_value(value)}" for name, value in bound.arguments.items()]
    changes = [
        f"- {markdown(change.record)} {markdown(change.field)}: {_value(change.before)} → {_value(change.after)}"
        for change in action.preview
    ]
    opinions = [f"- {markdown(opinion)}" for opinion in view_action(action).opinions]
    return [heading, "", *arguments, *changes, *opinions]


def _value(value: object) -> str:
    return markdown(value, longest=MOST_BYTES)  # never cut: what does not fit is not shown, nor offered


def _answer(plan: Plan, shown: Sequence[ProposedAction]) -> str:
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
