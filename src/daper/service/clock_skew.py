"""How far this machine's clock is ahead of Temporal's, for whoever has no work of Temporal's to see it by."""

import asyncio
import contextlib
from datetime import UTC, timedelta
from typing import Final

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, PollActivityTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from daper.clock import new_id, utc_now

_QUEUE: Final = "daper-clock"  # on which there is never any work
_POLL: Final = timedelta(seconds=30)  # as long as servers want it to be; it is left much sooner
_LOOK_EVERY_S: Final = 0.02
_WITHIN_S: Final = 2.0

TOLERANCE: Final = timedelta(minutes=1)  # off by so much, deadlines would surprise people


async def clock_ahead(client: Client) -> timedelta | None:
    """How far, as precise as an answer of the server is quick; None where it does not tell.

    No call of Temporal gives its time. It says when somebody last asked a queue for work, so one that is for nothing
    else is asked.
    """
    service, identity = client.workflow_service, f"daper-doctor-{new_id()}"
    queue = TaskQueue(name=_QUEUE)
    kind = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
    poll = PollActivityTaskQueueRequest(namespace=client.namespace, task_queue=queue, identity=identity)
    look = DescribeTaskQueueRequest(namespace=client.namespace, task_queue=queue, task_queue_type=kind)
    asked_at = utc_now()
    asking = asyncio.ensure_future(service.poll_activity_task_queue(poll, timeout=_POLL))
    try:
        async with asyncio.timeout(_WITHIN_S):
            while True:
                for poller in (await service.describe_task_queue(look)).pollers:
                    if poller.identity == identity:
                        return asked_at - poller.last_access_time.ToDatetime(tzinfo=UTC)
                await asyncio.sleep(_LOOK_EVERY_S)
    except (RPCError, TimeoutError):
        return None
    finally:
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError, RPCError):
            await asking
