"""What the doors ask the service for, and what it answers."""

from datetime import datetime

from daper.core.base import Wire
from daper.core.commands import Said
from daper.core.models import Line, Person, RecordedDecision, Scope, Span
from daper.core.outcomes import RepairResult
from daper.core.people import SignalCallback, Targets
from daper.core.policy import APPROVAL_TIMEOUT, DECISION_VALID_FOR, ApprovalPolicy
from daper.core.proactive import PROACTIVE_INTERVAL, PROACTIVE_TIMEOUT, Interval, ProactiveView
from daper.core.views import RepairView


class Times(Wire):
    """How long a plan waits for a decision, and a decision is valid, where an order says nothing of it."""

    approval_timeout: Span = APPROVAL_TIMEOUT
    decision_valid_for: Span = DECISION_VALID_FOR


class StartRepair(Wire):
    """A repair somebody asks for.

    `request_key`: the repair of this person that has this key, whenever it was started; a new one only if there is
    none. `join_open`: an open repair in which the same person asks for the same; a new one only if there is none.
    `policy`, `approval_timeout`, `decision_valid_for`: others than the service's.

    `reported`: a system says that something is wrong with the named records. Such reports are gathered for a short
    while, and wait while too many of their repairs are open; whatever else is asked for begins at once.
    """

    requested_by: Person
    domain: str
    scope: Scope = Scope()
    reported: bool = False
    auto_approve: bool = False
    dry_run: bool = False
    again: bool = False
    approval_timeout: Span | None = None
    decision_valid_for: Span | None = None
    policy: ApprovalPolicy | None = None
    tell: Targets = ()
    callback: SignalCallback | None = None
    request_key: Line = ""
    join_open: bool = False

    @property
    def is_event(self) -> bool:
        """Whether it is gathered with others."""
        return self.reported and bool(self.scope.record_ids) and not self.dry_run

    def under(self, policy: ApprovalPolicy, times: Times) -> "StartRepair":
        """The same within a policy, with every time said; a policy that the order names counts instead."""
        policy, waits = (self.policy or policy).of(self.domain), self.approval_timeout or times.approval_timeout
        valid = self.decision_valid_for or times.decision_valid_for
        return self.model_copy(
            update={
                "policy": policy,
                "approval_timeout": policy.waits(waits, waits),
                "decision_valid_for": policy.valid_for(valid, valid),
            }
        )


class Started(Wire):
    """A repair that was started: its id, and where. `created`: by this call, and not by an earlier one.

    `waits_for`: what comes before it begins; empty where it has begun.
    """

    repair_id: str
    queue: str
    store_id: str
    place: str
    created: bool = True
    waits_for: str = ""


class Collected(Wire):
    """A repair of what was reported, which has not begun, and what it waits for.

    `events`: how often something was reported that it answers.
    """

    repair_id: str
    waits_for: str
    user: str
    domain: str
    record_ids: tuple[str, ...]
    events: int


class DecisionReceipt(Wire):
    """A decision as recorded. `repeated`: the same person had already decided exactly this."""

    recorded: RecordedDecision
    repeated: bool = False


class RepairLine(Wire):
    """One repair in a list, as far as it is known without asking it.

    `domain`: empty where nobody says. `problems`, `actions`, `done`: how many were found, proposed, and took effect; of
    one that has ended, as its report says, or of one that waits, as it answers. `spends`, `decide_by`: of a plan that
    waits, what all of it spends, and until when. `kept_from`: why whoever asks may not decide on it there, where it
    waits; `trouble`: why its plan cannot be read.
    """

    repair_id: str
    phase: str
    user: str
    started_at: datetime
    ended_at: datetime | None = None
    domain: str = ""
    problems: int | None = None
    actions: int | None = None
    done: int | None = None
    spends: str = ""
    decide_by: datetime | None = None
    kept_from: str = ""
    trouble: str = ""


class Silence(Wire):
    """While following: no worker answers right now; the repair goes on when one does."""

    message: Said


class StartProactive(Wire):
    """A proactive agent somebody asks for. It acts alone as far as the policy of the service lets it.

    `asks_always`: it waits for a person with every plan, whatever the policy.
    """

    requested_by: Person
    domain: str
    scope: Scope = Scope()
    interval: Interval = PROACTIVE_INTERVAL
    approval_timeout: Interval | None = None
    decision_valid_for: Span | None = None
    asks_always: bool = False
    tell: Targets = ()
    callback: SignalCallback | None = None

    def under(self, policy: ApprovalPolicy, times: Times) -> "StartProactive":
        """The same within a policy, with every time said; its plans wait for a time of their own."""
        mine, valid = policy.of(self.domain), self.decision_valid_for or times.decision_valid_for
        return self.model_copy(
            update={
                "approval_timeout": mine.waits(self.approval_timeout, PROACTIVE_TIMEOUT),
                "decision_valid_for": mine.valid_for(valid, valid),
            }
        )


class ProactiveStarted(Wire):
    """An agent that runs: its id, and for which store it does. `already_running`: since before, as it was started."""

    agent_id: str
    already_running: bool
    queue: str
    store_id: str
    place: str


class ProactiveLine(Wire):
    """One agent in a list, as Temporal knows it without asking a worker."""

    agent_id: str
    user: str
    domain: str
    phase: str
    place: str
    started_at: datetime


class ProactiveStatus(Wire):
    """An agent, and the cycle that runs, if one does.

    `trouble`: why that cycle could not be looked at. `ended`: how the agent ended, empty while it runs: `stopped`, or
    what was done to its workflow from outside (`terminated`, `failed`); a cycle that ran then goes on without it.
    """

    agent: ProactiveView
    repair: RepairView | RepairResult | None = None
    trouble: Said = Said()
    ended: str = ""

    @property
    def phase(self) -> str:
        """The phase of the cycle that runs, or else of the agent."""
        if self.repair is not None and not self.ended:
            return str(self.repair.phase)
        return str(self.agent.phase) if self.ended in {"", "stopped"} else self.ended.upper()
