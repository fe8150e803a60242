"""What the errors of Temporal are turned into."""

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from daper.core.errors import DecisionRefused
from daper.service.translate import RepairOver, temporal_errors


def refused(cause: ApplicationError) -> None:
    with temporal_errors("repair-1", queue="q", asks_worker=True):
        raise WorkflowUpdateFailedError(cause)


def test_a_decision_that_came_with_the_end_of_the_repair_finds_it_over() -> None:
    """In the server's words the worker supports no such update, which would send a person looking for the worker."""
    words = "Workflow Update is rejected because it wasn't processed by worker. Probably, ... not supported"

    with pytest.raises(RepairOver, match="repair 'repair-1' is over"):
        refused(ApplicationError(words, type="UnprocessedUpdate"))


@pytest.mark.parametrize(
    "words", ["workflow execution already completed", "workflow update was aborted by closing workflow"]
)
def test_a_repair_that_has_ended_is_not_taken_for_one_that_never_was(words: str) -> None:
    with pytest.raises(RepairOver), temporal_errors("repair-1", queue="q", asks_worker=True):
        raise RPCError(words, RPCStatusCode.NOT_FOUND, b"")


def test_a_refusal_of_the_workflow_is_told_in_its_own_words() -> None:
    with pytest.raises(DecisionRefused, match="already decided by Minerva"):
        refused(ApplicationError("already decided by Minerva", type="DecisionRefused"))
