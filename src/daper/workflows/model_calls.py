"""What language models add to a cycle: batches beside each other, bounded, and what is done when there is no answer."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutError

with workflow.unsafe.imports_passed_through():
    from daper.core.errors import ModelError, ModelOutputError, ModelUnavailable
    from daper.core.messages import (
        Advice,
        AnalyzeInput,
        AnalyzeResult,
        DetectInput,
        DetectResult,
        DivideInput,
        Narrated,
        OnOutage,
        ProposeInput,
        ReportInput,
    )
    from daper.core.models import RULES, Finding, Scope, SuppressedFinding
    from daper.core.outcomes import RepairResult
    from daper.core.second_opinion import merge_findings, suspects_of
    from daper.core.usage import CallSpent, Role
    from daper.workflows import options
    from daper.workflows.activity_failures import why
    from daper.workflows.state import CycleState
    from daper.workflows.steps import Steps

T = TypeVar("T")

# A cap on spending is no outage, and neither is a bug of ours.
_OUTAGES = frozenset({ModelError.__name__, ModelOutputError.__name__, ModelUnavailable.__name__})

Batch = tuple[str, ...]


class Thinking:
    """The models of one cycle. Rules have looked before; what a model says is added to what they said."""

    def __init__(self, *, state: CycleState, steps: Steps) -> None:
        self._state = state
        self._steps = steps
        self._slots = asyncio.Semaphore(options.PARALLEL_CALLS)

    def by_model(self, role: Role) -> bool:
        """Whether a language model plays the role in this cycle."""
        return self._state.thinkers.get(role, RULES) != RULES

    async def detect(self, scope: Scope, found: DetectResult) -> DetectResult:
        """The suspects of rules and model together; page after page, so that no step holds all records."""
        page, doubtful = None, list[DetectResult]()
        while True:
            given = DivideInput(cycle=self._state.cycle, role=Role.DETECT, scope=scope, page=page)
            divided = await self._or_rules(Role.DETECT, self._steps.divide(given))
            if divided is None:
                break
            doubtful += await self._each(Role.DETECT, divided.batches, self._suspects)
            page = divided.next_page
            if page is None:
                break
        return suspects_of(found, doubtful, by=self._state.thinkers[Role.DETECT])

    async def analyze(self, record_ids: Batch, analyzed: AnalyzeResult) -> AnalyzeResult:
        """What rules and model found, with what each of them does not see."""

        async def look(batch: Batch) -> AnalyzeResult:
            known = tuple(finding for finding in analyzed.findings if finding.record_id in batch)
            return await self._steps.analyze(
                AnalyzeInput(cycle=self._state.cycle, record_ids=batch, by_model=True, known=known)
            )

        results = await self._each(Role.ANALYZE, await self._batches(Role.ANALYZE, record_ids), look)
        self._note_spent(result.spent for result in results)
        findings, over = merge_findings(
            analyzed.findings,
            [finding for result in results for finding in result.findings],
            [doubt for result in results for doubt in result.doubts],
        )
        heads = {head.record_id: head for result in (*results, analyzed) for head in result.heads}
        return AnalyzeResult(findings=findings, heads=tuple(heads.values()), left_out=analyzed.left_out + over)

    async def advise(self, findings: Sequence[Finding], suppressed: tuple[SuppressedFinding, ...]) -> Advice:
        """What a model would do about the findings."""

        async def ask(batch: Batch) -> Advice:
            mine = tuple(finding for finding in findings if finding.record_id in batch)
            kept_back = tuple(item for item in suppressed if item.finding.record_id in batch)
            return await self._steps.propose(ProposeInput(cycle=self._state.cycle, findings=mine, suppressed=kept_back))

        record_ids = tuple(dict.fromkeys(finding.record_id for finding in findings))
        advice = await self._each(Role.PLAN, await self._batches(Role.PLAN, record_ids), ask)
        self._note_spent(each.spent for each in advice)
        return Advice(
            proposals=tuple(proposal for each in advice for proposal in each.proposals),
            doubts=tuple(doubt for each in advice for doubt in each.doubts),
            notes=tuple(note for each in advice for note in each.notes),
        )

    async def narrate(self, result: RepairResult) -> Narrated | None:
        """A model's words for what happened, or None: a report never waits for them in vain."""
        try:
            return await self._steps.narrate(ReportInput(result=result))
        except ActivityError as error:
            self._state.note_outage(Role.REPORT, why(error))
            return None

    async def _suspects(self, batch: Batch) -> DetectResult:
        given = DetectInput(cycle=self._state.cycle, scope=Scope(), by_model=True, record_ids=batch)
        found = await self._steps.detect(given)
        self._note_spent([found.spent])
        return found

    async def _batches(self, role: Role, record_ids: Batch) -> tuple[Batch, ...]:
        if not record_ids:
            return ()
        given = DivideInput(cycle=self._state.cycle, role=role, record_ids=record_ids)
        divided = await self._or_rules(role, self._steps.divide(given))
        return divided.batches if divided is not None else ()

    async def _each(
        self, role: Role, batches: Sequence[Batch], ask: Callable[[Batch], Coroutine[object, object, T]]
    ) -> list[T]:
        """The answers on all batches, some of them beside each other; without those that never came."""

        async def one(batch: Batch) -> T | None:
            async with self._slots:
                return await self._or_rules(role, ask(batch), about=len(batch))

        tasks = [asyncio.create_task(one(batch)) for batch in batches]
        try:
            answers = await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            raise
        return [answer for answer in answers if answer is not None]

    async def _or_rules(self, role: Role, step: Coroutine[object, object, T], *, about: int = 0) -> T | None:
        """The answer; None where it never came, and the rules alone are to count. What else fails ends the cycle."""
        try:
            return await step
        except ActivityError as error:
            if self._state.on_outage is not OnOutage.RULES or not _is_outage(error, asked=about > 0):
                raise
            self._state.note_outage(role, why(error), records=about)
            return None

    def _note_spent(self, calls: Iterable[CallSpent | None]) -> None:
        self._state.note_spent(call for call in calls if call is not None)


def _is_outage(error: ActivityError, *, asked: bool) -> bool:
    """Whether a model could not be had: it refused, answered what does not fit, or was `asked` and silent."""
    cause = error.cause
    silent = asked and isinstance(cause, TimeoutError)
    return silent or (isinstance(cause, ApplicationError) and cause.type in _OUTAGES)
