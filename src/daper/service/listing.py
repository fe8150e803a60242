"""The newest repairs: those that Temporal keeps, and those of which only a report is left; and all open ones."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.api.common.v1 import Payload
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.converter import decode_typed_search_attributes

from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.core.short_ids import meant
from daper.ports import Reports
from daper.service.inquiry import ANSWER_WITHIN
from daper.service.requests import RepairLine
from daper.service.rpc_errors import temporal_errors
from daper.workflows.labels import DOMAIN_MEMO, PHASE_ATTRIBUTE, PHASE_MEMO, USER_MEMO, WORKFLOW_NAME

_LOOKED_THROUGH: Final = 1000
_A_PAGE: Final = 1000  # the most that Temporal gives at once
_MOST_OPEN: Final = 10 * _A_PAGE
_REPORTS_LOOKED_THROUGH: Final = 200  # for those that are wanted
_AT_ONCE: Final = 50  # read before others have their turn
_ENDED_PHASES: Final = frozenset(str(phase) for phase in Phase if phase.ended)


async def newest_repairs(
    client: Client,
    reports: Reports,
    *,
    queue: str,
    limit: int,
    within: timedelta,
    wanted: Callable[[RepairLine], bool] | None = None,
) -> tuple[RepairLine, ...]:
    """The newest repairs first, each once; only `wanted` ones. Raises Unreachable, StoreError."""
    kept: dict[str, RepairLine] = {}
    # Temporal gives the open ones first, whatever their age.
    most = max(limit, _LOOKED_THROUGH)
    with temporal_errors("", queue=queue):
        found = client.list_workflows(f"WorkflowType = '{WORKFLOW_NAME}'", limit=most, rpc_timeout=within)
        async for execution in found:
            kept[execution.id] = await line_of(execution)
    # Temporal forgets what ended long ago, and lists what has just begun up to a second late.
    reported = await reported_lines(reports, limit=max(limit, _REPORTS_LOOKED_THROUGH) if wanted else limit)
    told = {repair_id: _with_report(line, reported.get(repair_id)) for repair_id, line in kept.items()}
    lines = sorted((reported | told).values(), key=lambda line: line.started_at, reverse=True)
    return tuple([line for line in lines if wanted is None or wanted(line)][:limit])


async def reported_lines(reports: Reports, *, limit: int) -> dict[str, RepairLine]:
    """By id, the repairs whose reports were written last. Raises StoreError."""
    return {result.repair_id: reported_line(result) for result in await reports.newest(limit)}


def _with_report(line: RepairLine, reported: RepairLine | None) -> RepairLine:
    """A line of an ended repair with what its report counts."""
    if reported is None or line.ended_at is None:
        return line
    known = {name: getattr(reported, name) for name in ("domain", "problems", "actions", "done")}
    return line.model_copy(update=known)


async def ids_that_begin(client: Client, said: str, *, queue: str, within: timedelta) -> tuple[str, ...]:
    """The ids of repairs that Temporal keeps and a text may mean in short. Raises Unreachable."""
    kind, found = f"WorkflowType = '{WORKFLOW_NAME}'", list[str]()
    with temporal_errors("", queue=queue):
        for query in (f"{kind} AND WorkflowId STARTS_WITH {quoted(said)}", kind):
            listed = client.list_workflows(query, limit=_LOOKED_THROUGH, rpc_timeout=within)
            found += [execution.id async for execution in listed]
    return meant(said, found)


async def newest_ids(client: Client, *, within: timedelta) -> tuple[str, ...]:
    """The ids of the newest repairs that Temporal keeps. Raises RPCError."""
    listed = client.list_workflows(f"WorkflowType = '{WORKFLOW_NAME}'", limit=_LOOKED_THROUGH, rpc_timeout=within)
    return tuple([execution.id async for execution in listed])


async def line_of(execution: WorkflowExecution) -> RepairLine:
    """A repair that Temporal keeps, as a list has it; needs no worker."""
    memo = await execution.memo()
    return _line(
        execution.id,
        status=execution.status,
        phase=execution.typed_search_attributes.get(PHASE_ATTRIBUTE) or memo.get(PHASE_MEMO),
        user=str(memo.get(USER_MEMO, "")),
        domain=str(memo.get(DOMAIN_MEMO, "")),
        started_at=execution.start_time,
        ended_at=execution.close_time,
    )


def _line(
    repair_id: str,
    *,
    status: WorkflowExecutionStatus | None,
    phase: object,
    user: str,
    domain: str,
    started_at: datetime,
    ended_at: datetime | None,
) -> RepairLine:
    if status is not WorkflowExecutionStatus.RUNNING and phase not in _ENDED_PHASES:
        phase = status.name if status else "gone"
    return RepairLine(
        repair_id=repair_id,
        phase=str(phase or "not begun"),
        user=user,
        domain=domain,
        started_at=started_at,
        ended_at=ended_at,
    )


class Listing:
    """The repairs of one task queue for which a filter holds, as Temporal lists them: the newest first.

    What Temporal says again is not read again: a look costs a call for each thousand repairs, and little else.
    """

    def __init__(self, client: Client, *, queue: str, such: str) -> None:
        """`such`: what holds for them, as Temporal's list filters say it."""
        self._client = client
        self._queue = queue
        self._query = f"WorkflowType = '{WORKFLOW_NAME}' AND TaskQueue = {quoted(queue)} AND {such}"
        self._told: list[WorkflowExecutionInfo] = []
        self._known: dict[str, tuple[WorkflowExecutionInfo, RepairLine]] = {}
        self._lines: tuple[RepairLine, ...] = ()

    async def look(self, *, most: int = _MOST_OPEN, within: timedelta = ANSWER_WITHIN) -> tuple[RepairLine, ...]:
        """The lines; the very same tuple while Temporal says the same. Raises Unreachable."""
        told = await self._ask(most, within)
        if told != self._told:
            known: dict[str, tuple[WorkflowExecutionInfo, RepairLine]] = {}
            for number, info in enumerate(told, start=1):
                repair_id = info.execution.workflow_id
                before = self._known.get(repair_id)
                same = before is not None and before[0] == info
                known[repair_id] = before if same and before else (info, await self._line(info))
                if number % _AT_ONCE == 0:
                    await asyncio.sleep(0)
            lines = (line for _, line in known.values())
            self._told, self._known = told, known
            self._lines = tuple(sorted(lines, key=lambda line: (line.started_at, line.repair_id), reverse=True))
        return self._lines

    async def _ask(self, most: int, within: timedelta) -> list[WorkflowExecutionInfo]:
        told, place = list[WorkflowExecutionInfo](), b""
        with temporal_errors("", queue=self._queue):
            while len(told) < most:
                answer = await self._client.workflow_service.list_workflow_executions(
                    ListWorkflowExecutionsRequest(
                        namespace=self._client.namespace,
                        page_size=min(_A_PAGE, most - len(told)),
                        next_page_token=place,
                        query=self._query,
                    ),
                    retry=True,
                    timeout=within,
                )
                told += answer.executions
                place = answer.next_page_token
                if not place:
                    break
        return told

    async def _line(self, info: WorkflowExecutionInfo) -> RepairLine:
        memo, attributes = info.memo.fields, decode_typed_search_attributes(info.search_attributes)
        read = {name: await self._text(memo[name]) for name in (PHASE_MEMO, USER_MEMO, DOMAIN_MEMO) if name in memo}
        return _line(
            info.execution.workflow_id,
            status=WorkflowExecutionStatus(info.status) if info.status else None,
            phase=attributes.get(PHASE_ATTRIBUTE) or read.get(PHASE_MEMO),
            user=read.get(USER_MEMO, ""),
            domain=read.get(DOMAIN_MEMO, ""),
            started_at=info.start_time.ToDatetime(tzinfo=UTC),
            ended_at=info.close_time.ToDatetime(tzinfo=UTC) if info.HasField("close_time") else None,
        )

    async def _text(self, payload: Payload) -> str:
        values: Sequence[object] = await self._client.data_converter.decode([payload])
        return str(values[0])


def open_repairs(client: Client, *, queue: str) -> Listing:
    """The open repairs of a task queue."""
    return Listing(client, queue=queue, such="ExecutionStatus = 'Running'")


def ended_repairs(client: Client, *, queue: str) -> Listing:
    """The ended repairs of a task queue that Temporal still keeps."""
    return Listing(client, queue=queue, such="ExecutionStatus != 'Running'")


def quoted(text: str) -> str:
    """A text as Temporal's list filters have it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def reported_line(result: RepairResult) -> RepairLine:
    """A repair of which a report is left, as a list has it."""
    return RepairLine(
        repair_id=result.repair_id,
        phase=str(result.phase),
        user=result.user,
        started_at=result.started_at,
        ended_at=result.ended_at,
        domain=result.domain,
        problems=len(result.findings),
        actions=len(result.plans[-1].actions) if result.plans else 0,
        done=sum(outcome.status.took_effect for outcome in result.outcomes),
    )
