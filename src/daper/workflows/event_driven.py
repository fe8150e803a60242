"""The event-driven agent: one repair after another for what a user tells, and none while nothing is told."""

import asyncio
import contextlib
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from daper.core.errors import DaperError
    from daper.core.events import Batch, Event, EventDrivenRequest, EventDrivenView, Place
    from daper.core.text import counted, markdown_code
    from daper.workflows.children import Child, start_repair
    from daper.workflows.names import EVENT_DRIVEN_NAME, WAITS_MEMO
    from daper.workflows.options import EVENTS_REMEMBERED

_TOLD_IN_DETAILS = 20


@workflow.defn(name=EVENT_DRIVEN_NAME, failure_exception_types=[DaperError])
class RepairAgentWorkflowEventDriven:
    """Repairs what is reported. `report` tells it an event, `place` says which repair answers one, `view` shows it.

    It ends by itself when nothing is left to do, and to remember. Cancelled, it drops what has not begun; a repair
    that runs goes on.
    """

    @workflow.init
    def __init__(self, request: EventDrivenRequest) -> None:
        self._request = request
        self._inbox = request.inbox
        self._repair_id = ""
        self._told_that_it_waits = bool(request.inbox.waiting)  # a memo is carried on

    @workflow.run
    async def run(self, request: EventDrivenRequest) -> EventDrivenView:
        """Repair after repair. Its result is its last view."""
        with contextlib.suppress(asyncio.CancelledError):
            repairs = 0
            while await self._something_waits():
                batch, self._inbox = self._inbox.begin()
                await self._repair(batch)
                repairs += 1
                if repairs >= request.repairs_per_run or workflow.info().is_continue_as_new_suggested():
                    workflow.continue_as_new(request.model_copy(update={"inbox": self._inbox}))
        return self.view()

    @workflow.signal(description="Say that something is wrong with records: they are repaired now, or next.")
    def report(self, event: Event) -> None:
        """Take an event."""
        self._inbox = self._inbox.take(event, remember_until=workflow.now() + EVENTS_REMEMBERED)
        self._tell()

    @workflow.query(description="Which repair answers an event, by the id that the event came with.")
    def place(self, repair_id: str) -> Place | None:
        """Which repair answers an event; None for one that is not known, or not any more."""
        place = self._inbox.places.get(repair_id)
        if place is None or all(batch.repair_id != place.repair_id for batch in self._inbox.waiting):
            return place
        return place.model_copy(update={"behind": self._repair_id})

    @workflow.query(description="What runs, and what begins after it.")
    def view(self) -> EventDrivenView:
        """What runs, and what begins after it."""
        mine = self._request
        return EventDrivenView(
            user=mine.user,
            domain=mine.domain,
            store_id=mine.store_id,
            repair_id=self._repair_id,
            waiting=self._inbox.waiting,
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
        """One repair, to its end, whatever that is. One that was started before is not started again."""
        self._repair_id = batch.repair_id
        self._tell()
        with contextlib.suppress(WorkflowAlreadyStartedError, ChildWorkflowError):
            child: Child = await start_repair(batch.request, batch.repair_id, asked=batch.asked)
            # Awaited once it is over: before, it would be handed a cancellation.
            await workflow.wait_condition(child.done)
            await child
        self._repair_id = ""
        self._tell()

    def _tell(self) -> None:
        workflow.set_current_details(_details(self.view()))
        if (waits := bool(self._inbox.waiting)) != self._told_that_it_waits:
            self._told_that_it_waits = waits
            workflow.upsert_memo({WAITS_MEMO: waits})


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
