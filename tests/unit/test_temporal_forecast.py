"""What a reset does with what cannot be seen: children elsewhere, Nexus operations, tasks that leave no trace."""

from dataclasses import replace

from temporalio.api.history.v1 import HistoryEvent

from daper.domains.temporal.forecast import forecast
from daper.domains.temporal.history import RunHistory, Sort, Step
from daper.domains.temporal.history_reader import HistoryReader

ACTIVITY = Step(sort=Sort.ACTIVITY, name="pay", id="1", at=11, task=10, closed=13, outcome="failed")
CHILD = Step(sort=Sort.CHILD, name="Ship", id="ship-1", at=5, task=4)
NEXUS = Step(sort=Sort.NEXUS, name="bank.charge", id="", at=5, task=4)


def history(*steps: Step, ending: str = "Failed", failing: bool = False) -> RunHistory:
    culprit = ACTIVITY.at if ACTIVITY in steps else 0
    return RunHistory(
        workflow_id="w", run_id="r", tasks=(4, 10, 16), steps=steps, ending=ending, culprit=culprit, failing=failing
    )


def test_a_child_of_which_nobody_knows_whether_it_runs_is_left_to_a_person() -> None:
    assert "may still run" in forecast(history(CHILD, ACTIVITY)).obstacle


def test_a_child_whose_id_is_made_up_is_started_beside_the_one_that_may_run() -> None:
    made_up = replace(CHILD, id="6f3dbb38-2f2a-44c9-96df-2f3a6a0f9a4f")
    found = forecast(history(made_up, ACTIVITY))
    assert (found.obstacle, found.point, found.tried_again) == ("", 4, (made_up, ACTIVITY))
    assert found.beside == (made_up,)


def test_a_nexus_operation_under_way_is_said_to_be_unknown() -> None:
    [told] = forecast(history(NEXUS, ACTIVITY)).unknown
    assert "Nexus operations that were under way" in told


def test_of_a_task_that_fails_it_is_said_that_its_local_activities_leave_no_trace() -> None:
    found = forecast(history(ending="", failing=True))
    assert (found.point, len(found.unknown)) == (16, 1)
    assert "local activities" in found.unknown[0]


def test_without_a_completed_task_there_is_no_point() -> None:
    assert "ever completed" in forecast(RunHistory(workflow_id="w", run_id="r", ending="Failed")).obstacle


def test_events_that_only_a_newer_server_knows_are_gone_past_and_told() -> None:
    reader = HistoryReader("w", "r")
    reader.take(HistoryEvent(event_id=1, event_type=9999))  # pyright: ignore[reportArgumentType] - as a newer server says
    assert (reader.history().last_event, reader.history().steps) == (1, ())
    told = forecast(replace(history(ACTIVITY), strange=reader.history().strange)).unknown
    assert told == ("what becomes of events in its history that only a newer server knows",)
