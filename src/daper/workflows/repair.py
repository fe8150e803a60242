"""One repair cycle: detect, analyze, plan, a person approves, execute, verify, report."""

import asyncio
import contextlib
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from daper.core.decisions import BEING_STOPPED, NOBODY_DECIDED, record, refuse_decision, refuse_identity
    from daper.core.errors import DaperError, DecisionRefused, UserError
    from daper.core.messages import (
        Applied,
        Narrated,
        Nudge,
        PageArgs,
        RepairRequest,
        ReportInput,
        asked_for,
    )
    from daper.core.models import Decision, Plan, RecordedDecision
    from daper.core.notices import Occasion
    from daper.core.outcomes import RepairResult
    from daper.core.phases import Phase
    from daper.core.report import build_report
    from daper.core.usage import Role
    from daper.core.views import RepairView
    from daper.workflows import counts
    from daper.workflows.activity_failures import why
    from daper.workflows.canaries import Canaries
    from daper.workflows.conclusion import conclusion
    from daper.workflows.details import ActionTexts, details
    from daper.workflows.diagnosis import Diagnosis
    from daper.workflows.execution import Execution
    from daper.workflows.grants import by_policy
    from daper.workflows.inputs import decision_sent, sent
    from daper.workflows.labels import PHASE_ATTRIBUTE, PHASE_MEMO, REQUEST_MEMO, WORKFLOW_NAME
    from daper.workflows.messenger import CycleTelling
    from daper.workflows.model_calls import Thinking
    from daper.workflows.patience import Patience
    from daper.workflows.posting import Posting
    from daper.workflows.state import CycleState
    from daper.workflows.steps import Steps
    from daper.workflows.stop import Stop, Stopped

VERIFIED_AT_ONCE = 50


