"""The current details of a proactive agent: what the Temporal UI shows of it."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from daper.core.lines import partition_words
    from daper.core.proactive import CycleEnd, ProactiveView
    from daper.core.text import markdown, markdown_code


def agent_details(view: ProactiveView) -> str:
    """Phase, what runs or when the next cycle begins, and the last cycles, as Markdown in which text is text."""
    lines = [f"**{view.phase}**"]
    if view.partition:
        lines += ["", f"It looks at {partition_words(view.partition)}"]
    if view.stopping:
        lines += ["", markdown(view.stopping)]
    if view.repair_id:
        lines += ["", f"The cycle that runs: {markdown_code(view.repair_id)}. Its own page shows its plan."]
    if view.next_cycle_at:
        lines += ["", f"The next cycle begins at {view.next_cycle_at:%Y-%m-%d %H:%M:%S} UTC,"]
        lines += ["or as soon as somebody sends the signal `check_now`."]
    if view.results:
        lines += ["", "The last cycles:", "", *map(_cycle, view.results)]
    return "\n".join(lines)


def _cycle(ended: CycleEnd) -> str:
    reason = f": {markdown(ended.reason)}" if ended.reason else ""
    alone = f", {ended.counts.suppressed} left alone" if ended.counts.suppressed else ""
    return f"- {ended.ended_at:%Y-%m-%d %H:%M} UTC {markdown_code(ended.repair_id)} {ended.phase}{alone}{reason}"
