"""The current details of a repair: what the Temporal UI shows, with the JSON to paste for a decision."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from daper.core.digests import canonical
    from daper.core.models import Plan
    from daper.core.phases import Phase
    from daper.core.text import markdown, markdown_code

SHOWN_ACTIONS = 50
_HEADINGS = "| action | record | tool | arguments | confidence | risk | if it does not help |"


def details(phase: Phase, plan: Plan | None, message: str) -> str:
    """Phase, plan and how to decide, as Markdown in which record text is text."""
    lines = [f"**{phase}**"]
    if message:
        lines += ["", markdown(message, longest=500)]
    if plan and plan.actions:
        lines += ["", _HEADINGS, "|---" * _HEADINGS.count(" | ") + "|---|"]
        lines += [_row(plan, place) for place in range(min(len(plan.actions), SHOWN_ACTIONS))]
        if len(plan.actions) > SHOWN_ACTIONS:
            lines.append(f"\n… and {len(plan.actions) - SHOWN_ACTIONS} more: `daper repair show`")
    if phase is Phase.PENDING_APPROVAL and plan:
        answer = canonical(
            {
                "plan_digest": plan.digest,
                "verdicts": {action.id: "approve" for action in plan.actions[:SHOWN_ACTIONS]},
                "by": {"kind": "person", "name": "YOUR NAME"},
                "door": "temporal-ui",
            }
        )
        lines += ["", "To decide here, send the update `decide` with this input (`approve` or `reject`, for each):"]
        lines += ["", "```json", answer, "```"]
    return "\n".join(lines)


def _row(plan: Plan, place: int) -> str:
    action = plan.actions[place]
    bound = action.bound
    arguments = ", ".join(f"{name}={value}" for name, value in bound.arguments.items())
    cells = (
        markdown_code(action.id),
        markdown_code(bound.record_id),
        markdown_code(bound.tool),
        markdown(arguments, longest=1500),
        str(action.confidence_score),
        str(bound.risk),
        str(bound.if_it_does_not_help),
    )
    return f"| {' | '.join(cells)} |"
