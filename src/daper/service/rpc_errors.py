"""Temporal's errors, turned into ours."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from temporalio.client import (
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from daper.core.commands import CommandLine, Said
from daper.core.errors import DaperError, DecisionRefused, NotFound, NoWorker, Stuck, Unreachable
from daper.core.ids import agent_command

# To a signal or an update that came too late, and to an update that the end overtook.
_CLOSED = ("already completed", "aborted by closing workflow")
# To more signals than one run may have: 10,000 by default.
_TOO_MUCH = "exceeded workflow execution limit"
_NO_ANSWER = {RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED, RPCStatusCode.FAILED_PRECONDITION}
# The type that the server gives to an update on which the workflow's last task did not answer.
_CAME_WITH_THE_END = "UnprocessedUpdate"
# In what a worker answers to a question about a history that its code does not lead to.
_OTHER_RELEASE = "[TMPRL1100]"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a message calls a workflow, and what it names as the way out where there is none by that id."""

    noun: str
    way_out: Said


_SEE_REPAIRS: Final = Said("see: ", CommandLine("repair", "list"))
REPAIR = Subject(noun="repair", way_out=_SEE_REPAIRS)
AGENT = Subject(noun="proactive agent", way_out=Said("start one: ", CommandLine("proactive", "start")))
"""Any of them; one of a known domain is that of `agent_of`."""
EVENTS = Subject(noun="event-driven agent", way_out=_SEE_REPAIRS)
SCHEDULE = Subject(noun="schedule", way_out=Said("see: ", CommandLine("schedule", "list")))


def agent_of(domain: str) -> Subject:
    """The proactive agent of a domain."""
    return Subject(noun=AGENT.noun, way_out=Said("start one: ", agent_command("start", domain)))


class Over(DaperError):
    """The repair or agent has ended, so its workflow takes nothing any more."""


def no_worker(queue: str) -> NoWorker:
    """What to say when nobody works on a queue."""
    start = ("; start one: ", CommandLine("up"), ", or ", CommandLine("worker"))
    return NoWorker(f"no worker answered on queue {queue!r}", *start)


@contextmanager
def temporal_errors(
    workflow_id: str, *, queue: str, asks_worker: bool = False, of: Subject = REPAIR
) -> Generator[None]:
    """Raises NotFound, DecisionRefused, Over or Unreachable instead of the SDK's errors.

    `asks_worker`: the call needs a worker, so that no answer means no worker.
    """
    try:
        yield
    except WorkflowUpdateFailedError as error:
        cause = error.cause
        if isinstance(cause, ApplicationError) and cause.type == _CAME_WITH_THE_END:
            raise Over(f"{of.noun} {workflow_id!r} is over") from error
        text = cause.message if isinstance(cause, ApplicationError) else str(cause)
        raise DecisionRefused(text) from error
    except WorkflowQueryFailedError as error:
        if _OTHER_RELEASE in str(error):
            told = f"{error} (it goes on when a worker of the release that began it, or a mended one, is started)"
            raise Stuck(f"{of.noun} {workflow_id!r} is stuck: {told}") from error
        raise Unreachable(f"{of.noun} {workflow_id!r} could not be looked at: {error}") from error
    except WorkflowUpdateRPCTimeoutOrCancelledError as error:
        raise no_worker(queue) from error
    except RPCError as error:
        raise _translated(error, workflow_id, of, queue=queue, asks_worker=asks_worker) from error


def _translated(error: RPCError, workflow_id: str, of: Subject, *, queue: str, asks_worker: bool) -> DaperError:
    if error.status is RPCStatusCode.NOT_FOUND:
        if any(said in error.message for said in _CLOSED):
            return Over(f"{of.noun} {workflow_id!r} is over")
        return NotFound(f"there is no {of.noun} {workflow_id!r}; ", of.way_out)
    if asks_worker and error.status in _NO_ANSWER:
        return no_worker(queue)
    if _TOO_MUCH in error.message:
        return Unreachable(
            f"{of.noun} {workflow_id!r} has taken as much as Temporal lets it in one go ({error.message}); ", of.way_out
        )
    if error.status is RPCStatusCode.INVALID_ARGUMENT:
        return NotFound(f"{workflow_id[:80]!r} cannot be the id of a {of.noun}; ", of.way_out)
    told = f"Temporal does not answer ({error.status.name.lower()}: {error.message}); see: "
    return Unreachable(told, CommandLine("doctor"))
