"""The phases of a repair: every open one can reach an end, and nothing follows an end (D21)."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daper.core.errors import DaperError
from daper.core.messages import RepairRequest
from daper.core.models import IdentityProof, Person
from daper.core.phases import ImpossibleStep, Phase, may_follow
from daper.workflows.state import CycleState

ENDS = {
    Phase.REPORT_COMPLETED,
    Phase.NO_REPAIR_NEEDED,
    Phase.PLAN_ONLY,
    Phase.REJECTED,
    Phase.APPROVAL_EXPIRED,
    Phase.REPAIR_FAILED,
    Phase.CANCELLED,
}
OPEN = [phase for phase in Phase if phase not in ENDS]
WHOLE = [
    Phase.INITIALIZING,
    Phase.DETECTING_PROBLEMS,
    Phase.ANALYZING_PROBLEMS,
    Phase.PLANNING_REPAIR,
    Phase.PENDING_APPROVAL,
    Phase.APPROVED,
    Phase.PENDING_REPAIR,
    Phase.VERIFYING_REPAIR,
    Phase.PENDING_REPORT,
    Phase.REPORT_COMPLETED,
]


def after(phase: Phase) -> list[Phase]:
    return [then for then in Phase if may_follow(phase, then)]


def reachable(start: Phase) -> set[Phase]:
    seen, waiting = {start}, [start]
    while waiting:
        new = set(after(waiting.pop())) - seen
        seen |= new
        waiting += new
    return seen


def test_s8_the_names_that_are_shown_are_those_of_the_cycle() -> None:
    assert [str(phase) for phase in Phase] == [
        "INITIALIZING",
        "DETECTING-PROBLEMS",
        "ANALYZING-PROBLEMS",
        "PLANNING-REPAIR",
        "PENDING-APPROVAL",
        "APPROVED",
        "PENDING-REPAIR",
        "VERIFYING-REPAIR",
        "PENDING-REPORT",
        "REPORT-COMPLETED",
        "NO-REPAIR-NEEDED",
        "PLAN-ONLY",
        "REJECTED",
        "APPROVAL-EXPIRED",
        "REPAIR-FAILED",
        "CANCELLED",
    ]


def test_d21_the_ends_are_these_and_no_others() -> None:
    assert {phase for phase in Phase if phase.ended} == ENDS


@pytest.mark.parametrize("phase", sorted(ENDS))
def test_d21_nothing_follows_an_end(phase: Phase) -> None:
    assert after(phase) == []


@pytest.mark.parametrize("phase", OPEN)
def test_d21_from_every_open_phase_every_end_can_be_reached(phase: Phase) -> None:
    assert reachable(phase) >= ENDS


@pytest.mark.parametrize("phase", [phase for phase in OPEN if phase is not Phase.PENDING_REPORT])
def test_d21_every_open_phase_ends_by_way_of_its_report_alone(phase: Phase) -> None:
    assert may_follow(phase, Phase.PENDING_REPORT)
    assert not ENDS & set(after(phase))


def test_every_phase_can_be_reached_from_the_first() -> None:
    assert reachable(Phase.INITIALIZING) == set(Phase)


def test_a_whole_repair_passes_through_the_phases_in_this_order() -> None:
    assert all(may_follow(now, then) for now, then in pairwise(WHOLE))


def test_an_event_that_names_its_records_skips_detection() -> None:
    assert may_follow(Phase.INITIALIZING, Phase.ANALYZING_PROBLEMS)


def test_an_approval_that_lapsed_is_asked_for_again() -> None:
    assert may_follow(Phase.PENDING_REPAIR, Phase.ANALYZING_PROBLEMS)


@pytest.mark.parametrize("phase", [phase for phase in OPEN if phase is not Phase.PENDING_APPROVAL])
def test_s1_nothing_is_approved_but_what_waited_for_approval(phase: Phase) -> None:
    assert not may_follow(phase, Phase.APPROVED)


# What is verified was repaired before: then it goes on with what was approved together with that.
@pytest.mark.parametrize("phase", [phase for phase in OPEN if phase not in {Phase.APPROVED, Phase.VERIFYING_REPAIR}])
def test_s1_nothing_is_repaired_but_what_was_approved(phase: Phase) -> None:
    assert not may_follow(phase, Phase.PENDING_REPAIR)


@pytest.mark.parametrize("phase", [phase for phase in OPEN if phase is not Phase.PENDING_REPAIR])
def test_s1_nothing_is_verified_but_what_was_repaired(phase: Phase) -> None:
    assert not may_follow(phase, Phase.VERIFYING_REPAIR)


@given(st.data())
def test_d21_no_walk_through_the_phases_gets_stuck_before_an_end(data: st.DataObject) -> None:
    phase = Phase.INITIALIZING
    for _ in range(30):
        if phase.ended:
            return
        phase = data.draw(st.sampled_from(after(phase)))
    assert may_follow(phase, Phase.PENDING_REPORT) or phase in {Phase.PENDING_REPORT, *ENDS}


NOW = datetime(2026, 3, 1, tzinfo=UTC)


def a_cycle() -> CycleState:
    request = RepairRequest(
        requested_by=Person(name="Harry", how=IdentityProof.CLAIMED), domain="orders", store_id="s", activity_queue="q"
    )
    return CycleState(request=request, repair_id="r", cycle_id="c", started_at=NOW, phase_since=NOW)


def test_a_cycle_goes_through_its_phases_and_keeps_them() -> None:
    cycle = a_cycle()

    for phase in WHOLE:
        cycle.enter(phase, NOW)

    assert [phase for phase, _ in cycle.phases] == WHOLE


@pytest.mark.parametrize(
    ("before", "then"),
    [
        ([], Phase.PENDING_REPAIR),
        (WHOLE[:1], Phase.INITIALIZING),
        (WHOLE[:5], Phase.PENDING_REPAIR),
        (WHOLE[:9], Phase.APPROVED),
        (WHOLE, Phase.PENDING_REPORT),
    ],
)
def test_a_step_that_cannot_be_is_a_bug_and_changes_nothing(before: list[Phase], then: Phase) -> None:
    """It is no DaperError, which would end the repair as failed: the workflow waits for better code."""
    cycle = a_cycle()
    for phase in before:
        cycle.enter(phase, NOW)

    with pytest.raises(ImpossibleStep, match=f"cannot go on to {then}: this is a bug of daper") as error:
        cycle.enter(then, NOW)

    assert not isinstance(error.value, DaperError)
    assert [phase for phase, _ in cycle.phases] == before
