"""All tools of the domain, in the order in which they must run on one workflow."""

from typing import Final

from daper.domains.temporal.tools.activity_pause import UnpauseActivity
from daper.domains.temporal.tools.base import Workbench, WorkflowTool
from daper.domains.temporal.tools.reset_workflow import ResetWorkflow
from daper.domains.temporal.tools.start_again import StartAgain

TOOLS: Final[tuple[type[WorkflowTool], ...]] = (UnpauseActivity, ResetWorkflow, StartAgain)


def tools_on(bench: Workbench) -> dict[str, WorkflowTool]:
    """Each tool by its name."""
    return {made.name: made for made in (tool(bench) for tool in TOOLS)}
