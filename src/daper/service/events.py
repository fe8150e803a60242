"""Events: hands what is reported to the event-driven agent of a user, and says which repair answers it."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from daper.clock import new_id
from daper.core.commands import Said, joined
from daper.core.errors import NotFound, Unreachable
from daper.core.events import Event, EventDrivenRequest, EventDrivenView, Gathering, Place
from daper.core.ids import event_driven_id
from daper.core.messages import asked_for
from daper.service.inquiry import ANSWER_WITHIN, Asking
from daper.service.launch import Launch
from daper.service.listing import quoted
from daper.service.requests import Collected
from daper.service.rpc_errors import EVENTS, temporal_errors
from daper.workflows.event_driven import RepairAgentWorkflowEventDriven
from daper.workflows.labels import CALL_MEMO, EVENT_DRIVEN_NAME, REQUEST_MEMO, USER_MEMO, WAITS_MEMO, summary

_LOOKED_THROUGH: Final = 1000
_LOOK_AGAIN_S: Final = 0.02
_AT_ONCE: Final = 10  # reports of one process; Temporal takes those of one agent one after the other
_ASKED: Final = 5  # times, of a few seconds each

Handle = WorkflowHandle[RepairAgentWorkflowEventDriven, EventDrivenView]


class Events:
    """The event-driven agents on one Temporal namespace and task queue."""

    def __init__(self, client: Client, *, queue: str, gathering: Gathering) -> None:
        self._client = client
        self._queue = queue
        self._gathering = gathering
        self._asking = Asking(client, queue=queue)
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._told: dict[str, str] = {}  # which agent has a repair, for as long as Temporal may not list that yet

    async def report(self, launch: Launch, repair_id: str) -> "Answer":
        """Tell an event; says which repair answers it, and that this repair is there, or what it waits for.

        The same id again is the same event. Raises Unreachable: where no worker takes it, it is kept until one does.
        """
        request, call, asked = launch.request, new_id(), asked_for(launch.request)
        agent_id, how = self._agent_of(launch), self._gathering
        event = Event(repair_id=repair_id, call=call, asked=asked, request=request, gathering=how)
        async with self._slots:
            place = await self._tell(agent_id, event)
        self._told[place.repair_id] = agent_id
        if len(self._told) > _LOOKED_THROUGH:
            del self._told[next(iter(self._told))]
        return Answer(place=place, created=place.call == call and place.repair_id == repair_id)

    async def _tell(self, agent_id: str, event: Event) -> Place:
        request, user = event.request, event.request.requested_by.name
        with temporal_errors(agent_id, queue=self._queue, of=EVENTS):
            await self._client.start_workflow(
                RepairAgentWorkflowEventDriven.run,
                EventDrivenRequest(
                    user=user, domain=request.domain, store_id=request.store_id, gathering=self._gathering
                ),
                id=agent_id,
                task_queue=self._queue,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,  # of one that had nothing left to do
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                start_signal="report",
                start_signal_args=[event],
                memo={USER_MEMO: user},
                static_summary=summary("Repairing what is reported of", request.domain, user),
                rpc_timeout=ANSWER_WITHIN,
            )
        try:
            return await self._answer(agent_id, event.repair_id)
        except (NotFound, Unreachable) as error:
            raise Unreachable("what was reported is kept, and repaired once a worker takes it: ", error.said) from error

    async def known(self, launch: Launch, repair_id: str) -> Place | None:
        """Which repair answers an event that was told with that id; None where nobody told it, or that is forgotten.

        Raises Unreachable where an agent is there, and no worker to ask it.
        """
        try:
            return await self._place(self._agent_of(launch), repair_id)
        except NotFound:
            return None

    async def collected(self) -> tuple[tuple[Collected, ...], Said]:
        """What was reported and has not begun, of every user; and why some of it cannot be told, or nothing.

        Raises Unreachable where Temporal does not answer.
        """
        running = f"WorkflowType = '{EVENT_DRIVEN_NAME}' AND ExecutionStatus = 'Running'"
        query = f"{running} AND TaskQueue = {quoted(self._queue)}"
        with temporal_errors("", queue=self._queue, of=EVENTS):
            found = self._client.list_workflows(query, limit=_LOOKED_THROUGH, rpc_timeout=ANSWER_WITHIN)
            ids = [each.id async for each in found if (await each.memo()).get(WAITS_MEMO)]
        looks = await asyncio.gather(*(self._look(agent_id) for agent_id in ids))
        views = [look for look in looks if not isinstance(look, str)]
        troubles = dict.fromkeys(look for look in looks if isinstance(look, str) and look)
        return tuple(each for view in views for each in _collected(view)), joined("; ", troubles)

    async def waits_for(self, repair_id: str) -> str:
        """What a repair waits for that has not begun; empty where there is none by that id. Raises Unreachable."""
        if agent_id := self._told.get(repair_id):
            with suppress(NotFound):
                place = await self._place(agent_id, repair_id)
                if place is not None and place.repair_id == repair_id:
                    return place.waits_for or "its turn"
        collected, _ = await self.collected()
        return next((each.waits_for for each in collected if each.repair_id == repair_id), "")

    async def _look(self, agent_id: str) -> EventDrivenView | Said:
        try:
            return await self._view(agent_id)
        except NotFound:  # just ended
            return Said()
        except Unreachable as error:
            return error.said

    async def _place(self, agent_id: str, repair_id: str) -> Place | None:
        place = RepairAgentWorkflowEventDriven.place
        return await self._asking.ask(
            agent_id, EVENTS, lambda within: self._handle(agent_id).query(place, repair_id, rpc_timeout=within)
        )

    async def _view(self, agent_id: str) -> EventDrivenView:
        view = RepairAgentWorkflowEventDriven.view
        return await self._asking.ask(
            agent_id, EVENTS, lambda within: self._handle(agent_id).query(view, rpc_timeout=within)
        )

    async def _answer(self, agent_id: str, repair_id: str) -> Place:
        """Which repair answers an event; asked again while a worker is there, which may be busy.

        Raises NotFound, Unreachable.
        """
        left = _ASKED
        while True:
            left -= 1
            try:
                return await self._placed(agent_id, repair_id)
            except (NotFound, Unreachable):
                if not (left and await self._asking.workers(self._queue)):
                    raise

    async def _placed(self, agent_id: str, repair_id: str) -> Place:
        """Which repair answers an event, once it is there, or what it waits for. Raises NotFound, Unreachable."""
        place = await self._place(agent_id, repair_id)
        if place is None:  # another run of the agent: this one had nothing left to do, so the repair is there
            return await self._begun(repair_id)
        if not place.waits_for:
            await self._begun(place.repair_id)  # or is about to
        return place

    async def _begun(self, repair_id: str) -> Place:
        """Wait until Temporal has a repair that its agent is about to start. Raises NotFound, Unreachable."""
        handle = self._client.get_workflow_handle(repair_id)
        until = asyncio.get_running_loop().time() + ANSWER_WITHIN.total_seconds()
        while True:
            try:
                with temporal_errors(repair_id, queue=self._queue):
                    memo = await (await handle.describe(rpc_timeout=ANSWER_WITHIN)).memo()
            except NotFound:
                if asyncio.get_running_loop().time() > until:
                    raise
                await asyncio.sleep(_LOOK_AGAIN_S)
            else:
                return Place(repair_id=repair_id, asked=memo.get(REQUEST_MEMO, ""), call=memo.get(CALL_MEMO, ""))

    def _agent_of(self, launch: Launch) -> str:
        request = launch.request
        return event_driven_id(self._queue, request.requested_by, request.domain, request.store_id)

    def _handle(self, agent_id: str) -> Handle:
        return self._client.get_workflow_handle_for(RepairAgentWorkflowEventDriven.run, agent_id)


def _collected(view: EventDrivenView) -> Iterator[Collected]:
    for batch in view.waiting:
        yield Collected(
            repair_id=batch.repair_id,
            waits_for=batch.waits_for,
            user=batch.request.requested_by.name,
            domain=view.domain,
            record_ids=batch.record_ids,
            events=batch.events,
        )


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Where an event went. `created`: it began a repair of its own, and nobody told it before."""

    place: Place
    created: bool
