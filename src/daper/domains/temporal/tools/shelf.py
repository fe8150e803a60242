"""All tools of the domain, in the order in which they must run on one workflow."""

from typing import Final

from daper.domains.temporal.tools.activity_options import ChangeActivityOptions
from daper.domains.temporal.tools.activity_pause import PauseActivity, UnpauseActivity
from daper.domains.temporal.tools.activity_reset import ResetActivity
from daper.domains.temporal.tools.base import Workbench, WorkflowTool
from daper.domains.temporal.tools.ending import CancelWorkflow, TerminateWorkflow
from daper.domains.temporal.tools.reset_workflow import ResetWorkflow
from daper.domains.temporal.tools.signal import SignalWorkflow
from daper.domains.temporal.tools.start_again import StartAgain
from daper.domains.temporal.tools.version_move import MoveToVersion

TOOLS: Final[tuple[type[WorkflowTool], ...]] = (
    MoveToVersion,
    ChangeActivityOptions,
    ResetActivity,
    UnpauseActivity,
    PauseActivity,
    SignalWorkflow,
    ResetWorkflow,
    StartAgain,
    CancelWorkflow,
    TerminateWorkflow,
)


def tools_on(bench: Workbench) -> dict[str, WorkflowTool]:
    """Each tool by its name. Raises SettingError where what is set of one makes no sense."""
    return {made.name: made for made in (tool(bench) for tool in TOOLS)}
