"""The repairs that wait for a person, each in a line of a list, and those of them that are alike. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property

from daper.core.access import Access
from daper.core.digests import canonical, digest
from daper.core.models import Risk
from daper.core.phases import Phase
from daper.core.policy import ApprovalPolicy
from daper.core.views import UNKNOWN_AMOUNT, PlanView, RepairView

_KEY = 16


@dataclass(frozen=True, kw_only=True)
class WaitingRepair:
    """A repair that waits for a decision. `digest`: of its plan, empty where that could not be read; then `trouble`.

    `tools`: each with how many actions it has. `records`: their ids, with what they are about. `risk`: the highest.
    `spends`: what all of it spends, None where nobody can say. `left_alone`: what the plan does not act on.
    `refused`: why a list may not decide on it, empty where it may. `likeness`: the same of repairs that are alike.
    `problems`: how many were found. `signed`: how many actions are approved by a passkey alone.
    """

    repair_id: str
    user: str
    waits_since: datetime
    domain: str = ""
    decide_by: datetime | None = None
    digest: str = ""
    action_ids: tuple[str, ...] = ()
    tools: tuple[tuple[str, int], ...] = ()
    records: tuple[tuple[str, str], ...] = ()
    risk: Risk = Risk.LOW
    spends: Decimal | None = None
    confidence_score: float = 0
    left_alone: int = 0
    trouble: str = ""
    refused: str = ""
    likeness: str = ""
    problems: int | None = None
    signed: int = 0

    @property
    def may_be_decided(self) -> bool:
        """Whether a list may decide on it."""
        return bool(self.digest) and not self.refused


def waiting_repair(view: RepairView, plan: PlanView, policy: ApprovalPolicy) -> WaitingRepair:
    """The line of a repair that `waits`, with its whole plan."""
    tools = Counter(action.tool for action in plan.actions)
    risk = max((action.risk for action in plan.actions), key=lambda risk: risk.rank, default=Risk.LOW)
    refused = policy.refuses_from_list(plan) or ""
    return WaitingRepair(
        repair_id=view.repair_id,
        user=view.requested_by.name,
        waits_since=view.phase_since,
        domain=view.domain,
        decide_by=view.decide_by,
        digest=plan.digest,
        action_ids=tuple(action.id for action in plan.actions),
        tools=tuple(sorted(tools.items())),
        records=tuple({action.record_id: action.title for action in plan.actions}.items()),
        risk=risk,
        spends=None if plan.spends == UNKNOWN_AMOUNT else Decimal(plan.spends or 0),
        confidence_score=plan.overall_confidence_score,
        left_alone=len(plan.blocked) + len(plan.for_person) + len(plan.suppressed),
        refused=refused,
        likeness=_likeness(view.domain, plan, decidable=not refused),
        problems=view.problems,
        signed=sum(policy.needs_passkey(action.risk) for action in plan.actions),
    )


def waits(view: RepairView) -> bool:
    """Whether a repair waits for a person."""
    return view.phase is Phase.PENDING_APPROVAL and view.decision is None and view.plan is not None


@dataclass(frozen=True, kw_only=True)
class Decider:
    """Somebody at a door, and what this person may do there. `signs`: a passkey can sign there."""

    name: str
    access: frozenset[Access] = frozenset(Access)
    signs: bool = False

    def kept_from(self, repair: WaitingRepair) -> str:
        """Why this person may not decide on a repair at this door, or nothing.

        What may be decided in part is theirs to decide, and so is what cannot be read for now.
        """
        if Access.APPROVE not in self.access:
            return f"{self.name} may not decide here: that needs {Access.APPROVE}"
        if repair.signed and repair.signed == len(repair.action_ids) and not self.signs:
            return "all of it is approved by a passkey alone: decide at the console"
        return ""


def most_urgent_first(repairs: Iterable[WaitingRepair]) -> tuple[WaitingRepair, ...]:
    """By what is left of the time; of those that are equal the higher risk, then what waits for longer."""
    return tuple(sorted(repairs, key=_urgency))


@dataclass(frozen=True, kw_only=True)
class RepairGroup:
    """Repairs that are alike: of one domain, with actions of the same tools and risks. The most urgent comes first.

    `key`: the same for as long as there are such repairs.
    """

    key: str
    repairs: tuple[WaitingRepair, ...]

    @property
    def tools(self) -> tuple[str, ...]:
        """The tools of each of them."""
        return tuple(name for name, _ in self.repairs[0].tools)

    @property
    def risk(self) -> Risk:
        """The risk of each of them."""
        return self.repairs[0].risk

    @cached_property
    def actions(self) -> int:
        """How many actions they have in all."""
        return sum(len(repair.action_ids) for repair in self.repairs)

    @cached_property
    def spends(self) -> Decimal | None:
        """What they spend in all; None where nobody can say."""
        amounts = [repair.spends for repair in self.repairs]
        known = [amount for amount in amounts if amount is not None]
        return sum(known, Decimal(0)) if len(known) == len(amounts) else None

    @property
    def may_be_decided(self) -> bool:
        """Whether a list may decide on them."""
        return all(repair.may_be_decided for repair in self.repairs)


def groups_of(repairs: Iterable[WaitingRepair]) -> tuple[RepairGroup, ...]:
    """Every repair in the one group that it belongs to, the group with the most urgent one first.

    One of which nothing is known has a group of its own.
    """
    alike: dict[str, list[WaitingRepair]] = {}
    for repair in repairs:
        alike.setdefault(repair.likeness or _key(["", repair.repair_id]), []).append(repair)
    groups = (RepairGroup(key=key, repairs=most_urgent_first(members)) for key, members in alike.items())
    return tuple(sorted(groups, key=lambda group: _urgency(group.repairs[0])))


def _urgency(repair: WaitingRepair) -> tuple[float, int, float, str]:
    until = repair.decide_by.timestamp() if repair.decide_by else float("inf")
    return until, -repair.risk.rank, repair.waits_since.timestamp(), repair.repair_id


def _likeness(domain: str, plan: PlanView, *, decidable: bool) -> str:
    kinds = {(action.tool, str(action.risk), str(action.if_it_does_not_help)) for action in plan.actions}
    return _key([domain, decidable, *(list(kind) for kind in sorted(kinds))])


def _key(parts: list[object]) -> str:
    return digest(canonical(parts))[:_KEY]
