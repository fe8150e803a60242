"""What a report counts, and what it leaves to a person."""

from datetime import UTC, datetime

import pytest

from daper.core.digests import digest
from daper.core.models import BoundAction, Fallback, Plan, ProposedAction, Risk
from daper.core.outcomes import ActionOutcome, OutcomeStatus, RepairResult, Verification, VerificationStatus
from daper.core.outcomes import VerifiedFinding as Verified
from daper.core.phases import Phase
from daper.core.report import count, left_for_person, summarize

NOON = datetime(2025, 6, 28, 12, tzinfo=UTC)


def action(name: str, *, answers: str, tool: str = "order_inventory") -> ProposedAction:
    text = BoundAction(
        cycle_id="c",
        round=1,
        domain="orders",
        store_id="s",
        tool=tool,
        record_id="ORD-2",
        arguments={"name": name},
        reads={},
        editable={},
        risk=Risk.LOW,
        if_it_does_not_help=Fallback.UNDO,
    ).to_text()
    return ProposedAction(id=name, text=text, digest=digest(text), answers=(answers,))


def outcome(name: str, status: OutcomeStatus) -> ActionOutcome:
    return ActionOutcome(action_id=name, record_id="ORD-2", tool="order_inventory", status=status)


def result(phase: Phase, plans: list[Plan], outcomes: list[ActionOutcome], **more: object) -> RepairResult:
    return RepairResult.model_validate(
        {
            "repair_id": "r",
            "cycle_id": "c",
            "user": "Harry",
            "domain": "orders",
            "phase": phase,
            "started_at": NOON,
            "ended_at": NOON,
            "plans": tuple(plans),
            "outcomes": tuple(outcomes),
            **more,
        }
    )


def test_what_lapsed_and_was_asked_again_is_not_left_to_anybody() -> None:
    plans = [Plan(actions=(action("a1", answers="f1"),)), Plan(round=2, actions=(action("a2", answers="f1"),))]
    ended = result(
        Phase.REPORT_COMPLETED, plans, [outcome("a1", OutcomeStatus.LAPSED), outcome("a2", OutcomeStatus.APPLIED)]
    )
    assert not [line for line in left_for_person(ended) if "begin in time" in line]
    assert count(ended).by_status == {"applied": 1}


def test_what_lapsed_for_good_is_left_to_a_person_whatever_stood_beside_it_in_its_plan() -> None:
    plans = [Plan(actions=(action("a1", answers="f1"), action("a2", answers="f2")))]
    ended = result(
        Phase.REPORT_COMPLETED, plans, [outcome("a1", OutcomeStatus.LAPSED), outcome("a2", OutcomeStatus.SKIPPED)]
    )
    assert [line for line in left_for_person(ended) if "begin in time" in line]
    assert count(ended).by_status == {"lapsed": 1, "skipped": 1}


def test_two_actions_that_answer_one_problem_repair_one_problem() -> None:
    verified = [
        Verified(
            fingerprint="f1",
            record_id="ORD-2",
            kind="short",
            action_id=name,
            status=VerificationStatus.RESOLVED,
            evidence="there",
        )
        for name in ("a1", "a2")
    ]
    ended = result(
        Phase.REPORT_COMPLETED,
        [Plan(actions=(action("a1", answers="f1"), action("a2", answers="f1")))],
        [outcome("a1", OutcomeStatus.APPLIED), outcome("a2", OutcomeStatus.APPLIED)],
        verification=Verification(findings=tuple(verified)),
    )
    assert count(ended).repaired == 1


def test_a_summary_never_says_that_nothing_was_done_when_something_was() -> None:
    plans = [Plan(actions=(action("a1", answers="f1"),))]
    for phase in (Phase.REJECTED, Phase.CANCELLED, Phase.APPROVAL_EXPIRED, Phase.REPAIR_FAILED):
        for status in (OutcomeStatus.APPLIED, OutcomeStatus.UNKNOWN):
            assert "nothing was done" not in summarize(result(phase, plans, [outcome("a1", status)])).lower()
        assert "nothing was done" in summarize(result(phase, plans, [outcome("a1", OutcomeStatus.REJECTED)])).lower()


@pytest.mark.parametrize("reason", ["the store is damaged", "the store is damaged.", "is it the store?"])
def test_the_reason_in_a_summary_is_a_sentence_of_its_own(reason: str) -> None:
    for phase in (Phase.REPAIR_FAILED, Phase.CANCELLED):
        ended = result(phase, [], []).model_copy(update={"reason": reason})
        sentence = reason if reason.endswith("?") else "the store is damaged."
        assert f": {sentence} 0 problems found" in summarize(ended)


def test_what_could_not_be_written_down_calls_a_person() -> None:
    ended = result(Phase.NO_REPAIR_NEEDED, [], [], troubles=("the memory could not be updated",))
    assert left_for_person(ended) == ("the memory could not be updated",)
