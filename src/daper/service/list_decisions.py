"""Decisions on several repairs at once, each one its own: what a list may decide, and what became of each."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from daper.core.errors import DaperError
from daper.core.models import Decision, Person, Verdict
from daper.core.outcomes import RepairResult
from daper.core.policy import ApprovalPolicy
from daper.service.answers import ANYBODY, AnswerKind, Authority, DecisionAnswer, Shown
from daper.service.waiting_plans import KnownPlan
from daper.service.whole_plan import Looks, look_at_whole_plan

MOST_AT_ONCE: Final = 100
"""Repairs that may be decided at once."""

_AT_ONCE: Final = 8


class Answers(Looks, Protocol):
    """What takes decisions, and says what became of them."""

    async def answer(
        self, repair_id: str, decision: Decision, *, shown: Shown, authority: Authority = ANYBODY
    ) -> DecisionAnswer:
        """What became of a decision. Raises DecisionRefused, NotFound, Unreachable."""
        ...


class KnowsPlans(Protocol):
    """What keeps whole plans, and is told that something became of repairs."""

    def plan(self, digest: str) -> KnownPlan | None:
        """The whole plan with that digest, or None."""
        ...

    async def touch(self, *repair_ids: str) -> None:
        """Something became of these repairs."""
        ...


@dataclass(frozen=True, kw_only=True)
class ShownRepair:
    """A repair of a list, as it was shown."""

    repair_id: str
    shown: Shown


@dataclass(frozen=True, kw_only=True)
class RepairAnswer:
    """What became of the decision on one repair; `kind` is None where nothing could be decided, for the reason said."""

    repair_id: str
    sentence: str
    kind: AnswerKind | None = None


class ListDecisions:
    """Decides from a list what the policy lets a list decide: every repair by itself, and none because of another."""

    def __init__(self, service: Answers, board: KnowsPlans, *, policy: ApprovalPolicy) -> None:
        self._service = service
        self._board = board
        self._policy = policy

    async def decide(
        self, repairs: Iterable[ShownRepair], verdict: Verdict, *, by: Person, door: str, comment: str = ""
    ) -> tuple[RepairAnswer, ...]:
        """The same verdict on all that was shown of each; what became of each, in their order, each repair once."""
        slots = asyncio.Semaphore(_AT_ONCE)
        once = tuple({repair.repair_id: repair for repair in repairs}.values())

        async def one(repair: ShownRepair) -> RepairAnswer:
            decision = Decision(
                plan_digest=repair.shown.digest,
                verdicts=dict.fromkeys(sorted(repair.shown.action_ids), verdict),
                by=by,
                door=door,
                comment=comment,
            )
            async with slots:
                try:
                    return await self._answer(repair, decision)
                except DaperError as error:
                    return RepairAnswer(repair_id=repair.repair_id, sentence=str(error))

        answers = await asyncio.gather(*(one(repair) for repair in once))
        await self._board.touch(*(repair.repair_id for repair in once))
        return tuple(answers)

    async def _answer(self, repair: ShownRepair, decision: Decision) -> RepairAnswer:
        """Raises DecisionRefused, NotFound, Unreachable."""
        if why := await self._refuses(repair):
            said = f"nothing was decided: this plan has to be opened for that, for {why}"
            return RepairAnswer(repair_id=repair.repair_id, sentence=said)
        answer = await self._service.answer(repair.repair_id, decision, shown=repair.shown)
        return RepairAnswer(repair_id=repair.repair_id, kind=answer.kind, sentence=answer.sentence)

    async def _refuses(self, repair: ShownRepair) -> str | None:
        """Why a list may not decide on the plan that was shown; of one that waits no more the service says what is."""
        known = self._board.plan(repair.shown.digest)
        if known is None:
            look = await look_at_whole_plan(self._service, repair.repair_id)
            plan = None if isinstance(look, RepairResult) else look.plan
            known = KnownPlan(domain=look.domain, plan=plan) if plan else None
        if known is None or known.plan.digest != repair.shown.digest:
            return None
        return self._policy.of(known.domain).refuses_from_list(known.plan)
