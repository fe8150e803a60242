"""An owl post whose parcels are stuck, each in its own way, and their worker. Only the demo imports it."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Final

from temporalio import activity, workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import CountWorkflowExecutionsRequest, PauseActivityRequest
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from daper.core.errors import Unreachable

QUEUE: Final = "owl-post"
OPTIONS: Final[Mapping[str, str]] = {
    "QUERY": f'TaskQueue = "{QUEUE}"',
    "RETRYING_ATTEMPTS": "2",
    "PAUSED_AFTER": "1s",
    "TOO_LONG": "SendRestricted=1s",
    "SIGNALS": "approve(by=the Ministry) for too-long@SendRestricted",
}
"""What the demo sets of the domain: a person's cluster would have hours where these have seconds."""
SERVER_ARGUMENTS: Final = (
    "--dynamic-config-value",
    "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute=2",
)
"""Has the server report a workflow whose tasks fail after some tenths of a second, where that takes it a minute."""

_WITHIN: Final = 30.0
_EXPRESS: Final = timedelta(seconds=3)
_LOOK_AGAIN: Final = 0.1
_ENDED: Final = ("Failed", "TimedOut")
_TOO_LATE: Final = "Task not found when completing"
_WHERE_IT_IS_LOGGED: Final = ("temporalio.worker._workflow_instance", "temporalio.core")
_TRIED_AGAIN: Final = RetryPolicy(
    initial_interval=timedelta(milliseconds=50), backoff_coefficient=72_000, maximum_interval=timedelta(hours=1)
)
"""After the second failure it waits for an hour: long after what it failed by is mended."""

_ONCE: Final = RetryPolicy(maximum_attempts=1)


class OwlPost:
    """The world outside: whether its owls are there, and which addresses it knows."""

    def __init__(self) -> None:
        self.closed = True
        self.unknown = frozenset({"12 Grimmauld Place"})

    @activity.defn
    async def take_payment(self, address: str) -> str:
        """It works; nobody wants to see it done twice."""
        return f"paid for {address}"

    @activity.defn
    async def book_owl(self, address: str) -> str:
        """It fails while there are no owls, and for an address that nobody knows."""
        if address in self.unknown:
            raise _refused(f"no owl knows {address}", "NoSuchAddress")
        if self.closed:
            raise _refused("no owl will fly in this weather", "OwleryClosed")
        return f"an owl is on its way to {address}"


def _refused(message: str, type_: str) -> ApplicationError:
    """A failure of which the worker's log says nothing: that it fails is what the demo is about."""
    return ApplicationError(message, type=type_, category=ApplicationErrorCategory.BENIGN)


@workflow.defn
class SendParcel:
    """Takes the payment and books an owl."""

    @workflow.run
    async def run(self, address: str) -> str:
        """To an address."""
        return await _sent(address, _TRIED_AGAIN)


@workflow.defn
class SendLetter:
    """Books an owl, and fails where there is none."""

    @workflow.run
    async def run(self, address: str) -> str:
        """To an address."""
        return await _sent(address, _ONCE)


@workflow.defn
class SendExpress:
    """Asks for an owl again and again, for as long as it is given."""

    @workflow.run
    async def run(self, address: str) -> str:
        """To an address."""
        while True:
            try:
                return await _sent(address, _ONCE)
            except ActivityError:
                await workflow.sleep(1)


@workflow.defn
class SendRestricted:
    """Waits until somebody says that it may be sent."""

    def __init__(self) -> None:
        self._approved_by = ""

    @workflow.run
    async def run(self, address: str) -> str:
        """To an address, once it is approved."""
        await workflow.wait_condition(lambda: bool(self._approved_by))
        return await _sent(address, _TRIED_AGAIN)

    @workflow.signal
    def approve(self, by: str) -> None:
        """It may be sent."""
        self._approved_by = by


@workflow.defn
class SendAbroad:
    """Has a bug."""

    @workflow.run
    async def run(self, address: str) -> str:
        """To an address in a country that the code does not know."""
        owls = {"France": 2, "Bulgaria": 3}
        needed = owls[address.rpartition(", ")[2]]  # the bug: any other country stops the workflow's task
        return await _sent(f"{address}, with {needed} owls", _TRIED_AGAIN)


