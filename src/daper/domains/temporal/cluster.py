"""The cluster: one method for each call that the domain makes, at a bounded pace. Nothing else talks to Temporal."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

from google.protobuf.message import Message
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, HistoryEventFilterType, TaskQueueType
from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    DescribeNamespaceRequest,
    DescribeTaskQueueRequest,
    DescribeWorkerDeploymentRequest,
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryReverseRequest,
    ListWorkflowExecutionsRequest,
    QueryWorkflowRequest,
    RequestCancelWorkflowExecutionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from daper.clock import agreed_now, new_id
from daper.core.errors import (
    ActionFailed,
    DaperError,
    NoAnswer,
    NoWorker,
    SettingError,
    StoreError,
    StoreUnavailable,
    Unreachable,
)
from daper.core.text import said, shown
from daper.domains.temporal.answers import described, failures_of, moment
from daper.domains.temporal.options import PREFIX
from daper.domains.temporal.pace import Pace
from daper.domains.temporal.recent import Recent, recent_of
from daper.domains.temporal.workflow import Failure, QueueState, WorkflowState, version_name
from daper.stores.outside import refuse_late

IDENTITY: Final = "daper"
MOST_EVENTS: Final = 10_000
"""So many events of one history are read: what has more is left to a person."""

SILENT_AFTER: Final = timedelta(seconds=90)
"""A version of the workers that has not asked for so long is not there: who waits for work asks each minute."""

_CALL: Final = timedelta(seconds=10)
_PAGE: Final = 1000
_EVENTS: Final = 1000
_RECENT: Final = 100
_LISTS_PER_SECOND: Final = 10
"""Of lists and counts a server allows far less than of other calls: ten a second, where nobody has set more."""

_FILTER: Final = f"the list filter, of which {PREFIX}QUERY is a part"
_TRIES: Final = 6  # of a call for which a server has no room just now
_TRIES_AFTER: Final = {
    RPCStatusCode.RESOURCE_EXHAUSTED: _TRIES,
    RPCStatusCode.UNAVAILABLE: 3,
    RPCStatusCode.DEADLINE_EXCEEDED: 3,
    RPCStatusCode.CANCELLED: 3,
}
_CLOSING: Final = frozenset(
    EventType.Value(f"EVENT_TYPE_WORKFLOW_EXECUTION_{how}")
    for how in ("COMPLETED", "FAILED", "TIMED_OUT", "CANCELED", "TERMINATED", "CONTINUED_AS_NEW")
)
_LATEST: Final = 100
_REST: Final = 0.5  # seconds for all calls once a server has no room for a change: it is asked again later
_METADATA: Final = "__temporal_workflow_metadata"
_WORKER_ANSWERS: Final = timedelta(seconds=2)
_REFUSED: Final = (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED)
_AWAY: Final = (
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.RESOURCE_EXHAUSTED,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.CANCELLED,
    RPCStatusCode.UNKNOWN,
    RPCStatusCode.ABORTED,
    RPCStatusCode.INTERNAL,
    RPCStatusCode.DATA_LOSS,
)

Connect = Callable[[Mapping[str, str]], Awaitable[object]]
"""Connects to the cluster that these options name, by the last parts of their variables; none of them: daper's own."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One page of a list, and the token of the next; b"" where that was all."""

    found: tuple[WorkflowExecutionInfo, ...]
    next_page: bytes = b""


@dataclass(frozen=True, kw_only=True)
class _Polled:
    """Who asks a task queue for one sort of task, and how much of that waits there; None where nobody says."""

    pollers: int = 0
    backlog: int | None = None
    versions: frozenset[str] = frozenset()


