"""Starts a repair, or finds the one that was asked for before: by a key, or because the same request is still open."""

import asyncio
import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager, nullcontext, suppress

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from daper.clock import new_id
from daper.core.commands import CommandLine
from daper.core.errors import KeyTaken, StoreError, Unreachable, UserError
from daper.core.events import Place
from daper.core.ids import keyed_repair_id
from daper.core.ids import repair_id as make_repair_id
from daper.core.messages import asked_for
from daper.core.models import StoreInfo
from daper.core.policy import ApprovalPolicy
from daper.ports import Domain, KeptAnswer, Reports
from daper.service.events import Events
from daper.service.fruitless import refuse_unknown_status
from daper.service.inquiry import ANSWER_WITHIN
from daper.service.launch import Launch, launch_of
from daper.service.records import find_domain
from daper.service.requests import Started, StartRepair, Times
from daper.service.rpc_errors import temporal_errors
from daper.workflows.labels import REQUEST_MEMO, WORKFLOW_NAME
from daper.workflows.repair import RepairAgentWorkflow

log = logging.getLogger(__name__)

_LOOKED_THROUGH = 1000
_NO_WORD = {RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED}
_REMEMBERED = 1000


class Starter:
    """Starts repairs on one Temporal namespace and task queue."""

    def __init__(
        self,
        *,
        client: Client,
        events: Events,
        queue: str,
        times: Times,
        domains: Mapping[str, Domain],
        reports: Reports,
        indexed: bool,
        policy: ApprovalPolicy,
    ) -> None:
        self._client = client
        self._queue = queue
        self._times = times
        self._domains = domains
        self._reports = reports
        self._indexed = indexed
        self._policy = policy
        self._events = events
        self._joining = asyncio.Lock()
        self._newest: dict[str, str] = {}  # of each request, for as long as Temporal may not list it yet

    async def start(self, order: StartRepair) -> Started:
        """Start a repair on the local store of its domain, or find it.

        Raises NotFound for an unknown domain, KeyTaken where the key belongs to another request, UserError where no
        record has the status that is asked for, Unreachable.
        """
        store = await find_domain(self._domains, order.domain).store()
        launch = launch_of(order.under(self._policy, self._times), store, queue=self._queue, indexed=self._indexed)
        if order.request_key:
            return await self._keyed(order, store, launch)
        if not order.join_open:
            return await self._new(order, launch, store, _unkeyed(order))
        # What is reported at once is told apart by its agent, and need not queue here.
        async with nullcontext() if order.is_event else self._joining:
            return await self._open_or_new(order, store, launch)

    async def _open_or_new(self, order: StartRepair, store: StoreInfo, launch: Launch) -> Started:
        same = asked_for(launch.request)
        if open_one := await self._open_one(same):
            return self._told(open_one, store, created=False)
        started = await self._new(order, launch, store, _unkeyed(order))
        self._newest[same] = started.repair_id
        if len(self._newest) > _REMEMBERED:
            del self._newest[next(iter(self._newest))]
        return started

    async def _keyed(self, order: StartRepair, store: StoreInfo, launch: Launch) -> Started:
        """Asked in this order, nothing falls between two answers.

        What Temporal does not know has not begun, or was forgotten, and what is forgotten was kept before. What begins
        meanwhile, Temporal refuses to begin again; it may even be forgotten by then.
        """
        repair_id = keyed_repair_id(self._queue, order.requested_by, order.request_key)
        if found := await self._found(order, launch, store, repair_id):
            return found
        try:
            return await self._new(order, launch, store, repair_id)
        except WorkflowAlreadyStartedError as error:  # just now
            if found := await self._found(order, launch, store, repair_id):
                return found
            raise Unreachable(
                f"{_belongs(order, repair_id)}, of which Temporal does not say what it was asked for; try again"
            ) from error

    async def _found(self, order: StartRepair, launch: Launch, store: StoreInfo, repair_id: str) -> Started | None:
        """The repair that has a key, or that answers an event which was told with it; None where there is neither.

        Raises KeyTaken where it was asked for something else.
        """
        asked, place = await self._asked(repair_id), None
        if asked is None:
            place = await self._kept(order, launch, repair_id)
        if asked is None and place is None and not order.is_event:  # an event is told again, and its agent knows it
            place = await self._events.known(launch, repair_id)
        asked = place.asked if place else asked
        if asked is None:
            return None
        self._refuse_other(order, launch, repair_id, asked)
        if place is None:
            await self._keep(KeptAnswer(asked_id=repair_id, asked=asked, repair_id=repair_id, begun=True))
        return self._told(repair_id, store, created=False, place=place)

    async def _kept(self, order: StartRepair, launch: Launch, repair_id: str) -> Place | None:
        """What is kept of a key, where Temporal does not have its repair.

        Raises KeyTaken where that does not say what it was asked for.
        """
        kept = await self._reports.answer(repair_id)
        if kept is None:
            return None
        if not kept.asked:
            raise KeyTaken(f"{_belongs(order, repair_id)}, which ended long ago; take another key")
        if not (kept.begun or await self._began(kept.repair_id)):
            return None  # dropped before its turn, or still known to its agent, who is told it again
        place = None
        if order.is_event:
            with suppress(Unreachable):
                place = await self._events.known(launch, repair_id)
        return place or Place(repair_id=kept.repair_id, asked=kept.asked, call="")

    async def _began(self, repair_id: str) -> bool:
        if await self._asked(repair_id) is not None:
            return True
        kept = await self._reports.answer(repair_id)
        return kept is not None and kept.begun

    async def _keep(self, answer: KeptAnswer) -> None:
        """A repair that began is not unmade by a file that cannot be written; Temporal and its report know it."""
        try:
            await self._reports.keep(answer)
        except StoreError as error:
            log.warning("an answer is not kept", extra={"repair_id": answer.repair_id, "reason": str(error)})

    async def _new(self, order: StartRepair, launch: Launch, store: StoreInfo, repair_id: str) -> Started:
        await refuse_unknown_status(find_domain(self._domains, order.domain), order.scope)
        if order.is_event:
            return await self._reported(order, launch, store, repair_id)
        with temporal_errors(repair_id, queue=self._queue), _perhaps_started(repair_id):
            await self._client.start_workflow(
                RepairAgentWorkflow.run,
                launch.request,
                id=repair_id,
                task_queue=self._queue,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                memo=launch.memo,
                search_attributes=launch.search_attributes,
                static_summary=launch.summary,
                rpc_timeout=ANSWER_WITHIN,
            )
        if order.request_key:
            asked = asked_for(launch.request)
            await self._keep(KeptAnswer(asked_id=repair_id, asked=asked, repair_id=repair_id, begun=True))
        return self._told(repair_id, store, created=True)

    async def _reported(self, order: StartRepair, launch: Launch, store: StoreInfo, repair_id: str) -> Started:
        """Raises KeyTaken where an event with that id asked for something else."""
        answer = await self._events.report(launch, repair_id)
        place = answer.place
        self._refuse_other(order, launch, repair_id, place.asked)
        if order.request_key:
            begun = not place.waits_for
            await self._keep(KeptAnswer(asked_id=repair_id, asked=place.asked, repair_id=place.repair_id, begun=begun))
        return self._told(repair_id, store, created=answer.created, place=place)

    def _refuse_other(self, order: StartRepair, launch: Launch, repair_id: str, asked: str) -> None:
        if asked != asked_for(launch.request):
            raise KeyTaken(f"{_belongs(order, repair_id)}, which was asked for something else; take another key")

    async def _open_one(self, same: str) -> str | None:
        """An open repair with the same request. What this process started last is known before Temporal lists it."""
        newest = self._newest.get(same)
        if newest and await self._asked(newest, open_only=True) == same:
            return newest
        self._newest.pop(same, None)
        query = f"WorkflowType = '{WORKFLOW_NAME}' AND ExecutionStatus = 'Running'"
        with temporal_errors("", queue=self._queue):
            async for execution in self._client.list_workflows(query, limit=_LOOKED_THROUGH, rpc_timeout=ANSWER_WITHIN):
                if await _request_of(execution) == same:
                    return execution.id
        return None

    async def _asked(self, repair_id: str, *, open_only: bool = False) -> str | None:
        """What a repair was asked for, as a digest; None where Temporal does not have it (open)."""
        handle = self._client.get_workflow_handle(repair_id)
        try:
            with temporal_errors(repair_id, queue=self._queue):
                described = await handle.describe(rpc_timeout=ANSWER_WITHIN)
        except UserError:
            return None
        if open_only and described.status is not WorkflowExecutionStatus.RUNNING:
            return None
        return await _request_of(described) or "unknown"

    def _told(self, repair_id: str, store: StoreInfo, *, created: bool, place: Place | None = None) -> Started:
        return Started(
            repair_id=place.repair_id if place else repair_id,
            queue=self._queue,
            store_id=store.store_id,
            place=store.place,
            created=created,
            waits_for=place.waits_for if place else "",
        )


@contextmanager
def _perhaps_started(repair_id: str) -> Generator[None]:
    """Raises Unreachable where Temporal did not say in time whether it began."""
    try:
        yield
    except RPCError as error:
        if error.status not in _NO_WORD:
            raise
        raise Unreachable(
            f"Temporal did not say in time that repair {repair_id!r} has begun, and it may have; see: ",
            CommandLine("repair", "show", repair_id),
        ) from error


def _unkeyed(order: StartRepair) -> str:
    return make_repair_id(order.requested_by.name, new_id())


def _belongs(order: StartRepair, repair_id: str) -> str:
    return f"the request key {order.request_key!r} of {order.requested_by.name} belongs to repair {repair_id!r}"


async def _request_of(execution: WorkflowExecution) -> str | None:
    return (await execution.memo()).get(REQUEST_MEMO)
