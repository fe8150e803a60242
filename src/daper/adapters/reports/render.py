"""The report of an ended repair as the worker writes it down."""

from daper.adapters.reports.as_markdown import to_markdown
from daper.adapters.reports.ended import repair_report
from daper.core.outcomes import RepairResult


def markdown_report(result: RepairResult) -> str:
    """The whole report as Markdown, made from the result and from nothing else."""
    return to_markdown(repair_report(result))
