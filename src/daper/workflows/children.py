"""A repair as the child of an agent: as one that a person starts, and not ended by its parent's end."""

from collections.abc import Mapping

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.workflow import ChildWorkflowHandle, ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from daper.core.messages import RepairRequest
    from daper.core.outcomes import RepairResult
    from daper.workflows.labels import repair_memo, repair_summary, user_attributes
    from daper.workflows.repair import RepairAgentWorkflow

Child = ChildWorkflowHandle[RepairAgentWorkflow, RepairResult]


async def start_repair(request: RepairRequest, repair_id: str, *, memo: Mapping[str, str] | None = None) -> Child:
    """Start it, once. `memo`: what else it is known by, or known by instead.

    Raises WorkflowAlreadyStartedError where the id was used before, ChildWorkflowError.
    """
    user = request.requested_by.name
    return await workflow.start_child_workflow(
        RepairAgentWorkflow.run,
        request,
        id=repair_id,
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        # Whatever becomes of the agent, a plan that waits goes on waiting, and an effect is verified.
        parent_close_policy=ParentClosePolicy.ABANDON,
        memo={**repair_memo(request), **(memo or {})},
        search_attributes=user_attributes(user, indexed=request.indexed),
        static_summary=repair_summary(request),
    )
