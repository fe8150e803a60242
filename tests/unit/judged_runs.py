"""Small repairs as an evaluation sees them: three records, what was found and done, and how they were left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pydantic import JsonValue

from daper.core.cases import Case, CaseSet, CaseSort, ExpectedAction
from daper.core.models import BlockedProposal, BoundAction, Fallback, Finding, ForPerson, Plan, ProposedAction, Risk
from daper.core.outcomes import (
    ActionOutcome,
    OutcomeStatus,
    RepairResult,
    Verification,
    VerificationStatus,
    VerifiedFinding,
)
from daper.core.phases import Phase
from daper.core.usage import Role, Spent, Usage
from daper.evaluation.observation import RecordState, Run

STARTED = datetime(2026, 3, 2, 9, tzinfo=UTC)
MODEL = "some/model"
BEFORE = {"SHORT": "waiting", "FINE": "processing", "ODD": "processing"}
RIGHT_END = BEFORE | {"SHORT": "completed"}
CASES = CaseSet(
    name="small",
    seed=1,
    per_kind=1,
    cases=(
        Case(
            record_id="SHORT",
            kind="stock-short",
            sort=CaseSort.FAULT,
            why="It is short.",
            problems=("short",),
            actions=(ExpectedAction(tool="order", arguments={"item": "I-1"}, between={"quantity": (1, 9)}),),
            end_status="completed",
        ),
        Case(record_id="FINE", kind="in-progress", sort=CaseSort.CLEAN, why="It is fine.", end_status="processing"),
        Case(
            record_id="ODD",
            kind="cancelled-by-word",
            sort=CaseSort.UNKNOWABLE,
            why="Only a note tells.",
            problems=("other",),
            tolerated=("unpaid",),
            calls_person=True,
            end_status="processing",
        ),
    ),
)
QUANTITY: dict[str, JsonValue] = {"item": "I-1", "quantity": 7}


def finding(record_id: str, kind: str, *, found_by: str = "rules", seconded_by: tuple[str, ...] = ()) -> Finding:
    """Something found."""
    return Finding(
        record_id=record_id,
        kind=kind,
        issue=kind,
        found_by=found_by,
        seconded_by=seconded_by,
        fingerprint=f"{record_id}/{kind}",
    )


def action(
    record_id: str = "SHORT",
    tool: str = "order",
    arguments: Mapping[str, JsonValue] = QUANTITY,
    *,
    action_id: str = "a1",
    by: str = "rules",
    seconded_by: tuple[str, ...] = (),
    instead_of: str = "",
) -> ProposedAction:
    """Something proposed."""
    text = BoundAction(
        cycle_id="c",
        round=1,
        domain="shop",
        store_id="s",
        tool=tool,
        record_id=record_id,
        arguments=dict(arguments),
        reads={},
        editable={},
        risk=Risk.LOW,
        if_it_does_not_help=Fallback.HAND_OVER,
    ).to_text()
    return ProposedAction(
        id=action_id, text=text, digest=text, proposed_by=by, seconded_by=seconded_by, instead_of=instead_of
    )


def outcome(of: ProposedAction, status: OutcomeStatus = OutcomeStatus.APPLIED) -> ActionOutcome:
    """What became of it."""
    bound = of.bound
    return ActionOutcome(
        action_id=of.id, record_id=bound.record_id, tool=bound.tool, status=status, arguments=bound.arguments
    )


@dataclass(kw_only=True)
class Story:
    """One run, right in all that rules can know unless it is told otherwise."""

    findings: Sequence[Finding] = (finding("SHORT", "short"),)
    actions: Sequence[ProposedAction] = (action(),)
    outcomes: Sequence[ActionOutcome] | None = None
    blocked: Sequence[BlockedProposal] = ()
    for_person: Sequence[str] = ()
    ended: Mapping[str, str] = field(default_factory=lambda: dict(RIGHT_END))
    touched: Sequence[str] = ("SHORT",)
    thinkers: Mapping[Role, str] = field(default_factory=dict[Role, str])
    spent: Mapping[str, Spent] = field(default_factory=dict[str, Spent])

    def run(self) -> Run:
        """The run."""
        plan = Plan(
            actions=tuple(self.actions),
            blocked=tuple(self.blocked),
            for_person=tuple(
                ForPerson(record_id=record, kind="other", fingerprint=record, reason="look")
                for record in self.for_person
            ),
        )
        outcomes = [outcome(each) for each in self.actions] if self.outcomes is None else self.outcomes
        result = RepairResult(
            repair_id="r",
            cycle_id="c",
            user="u",
            domain="shop",
            phase=Phase.REPORT_COMPLETED,
            started_at=STARTED,
            ended_at=STARTED + timedelta(seconds=2.5),
            findings=tuple(self.findings),
            plans=(plan,),
            outcomes=tuple(outcomes),
            thinkers=dict(self.thinkers),
            usage=Usage(total=_sum(self.spent), by_record=dict(self.spent)),
        )
        # A completed action is verified; without that the report would call a person.
        return Run(
            result=result.model_copy(update={"verification": _verified(result)}),
            before={record: RecordState(status=status, version="v1") for record, status in BEFORE.items()},
            after={
                record: RecordState(status=status, version="v2" if record in self.touched else "v1")
                for record, status in self.ended.items()
            },
        )


def _sum(spent: Mapping[str, Spent]) -> Spent:
    total = Spent()
    for each in spent.values():
        total = total.plus(each)
    return total


def _verified(result: RepairResult) -> Verification:
    return Verification(
        findings=tuple(
            VerifiedFinding(
                fingerprint=each.action_id,
                record_id=each.record_id,
                kind="short",
                action_id=each.action_id,
                status=VerificationStatus.RESOLVED,
                evidence="gone",
            )
            for each in result.outcomes
            if each.status.took_effect
        )
    )
