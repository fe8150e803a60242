"""The newest repairs: those that Temporal keeps, and those of which only a report is left."""

from datetime import timedelta
from typing import Final

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus

from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.ports import Reports
from daper.service.requests import RepairLine
from daper.service.rpc_errors import temporal_errors
from daper.workflows.labels import PHASE_ATTRIBUTE, PHASE_MEMO, USER_MEMO, WORKFLOW_NAME

_LOOKED_THROUGH: Final = 1000
_ENDED_PHASES: Final = frozenset(str(phase) for phase in Phase if phase.ended)


async def newest_repairs(
    client: Client, reports: Reports, *, queue: str, limit: int, within: timedelta
) -> tuple[RepairLine, ...]:
    """The newest repairs first, each once. Raises Unreachable, StoreError."""
    kept: dict[str, RepairLine] = {}
    # Temporal gives the open ones first, whatever their age.
    most = max(limit, _LOOKED_THROUGH)
    with temporal_errors("", queue=queue):
        found = client.list_workflows(f"WorkflowType = '{WORKFLOW_NAME}'", limit=most, rpc_timeout=within)
        async for execution in found:
            kept[execution.id] = await line_of(execution)
    # Temporal forgets what ended long ago, and lists what has just begun up to a second late.
    reported = {result.repair_id: reported_line(result) for result in await reports.newest(limit)}
    lines = sorted((reported | kept).values(), key=lambda line: line.started_at, reverse=True)
    return tuple(lines[:limit])


async def line_of(execution: WorkflowExecution) -> RepairLine:
    """A repair that Temporal keeps, as a list has it; needs no worker."""
    memo = await execution.memo()
    phase = execution.typed_search_attributes.get(PHASE_ATTRIBUTE) or memo.get(PHASE_MEMO)
    if execution.status is not WorkflowExecutionStatus.RUNNING and phase not in _ENDED_PHASES:
        phase = execution.status.name if execution.status else "gone"
    return RepairLine(
        repair_id=execution.id,
        phase=str(phase or "not begun"),
        user=str(memo.get(USER_MEMO, "")),
        started_at=execution.start_time,
        ended_at=execution.close_time,
    )


def reported_line(result: RepairResult) -> RepairLine:
    """A repair of which a report is left, as a list has it."""
    return RepairLine(
        repair_id=result.repair_id,
        phase=str(result.phase),
        user=result.user,
        started_at=result.started_at,
        ended_at=result.ended_at,
    )
