"""The event-driven agent: gathers what is reported to a user into repairs, and begins them beside each other."""

import asyncio
import contextlib
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from daper.core.errors import DaperError, UserError
    from daper.core.events import Batch, Event, EventDrivenRequest, EventDrivenView, Inbox, Place, Waiting
    from daper.core.ids import repair_id as make_repair_id
    from daper.core.text import counted, markdown, markdown_code
    from daper.workflows.children import start_repair
    from daper.workflows.inputs import sent, text_sent
    from daper.workflows.labels import CALL_MEMO, EVENT_DRIVEN_NAME, REPAIR_ENDED, REQUEST_MEMO, WAITS_MEMO
    from daper.workflows.open_repairs import OpenRepairs
    from daper.workflows.options import EVENTS_REMEMBERED

_TOLD_IN_DETAILS = 20
# Runs that an earlier release began repair one after the other, to their end; see docs/adr/0016.
_GATHERS = "gathers-what-is-reported"
_HANDS_OVER = "hands-over-to-gathering"

T = TypeVar("T")


@workflow.defn(name=EVENT_DRIVEN_NAME, failure_exception_types=[DaperError])
class RepairAgentWorkflowEventDriven:
    """Repairs what is reported. `report` tells it an event, `place` says which repair answers one, `view` shows it.

    It ends by itself when none of its repairs is open and nothing is left to do, or to remember. Cancelled, it drops
    what has not begun; the repairs that are open go on.
    """

    @workflow.init
    def __init__(self, request: EventDrivenRequest) -> None:
        self._request = request
        self._inbox = Inbox(request.kept)
        self._gathers = workflow.patched(_GATHERS)
        self._gathering = request.gathering
        self._open = OpenRepairs(request.open, store_id=request.store_id)
        self._hands_over = self._tells_soon = False
        self._told_that_it_waits = bool(request.kept.waiting)  # a memo is carried on

    @workflow.run
    async def run(self, request: EventDrivenRequest) -> EventDrivenView:
        """Repair after repair. Its result is its last view."""
        with contextlib.suppress(asyncio.CancelledError):
            await (self._beside_each_other() if self._gathers else self._one_after_another())
        return self.view()

    @workflow.signal(description="Say that something is wrong with records: they are repaired with what comes soon.")
    def report(self, *given: object) -> None:
        """Take an `Event`; without one there is nothing to take."""
        try:
            event = sent(given, Event)
        except UserError as error:
            workflow.logger.warning("a signal was dropped: report: %s", error)
            return
        if event is None:
            return
        until = workflow.now() + EVENTS_REMEMBERED
        if self._gathers:
            self._gathering = event.gathering or self._gathering
            self._inbox.gather(event, self._gathering, now=workflow.now(), remember_until=until)
        else:
            self._inbox.take(event, remember_until=until)
            # Never while it replays what the release that began this run made of such an event.
            self._hands_over = self._hands_over or (event.gathering is not None and workflow.patched(_HANDS_OVER))
        self._tell_soon()

    @workflow.signal(name=REPAIR_ENDED, description="A repair says that it has ended, and only tells people of it.")
    def repair_ended(self, *given: object) -> None:
        """Its place is free."""
        try:
            self._open.close(text_sent(given))
        except UserError as error:
            workflow.logger.warning("a signal was dropped: %s: %s", REPAIR_ENDED, error)

    @workflow.query(description="Which repair answers an event, by the id that the event came with.")
    def place(self, *given: object) -> Place | None:
        """Which repair answers an event; None for one that is not known, or not any more. Raises UserError."""
        return self._inbox.place(text_sent(given), due_waits_for=self._due_waits_for())

    @workflow.query(description="Which repairs are open, and what begins later.")
    def view(self, *_: object) -> EventDrivenView:
        """Which repairs are open, and what begins later."""
        mine = self._request
        return EventDrivenView(
            user=mine.user,
            domain=mine.domain,
            store_id=mine.store_id,
            open=self._open.ids,
            most_open=self._most_open,
            waiting=self._inbox.listed(due_waits_for=self._due_waits_for()),
        )

    async def _beside_each_other(self) -> None:
        begun = 0
        while self._something_is_left():
            await self._until_something_is_due()
            while self._may_begin and begun < self._request.repairs_per_run:
                await self._begin(self._inbox.begin())
                begun += 1
            self._continue_if(begun)
            await self._open.look(eagerly=self._inbox.due)

    def _something_is_left(self) -> bool:
        """Whether a repair is open, or waits, or places have to be remembered."""
        self._open.forget_ended()
        self._inbox.close(workflow.now())
        self._tell()
        return bool(self._inbox.waiting or self._open.ids) or self._remembers

    async def _until_something_is_due(self) -> None:
        until, known = self._due_at, self._open.ids
        left = until - workflow.now() if until else None
        if self._may_begin or (left is not None and left <= timedelta()):
            return
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._may_begin or self._ends_seen(known) or self._is_long or self._due_at != until,
                timeout=left,
                timeout_summary="gathering what is reported, or remembering it",
            )
        self._inbox.close(workflow.now())

    def _ends_seen(self, known: tuple[str, ...]) -> bool:
        """Whether Temporal, or a repair itself, has told an end since these were known to be open."""
        return self._open.some_ended or self._open.ids != known

    @property
    def _may_begin(self) -> bool:
        return self._inbox.due and len(self._open.ids) < self._gathering.most_open

    @property
    def _due_at(self) -> datetime | None:
        """When something is to be done that nobody tells; None where nothing is."""
        times = [self._inbox.closes_at, self._open.looks_at(eagerly=self._inbox.due)]
        if not self._inbox.waiting and not self._open.ids:
            times.append(self._inbox.remember_until)
        return min((each for each in times if each), default=None)

    @property
    def _remembers(self) -> bool:
        until = self._inbox.remember_until
        return until is not None and until > workflow.now()

    @property
    def _is_long(self) -> bool:
        return workflow.info().is_continue_as_new_suggested()

    def _continue_if(self, begun: int) -> None:
        """As a new run, where this one has done enough. Repairs that are open go on, and are looked for from there."""
        if self._hands_over or begun >= self._request.repairs_per_run or self._is_long:
            known = {"kept": self._inbox.to_keep(), "open": self._open.ids, "gathering": self._gathering}
            workflow.continue_as_new(self._request.model_copy(update=known))

    async def _one_after_another(self) -> None:
        """As the release that began this run; until an event comes from one that gathers."""
        repairs = 0
        while await self._something_waits():
            if not self._hands_over:
                await self._repair(self._inbox.begin())
                repairs += 1
            self._continue_if(repairs)

    async def _something_waits(self) -> bool:
        """Whether a repair is due; waits for one as long as places have to be remembered."""
        until = self._inbox.remember_until
        left = until - workflow.now() if until else timedelta()
        if not self._inbox.waiting and left > timedelta():
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: bool(self._inbox.waiting) or self._hands_over,
                    timeout=left,
                    timeout_summary="remembering what was reported",
                )
        return bool(self._inbox.waiting) or self._hands_over

    async def _repair(self, batch: Batch) -> None:
        """One repair, to its end, whatever that is."""
        await self._begin(batch)
        await workflow.wait_condition(lambda: not self._open.ids or self._open.some_ended or self._hands_over)
        self._open.forget_ended()
        self._tell()

    async def _begin(self, batch: Batch) -> None:
        self._open.add(batch.repair_id)
        self._tell()
        try:
            await _to_the_end(self._start(batch))
        except ChildWorkflowError:  # it cannot be begun at all
            self._open.close(batch.repair_id)

    async def _start(self, batch: Batch) -> None:
        """Under the id that was told; where another repair took that meanwhile, under a new one: no event is lost."""
        request = batch.whole if self._gathers else batch.request
        memo = {REQUEST_MEMO: batch.asked, CALL_MEMO: batch.call}
        repair_id = batch.repair_id
        try:
            child = await start_repair(request, repair_id, memo=memo)
        except WorkflowAlreadyStartedError:
            self._open.close(repair_id)
            repair_id = make_repair_id(request.requested_by.name, str(workflow.uuid4()))
            self._inbox.move(batch.repair_id, repair_id)
            self._open.add(repair_id)
            self._tell()
            child = await start_repair(request, repair_id, memo=memo)
        self._open.add(repair_id, child)

    def _due_waits_for(self) -> str:
        """What a repair waits for that is due."""
        ids = self._open.ids
        if not self._gathers and ids:
            return f"the end of {ids[0]}"
        if len(ids) >= self._gathering.most_open:
            return f"the end of one of {counted(len(ids), 'open repair')}"
        return "its turn"

    @property
    def _most_open(self) -> int:
        return self._gathering.most_open if self._gathers else 1

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
    open_ones = ", ".join(markdown_code(repair_id) for repair_id in view.open[:_TOLD_IN_DETAILS])
    running = f"{len(view.open)} of at most {view.most_open} open: {open_ones}." if view.open else "Nothing runs."
    shown = view.waiting[:_TOLD_IN_DETAILS]
    lines = [running, *(_line(batch) for batch in shown)]
    if len(view.waiting) > len(shown):
        lines.append(f"- and {len(view.waiting) - len(shown)} more")
    return "\n".join(lines)


def _line(batch: Waiting) -> str:
    named = ", ".join(markdown_code(record_id) for record_id in batch.record_ids[:_TOLD_IN_DETAILS])
    more = len(batch.record_ids) - _TOLD_IN_DETAILS
    records = f"{counted(len(batch.record_ids), 'record')}: {named}" + (f" and {more} more" if more > 0 else "")
    return f"- {markdown_code(batch.repair_id)} waits for {markdown(batch.waits_for)}, for {records}"
