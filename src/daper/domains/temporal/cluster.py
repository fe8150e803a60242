"""The cluster: one method for each call that the domain makes, at a bounded pace. Nothing else talks to Temporal."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

from google.protobuf.message import Message
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import HistoryEventFilterType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    DescribeNamespaceRequest,
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from daper.core.errors import (
    ActionFailed,
    DaperError,
    NoAnswer,
    SettingError,
    StoreError,
    StoreUnavailable,
    Unreachable,
)
from daper.core.text import said
from daper.domains.temporal.pace import Pace
from daper.domains.temporal.workflow import Failure, WorkflowState, described, failures_of

IDENTITY: Final = "daper"
MOST_EVENTS: Final = 10_000
"""So many events of one history are read: what has more is left to a person."""

_CALL: Final = timedelta(seconds=10)
_PAGE: Final = 1000
_EVENTS: Final = 1000
_REFUSED: Final = (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED)
_AWAY: Final = (
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.RESOURCE_EXHAUSTED,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.CANCELLED,
    RPCStatusCode.UNKNOWN,
    RPCStatusCode.ABORTED,
    RPCStatusCode.INTERNAL,
)

Connect = Callable[[Mapping[str, str]], Awaitable[object]]
"""Connects to the cluster that these options name, by the last parts of their variables; none of them: daper's own."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One page of a list, and the token of the next; b"" where that was all."""

    found: tuple[WorkflowExecutionInfo, ...]
    next_page: bytes = b""


class Cluster:
    """One namespace of a cluster; it is connected to when it is first asked.

    Each method may raise StoreUnavailable where nobody answers, and StoreError where the call is refused. Those that
    change something raise NoAnswer where nobody can tell whether they did.
    """

    def __init__(self, place: Mapping[str, str], *, calls_per_second: int) -> None:
        self._place = dict(place)
        self._pace = Pace(calls_per_second)
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
        return (await self._asked(client.workflow_service.count_workflow_executions, request, query)).count

    async def listed(self, query: str, page: bytes = b"", *, most: int = _PAGE) -> Listed:
        """A page of the workflows that a filter has."""
        client = await self.client()
        request = ListWorkflowExecutionsRequest(
            namespace=client.namespace, query=query, next_page_token=page, page_size=most
        )
        answer = await self._asked(client.workflow_service.list_workflow_executions, request, query)
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
        client = await self.client()
        request = GetWorkflowExecutionHistoryRequest(
            namespace=client.namespace,
            execution=_run(workflow_id, run_id),
            history_event_filter_type=HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
        )
        try:
            answer = await self._asked(client.workflow_service.get_workflow_execution_history, request, workflow_id)
        except _NotThere:
            return ()
        for event in answer.history.events:
            if event.HasField("workflow_execution_failed_event_attributes"):
                return failures_of(event.workflow_execution_failed_event_attributes.failure)
        return ()

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

    async def _asked(self, call: Callable[..., Awaitable[Answer]], request: Message, what: str) -> Answer:
        """A call that changes nothing."""
        await self._pace.turn()
        try:
            return await call(request, timeout=_CALL)
        except RPCError as error:
            raise _told(error, what) from None

    async def change(self, call: str, request: Message) -> Message:
        """Ask for a change, by the name of the call; namespace and identity are filled in.

        Raises ActionFailed where the server refuses it, so that nothing happened, and NoAnswer where nobody can tell.
        """
        client = await self.client()
        request.namespace = client.namespace  # pyright: ignore[reportAttributeAccessIssue] - each of these calls has one
        request.identity = IDENTITY  # pyright: ignore[reportAttributeAccessIssue] - and this
        await self._pace.turn()
        try:
            return await getattr(client.workflow_service, call)(request, timeout=_CALL)
        except RPCError as error:
            told = f"{call} was answered with {error.status.name}"
            if error.status in _AWAY:
                raise NoAnswer(f"{told}, which does not say whether it was done") from None
            raise ActionFailed(said(f"{told}: {error.message}; nothing was changed")) from None


class _NotThere(Exception):
    """The server knows nothing by that name."""


def _run(workflow_id: str, run_id: str) -> WorkflowExecution:
    return WorkflowExecution(workflow_id=workflow_id, run_id=run_id)


def _told(error: RPCError, what: str) -> DaperError | _NotThere:
    """What to raise for a look that was refused: the server's words are data."""
    if error.status == RPCStatusCode.NOT_FOUND:
        return _NotThere(what)
    if error.status in _REFUSED:
        return StoreUnavailable(
            f"Temporal does not let daper look at {what!r} ({error.status.name}): give it the right"
        )
    if error.status in _AWAY:
        return StoreUnavailable(f"Temporal does not answer ({error.status.name})")
    return StoreError(said(f"Temporal refuses {what!r} ({error.status.name}): {error.message}"))