class Cluster:
    """One namespace of a cluster; it is connected to when it is first asked.

    Each method may raise StoreUnavailable where nobody answers, and StoreError where the call is refused. Those that
    change something raise NoAnswer where nobody can tell whether they did.
    """

    def __init__(self, place: Mapping[str, str], *, calls_per_second: int) -> None:
        self._place = dict(place)
        self._pace = Pace(calls_per_second)
        self._lists = Pace(min(calls_per_second, _LISTS_PER_SECOND), at_once=_LISTS_PER_SECOND)
        self._connect: Connect | None = None
        self._client: Client | None = None

    def reach_by(self, connect: Connect) -> None:
        """Say how a cluster is connected to."""
        self._connect = connect

    async def client(self) -> Client:
        """The connection."""
        if self._client is None:
            if self._connect is None:
                raise StoreUnavailable("nobody has said how Temporal is reached")
            try:
                found = await self._connect(self._place)
            except (Unreachable, SettingError) as error:
                raise StoreUnavailable(f"the workflows cannot be looked at: {error}") from None
            if not isinstance(found, Client):
                raise TypeError(f"a connection to Temporal is wanted, and this is {type(found).__name__}")
            self._client = found
        return self._client

    async def namespace_id(self) -> str:
        """The id of the namespace, which no other has, on any cluster."""
        client = await self.client()
        request = DescribeNamespaceRequest(namespace=client.namespace)
        answer = await self._asked(client.workflow_service.describe_namespace, request, "the namespace")
        return answer.namespace_info.id

    async def place(self) -> str:
        """Where it is, in words."""
        client = await self.client()
        return f"Temporal at {client.service_client.config.target_host!r}, namespace {client.namespace!r}"

    async def count(self, query: str) -> int:
        """How many workflows a filter has; on a large cluster that may be about right."""
        client = await self.client()
        request = CountWorkflowExecutionsRequest(namespace=client.namespace, query=query)
        await self._lists.turn()
        return (await self._asked(client.workflow_service.count_workflow_executions, request, _FILTER)).count

    async def listed(self, query: str, page: bytes = b"", *, most: int = _PAGE) -> Listed:
        """A page of the workflows that a filter has."""
        client = await self.client()
        request = ListWorkflowExecutionsRequest(
            namespace=client.namespace, query=query, next_page_token=page, page_size=most
        )
        await self._lists.turn()
        answer = await self._asked(client.workflow_service.list_workflow_executions, request, _FILTER)
        return Listed(found=tuple(answer.executions), next_page=answer.next_page_token)

    async def state(self, workflow_id: str, run_id: str = "") -> WorkflowState | None:
        """A workflow's latest run, or the named one, with why it failed if it did; None where there is none."""
        client = await self.client()
        request = DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=_run(workflow_id, run_id))
        try:
            answer = await self._asked(client.workflow_service.describe_workflow_execution, request, workflow_id)
        except _NotThere:
            return None
        state = described(answer)
        if state.status not in ("Failed", "TimedOut"):
            return state
        return described(answer, ended=await self.ended(workflow_id, state.run_id))

    async def ended(self, workflow_id: str, run_id: str) -> tuple[Failure, ...]:
        """The chain of failures by which a run ended; none where it ended in another way."""
        event = await self.last_event(workflow_id, run_id)
        if event is not None and event.HasField("workflow_execution_failed_event_attributes"):
            return failures_of(event.workflow_execution_failed_event_attributes.failure)
        return ()

    async def last_event(self, workflow_id: str, run_id: str) -> HistoryEvent | None:
        """The event by which a run ended; None where it runs, or is not there."""
        client = await self.client()
        request = GetWorkflowExecutionHistoryRequest(
            namespace=client.namespace,
            execution=_run(workflow_id, run_id),
            history_event_filter_type=HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
        )
        try:
            answer = await self._asked(client.workflow_service.get_workflow_execution_history, request, workflow_id)
        except _NotThere:
            return None
        closing = [each for each in answer.history.events if each.event_type in _CLOSING]
        return closing[-1] if closing else None

    async def events(self, workflow_id: str, run_id: str) -> AsyncGenerator[HistoryEvent]:
        """The history of one run, from its beginning. Raises StoreError for more than `MOST_EVENTS`."""
        client = await self.client()
        page, read = b"", 0
        while True:
            request = GetWorkflowExecutionHistoryRequest(
                namespace=client.namespace,
                execution=_run(workflow_id, run_id),
                maximum_page_size=_EVENTS,
                next_page_token=page,
            )
            try:
                answer = await self._asked(client.workflow_service.get_workflow_execution_history, request, workflow_id)
            except _NotThere:
                return
            for event in answer.history.events:
                read += 1
                if read > MOST_EVENTS:
                    raise StoreError(f"the history of {workflow_id!r} has more than {MOST_EVENTS:,} events")
                yield event
            page = answer.next_page_token
            if not page:
                return

    async def latest_events(self, workflow_id: str, run_id: str) -> AsyncGenerator[HistoryEvent]:
        """The last events of one run, the newest first, at most `MOST_EVENTS`; none where there is no such run."""
        client = await self.client()
        page, read = b"", 0
        while read < MOST_EVENTS:
            request = GetWorkflowExecutionHistoryReverseRequest(
                namespace=client.namespace,
                execution=_run(workflow_id, run_id),
                maximum_page_size=_LATEST if read == 0 else _EVENTS,
                next_page_token=page,
            )
            call = client.workflow_service.get_workflow_execution_history_reverse
            try:
                answer = await self._asked(call, request, workflow_id)
            except _NotThere:
                return
            for event in answer.history.events:
                read += 1
                yield event
            page = answer.next_page_token
            if not page:
                return

    async def metadata(self, workflow_id: str, run_id: str) -> bytes | None:
        """What a workflow says of itself, as JSON; None where it says nothing. Raises NoWorker where nobody answers."""
        client = await self.client()
        request = QueryWorkflowRequest(
            namespace=client.namespace,
            execution=_run(workflow_id, run_id),
            query=WorkflowQuery(query_type=_METADATA),
        )
        await self._pace.turn()
        try:
            answer = await client.workflow_service.query_workflow(request, timeout=_WORKER_ANSWERS)
        except RPCError as error:
            if error.status in _AWAY:
                raise NoWorker("no worker answers what its workflow is") from None
            return None  # its own code fails, or the server does not let us ask
        return next((payload.data for payload in answer.query_result.payloads), None)

    async def versions(self, deployment: str) -> tuple[str, ...]:
        """The build ids of a deployment to which a workflow may be moved, the current one first."""
        client = await self.client()
        request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=deployment)
        try:
            answer = await self._asked(client.workflow_service.describe_worker_deployment, request, deployment)
        except _NotThere:
            return ()
        routing = answer.worker_deployment_info.routing_config
        chosen = [routing.current_deployment_version.build_id, routing.ramping_deployment_version.build_id]
        return tuple(dict.fromkeys(each for each in chosen if each))

    async def recent(self, workflow_id: str, run_id: str) -> Recent:
        """The last events of one run."""
        client = await self.client()
        request = GetWorkflowExecutionHistoryReverseRequest(
            namespace=client.namespace, execution=_run(workflow_id, run_id), maximum_page_size=_RECENT
        )
        call = client.workflow_service.get_workflow_execution_history_reverse
        try:
            return recent_of((await self._asked(call, request, workflow_id)).history.events)
        except _NotThere:
            return Recent()

    async def queue(self, name: str) -> QueueState:
        """Who asks a task queue, and how much waits there; of one that nobody ever used nothing does."""
        workflow = await self._polled(name, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW)
        activity = await self._polled(name, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)
        known = [each.backlog for each in (workflow, activity) if each.backlog is not None]
        tasks = {"workflow": workflow.backlog, "activity": activity.backlog}
        return QueueState(
            name=name,
            workflow_pollers=workflow.pollers,
            activity_pollers=activity.pollers,
            tasks=tuple(sort for sort, backlog in tasks.items() if backlog),
            backlog=sum(known) if known else None,
            versions={"workflow": workflow.versions, "activity": activity.versions},
        )

    async def _polled(self, name: str, sort: TaskQueueType.ValueType) -> _Polled:
        client = await self.client()
        request = DescribeTaskQueueRequest(
            namespace=client.namespace, task_queue=TaskQueue(name=name), task_queue_type=sort, report_stats=True
        )
        try:
            answer = await self._asked(client.workflow_service.describe_task_queue, request, f"task queue {name}")
        except _NotThere:
            return _Polled()
        since = agreed_now() - SILENT_AFTER
        asking = (each for each in answer.pollers if (at := moment(each.last_access_time)) is None or at > since)
        return _Polled(
            pollers=len(answer.pollers),
            backlog=answer.stats.approximate_backlog_count if answer.HasField("stats") else None,
            versions=frozenset(
                version_name(each.deployment_options.deployment_name, each.deployment_options.build_id)
                for each in asking
            ),
        )

    async def rights_that_lack(self) -> tuple[str, ...]:
        """What daper may not do there; a workflow is asked for that is not there, so that nothing is changed."""
        client = await self.client()
        nobody = _run(f"daper-{new_id()}", "")
        space = client.namespace
        service = client.workflow_service
        queue = DescribeTaskQueueRequest(
            namespace=space,
            task_queue=TaskQueue(name=nobody.workflow_id),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
        workflow = DescribeWorkflowExecutionRequest(namespace=space, execution=nobody)
        history = GetWorkflowExecutionHistoryRequest(namespace=space, execution=nobody)
        change = RequestCancelWorkflowExecutionRequest(
            namespace=space, workflow_execution=nobody, identity=IDENTITY, request_id=new_id()
        )
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "describe workflows": lambda: service.describe_workflow_execution(workflow, timeout=_CALL),
            "read histories": lambda: service.get_workflow_execution_history(history, timeout=_CALL),
            "describe task queues": lambda: service.describe_task_queue(queue, timeout=_CALL),
            "change workflows": lambda: service.request_cancel_workflow_execution(change, timeout=_CALL),
        }
        lacking: list[str] = []
        for right, call in calls.items():
            await self._pace.turn()
            try:
                await call()
            except RPCError as error:
                if error.status in _REFUSED:
                    lacking.append(right)
                elif error.status in _AWAY:
                    raise StoreUnavailable(f"Temporal does not answer ({error.status.name})") from None
        return tuple(lacking)

    async def _asked(self, call: Callable[..., Awaitable[Answer]], request: Message, what: str) -> Answer:
        """A call that changes nothing. Where the server has no room for it, all calls wait, longer each time.

        One that is lost is asked again: a look at thousands must not begin anew for it.
        """
        for tried in range(1, _TRIES + 1):
            await self._pace.turn()
            try:
                return await call(request, timeout=_CALL)
            except RPCError as error:
                if tried >= _TRIES_AFTER.get(error.status, 1):
                    raise _told(error, what) from None
                self._pace.rest(0.25 * 2**tried)
        raise AssertionError("the last try returns or raises")

    async def change(self, call: str, request: Message) -> Message:
        """Ask for a change, by the name of the call; namespace and identity are filled in, where that is empty.

        Raises ActionFailed where the server refuses it, so that nothing happened, and NoAnswer where nobody can tell,
        or where it is too late to ask.
        """
        client = await self.client()
        request.namespace = client.namespace  # pyright: ignore[reportAttributeAccessIssue] - each of these calls has one
        if not request.identity:  # pyright: ignore[reportAttributeAccessIssue] - and this
            request.identity = IDENTITY  # pyright: ignore[reportAttributeAccessIssue]
        await self._pace.turn()
        refuse_late()
        try:
            return await getattr(client.workflow_service, call)(request, timeout=_CALL)
        except RPCError as error:
            told = f"{call} was answered with {error.status.name}"
            if error.status == RPCStatusCode.RESOURCE_EXHAUSTED:
                self._pace.rest(_REST)
            if error.status in _AWAY:
                raise NoAnswer(f"{told}, which does not say whether it was done") from None
            raise ActionFailed(said(f"{told}{_why_refused(error)}; nothing was changed")) from None

    async def change_latest(self, workflow_id: str, run_id: str, call: str, request: Message) -> Message:
        """As `change`, right after a last look whether that run is the latest one: neither waits for its turn between.

        Raises ActionFailed where another one has come, too.
        """
        for tried in range(1, _TRIES + 1):
            async with self._pace.at_once(2):
                try:
                    latest = await self._latest(workflow_id)
                except RPCError as error:
                    if tried >= _TRIES_AFTER.get(error.status, 1):
                        raise _told(error, workflow_id) from None
                else:
                    if latest == run_id:
                        return await self.change(call, request)
                    now = f"another run is the latest one, {latest}" if latest else "it is not there any more"
                    raise ActionFailed(f"{now}; nothing was changed")
            self._pace.rest(0.25 * 2**tried)
        raise AssertionError("the last try returns or raises")

    async def _latest(self, workflow_id: str) -> str:
        client = await self.client()
        request = DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=_run(workflow_id, ""))
        await self._pace.turn()
        try:
            answer = await client.workflow_service.describe_workflow_execution(request, timeout=_CALL)
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return ""
            raise
        return answer.workflow_execution_info.execution.run_id


