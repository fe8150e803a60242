"""Asks a workflow how it is: an answer within seconds, or the reason why there is none."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from daper.core.commands import Said
from daper.core.errors import DaperError, NoWorker, Stuck, Unreachable
from daper.service.rpc_errors import Subject, no_worker, temporal_errors

ANSWER_WITHIN = timedelta(seconds=3)
_ONE_QUESTION = timedelta(seconds=1.2)
_PAUSE = timedelta(seconds=0.1)
# The SDK itself answers it, for every workflow, from the whole history.
_ANY_QUESTION = "__temporal_workflow_metadata"

T = TypeVar("T")
Question = Callable[[timedelta], Awaitable[T]]


class Asking:
    """Questions to workflows on one task queue."""

    def __init__(self, client: Client, *, queue: str) -> None:
        self._client = client
        self._queue = queue

    async def ask(self, workflow_id: str, of: Subject, question: Question[T]) -> T:
        """The answer to a question, which is told how long to wait.

        Raises NotFound, or Unreachable when no worker answers, the workflow is stuck, or its worker is slow.
        """
        said: list[Unreachable] = []
        try:
            async with asyncio.timeout(ANSWER_WITHIN.total_seconds()):
                return await self._ask_until_answered(workflow_id, of, question, said)
        except (TimeoutError, Unreachable) as error:
            if trouble := await self.trouble(workflow_id, of):
                raise Unreachable(trouble) from error
            raise (said[-1] if said else no_worker(self._queue)) from error

    async def stuck(self, workflow_id: str, of: Subject) -> str | None:
        """Why a workflow cannot go on although a worker is there, or None: its task fails again and again."""
        attempt, failure = await self._tries(workflow_id, of)
        return _stuck(workflow_id, of, attempt, failure) if failure is not None else None

    async def unreplayable(self, workflow_id: str, of: Subject) -> Said | None:
        """Why the worker that is there cannot take up a workflow that waits, or None, also where none answers."""
        handle = self._client.get_workflow_handle(workflow_id)
        try:
            with temporal_errors(workflow_id, queue=self._queue, asks_worker=True, of=of):
                await handle.query(_ANY_QUESTION, rpc_timeout=_ONE_QUESTION)
        except Stuck as error:
            return error.said
        except DaperError:
            return None
        return None

    async def trouble(self, workflow_id: str, of: Subject) -> str | None:
        """Why a workflow does not answer although a worker is there: it is stuck, or the worker too slow; or None."""
        attempt, failure = await self._tries(workflow_id, of)
        if failure is not None:
            return _stuck(workflow_id, of, attempt, failure)
        if attempt <= 1:
            return None
        times = "once" if attempt == 2 else f"{attempt - 1} times"
        told = f"a workflow task timed out {times}; it is tried again"
        return f"the worker of {of.noun} {workflow_id!r} is slow to answer: {told}"

    async def _tries(self, workflow_id: str, of: Subject) -> tuple[int, str | None]:
        """At which attempt the task is that waits, and why the first one failed; None where it only took too long."""
        handle = self._client.get_workflow_handle(workflow_id)
        failure: str | None = None
        with temporal_errors(workflow_id, queue=self._queue, of=of):
            described = await handle.describe(rpc_timeout=ANSWER_WITHIN)
            attempt = described.raw_description.pending_workflow_task.attempt
            if attempt > 1:
                async for event in handle.fetch_history_events(rpc_timeout=ANSWER_WITHIN):
                    if event.HasField("workflow_task_failed_event_attributes"):
                        failure = event.workflow_task_failed_event_attributes.failure.message
                    elif event.HasField("workflow_task_completed_event_attributes"):
                        failure = None  # that was another one
        return attempt, failure

    async def workers(self, queue: str) -> tuple[str, ...]:
        """Who polled a queue for workflow or activity tasks lately. A killed worker stays listed for some seconds."""
        seen: dict[str, None] = {}
        with temporal_errors("", queue=queue):
            for kind in (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY):
                described = await self._client.workflow_service.describe_task_queue(
                    DescribeTaskQueueRequest(
                        namespace=self._client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
                    ),
                    timeout=ANSWER_WITHIN,
                )
                seen |= dict.fromkeys(poller.identity for poller in described.pollers)
        return tuple(seen)

    async def _ask_until_answered(
        self, workflow_id: str, of: Subject, question: Question[T], said: list[Unreachable]
    ) -> T:
        """Asked more than once: a question may have gone to a worker that has just left. Raises where nobody polls.

        `said` gets what a worker answered that could not say how it is.
        """
        while True:
            try:
                with temporal_errors(workflow_id, queue=self._queue, asks_worker=True, of=of):
                    return await question(_ONE_QUESTION)
            except Unreachable as error:
                if not isinstance(error, NoWorker):
                    said.append(error)
                if not await self.workers(self._queue):
                    raise
                await asyncio.sleep(_PAUSE.total_seconds())


def _stuck(workflow_id: str, of: Subject, attempt: int, failure: str) -> str:
    told = f"{failure} (attempt {attempt}; it goes on when a mended worker is started)"
    return f"{of.noun} {workflow_id!r} is stuck: {told}"
