"""What Temporal answers, in our words."""

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from daper.core.errors import DaperError, DecisionRefused, NotFound, Unreachable
from daper.service.rpc_errors import Over, temporal_errors


@pytest.mark.parametrize(
    ("status", "said", "ours"),
    [
        (RPCStatusCode.NOT_FOUND, "workflow not found for ID: repair-Harry-1", NotFound),
        (RPCStatusCode.NOT_FOUND, "workflow execution already completed", Over),
        (RPCStatusCode.NOT_FOUND, "workflow update was aborted by closing workflow", Over),
        (RPCStatusCode.INVALID_ARGUMENT, "Length of WorkflowId exceeds the limit.", NotFound),
        (RPCStatusCode.INVALID_ARGUMENT, "exceeded workflow execution limit for signal events", Unreachable),
        (RPCStatusCode.UNAVAILABLE, "connection refused", Unreachable),
    ],
)
def test_a_decision_that_the_end_overtakes_is_too_late_and_not_for_nobody(
    status: RPCStatusCode, said: str, ours: type[DaperError]
) -> None:
    with pytest.raises(DaperError) as raised, temporal_errors("repair-Harry-1", queue="q"):
        raise RPCError(said, status, b"")
    assert type(raised.value) is ours


def refused(cause: ApplicationError) -> None:
    with temporal_errors("repair-1", queue="q", asks_worker=True):
        raise WorkflowUpdateFailedError(cause)


def test_a_decision_that_came_with_the_end_of_the_repair_finds_it_over() -> None:
    """In the server's words the worker supports no such update, which would send a person looking for the worker."""
    words = "Workflow Update is rejected because it wasn't processed by worker. Probably, ... not supported"

    with pytest.raises(Over, match="repair 'repair-1' is over"):
        refused(ApplicationError(words, type="UnprocessedUpdate"))


def test_a_refusal_of_the_workflow_is_told_in_its_own_words() -> None:
    with pytest.raises(DecisionRefused, match="already decided by Minerva"):
        refused(ApplicationError("already decided by Minerva", type="DecisionRefused"))