async def _sent(address: str, tried_again: RetryPolicy) -> str:
    await workflow.execute_activity_method(
        OwlPost.take_payment, address, activity_id="payment", start_to_close_timeout=timedelta(seconds=10)
    )
    return await workflow.execute_activity_method(
        OwlPost.book_owl,
        address,
        activity_id="owl",
        start_to_close_timeout=timedelta(seconds=10),
        retry_policy=tried_again,
    )


@asynccontextmanager
async def owl_post(client: Client) -> AsyncGenerator[None]:
    """Parcels that are stuck by now, and a worker for them until left. Raises Unreachable where they do not get stuck.

    What most of them were stuck by is mended by then: the owls are back. The parcels do not know.
    """
    post = OwlPost()
    worker = Worker(
        client,
        task_queue=QUEUE,
        workflows=[SendParcel, SendLetter, SendExpress, SendRestricted, SendAbroad],
        activities=[post.take_payment, post.book_owl],
        workflow_runner=UnsandboxedWorkflowRunner(),  # its code is ours, and starts a second earlier
    )
    async with AsyncExitStack() as stack:
        stack.enter_context(_nothing_logged_of_the_bug())
        await stack.enter_async_context(worker)
        try:
            async with asyncio.timeout(_WITHIN):
                await _sent_off(client)
                await _are_stuck(client)
        except (TimeoutError, RPCError) as error:
            raise Unreachable(f"the demo's parcels did not get stuck as they should: {error!r}") from error
        post.closed = False
        yield


async def _sent_off(client: Client) -> None:
    for number, (kind, address) in enumerate(
        (
            (SendParcel, "4 Privet Drive"),
            (SendParcel, "The Burrow"),
            (SendParcel, "12 Grimmauld Place"),
            (SendParcel, "Spinner's End"),
            (SendLetter, "Shell Cottage"),
            (SendRestricted, "Hagrid's Hut"),
            (SendAbroad, "Ilvermorny, America"),
            (SendExpress, "The Leaky Cauldron"),
        ),
        start=1,
    ):
        await client.start_workflow(
            kind.run,
            address,
            id=f"parcel-{number}",
            task_queue=QUEUE,
            task_timeout=timedelta(seconds=1),
            run_timeout=_EXPRESS if kind is SendExpress else None,
        )
    await _retries(client, "parcel-4")
    await client.workflow_service.pause_activity(
        PauseActivityRequest(
            namespace=client.namespace,
            execution=WorkflowExecution(workflow_id="parcel-4"),
            id="owl",
            identity="severus@owl-post",
            reason="wait until the storm is over",
        )
    )


async def _are_stuck(client: Client) -> None:
    """Wait until each of them is, and until the server's lists say so too."""
    for number in (1, 2, 3):
        await _retries(client, f"parcel-{number}")
    for query in ("TemporalReportedProblems IS NOT NULL", *(f'ExecutionStatus = "{each}"' for each in _ENDED)):
        while not await _count(client, f'TaskQueue = "{QUEUE}" AND {query}'):  # noqa: ASYNC110 - a server is asked
            await asyncio.sleep(_LOOK_AGAIN)


async def _retries(client: Client, workflow_id: str) -> None:
    """Wait until its activity waits for its third attempt."""
    while True:
        described = (await client.get_workflow_handle(workflow_id).describe()).raw_description
        if any(each.attempt > 2 for each in described.pending_activities):
            return
        await asyncio.sleep(_LOOK_AGAIN)


async def _count(client: Client, query: str) -> int:
    request = CountWorkflowExecutionsRequest(namespace=client.namespace, query=query)
    return (await client.workflow_service.count_workflow_executions(request)).count


@contextmanager
def _nothing_logged_of_the_bug() -> Generator[None]:
    """Its tracebacks would stand in the middle of the demo's story; nor of the parcel that ran out of its time."""

    def is_of_another(record: logging.LogRecord) -> bool:
        said = record.getMessage()
        return not any(each in said for each in (SendAbroad.__name__, __file__, _TOO_LATE))

    loggers = [logging.getLogger(name) for name in _WHERE_IT_IS_LOGGED]
    for logger in loggers:
        logger.addFilter(is_of_another)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(is_of_another)
