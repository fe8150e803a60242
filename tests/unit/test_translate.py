"""What Temporal answers, in our words."""

import pytest
from temporalio.service import RPCError, RPCStatusCode

from daper.core.errors import DaperError, NotFound, Unreachable
from daper.service.translate import Over, temporal_errors


@pytest.mark.parametrize(
    ("status", "said", "ours"),
    [
        (RPCStatusCode.NOT_FOUND, "workflow not found for ID: repair-Harry-1", NotFound),
        (RPCStatusCode.NOT_FOUND, "workflow execution already completed", Over),
        (RPCStatusCode.NOT_FOUND, "workflow update was aborted by closing workflow", Over),
        (RPCStatusCode.INVALID_ARGUMENT, "Length of WorkflowId exceeds the limit.", NotFound),
        (RPCStatusCode.UNAVAILABLE, "connection refused", Unreachable),
    ],
)
def test_a_decision_that_the_end_overtakes_is_too_late_and_not_for_nobody(
    status: RPCStatusCode, said: str, ours: type[DaperError]
) -> None:
    with pytest.raises(DaperError) as raised, temporal_errors("repair-Harry-1", queue="q"):
        raise RPCError(said, status, b"")
    assert type(raised.value) is ours
