"""What a repair knows before a person is asked: the suspects, what is wrong with them, and a plan."""

from collections.abc import Callable

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from daper.core.messages import (
        Advice,
        AnalyzeInput,
        AnalyzeResult,
        ClaimInput,
        ClaimResult,
        DetectInput,
        OpenCycleInput,
        PlanInput,
    )
    from daper.core.models import Plan
    from daper.core.partition import within
    from daper.core.phases import Phase
    from daper.core.usage import Role
    from daper.workflows import counts
    from daper.workflows.activity_failures import ended_by
    from daper.workflows.model_calls import Thinking
    from daper.workflows.options import AFTERMATH
    from daper.workflows.patience import FOR_NOW
    from daper.workflows.state import CycleState
    from daper.workflows.steps import Steps
    from daper.workflows.stop import Stop, Stopped


class Diagnosis:
    """The steps of a cycle up to its plan. Each ends when the repair is stopped, and raises Stopped then."""

    def __init__(
        self, *, state: CycleState, steps: Steps, thinking: Thinking, stop: Stop, enter: Callable[[Phase], None]
    ) -> None:
        self._state = state
        self._request = state.request
        self._steps = steps
        self._thinking = thinking
        self._stop = stop
        self._enter = enter

    async def open(self) -> None:
        """Ask the store who it is and what day, and which of the named records are there."""
        scope, now = self._request.scope, workflow.now()
        opened = await self._stop.unless_asked(
            self._steps.open(
                OpenCycleInput(
                    domain=self._request.domain,
                    store_id=self._request.store_id,
                    record_ids=scope.record_ids,
                    partition=scope.partition,
                    may_act_alone=self._request.may_act_alone,
                    now=now,
                )
            )
        )
        self._state.note_opened(opened)

    async def detect(self) -> tuple[str, ...]:
        """The records with which something may be wrong."""
        self._enter(Phase.DETECTING_PROBLEMS)
        given = DetectInput(cycle=self._state.cycle, scope=self._request.scope, again=self._request.again)
        found = await self._stop.unless_asked(self._steps.detect(given))
        if self._thinking.by_model(Role.DETECT):
            found = await self._stop.unless_asked(self._thinking.detect(self._request.scope, found))
        self._state.detection, self._state.undetected = found.detection, found.left_out
        # Whoever answered: also a worker of a release that knew no partitions.
        return within(self._request.scope.partition, found.suspects)

    async def analyze(self, suspects: tuple[str, ...], only: frozenset[str]) -> AnalyzeResult:
        """What is wrong with them; `only`: of the findings with these fingerprints."""
        self._enter(Phase.ANALYZING_PROBLEMS)
        given = AnalyzeInput(cycle=self._state.cycle, record_ids=suspects, only=tuple(sorted(only)))
        analyzed = await self._stop.unless_asked(self._steps.analyze(given))
        # What lapsed was analyzed before; the model is asked again only for what to do about it now.
        if self._thinking.by_model(Role.ANALYZE) and not only:
            analyzed = await self._stop.unless_asked(self._thinking.analyze(suspects, analyzed))
        self._state.note_analysis(analyzed)
        return analyzed

    async def plan(self, analyzed: AnalyzeResult, asked_again: frozenset[str]) -> Plan:
        """What could be done about it, of what no other repair has claimed."""
        self._enter(Phase.PLANNING_REPAIR)
        state, request = self._state, self._request
        claim = ClaimInput(
            cycle=state.cycle,
            findings=analyzed.findings,
            until=workflow.now() + request.approval_timeout + request.decision_valid_for + AFTERMATH,
            again=request.again,
            asked_again=tuple(sorted(asked_again)),
            dry_run=request.dry_run,
        )
        # Not abandoned by a stop: a claim that landed after the conclusion would hold findings back from others.
        claimed = await self._claim(claim)
        advice = Advice()
        if self._thinking.by_model(Role.PLAN) and claimed.fresh:
            advice = await self._stop.unless_asked(
                self._thinking.advise(claimed.fresh[: request.scope.limit], claimed.suppressed)
            )
        given = PlanInput(
            cycle=state.cycle,
            round=len(state.plans) + 1,
            first_action=sum(len(plan.actions) for plan in state.plans) + 1,
            findings=claimed.fresh,
            suppressed=claimed.suppressed,
            limit=request.scope.limit,
            left_out=analyzed.left_out + state.undetected,
            asked_before=tuple(state.findings),
            advice=advice,
            until=claim.until,
            again=request.again,
            dry_run=request.dry_run,
        )
        plan = await self._stop.unless_asked(self._steps.plan(given))
        state.plans.append(plan)
        counts.held(plan, state)
        return plan

    async def _claim(self, claim: ClaimInput) -> ClaimResult:
        try:
            return await self._steps.claim(claim)
        except ActivityError as error:
            if self._stop.reason and ended_by(error, FOR_NOW):
                raise Stopped from error  # noqa: TPL010 - caught by the repair, where it ends the cycle as CANCELLED
            raise
