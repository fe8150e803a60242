"""A board on which as many repairs wait as wanted, with as many actions each: no Temporal lists them, no worker ran."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, cast

from daper.core.guard import seal
from daper.core.limits import Between, Limit
from daper.core.messages import PageArgs
from daper.core.models import (
    BoundAction,
    Change,
    Fallback,
    Finding,
    IdentityProof,
    Person,
    Plan,
    ProposedAction,
    RecordHead,
    Risk,
)
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.core.views import RepairView, view_plan
from daper.service.listing import Listing
from daper.service.requests import RepairLine

BEGAN: Final = datetime(2026, 3, 1, 9, tzinfo=UTC)
FAR: Final = datetime(2126, 3, 1, 9, tzinfo=UTC)
_CUSTOMERS: Final = ("Harry James Potter", "Hermione Jean Granger", "Ronald Bilius Weasley", "Rubeus Hagrid")
_PEOPLE: Final = ("Minerva McGonagall", "Filius Flitwick", "Pomona Sprout")
# A tool, its risk, what it spends, what follows if it does not help, and the kind of problem.
_KINDS: Final = (
    ("request_payment_update", Risk.LOW, Decimal(0), Fallback.HAND_OVER, "payment-pending"),
    ("order_inventory", Risk.MEDIUM, Decimal("170.00"), Fallback.UNDO, "inventory-short"),
    ("request_approval", Risk.LOW, Decimal(0), Fallback.HAND_OVER, "restricted-without-approval"),
)


@dataclass(frozen=True)
class _Listed:
    lines: tuple[RepairLine, ...]

    async def look(self) -> tuple[RepairLine, ...]:
        return self.lines


class FullBoard:
    """Stands for the listing and for the service of a board."""

    def __init__(self, repairs: int, *, actions: int) -> None:
        self._actions = actions
        self._lines = tuple(
            RepairLine(
                repair_id=f"repair-Minerva-{number:06}",
                phase=Phase.PENDING_APPROVAL,
                user=_PEOPLE[number % len(_PEOPLE)],
                started_at=BEGAN + timedelta(seconds=number),
            )
            for number in range(repairs)
        )
        self._number = {line.repair_id: number for number, line in enumerate(self._lines)}

    @property
    def listing(self) -> Listing:
        """What lists all of them."""
        return cast(Listing, _Listed(self._lines))

    async def look(self, repair_id: str, page: PageArgs | None = None) -> RepairView | RepairResult:
        """One of them, with a page of its plan."""
        return waiting(repair_id, self._number[repair_id], actions=self._actions, page=page or PageArgs())


def waiting(repair_id: str, number: int, *, actions: int, page: PageArgs) -> RepairView:
    """A repair that waits: all of its actions are of one kind, which its number says."""
    made = [_action(number, place) for place in range(1, actions + 1)]
    plan = seal(Plan(actions=tuple(action for action, _, _ in made), overall_confidence_score=0.95), cycle_id=repair_id)
    heads = {head.record_id: head for _, head, _ in made}
    findings: Mapping[str, Finding] = {finding.fingerprint: finding for _, _, finding in made}
    since = BEGAN + timedelta(seconds=number)
    return RepairView(
        repair_id=repair_id,
        phase=Phase.PENDING_APPROVAL,
        requested_by=Person(name=_PEOPLE[number % len(_PEOPLE)], how=IdentityProof.OS_USER),
        domain="orders",
        store_id="bench",
        started_at=since,
        phase_since=since,
        problems=actions,
        plan=view_plan(plan, page=page.page, size=page.size, heads=heads, findings=findings),
        decide_by=FAR + timedelta(seconds=number),
    )


def _action(number: int, place: int) -> tuple[ProposedAction, RecordHead, Finding]:
    tool, risk, spends, fallback, kind = _KINDS[number % len(_KINDS)]
    record_id = f"ORD-{number:05}-{place:03}"
    editable: dict[str, Limit] = {"days": Between(minimum=1, maximum=14)}
    text = BoundAction(
        cycle_id=f"c{number}",
        round=1,
        domain="orders",
        store_id="bench",
        tool=tool,
        record_id=record_id,
        arguments={"order_id": record_id, "days": 7},
        reads={f"orders/{record_id}": "1"},
        editable=editable,
        risk=risk,
        spends=spends,
        if_it_does_not_help=fallback,
    ).to_text()
    finding = Finding(
        record_id=record_id,
        kind=kind,
        issue=f"{record_id} has waited for 6 days, and nobody has been told.",
        evidence=("The status has not changed since 2026-02-23.",),
        fingerprint=f"{number}-{place}",
    )
    action = ProposedAction(
        id=f"a{place}",
        text=text,
        digest=f"{number}-{place}",
        preview=(
            Change(record=f"orders/{record_id}", field="status", before="pending-payment", after="payment-asked"),
        ),
        confidence_score=0.95,
        rationale="The customer can do it at once.",
        answers=(finding.fingerprint,),
    )
    head = RecordHead(record_id=record_id, title=_CUSTOMERS[place % len(_CUSTOMERS)], status="pending-payment")
    return action, head, finding
