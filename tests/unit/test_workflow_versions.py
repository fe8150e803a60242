"""What makes a plan on a workflow stale, and what goes on by itself and does not."""

from typing import Any

import pytest
from temporalio.api.common.v1 import ActivityType, WorkflowExecution
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure
from temporalio.api.workflow.v1 import PendingActivityInfo, WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

from daper.domains.temporal.answers import described

FAILED = Failure(message="no owl", application_failure_info=ApplicationFailureInfo(type="OwleryClosed"))
WAITS = PendingActivityInfo(
    activity_id="owl",
    activity_type=ActivityType(name="book_owl"),
    state=PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED,
    attempt=3,
    last_failure=FAILED,
)


# Any: fields of the message.
def version(run: str = "r1", history: int = 20, **changes: Any) -> str:
    """Of a workflow with one activity that waits for its third attempt, but for these changes."""
    activity = PendingActivityInfo()
    activity.CopyFrom(WAITS)
    if changes.get("state"):
        activity.ClearField("last_failure")
    activity.MergeFrom(PendingActivityInfo(**changes))
    info = WorkflowExecutionInfo(execution=WorkflowExecution(workflow_id="w", run_id=run), history_length=history)
    return described(
        DescribeWorkflowExecutionResponse(workflow_execution_info=info, pending_activities=[activity])
    ).version


@pytest.mark.parametrize(
    "changes",
    [
        {"attempt": 4},
        {"history": 30},
        # While the first attempt runs after a pause, the server says nothing of how the last one failed.
        {"state": PendingActivityState.PENDING_ACTIVITY_STATE_STARTED},
        {"last_failure": Failure(message="no owl, again", application_failure_info=FAILED.application_failure_info)},
    ],
    ids=["attempt", "events", "an attempt runs", "words"],
)
def test_what_goes_on_by_itself_makes_no_plan_stale(changes: dict[str, Any]) -> None:
    assert version(**changes) == version()


@pytest.mark.parametrize(
    "changes", [{"run": "r2"}, {"paused": True}, {"activity_id": "broom"}], ids=lambda changes: next(iter(changes))
)
def test_what_a_person_or_the_code_did_makes_it_stale(changes: dict[str, Any]) -> None:
    assert version(**changes) != version()