@workflow.defn(name=WORKFLOW_NAME, failure_exception_types=[DaperError])
class RepairAgentWorkflow:
    """Runs one cycle. `decide` answers its plan, `stop` ends it, `view` shows it."""

    @workflow.init
    def __init__(self, request: RepairRequest) -> None:
        now = workflow.now()
        self._request = request
        self._stop = Stop()
        self._state = CycleState(
            request=request,
            repair_id=workflow.info().workflow_id,
            cycle_id=str(workflow.uuid4()),
            started_at=now,
            phase_since=now,
            asked=workflow.memo_value(REQUEST_MEMO, "") or asked_for(request),
        )
        self._patience = Patience(state=self._state, stopping=self._stop.asked, tell=self._tell)
        self._steps = Steps(request.activity_queue, self._patience)
        self._thinking = Thinking(state=self._state, steps=self._steps)
        self._diagnosis = Diagnosis(
            state=self._state, steps=self._steps, thinking=self._thinking, stop=self._stop, enter=self._enter
        )
        self._telling = CycleTelling(self._state)
        self._posting = Posting(self._state)
        self._said: ActionTexts = {}

    @workflow.run
    async def run(self, request: RepairRequest) -> RepairResult:
        """The whole story. An ended cycle is a completed workflow, whatever its phase."""
        story = asyncio.create_task(self._story())
        while not story.done():
            # Shielded: a cancelled repair settles what is in flight, reports, and tells of it, before it ends.
            try:
                await asyncio.shield(story)
            except asyncio.CancelledError:
                self._stop.ask("the workflow was cancelled")
        await story
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._state.result(workflow.now())

    @workflow.update(description="Answer the plan that is waiting: approve or reject its actions.")
    def decide(self, *given: object) -> RecordedDecision:
        """Record the answer to the plan, a `Decision`; says what will run. Refused with the reason if it does not fit.

        Raises DecisionRefused.
        """
        plan = self._state.plan
        if plan is None:
            raise DecisionRefused("no plan is waiting for a decision")
        return self._record(plan, decision_sent(given))

    @decide.validator
    def _validate_decision(self, *given: object) -> None:
        decision, state = decision_sent(given), self._state
        late = state.decide_by is not None and workflow.now() >= state.decide_by
        refusal = refuse_identity(decision) or refuse_decision(
            state.phase, state.plan, state.decision, decision, late=late
        )
        if not refusal and state.plan is not None:
            refusal = self._request.policy.refuses_proof(state.plan, decision)
        if self._stop.reason and not refusal:
            refusal = BEING_STOPPED
        if refusal:
            raise DecisionRefused(refusal)

    @workflow.signal(description="End the repair; effects in flight are settled first.")
    def stop(self, *given: object) -> None:
        """Ask the cycle to end, with a `Nudge`; whoever asks may say no word. What is neither stops nothing."""
        try:
            nudge = sent(given, Nudge) or Nudge()
        except UserError as error:
            workflow.logger.warning("a signal was dropped: stop: %s", error)
            return
        by = f" by {nudge.by[:200]}" if nudge.by else ""
        reason = f": {nudge.reason[:500]}" if nudge.reason else ""
        self._stop.ask(f"stopped{by}{reason}")

    @workflow.query(description="Where the repair stands, with a page of its plan.")
    def view(self, *given: object) -> RepairView:
        """Where the repair stands; of its plan the page of a `PageArgs`, or the first. Raises UserError."""
        page = sent(given, PageArgs) or PageArgs()
        return self._state.view(page.page, page.size)

    async def _story(self) -> None:
        try:
            ending = await self._cycle()
        except Stopped:
            ending = Phase.CANCELLED
            self._state.reason = self._stop.reason
        except ActivityError as error:
            ending = Phase.REPAIR_FAILED
            self._state.reason = why(error)
        await self._publish(ending)
        await self._telling.end()

    async def _cycle(self) -> Phase:
        self._enter(Phase.INITIALIZING)
        await self._diagnosis.open()
        # Named records never widen into a search through all.
        named = self._request.scope.record_ids
        suspects, asked_again = self._state.named_records if named else await self._diagnosis.detect(), frozenset[str]()
        while suspects:
            plan = await self._diagnosis.plan(await self._diagnosis.analyze(suspects, asked_again), asked_again)
            if not plan.actions or self._request.dry_run:
                return self._state.ending_without_actions(plan)
            recorded = await self._ask(plan)
            if recorded is None:
                return Phase.APPROVAL_EXPIRED
            await self._execute(plan, recorded)
            if not recorded.will_run:
                return self._state.ending_without_approval(recorded)
            suspects, asked_again = self._state.to_ask_again(plan)
        return Phase.REPORT_COMPLETED if self._state.plans else Phase.NO_REPAIR_NEEDED

    async def _ask(self, plan: Plan) -> RecordedDecision | None:
        """The answer to the plan, or None: silence is an outcome."""
        state, request = self._state, self._request
        state.decision = None
        state.decide_by = workflow.now() + request.approval_timeout
        granted, state.message = by_policy(state, plan)
        self._enter(Phase.PENDING_APPROVAL)
        if granted is not None:
            self._record(plan, granted)
        await self._wait_for_decision(request.approval_timeout)
        state.message = ""
        if state.decision is None and self._stop.reason:
            raise Stopped  # noqa: TPL010 - caught in _story, where it ends the cycle as CANCELLED
        return state.decision

    async def _wait_for_decision(self, at_most: timedelta) -> None:
        """Until it is there, or the time is over; whoever was told is reminded when the policy says."""
        if self._telling.anybody and not self._answered():
            self._telling.plan(Occasion.PLAN_WAITS)
            asked_at, until = workflow.now(), workflow.now() + at_most
            for number, after in enumerate(self._request.policy.reminders_within(at_most), start=1):
                if await self._answered_within(asked_at + after - workflow.now()):
                    return
                at_most = until - workflow.now()
                if at_most > timedelta():
                    self._telling.plan(Occasion.PLAN_STILL_WAITS, number=number)
        if not await self._answered_within(at_most):
            self._state.reason = f"{NOBODY_DECIDED} {self._request.approval_timeout}"

    async def _answered_within(self, at_most: timedelta) -> bool:
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(self._answered, timeout=at_most, timeout_summary="a person's decision")
        return self._answered()

    def _answered(self) -> bool:
        return self._state.decision is not None or self._stop.asked()

    def _record(self, plan: Plan, decision: Decision) -> RecordedDecision:
        recorded = record(plan, decision, workflow.now())
        self._state.decision = recorded
        self._state.decisions.append(recorded)
        counts.decided(decision, self._state)
        self._state.reason = ""
        return recorded

    async def _execute(self, plan: Plan, recorded: RecordedDecision) -> None:
        """Run what was approved, verify it, and take back in reverse order what did not help."""
        if recorded.will_run:
            self._enter(Phase.APPROVED)
            self._enter(Phase.PENDING_REPAIR)
        execution = Execution(
            cycle=self._state.cycle,
            queue=self._request.activity_queue,
            plan=plan,
            recorded=recorded,
            valid_for=self._request.decision_valid_for,
            stopping=self._stop.asked,
            outcomes=self._state.outcomes,
            patience=self._patience,
            posting=self._posting,
        )
        await self._try_first(execution)
        await execution.run()
        if self._stop.reason:
            raise Stopped  # noqa: TPL010 - caught in _story, where it ends the cycle as CANCELLED
        await self._prove(execution)

    async def _try_first(self, execution: Execution) -> None:
        """Of the tools that want it, run and verify some actions before the others. None is left without an outcome."""
        canaries = Canaries(execution, self._state)
        try:
            while tried := canaries.next():
                if self._state.phase is not Phase.PENDING_REPAIR:
                    self._enter(Phase.PENDING_REPAIR)
                await execution.run_first(tried)
                await self._prove(execution)
                for action in tried:
                    canaries.note(action)
        except (Stopped, ActivityError) as error:
            if isinstance(error, ActivityError):
                canaries.give_up(f"what was tried first could not be verified: {why(error)}")
            await execution.run()
            raise
        finally:
            self._state.message = ""
        if execution.left() and self._state.phase is not Phase.PENDING_REPAIR:
            self._enter(Phase.PENDING_REPAIR)

    async def _prove(self, execution: Execution) -> None:
        """Verify what took effect, and take back in reverse order what did not help."""
        applied = execution.take_applied()
        if applied:
            await self._posting.settle()
            await self._verify(applied)
            for item in reversed(applied):
                if self._state.did_not_help(item.ref.action.id):
                    self._state.outcomes[item.ref.action.id] = await execution.undo_or_hand_over(item)

    async def _verify(self, applied: tuple[Applied, ...]) -> None:
        self._enter(Phase.VERIFYING_REPAIR)
        settling = max(item.ref.action.bound.settles_in for item in applied)
        if settling:
            await self._stop.unless_asked(workflow.sleep(settling, summary="for the effects to show"))
        for first in range(0, len(applied), VERIFIED_AT_ONCE):
            given = self._state.to_verify(applied[first : first + VERIFIED_AT_ONCE])
            self._state.note_verification(await self._stop.unless_asked(self._steps.verify(given)))

    async def _publish(self, ending: Phase) -> None:
        """Write down what happened. A report that cannot be written does not change what did."""
        state = self._state
        await self._posting.settle()
        self._enter(Phase.PENDING_REPORT)
        if self._stop.reason and ending is not Phase.CANCELLED:
            state.reason = f"{state.reason} ({self._stop.reason}, too late to stop anything)".strip()
        try:
            await self._steps.conclude(conclusion(state, workflow.now()))
        except ActivityError as error:
            state.troubles.append(
                f"the memory could not be updated, so other repairs may leave these problems alone for a while; "
                f"start them with --again: {why(error)}"
            )
        told = await self._think_back(ending) if state.thinks else None
        ended = state.ended(ending, workflow.now())
        try:
            published = await self._steps.report(ReportInput(result=ended, told=told))
            state.report, state.paths = published.report, published.paths
        except ActivityError as error:
            state.troubles.append(f"the report could not be written: {why(error)}")
            state.report = build_report(state.ended(ending, workflow.now()))
        self._enter(ending)

    async def _think_back(self, ending: Phase) -> Narrated | None:
        """A model's words for what happened, if it is to have any; and what all models took in the end."""
        state, told = self._state, None
        if self._thinking.by_model(Role.REPORT) and state.plans and not self._stop.reason:
            told = await self._thinking.narrate(state.result(workflow.now()).model_copy(update={"phase": ending}))
        try:
            state.usage = await self._steps.spending(state.cycle)
        except ActivityError as error:
            state.troubles.append(f"what the models took in all could not be read: {why(error)}")
        return told

    def _enter(self, phase: Phase) -> None:
        state = self._state
        state.enter(phase, workflow.now())
        counts.entered(state)
        self._tell()
        if self._request.indexed:
            workflow.upsert_search_attributes([PHASE_ATTRIBUTE.value_set(str(phase))])
        else:
            workflow.upsert_memo({PHASE_MEMO: str(phase)})

    def _tell(self) -> None:
        """Show where it stands in the Temporal UI."""
        state = self._state
        workflow.set_current_details(
            details(
                state.phase,
                state.shown_plan,
                state.told,
                state.decided,
                decide_by=state.decide_by if state.phase is Phase.PENDING_APPROVAL else None,
                heads=state.heads,
                findings=state.findings,
                partition=state.partition,
                known=self._said,
            )
        )
