"""Repairs as a person has them: started, read, decided on as seen, and waited for, whatever goes wrong meanwhile."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final

from daper.core.errors import DaperError, NotFound, StoreError, Unreachable
from daper.core.models import Decision, Person, Scope, Verdict
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.core.views import PlanView, RepairView
from daper.service.repairs import RepairService
from daper.service.requests import StartRepair

PERSON: Final = Person(name="harness")
_SOON: Final = timedelta(seconds=12)
_LATE: Final = timedelta(hours=1)
_LOOK_S: Final = 0.3


class Answer(StrEnum):
    """What the person says to a plan."""

    ALL = "all of it"
    SOME = "some of it"
    NONE = "none of it"
    NOTHING = "nothing"


_WEIGHTS: Final = {Answer.ALL: 12, Answer.SOME: 4, Answer.NONE: 2, Answer.NOTHING: 2}


@dataclass(frozen=True, kw_only=True)
class Edit:
    """What somebody wrote into the notes of an order by hand, and whether the order's plan was decided after that."""

    order_id: str
    mark: str
    before_decision: bool


@dataclass(kw_only=True)
class Case:
    """One repair, and what was done about it."""

    key: str
    records: tuple[str, ...]
    answer: Answer
    rejected: frozenset[str]
    reads_for: float
    repair_id: str = ""
    began: float = 0
    ended: float = 0
    result: RepairResult | None = None
    seen: PlanView | None = None
    sent: list[Decision] = field(default_factory=list[Decision])
    edits: list[Edit] = field(default_factory=list[Edit])
    refusals: list[str] = field(default_factory=list[str])
    hand: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def approved(self) -> tuple[str, ...]:
        """The records of which the person says yes to everything."""
        return () if self.answer is Answer.NOTHING else tuple(one for one in self.records if one not in self.rejected)

    @property
    def waits(self) -> bool:
        """Whether its plan was seen, and nothing said to it yet."""
        return self.seen is not None and not self.sent and self.result is None


def draw_case(key: str, records: tuple[str, ...], rng: random.Random) -> Case:
    """A repair of these records, with what the person will say."""
    answer = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    some = rng.sample(records, rng.randint(1, len(records) - 1))
    rejected = {Answer.NONE: records, Answer.SOME: some}.get(answer, ())
    return Case(key=key, records=records, answer=answer, rejected=frozenset(rejected), reads_for=rng.uniform(0, 2.5))


class Desk:
    """Where the person sits. `told`: which errors the service answered with; each is tried again."""

    def __init__(self, service: RepairService, *, domain: str = "orders") -> None:
        self._service = service
        self._domain = domain
        self.told = Counter[str]()

    async def see_to(self, case: Case) -> None:
        """From the start of a repair to its end."""
        case.began = time.monotonic()
        await self.start(case)
        while case.result is None:
            look = await self._look(case)
            if isinstance(look, RepairResult):
                case.result = look
            elif look is not None and look.phase is Phase.PENDING_APPROVAL and look.decision is None and look.plan:
                await self._answer(case, look.plan)
            await asyncio.sleep(_LOOK_S)
        case.ended = time.monotonic()

    async def start(self, case: Case) -> None:
        """Start its repair, unless that is done."""
        order = StartRepair(
            requested_by=PERSON,
            domain=self._domain,
            scope=Scope(record_ids=case.records),
            approval_timeout=_SOON if case.answer is Answer.NOTHING else _LATE,
            request_key=case.key,
        )
        while not case.repair_id:
            try:
                case.repair_id = (await self._service.start(order)).repair_id
            except DaperError as error:
                self._note(case, error, (Unreachable, StoreError))
                await asyncio.sleep(_LOOK_S)

    async def _look(self, case: Case) -> RepairView | RepairResult | None:
        try:
            return await self._service.look(case.repair_id)
        except DaperError as error:
            self._note(case, error, (Unreachable, StoreError))
            return None

    async def _answer(self, case: Case, plan: PlanView) -> None:
        case.seen = plan
        if case.answer is Answer.NOTHING:
            return
        await asyncio.sleep(case.reads_for)
        decision = Decision(
            plan_digest=plan.digest,
            verdicts={
                action.id: Verdict.REJECT if action.record_id in case.rejected else Verdict.APPROVE
                for action in plan.actions
            },
            by=PERSON,
            door="chaos",
        )
        async with case.hand:
            if decision not in case.sent:
                case.sent.append(decision)
            try:
                await self._service.decide(case.repair_id, decision)
            except DaperError as error:
                self._note(case, error, (Unreachable, StoreError))

    def _note(self, case: Case, error: DaperError, passing: tuple[type[DaperError], ...]) -> None:
        self.told[type(error).__name__] += 1
        if not isinstance(error, passing) or isinstance(error, NotFound):
            case.refusals.append(f"{type(error).__name__}: {error}")
