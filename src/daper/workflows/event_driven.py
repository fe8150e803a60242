"""The event-driven agent: one repair after another for what a user tells, and none while nothing is told."""

import asyncio
import contextlib
from collections.abc import Coroutine
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from daper.core.errors import DaperError
    from daper.core.events import Batch, Event, EventDrivenRequest, EventDrivenView, Inbox, Place
    from daper.core.ids import repair_id as make_repair_id
    from daper.core.text import counted, markdown_code
    from daper.workflows.children import Child, start_repair
    from daper.workflows.names import CALL_MEMO, EVENT_DRIVEN_NAME, REPAIR_ENDED, REQUEST_MEMO, WAITS_MEMO
    from daper.workflows.options import EVENTS_REMEMBERED

_TOLD_IN_DETAILS = 20

T = TypeVar("T")


@workflow.defn(name=EVENT_DRIVEN_NAME, failure_exception_types=[DaperError])
class RepairAgentWorkflowEventDriven:
    """Repairs what is reported. `report` tells it an event, `place` says which repair answers one, `view` shows it.

    It ends by itself when nothing is left to do, and to remember. Cancelled, it drops what has not begun; a repair
    that runs goes on.
    """

    @workflow.init
    def __init__(self, request: EventDrivenRequest) -> None:
        self._request = request
        self._inbox = Inbox(request.kept)
        self._repair_id = self._ended = ""
        self._tells_soon = False
        self._told_that_it_waits = bool(request.kept.waiting)  # a memo is carried on

    @workflow.run
    async def run(self, request: EventDrivenRequest) -> EventDrivenView:
        """Repair after repair. Its result is its last view."""
        with contextlib.suppress(asyncio.CancelledError):
            repairs = 0
            while await self._something_waits():
                await self._repair(self._inbox.begin())
                repairs += 1
                if repairs >= request.repairs_per_run or workflow.info().is_continue_as_new_suggested():
                    workflow.continue_as_new(request.model_copy(update={"kept": self._inbox.to_keep()}))
        return self.view()

    @workflow.signal(description="Say that something is wrong with records: they are repaired now, or next.")
    def report(self, event: Event | None = None) -> None:
        """Take an event; without one there is nothing to take."""
        if event is not None:
            self._inbox.take(event, remember_until=workflow.now() + EVENTS_REMEMBERED)
            self._tell_soon()

    @workflow.signal(name=REPAIR_ENDED, description="A repair says that it has ended, and only tells people of it.")
    def repair_ended(self, repair_id: str = "") -> None:
        """Begin what waits for that repair."""
        self._ended = repair_id

    @workflow.query(description="Which repair answers an event, by the id that the event came with.")
    def place(self, repair_id: str) -> Place | None:
        """Which repair answers an event; None for one that is not known, or not any more."""
        return self._inbox.place(repair_id, running=self._repair_id)

    @workflow.query(description="What runs, and what begins after it.")
    def view(self) -> EventDrivenView:
        """What runs, and what begins after it."""
        mine = self._request
        return EventDrivenView(
            user=mine.user,
            domain=mine.domain,
            store_id=mine.store_id,
            repair_id=self._repair_id,
            waiting=tuple(self._inbox.waiting),
        )

    async def _something_waits(self) -> bool:
        """Whether a repair is due; waits for one as long as places have to be remembered."""
        until = self._inbox.remember_until
        left = until - workflow.now() if until else timedelta()
        if not self._inbox.waiting and left > timedelta():
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: bool(self._inbox.waiting), timeout=left, timeout_summary="remembering what was reported"
                )
        return bool(self._inbox.waiting)

    async def _repair(self, batch: Batch) -> None:
        """One repair, to its end, whatever that is."""
        self._repair_id = batch.repair_id
        self._tell()
        with contextlib.suppress(ChildWorkflowError):
            child = await _to_the_end(self._start(batch))
            await workflow.wait_condition(lambda: child.done() or self._ended == self._repair_id)
            if child.done():  # before, it would be handed a cancellation
                await child
        self._repair_id = ""
        self._tell()

    async def _start(self, batch: Batch) -> Child:
        """Under the id that was told; where another repair took that meanwhile, under a new one: no event is lost."""
        memo = {REQUEST_MEMO: batch.asked, CALL_MEMO: batch.call}
        try:
            return await start_repair(batch.request, batch.repair_id, memo=memo)
        except WorkflowAlreadyStartedError:
            self._repair_id = make_repair_id(batch.request.requested_by.name, str(workflow.uuid4()))
            self._inbox.move(batch.repair_id, self._repair_id)
            self._tell()
            return await start_repair(batch.request, self._repair_id, memo=memo)

    def _tell_soon(self) -> None:
        """Once for all that comes at a time: thousands may, after a while without a worker."""
        if not self._tells_soon:
            self._tells_soon = True
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        self._tells_soon = False
        workflow.set_current_details(_details(self.view()))
        if (waits := bool(self._inbox.waiting)) != self._told_that_it_waits:
            self._told_that_it_waits = waits
            workflow.upsert_memo({WAITS_MEMO: waits})


async def _to_the_end(step: Coroutine[object, object, T]) -> T:
    """The step's result, or its cancellation once it is done: what is due neither gets lost nor is begun by half."""
    task = asyncio.create_task(step)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


def _details(view: EventDrivenView) -> str:
    running = f"Runs: {markdown_code(view.repair_id)}." if view.repair_id else "Nothing runs."
    shown = view.waiting[:_TOLD_IN_DETAILS]
    lines = [running, *(_line(batch) for batch in shown)]
    if len(view.waiting) > len(shown):
        lines.append(f"- and {len(view.waiting) - len(shown)} more")
    return "\n".join(lines)


def _line(batch: Batch) -> str:
    named = ", ".join(markdown_code(record_id) for record_id in batch.record_ids[:_TOLD_IN_DETAILS])
    return f"- next {markdown_code(batch.repair_id)} for {counted(len(batch.record_ids), 'record')}: {named}"
