"""The proactive agent: what it is asked, where it stands, and what became of its cycles."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from daper.core.base import Wire
from daper.core.decisions import who
from daper.core.messages import Nudge
from daper.core.models import Person, Scope, Span
from daper.core.outcomes import Counts, RepairResult
from daper.core.people import SignalCallback, Targets
from daper.core.phases import Phase
from daper.core.policy import DECISION_VALID_FOR, ApprovalPolicy

KEPT_CYCLES = 10
LONGEST_REASON = 500
PROACTIVE_INTERVAL = timedelta(days=1)
PROACTIVE_TIMEOUT = timedelta(hours=20)  # less than a day: the next plan is not made beside one that waits

# A date a year from now can be told in every calendar; a pause of nothing would be a loop.
Interval = Annotated[timedelta, Field(ge=timedelta(seconds=1), le=timedelta(days=366))]


class AgentPhase(StrEnum):
    """Where a proactive agent stands. While a cycle runs, the phase of that repair says more."""

    RUNNING_CYCLE = "RUNNING-CYCLE"
    WAITING_FOR_NEXT_CYCLE = "WAITING-FOR-NEXT-CYCLE"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"


class CycleEnd(Wire):
    """What became of one cycle. `nudges`: how many it answered; `asked`: the newest of them, who and why.

    `decided`: who decided on its plans; nobody, or several.

    A repair that left no result, because it was terminated or crashed, counts as failed.
    """

    repair_id: str
    phase: Phase
    started_at: datetime
    ended_at: datetime
    counts: Counts = Counts()
    needs_person: bool = False
    reason: str = ""
    nudges: int = 0
    asked: str = ""
    decided: str = ""

    @property
    def failed(self) -> bool:
        """Whether it could not go on. What a person did not want, stopped or did not answer is no failure."""
        return self.phase is Phase.REPAIR_FAILED


class Carried(Wire):
    """What an agent knows when its workflow continues as new, between two cycles.

    `nudges` were received in all, and the cycles answered `answered` of them; `asked` is the newest of the others.
    """

    started_at: datetime
    cycles: int = 0
    results: tuple[CycleEnd, ...] = ()
    failures_in_a_row: int = 0
    next_cycle_at: datetime
    nudges: int = 0
    answered: int = 0
    asked: str = ""


class ProactiveRequest(Wire):
    """What a proactive agent is asked to do, and by whom. Names targets, never secrets.

    `scope`: the records that it looks at, and how many problems each cycle takes on.

    What `policy` lets run alone is approved by it, as far as that of the worker agrees; all else waits for a person.

    `cycles_per_run`: after so many cycles, or earlier if Temporal says so, the workflow continues as new. `tell`: who
    is told of each repair, and of cycles that fail in a row; `callback`: a workflow that is told so by signals.
    """

    requested_by: Person
    domain: str
    store_id: str
    activity_queue: str
    interval: Interval = PROACTIVE_INTERVAL
    approval_timeout: Interval = PROACTIVE_TIMEOUT
    decision_valid_for: Span = DECISION_VALID_FOR
    policy: ApprovalPolicy = ApprovalPolicy()
    indexed: bool = False
    scope: Scope = Scope()
    cycles_per_run: int = Field(default=100, ge=1, le=1000)
    carried: Carried | None = None
    tell: Targets = ()
    callback: SignalCallback | None = None


class ProactiveView(Wire):
    """Where a proactive agent stands; also the result of one that ended.

    `repair_id`: the cycle that runs, once its repair is there. `next_cycle_at`: when the next one begins, unless
    somebody asks for it earlier. `cycles`: how many were begun; `results`: the last of them that ended, the newest
    first. `nudges_waiting`: how many the next cycle answers. `stopping`: who stopped it, and why. `notices`: who could
    not be told. `partition`: the part of all records in which it looks, as `1/4`; empty where it looks in all.
    """

    agent_id: str
    user: str
    domain: str
    store_id: str
    phase: AgentPhase
    interval: timedelta
    approval_timeout: timedelta
    started_at: datetime
    ended_at: datetime | None = None
    cycles: int = 0
    repair_id: str | None = None
    next_cycle_at: datetime | None = None
    results: tuple[CycleEnd, ...] = ()
    failures_in_a_row: int = 0
    nudges: int = 0
    nudges_waiting: int = 0
    stopping: str = ""
    notices: tuple[str, ...] = ()
    partition: str = ""


def words_of(nudge: Nudge) -> str:
    """Who nudged, and why, in one text of bounded length; never empty."""
    by = nudge.by[:200] or "somebody"
    return f"{by}: {nudge.reason[:LONGEST_REASON]}" if nudge.reason else by


def ended_as(result: RepairResult, *, nudges: int, asked: str) -> CycleEnd:
    """What an agent keeps of a cycle that left a result."""
    return CycleEnd(
        repair_id=result.repair_id,
        phase=result.phase,
        started_at=result.started_at,
        ended_at=result.ended_at,
        counts=result.counts,
        needs_person=result.needs_person,
        reason=result.reason[:LONGEST_REASON],
        nudges=nudges,
        asked=asked,
        decided="; ".join(dict.fromkeys(who(each.decision.by) for each in result.decisions))[:LONGEST_REASON],
    )
