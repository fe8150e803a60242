"""Temporal's errors, turned into ours."""

from collections.abc import Generator
from contextlib import contextmanager

from temporalio.client import (
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from daper.core.errors import DaperError, DecisionRefused, NotFound, Unreachable

_NO_ANSWER = {RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED, RPCStatusCode.FAILED_PRECONDITION}
# The type that the server gives to an update on which the workflow's last task did not answer.
_CAME_WITH_THE_END = "UnprocessedUpdate"
# What the server says, not found, of a workflow that has ended, and of an update that its end cut off.
_OVER = ("already completed", "aborted by closing workflow")


class RepairOver(DaperError):
    """The repair has ended, so its workflow takes no decision any more."""


def no_worker(queue: str) -> Unreachable:
    """What to say when nobody works on a queue."""
    return Unreachable(f"no worker answered on queue {queue!r}; start one: daper up, or daper worker")


@contextmanager
def temporal_errors(repair_id: str, *, queue: str, asks_worker: bool = False) -> Generator[None]:
    """Raises NotFound, DecisionRefused, RepairOver or Unreachable instead of the SDK's errors.

    `asks_worker`: the call needs a worker, so that no answer means no worker.
    """
    try:
        yield
    except WorkflowUpdateFailedError as error:
        cause = error.cause
        if isinstance(cause, ApplicationError) and cause.type == _CAME_WITH_THE_END:
            raise RepairOver(f"repair {repair_id!r} is over") from error
        text = cause.message if isinstance(cause, ApplicationError) else str(cause)
        raise DecisionRefused(text) from error
    except WorkflowQueryFailedError as error:
        raise Unreachable(f"repair {repair_id!r} could not be looked at: {error}") from error
    except WorkflowUpdateRPCTimeoutOrCancelledError as error:
        raise no_worker(queue) from error
    except RPCError as error:
        raise _translated(error, repair_id, queue=queue, asks_worker=asks_worker) from error


def _translated(error: RPCError, repair_id: str, *, queue: str, asks_worker: bool) -> DaperError:
    if error.status is RPCStatusCode.NOT_FOUND:
        if any(words in error.message for words in _OVER):
            return RepairOver(f"repair {repair_id!r} is over")
        return NotFound(f"there is no repair {repair_id!r}; see: daper repair list")
    if asks_worker and error.status in _NO_ANSWER:
        return no_worker(queue)
    if error.status is RPCStatusCode.INVALID_ARGUMENT:
        return NotFound(f"{repair_id[:80]!r} cannot be the id of a repair; see: daper repair list")
    return Unreachable(f"Temporal does not answer ({error.status.name.lower()}: {error.message}); see: daper doctor")
