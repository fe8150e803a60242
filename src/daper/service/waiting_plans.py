"""What is known of the repairs that wait for a person: each is asked once for its plan, which is kept."""

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from daper.clock import ticks, utc_now
from daper.core.commands import Said
from daper.core.errors import DaperError, NoWorker, UserError
from daper.core.outcomes import RepairResult
from daper.core.policy import ApprovalPolicy
from daper.core.views import PlanView
from daper.core.waiting import WaitingRepair, waiting_repair, waits
from daper.service.requests import RepairLine
from daper.service.whole_plan import Looks, look_at_whole_plan

AT_ONCE: Final = 8
"""Repairs that are asked beside each other: each question is work for a worker."""

AGAIN_AFTER: Final = timedelta(seconds=5)
"""When a repair is asked again that is listed as waiting and does not wait, or does not answer."""

MOST_ACTIONS: Final = 20_000
"""Of how many actions in all the plans are kept."""


@dataclass(frozen=True)
class _Answer:
    """What a repair answered; None: it does not wait. `again_at`: as `ticks` tell."""

    row: WaitingRepair | None
    again_at: float


@dataclass(frozen=True, kw_only=True)
class KnownPlan:
    """A whole plan, and the domain of its repair."""

    domain: str
    plan: PlanView


class WaitingPlans:
    """The repairs that wait, as far as they have been asked; and their whole plans, by digest."""

    def __init__(self, service: Looks, *, policy: ApprovalPolicy) -> None:
        """`policy`: what may be decided from a list."""
        self._service = service
        self._policy = policy
        self._answers: dict[str, _Answer] = {}
        self._plans: OrderedDict[str, KnownPlan] = OrderedDict()
        self._kept = 0
        self._silent = Said()  # why nobody answered the last time

    def plan(self, digest: str) -> KnownPlan | None:
        """A whole plan, if it is kept: the ones that were read last are."""
        return self._plans.get(digest)

    def rows(self, listed: Iterable[RepairLine]) -> tuple[WaitingRepair, ...]:
        """Those that wait, of those that are listed as waiting and were asked."""
        answers = (self._answers.get(line.repair_id) for line in listed)
        return tuple(answer.row for answer in answers if answer is not None and answer.row is not None)

    def forget_others(self, listed: Collection[str]) -> None:
        """Only these are listed as waiting; whichever else comes to wait is asked anew."""
        for gone in [repair_id for repair_id in self._answers if repair_id not in listed]:
            del self._answers[gone]

    def unasked(self, listed: Iterable[RepairLine]) -> list[RepairLine]:
        """Those of whom nothing is known."""
        return [line for line in listed if line.repair_id not in self._answers]

    def to_ask(self, listed: Iterable[RepairLine]) -> list[RepairLine]:
        """Those of whom nothing is known, or what is known may not be so any more."""
        now = ticks()
        answers = ((line, self._answers.get(line.repair_id)) for line in listed)
        return [line for line, answer in answers if answer is None or answer.again_at <= now]

    async def ask(self, lines: Iterable[RepairLine]) -> bool:
        """Ask each of them, some at once; says whether something else is known now than before.

        Where no worker answers, nobody else is asked: the others would only wait as long.
        """
        changed, left = False, list(lines)
        while left:
            at_once = 1 if self._silent else AT_ONCE
            some, left = left[:at_once], left[at_once:]
            answers = await asyncio.gather(*(self._answer(line) for line in some))
            for line, row in zip(some, answers, strict=True):
                changed |= self._note(line.repair_id, row)
            if self._silent:
                for line in left:
                    changed |= self._note(line.repair_id, _unread(line, self._silent))
                break
        return changed

    async def _answer(self, line: RepairLine) -> WaitingRepair | None:
        """The row of a repair, None where it does not wait."""
        try:
            look = await look_at_whole_plan(self._service, line.repair_id)
        except NoWorker as error:
            self._silent = error.said
            return _unread(line, error.said)
        except UserError:  # gone, or another plan came just now: it is asked again
            return None
        except DaperError as error:
            return _unread(line, error.said)
        self._silent = Said()
        if isinstance(look, RepairResult) or look.plan is None or not waits(look):
            return None
        self._keep(KnownPlan(domain=look.domain, plan=look.plan))
        return waiting_repair(look, look.plan, self._policy.of(look.domain))

    def _note(self, repair_id: str, row: WaitingRepair | None) -> bool:
        before = self._answers.get(repair_id)
        self._answers[repair_id] = _Answer(row, ticks() + _good_for(row).total_seconds())
        return before is None or before.row != row

    def _keep(self, known: KnownPlan) -> None:
        old = self._plans.pop(known.plan.digest, None)
        self._kept += len(known.plan.actions) - (len(old.plan.actions) if old else 0)
        self._plans[known.plan.digest] = known
        while self._kept > MOST_ACTIONS and len(self._plans) > 1:
            _, oldest = self._plans.popitem(last=False)
            self._kept -= len(oldest.plan.actions)


def _good_for(row: WaitingRepair | None) -> timedelta:
    """How long an answer stands where the list says the same: a plan until it expires."""
    if row is None or row.decide_by is None:
        return AGAIN_AFTER
    return max(AGAIN_AFTER, row.decide_by - utc_now())


def _unread(line: RepairLine, trouble: Said | str) -> WaitingRepair:
    """A repair of which only the list says something, and why."""
    return WaitingRepair(
        repair_id=line.repair_id, user=line.user, waits_since=line.started_at, trouble=trouble, refused=trouble
    )
