"""What a proactive agent makes of nudges, ends and failures, and when its next cycle is due."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from daper.clock import utc_now
from daper.core.ids import agent_id
from daper.core.messages import Nudge
from daper.core.models import Person
from daper.core.phases import Phase
from daper.core.proactive import KEPT_CYCLES, Carried, CycleEnd, ProactiveRequest
from daper.workflows.agent import AgentState
from daper.workflows.options import FIRST_PAUSE, backoff

NOW = utc_now()
DAY = timedelta(days=1)
EXPECTED = {Phase.REPAIR_FAILED: FIRST_PAUSE}


def request(**fields: object) -> ProactiveRequest:
    given = {"requested_by": Person(name="Harry"), "domain": "orders", "store_id": "s", "activity_queue": "q"}
    return ProactiveRequest.model_validate(given | fields)


def state(**fields: object) -> AgentState:
    return AgentState(request=request(**fields), agent_id="a", known=Carried(started_at=NOW, next_cycle_at=NOW))


def ended(phase: Phase, *, at: datetime = NOW, repair_id: str = "r", nudges: int = 0) -> CycleEnd:
    return CycleEnd(repair_id=repair_id, phase=phase, started_at=at, ended_at=at, nudges=nudges)


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase.ended])
def test_only_a_cycle_that_could_not_go_on_is_tried_again_before_the_interval(phase: Phase) -> None:
    agent = state()
    agent.begin()
    agent.end(ended(phase), NOW)
    assert agent.known.next_cycle_at == NOW + EXPECTED.get(phase, DAY)
    assert agent.known.failures_in_a_row == (phase in EXPECTED)


def test_pauses_between_tries_grow_up_to_the_interval() -> None:
    minutes = [backoff(failures, interval=DAY) / timedelta(minutes=1) for failures in range(7)]
    assert minutes == [1440, 5, 20, 80, 320, 1280, 1440]
    assert backoff(10_000, interval=timedelta(days=366)) == timedelta(days=366)


@given(st.integers(0, 10_000), st.integers(1, 366 * 24 * 3600))
def test_no_pause_is_longer_than_the_interval_nor_shorter_after_more_failures(failures: int, seconds: int) -> None:
    interval = timedelta(seconds=seconds)
    assert timedelta() < backoff(failures, interval=interval) <= interval
    if failures:
        assert backoff(failures, interval=interval) <= backoff(failures + 1, interval=interval)


def test_one_end_that_is_no_failure_ends_the_series() -> None:
    agent = state()
    for phase in (Phase.REPAIR_FAILED, Phase.REPAIR_FAILED, Phase.APPROVAL_EXPIRED):
        agent.begin()
        agent.end(ended(phase), NOW)
    assert agent.known.failures_in_a_row == 0


@given(st.lists(st.sampled_from(["nudge", "cycle", "carry on"]), max_size=60))
def test_each_nudge_is_answered_by_exactly_one_cycle_or_waits(steps: list[str]) -> None:
    """Whatever comes in which order, also across a workflow that continues as new."""
    agent, sent, answered = state(), 0, 0
    for step in steps:
        if step == "nudge":
            agent.nudge(Nudge(by="Ginny"))
            sent += 1
        elif step == "cycle":
            agent.begin()
            answered += agent.answering
            agent.end(ended(Phase.NO_REPAIR_NEEDED), NOW)
        else:
            carried = agent.to_carry_on()
            assert carried.carried is not None
            agent = AgentState(request=carried, agent_id="a", known=carried.carried)
        assert answered + agent.nudges_waiting == sent == agent.view().nudges


def test_the_last_cycles_are_kept_the_newest_first() -> None:
    agent = state()
    for number in range(KEPT_CYCLES + 3):
        agent.begin()
        agent.end(ended(Phase.REJECTED, repair_id=f"r{number}"), NOW)
    kept = [each.repair_id for each in agent.view().results]
    assert kept == [f"r{number}" for number in range(KEPT_CYCLES + 2, 2, -1)]
    assert agent.view().cycles == KEPT_CYCLES + 3


def test_what_people_say_is_kept_at_bounded_length() -> None:
    agent = state()
    agent.nudge(Nudge(by="x" * 100_000, reason="y" * 100_000))
    agent.stop(Nudge(by="x" * 100_000, reason="y" * 100_000))
    agent.begin()
    assert len(agent.answering_asked) < 1000
    assert len(agent.stopping) < 1000


def test_the_first_who_stops_it_counts() -> None:
    agent = state()
    agent.stop(Nudge(by="Ginny", reason="enough"))
    agent.stop(Nudge())
    assert agent.stopping == "stopped by Ginny: enough"


@pytest.mark.parametrize(
    ("user", "domain", "expected"),
    [
        ("Harry", "orders", "always-be-repairin-for-Harry"),
        ("Harry", "alerts", "always-be-repairin-for-Harry-alerts"),
        ("Harry Potter <h@x>", "orders", "always-be-repairin-for-Harry-Potter-h-x"),
        ("unnamed", "orders", "always-be-repairin-for-unnamed"),
    ],
)
def test_an_agent_has_the_id_of_its_user_and_domain(user: str, domain: str, expected: str) -> None:
    assert agent_id(user, domain) == expected


def test_users_whose_names_have_no_letter_that_an_id_may_have_get_agents_of_their_own() -> None:
    ids = {agent_id(user, "orders") for user in ("Гарри", "Гермиона", "哈利", "unnamed")}
    assert len(ids) == 4


@pytest.mark.parametrize("field", ["interval", "approval_timeout"])
@pytest.mark.parametrize("span", [timedelta(), timedelta(milliseconds=1), timedelta(days=367), -DAY])
def test_a_span_that_would_spin_or_leave_the_calendar_is_refused(field: str, span: timedelta) -> None:
    with pytest.raises(ValidationError):
        request(**{field: span})