class _NotThere(StoreError):
    """The server knows nothing by that name."""


def _run(workflow_id: str, run_id: str) -> WorkflowExecution:
    return WorkflowExecution(workflow_id=workflow_id, run_id=run_id)


def _why_refused(error: RPCError) -> str:
    """Why a change was refused, with the way out where there is one: the server's words are data."""
    match error.status:
        case RPCStatusCode.UNIMPLEMENTED:
            return ": this server is too old for it, or it is not switched on there; do it with a newer one"
        case RPCStatusCode.PERMISSION_DENIED | RPCStatusCode.UNAUTHENTICATED:
            return ": daper may not do that there; give it the right"
        case _:
            return f": {shown(error.message, longest=120)}"


def _told(error: RPCError, what: str) -> DaperError:
    """What to raise for a look that was refused: the server's words are data."""
    if any(each.Is(NamespaceNotFoundFailure.DESCRIPTOR) for each in error.grpc_status.details):
        return StoreError(said(f"Temporal has no such namespace any more: {error.message}"))
    if error.status == RPCStatusCode.NOT_FOUND:
        return _NotThere(said(f"Temporal knows nothing of {what} ({error.status.name}): {error.message}"))
    if error.status in _REFUSED:
        return StoreUnavailable(
            f"Temporal does not let daper look at {shown(what)} ({error.status.name}): give it the right"
        )
    if error.status in _AWAY:
        return StoreUnavailable(f"Temporal does not answer ({error.status.name})")
    return StoreError(said(f"Temporal refuses {what} ({error.status.name}): {error.message}"))
