"""Repairs of as many orders as wanted, ended or waiting: every fate, every script, some names that mean harm."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from pydantic import JsonValue

from daper.core.decisions import record
from daper.core.guard import seal
from daper.core.limits import Between, Limit, Sentence
from daper.core.models import (
    BlockedProposal,
    BoundAction,
    Change,
    Decision,
    Detection,
    Fallback,
    Finding,
    ForPerson,
    IdentityProof,
    Person,
    Plan,
    ProposedAction,
    RecordHead,
    Risk,
    StoreInfo,
    SuppressedFinding,
    Verdict,
)
from daper.core.outcomes import (
    ActionOutcome,
    OutcomeStatus,
    RepairResult,
    Verification,
    VerificationStatus,
    VerifiedFinding,
)
from daper.core.phases import Phase
from daper.core.report import build_report, count
from daper.core.views import RepairView, view_plan

STARTED = datetime(2026, 3, 1, 9, 0, 12, tzinfo=UTC)
LONG_WORD = "Wingardium" * 20
SCRIPTS = {
    "Latin": "Hermione Jean Granger",
    "Greek": "Ερμιόνη Γκρέιντζερ",
    "Cyrillic": "Гермиона Грейнджер",
    "Arabic": "هيرميون جرانجر",
    "Hebrew": "הרמיוני גריינג'ר",
    "Devanagari": "हरमाइनी ग्रेंजर",
    "Thai": "เฮอร์ไมโอนี่ เกรนเจอร์",
    "Chinese": "赫敏·格兰杰",
    "Japanese": "ハーマイオニー・グレンジャー",
    "Korean": "헤르미온느 그레인저",
    "Emoji": "Hedwig 🦉 👩🏽\u200d🚀 ❤️",
    "combining": "He\u0301di\u0323th Z\u0337\u0322a\u035el\u0334g\u0315o",
}
HOSTILE = (
    '#read("/etc/passwd") *bold* _em_ $x$ `raw` @ref <label>',
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "[x](javascript:alert(1)) ![y](http://evil.example/p.png)",
    "red \x1b[31mred\x1b[0m bell\x07 \u202egnp.exe\u2066 nul\x00",
    f"{LONG_WORD}",
    "𠮷田 and Z" + "\u0337\u0322\u035e" * 40 + "algo | pipe || `tick` &lt;i&gt; \\ //comment /*",
)
_KINDS = ("payment-pending", "inventory-short", "payment-denied", "restricted-without-approval")
_TOOLS = ("request_payment_update", "order_inventory", "request_payment_update", "request_approval")
# What becomes of one order after another.
_ENDS: tuple[tuple[OutcomeStatus, VerificationStatus | None], ...] = (
    (OutcomeStatus.APPLIED, VerificationStatus.WAITING_ON_OTHER),
    (OutcomeStatus.APPLIED, VerificationStatus.RESOLVED),
    (OutcomeStatus.APPLIED, VerificationStatus.WAITING_ON_OTHER),
    (OutcomeStatus.APPLIED, VerificationStatus.RESOLVED),
    (OutcomeStatus.REJECTED, None),
    (OutcomeStatus.UNDONE, VerificationStatus.STILL_OPEN),
    (OutcomeStatus.APPLIED, VerificationStatus.RESOLVED),
    (OutcomeStatus.STALE, None),
    (OutcomeStatus.NOT_APPROVED, None),
    (OutcomeStatus.UNKNOWN, None),
)


def customers(*, hostile: bool) -> list[str]:
    """Who orders, one after another."""
    return [*SCRIPTS.values(), *HOSTILE] if hostile else ["Harry James Potter", "Hermione Jean Granger", "Ron Weasley"]


def order_id(number: int) -> str:
    """The id of an order."""
    return f"ORD-{number:03}-HJP"


def a_plan(orders: int, *, hostile: bool = True) -> Plan:
    """A plan with an action for each order but every eleventh to thirteenth, which have none."""
    actions = [_action(number, hostile=hostile) for number in range(1, orders + 1) if number % 13 not in {11, 12, 0}]
    return seal(
        Plan(
            actions=tuple(actions),
            overall_confidence_score=0.8,
            additional_notes="Two suppliers are closed until Monday.",
            suppressed=tuple(
                SuppressedFinding(
                    finding=_finding(number, hostile=hostile),
                    reason="rejected by Minerva (claimed) on 2026-02-27; kept back until 2026-03-29",
                )
                for number in range(1, orders + 1)
                if number % 13 == 11
            ),
            blocked=tuple(
                BlockedProposal(
                    record_id=order_id(number),
                    tool="order_inventory",
                    arguments={"quantity": 10**6, "inventory_to_order": f"STP-{number:03}"},
                    reason="argument 'quantity' must be a whole number from 113 to 553; got 1000000",
                )
                for number in range(1, orders + 1)
                if number % 13 == 12
            ),
            for_person=tuple(
                ForPerson(
                    record_id=order_id(number),
                    kind="totals-mismatch",
                    fingerprint=f"f{number}",
                    reason="lines, tax and total do not add up; no tool repairs that",
                )
                for number in range(1, orders + 1)
                if number % 13 == 0
            ),
        ),
        cycle_id="c1",
    )


def ended_repair(orders: int, *, hostile: bool = True) -> RepairResult:
    """A repair that came to its end."""
    plan = a_plan(orders, hostile=hostile)
    outcomes = tuple(_outcome(action, place) for place, action in enumerate(plan.actions))
    decided = Decision(
        plan_digest=plan.digest,
        verdicts={
            action.id: Verdict.REJECT if outcome.status is OutcomeStatus.REJECTED else Verdict.APPROVE
            for action, outcome in zip(plan.actions, outcomes, strict=True)
            if outcome.status is not OutcomeStatus.NOT_APPROVED
        },
        by=Person(name="Minerva McGonagall", how=IdentityProof.OS_USER),
        door="cli",
        comment="The badges are for S.P.E.W.; go ahead.",
    )
    heads = _heads(orders, hostile=hostile)
    result = RepairResult(
        repair_id="repair-Minerva-8329a845-39fc-4d75-a766-a8c05a415c56",
        cycle_id="b8bf351f-e5f1-484b-887b-2e57f3a43f73",
        user="Minerva McGonagall",
        domain="orders",
        store=StoreInfo(store_id="32be82b8-6b9d-4761-a2b6-bd7e752ca494", place="/srv/orders", counterparty="simulated"),
        phase=Phase.REPORT_COMPLETED,
        started_at=STARTED,
        ended_at=STARTED + timedelta(minutes=42, seconds=7),
        durations={str(phase): timedelta(milliseconds=413) for phase in list(Phase)[:9]},
        today=STARTED,
        detection=Detection(confidence_score=0.97, suspects=orders, scanned=2 * orders, notes=""),
        findings=tuple(_finding(number, hostile=hostile) for number in range(1, orders + 1) if number % 13 != 11),
        heads=heads,
        plans=(plan,),
        decisions=(record(plan, decided, STARTED + timedelta(minutes=40)),),
        outcomes=outcomes,
        verification=_verification(plan, outcomes),
    )
    result = result.model_copy(update={"counts": count(result)})
    return result.model_copy(update={"report": build_report(result)})


def waiting_repair(orders: int, *, hostile: bool = True) -> RepairView:
    """A repair whose plan waits for a decision, with all of its plan."""
    plan = a_plan(orders, hostile=hostile)
    findings = {f"f{number}": _finding(number, hostile=hostile) for number in range(1, orders + 1)}
    heads = {head.record_id: head for head in _heads(orders, hostile=hostile)}
    return RepairView(
        repair_id="repair-Minerva-8329a845-39fc-4d75-a766-a8c05a415c56",
        phase=Phase.PENDING_APPROVAL,
        requested_by=Person(name="Minerva McGonagall", how=IdentityProof.OS_USER),
        domain="orders",
        store_id="32be82b8-6b9d-4761-a2b6-bd7e752ca494",
        started_at=STARTED,
        phase_since=STARTED + timedelta(seconds=2),
        detection=Detection(confidence_score=0.97, suspects=orders, scanned=2 * orders, notes=""),
        problems=orders,
        plan=view_plan(plan, size=10 * orders, heads=heads, findings=findings),
        decide_by=STARTED + timedelta(hours=12),
    )


def _name(number: int, *, hostile: bool) -> str:
    names = customers(hostile=hostile)
    return names[(number - 1) % len(names)]


def _heads(orders: int, *, hostile: bool) -> tuple[RecordHead, ...]:
    return tuple(
        RecordHead(record_id=order_id(number), title=_name(number, hostile=hostile), status="pending-payment")
        for number in range(1, orders + 1)
    )


def _finding(number: int, *, hostile: bool) -> Finding:
    return Finding(
        record_id=order_id(number),
        kind=_KINDS[number % 4],
        issue=f"The payment of {number}.52 by {_name(number, hostile=hostile)} has not come in.",
        fingerprint=f"f{number}",
    )


def _action(number: int, *, hostile: bool) -> ProposedAction:
    tool, name = _TOOLS[number % 4], _name(number, hostile=hostile)
    limits: dict[str, Limit] = {"quantity": Between(minimum=113, maximum=553)}
    arguments: dict[str, JsonValue] = {"order_id": order_id(number), "customer_name": name, "quantity": 200}
    if tool == "request_approval":
        arguments["approval_request_contents"] = f"Please approve order {order_id(number)} of {name}: 1 x Dragon Egg."
        limits["approval_request_contents"] = Sentence()
    bound = BoundAction(
        cycle_id="c1",
        round=1,
        domain="orders",
        store_id="s1",
        tool=tool,
        record_id=order_id(number),
        arguments=arguments,
        reads={},
        editable=limits,
        risk=Risk.MEDIUM if tool == "order_inventory" else Risk.LOW,
        spends=Decimal("170.00") if tool == "order_inventory" else Decimal(0),
        if_it_does_not_help=Fallback.UNDO if tool == "order_inventory" else Fallback.HAND_OVER,
    ).to_text()
    return ProposedAction(
        id=f"a{number}",
        text=bound,
        digest=f"{number:064x}",
        preview=(
            Change(record=f"orders/{order_id(number)}", field="status", before="pending-payment", after="on-hold"),
            Change(
                record=f"inventory/STP-{number:03}", field="current_stock", before="247", after="447 when delivered"
            ),
        ),
        confidence_score=0.95 - number % 5 / 20,
        rationale="The order cannot go on before the customer sees to the payment.",
        answers=(f"f{number}",),
    )


def _outcome(action: ProposedAction, place: int) -> ActionOutcome:
    status = _ENDS[place % len(_ENDS)][0]
    bound = action.bound
    done = status.took_effect
    return ActionOutcome(
        action_id=action.id,
        record_id=bound.record_id,
        tool=bound.tool,
        status=status,
        arguments=bound.arguments,
        before={"status": "pending-payment", "current_stock": 247} if done else {},
        after={"status": "payment_update_requested", "current_stock": 147} if done else {},
        evidence=(f"asked customer of {bound.record_id} to see to the payment; the customer acknowledged the message",),
        simulated=done,
        digest=action.digest,
    )


def _verification(plan: Plan, outcomes: tuple[ActionOutcome, ...]) -> Verification:
    seen: list[VerifiedFinding] = []
    for place, (action, outcome) in enumerate(zip(plan.actions, outcomes, strict=True)):
        status = _ENDS[place % len(_ENDS)][1]
        if status is not None:
            evidence = "the customer has been asked and has not paid yet"
            [fingerprint] = action.answers
            seen.append(
                VerifiedFinding(
                    fingerprint=fingerprint,
                    record_id=outcome.record_id,
                    kind=_KINDS[int(fingerprint[1:]) % 4],
                    action_id=action.id,
                    status=status,
                    evidence=evidence,
                )
            )
    heads = tuple(RecordHead(record_id=item.record_id, title="", status="payment_update_requested") for item in seen)
    return Verification(findings=tuple(seen), heads=heads)
