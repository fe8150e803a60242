"""The proactive agent: one cycle after another, each a repair of its own, until somebody stops it."""

import asyncio
import contextlib

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError, FailureError

with workflow.unsafe.imports_passed_through():
    from daper.core.errors import DaperError, UserError
    from daper.core.ids import repair_id as make_repair_id
    from daper.core.messages import Nudge, RepairRequest
    from daper.core.phases import Phase
    from daper.core.proactive import (
        LONGEST_REASON,
        AgentPhase,
        Carried,
        CycleEnd,
        ProactiveRequest,
        ProactiveView,
        ended_as,
    )
    from daper.workflows.agent import AgentState
    from daper.workflows.agent_details import agent_details
    from daper.workflows.children import Child, start_repair
    from daper.workflows.inputs import sent
    from daper.workflows.labels import PHASE_ATTRIBUTE, PHASE_MEMO, PROACTIVE_NAME
    from daper.workflows.messenger import AgentTelling
    from daper.workflows.repair import RepairAgentWorkflow


@workflow.defn(name=PROACTIVE_NAME, failure_exception_types=[DaperError])
class RepairAgentWorkflowProactive:
    """Repairs again and again. `check_now` asks for a cycle, `stop` ends the agent, `view` shows it."""

    @workflow.init
    def __init__(self, request: ProactiveRequest) -> None:
        now = workflow.now()
        self._request = request
        self._state = AgentState(
            request=request,
            agent_id=workflow.info().workflow_id,
            known=request.carried or Carried(started_at=now, next_cycle_at=now),
        )
        self._telling = AgentTelling(self._state)

    @workflow.run
    async def run(self, request: ProactiveRequest) -> ProactiveView:
        """Cycle after cycle, until somebody stops it. Its result is its last view."""
        story = asyncio.create_task(self._story())
        while not story.done():
            # Shielded: an agent that is cancelled has its cycle settled, as one that is stopped.
            try:
                await asyncio.shield(story)
            except asyncio.CancelledError:
                self.stop(Nudge(by="somebody who cancelled the workflow"))
        await story
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._state.stopped_by is None:
            workflow.continue_as_new(self._state.to_carry_on())
        return self._end()

    @workflow.signal(description="Begin a cycle now, or right after the one that runs.")
    def check_now(self, *given: object) -> None:
        """Ask for a cycle, with a `Nudge` or none. Several are answered by one cycle that begins after the last."""
        nudge = _nudge(given, "check_now")
        if nudge is not None:
            self._state.nudge(nudge)

    @workflow.signal(description="End the agent; a cycle that runs is stopped, and settled first.")
    def stop(self, *given: object) -> None:
        """Ask the agent to end, with a `Nudge` or none."""
        nudge = _nudge(given, "stop")
        if nudge is not None and self._state.stopped_by is None:
            self._state.stop(nudge)
            self._enter(AgentPhase.STOPPING)

    @workflow.query(description="Where the agent stands, with its last cycles.")
    def view(self, *_: object) -> ProactiveView:
        """Where the agent stands."""
        return self._state.view()

    async def _story(self) -> None:
        """Ends when somebody stopped the agent, or when its history is long enough."""
        state = self._state
        while not await self._stopped_while_waiting():
            state.begin()
            self._enter(AgentPhase.RUNNING_CYCLE)
            state.end(await self._cycle(), workflow.now())
            self._telling.cycle_ended()
            if self._has_run_long_enough():
                break
        await self._telling.settle()

    def _has_run_long_enough(self) -> bool:
        too_many = self._state.cycles_in_run >= self._request.cycles_per_run
        return too_many or workflow.info().is_continue_as_new_suggested()

    async def _stopped_while_waiting(self) -> bool:
        """Wait until the next cycle is due, or somebody asks for it or stops the agent; says whether it was stopped."""
        state = self._state
        left = state.known.next_cycle_at - workflow.now()
        if state.stopped_by is None and not state.nudges_waiting and left.total_seconds() > 0:
            self._enter(AgentPhase.WAITING_FOR_NEXT_CYCLE)
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: state.stopped_by is not None or state.nudges_waiting > 0,
                    timeout=left,
                    timeout_summary="the next cycle",
                )
        return state.stopped_by is not None

    async def _cycle(self) -> CycleEnd:
        """One repair, to its end, whatever that is."""
        state, began = self._state, workflow.now()
        repair_id = make_repair_id(self._request.requested_by.name, str(workflow.uuid4()))
        try:
            child = await self._start(repair_id)
            state.repair_id = repair_id
            self._tell()
            await workflow.wait_condition(lambda: child.done() or state.stopped_by is not None)
            if state.stopped_by is not None and not child.done():
                await self._stop(child, state.stopped_by)
            result = await child
        except ChildWorkflowError as error:
            return CycleEnd(
                repair_id=repair_id,
                phase=Phase.REPAIR_FAILED,
                started_at=began,
                ended_at=workflow.now(),
                needs_person=True,
                reason=_why(error),
                nudges=state.answering,
                asked=state.answering_asked,
            )
        return ended_as(result, nudges=state.answering, asked=state.answering_asked)

    async def _start(self, repair_id: str) -> Child:
        mine = self._request
        request = RepairRequest(
            requested_by=mine.requested_by,
            domain=mine.domain,
            store_id=mine.store_id,
            activity_queue=mine.activity_queue,
            scope=mine.scope,
            approval_timeout=mine.approval_timeout,
            decision_valid_for=mine.decision_valid_for,
            policy=mine.policy,
            may_act_alone=mine.policy.alone is not None,
            indexed=mine.indexed,
            tell=mine.tell,
            callback=mine.callback,
        )
        return await start_repair(request, repair_id)

    async def _stop(self, child: Child, nudge: Nudge) -> None:
        try:
            await child.signal(RepairAgentWorkflow.stop, nudge)
        except FailureError:
            workflow.logger.info("the repair ended before it could be stopped", extra={"repair_id": child.id})

    def _end(self) -> ProactiveView:
        self._state.ended_at = workflow.now()
        self._enter(AgentPhase.STOPPED)
        return self._state.view()

    def _enter(self, phase: AgentPhase) -> None:
        self._state.phase = phase
        self._tell()
        if self._request.indexed:
            workflow.upsert_search_attributes([PHASE_ATTRIBUTE.value_set(str(phase))])
        else:
            workflow.upsert_memo({PHASE_MEMO: str(phase)})

    def _tell(self) -> None:
        workflow.set_current_details(agent_details(self._state.view()))


def _nudge(given: tuple[object, ...], signal: str) -> Nudge | None:
    """What a signal says, which may be nothing; None for what is no nudge, and changes nothing."""
    try:
        return sent(given, Nudge) or Nudge()
    except UserError as error:
        workflow.logger.warning("a signal was dropped: %s: %s", signal, error)
        return None


def _why(error: ChildWorkflowError) -> str:
    """What became of a repair that left no result, in one line."""
    cause = error.cause
    told = str(getattr(cause, "message", None) or cause or error)
    return f"the repair left no result; its effects are in the records' ledger: {told}"[:LONGEST_REASON]
