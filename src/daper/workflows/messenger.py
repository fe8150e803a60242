"""Tells people beside the workflow: nothing waits for it but the end, and no failure of it changes what happens."""

import asyncio
import contextlib
from collections.abc import Callable

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError

with workflow.unsafe.imports_passed_through():
    from daper.activities.delivery import TellingActivities
    from daper.core.ids import EVENT_DRIVEN
    from daper.core.notices import (
        Notice,
        Occasion,
        TellInput,
        cycles_message,
        end_message,
        event_id,
        event_of,
        plan_message,
    )
    from daper.core.people import SignalCallback
    from daper.workflows import options
    from daper.workflows.activity_failures import why
    from daper.workflows.agent import AgentState
    from daper.workflows.labels import REPAIR_ENDED
    from daper.workflows.queues import people_queue
    from daper.workflows.state import CycleState

_SAYS_ITS_END = "tells-its-agent-that-it-ended"
WHOLE_PLAN = 10_000  # actions: every plan on one page


class Telling:
    """Who is told in one workflow. With nobody to tell, it does nothing at all."""

    def __init__(
        self, *, queue: str, tell: tuple[str, ...], callback: SignalCallback | None, untold: Callable[[str], None]
    ) -> None:
        """`untold` is told, in one line, of each target that could not be."""
        self._queue = people_queue(queue)
        self._tell = tuple(dict.fromkeys(tell))
        self._callback = callback
        self._untold = untold
        self._sending: list[asyncio.Task[None]] = []

    @property
    def anybody(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self._tell) or self._callback is not None

    def send(self, message: Notice, *, cycle_id: str, round_number: int, number: int = 1) -> None:
        """Begin to tell everybody; each target is tried on its own. `number`: which one of its kind in a round."""
        for target in self._tell:
            told_by = event_id(cycle_id, round_number, message.event, target, number=number)
            given = TellInput(event_id=told_by, target=target, message=message)
            self._sending.append(asyncio.create_task(self._deliver(given)))
        if self._callback is not None:
            self._sending.append(asyncio.create_task(self._signal(self._callback, "the callback", message)))

    async def settle(self) -> None:
        """Wait until everybody is told, or was given up."""
        if self._sending:
            await asyncio.gather(*self._sending)

    async def _deliver(self, given: TellInput) -> None:
        try:
            delivery = await workflow.execute_activity_method(
                TellingActivities.tell_person, given, **options.tell(self._queue)
            )
        except ActivityError as error:
            self._untold(f"{given.target} was not told ({given.message.event}): {why(error)}")
            return
        if delivery.callback is not None:
            await self._signal(delivery.callback, given.target, given.message)

    async def _signal(self, callback: SignalCallback, who: str, message: Notice) -> None:
        handle = workflow.get_external_workflow_handle(callback.workflow_id)
        try:
            await handle.signal(callback.name, message)
        except FailureError:
            self._untold(f"{who} was not told ({message.event}): workflow {callback.workflow_id!r} is not running")


class CycleTelling:
    """What people are told of one cycle: its plan waits, waits still, and how it ended."""

    def __init__(self, state: CycleState) -> None:
        request = state.request
        self._state = state
        self._telling = Telling(
            queue=request.activity_queue, tell=request.tell, callback=request.callback, untold=state.untold.append
        )

    @property
    def anybody(self) -> bool:
        """Whether there is anybody to tell."""
        return self._telling.anybody

    def plan(self, event: Occasion, *, number: int = 1) -> None:
        """The plan waits, or waits still: the `number`th reminder."""
        plan, policy = self._state.plan, self._state.request.policy
        by_link = plan is not None and policy.refuses_link(plan) is None
        view = self._state.view(1, WHOLE_PLAN)
        self._send(plan_message(event, view, at=workflow.now(), by_link=by_link), number=number)

    async def end(self) -> None:
        """The cycle ended, in the phase that it is in. Waits until everybody is told of all of it, or was given up."""
        if not self.anybody:
            # In histories of earlier releases only those say it who have people to tell afterwards.
            if self._agent_id and workflow.patched(_SAYS_ITS_END):
                await self._let_agent_go_on()
            return
        result = self._state.result(workflow.now())
        event = event_of(result)
        if event is not None:
            self._send(end_message(event, result, at=workflow.now()))
        self._state.message = self._state.reason or "it has ended; those who are told of it are being told"
        await self._let_agent_go_on()
        await self._telling.settle()

    async def _let_agent_go_on(self) -> None:
        """An event-driven agent begins the next repair now: not when the last person is told, and in whatever run."""
        if self._agent_id:
            agent = workflow.get_external_workflow_handle(self._agent_id)
            with contextlib.suppress(FailureError):  # it is gone
                await agent.signal(REPAIR_ENDED, self._state.repair_id)

    @property
    def _agent_id(self) -> str:
        """The event-driven agent that began this repair; empty where none did."""
        parent = workflow.info().parent
        return parent.workflow_id if parent and parent.workflow_id.startswith(EVENT_DRIVEN) else ""

    def _send(self, message: Notice, *, number: int = 1) -> None:
        self._telling.send(message, cycle_id=self._state.cycle_id, round_number=len(self._state.plans), number=number)


class AgentTelling:
    """What people are told of a proactive agent: once, when several cycles in a row could not go on."""

    def __init__(self, state: AgentState) -> None:
        request = state.request
        self._state = state
        self._telling = Telling(
            queue=request.activity_queue, tell=request.tell, callback=request.callback, untold=state.note_untold
        )

    def cycle_ended(self) -> None:
        """A cycle ended; the one that makes them too many in a row is told, and none after it."""
        if self._telling.anybody and self._state.known.failures_in_a_row == options.FAILURES_TOLD:
            message = cycles_message(self._state.view(), at=workflow.now())
            began = f"{self._state.agent_id} {self._state.known.started_at.isoformat()}"
            self._telling.send(message, cycle_id=began, round_number=self._state.known.cycles)

    async def settle(self) -> None:
        """Wait until everybody is told, or was given up."""
        await self._telling.settle()
