"""What the doors ask the service for, and what it answers."""

from datetime import datetime, timedelta

from daper.core.base import Wire
from daper.core.messages import Span
from daper.core.models import Person, RecordedDecision, Scope
from daper.core.policy import ApprovalPolicy


class StartRepair(Wire):
    """A repair somebody asks for."""

    requested_by: Person
    domain: str
    scope: Scope = Scope()
    auto_approve: bool = False
    dry_run: bool = False
    again: bool = False
    approval_timeout: Span = timedelta(hours=12)
    decision_valid_for: Span = timedelta(hours=1)
    policy: ApprovalPolicy = ApprovalPolicy()


class Started(Wire):
    """A repair that was started: its id, and where."""

    repair_id: str
    queue: str
    store_id: str
    place: str


class DecisionReceipt(Wire):
    """A decision as recorded. `repeated`: the same person had already decided exactly this."""

    recorded: RecordedDecision
    repeated: bool = False


class RepairLine(Wire):
    """One repair in a list."""

    repair_id: str
    phase: str
    user: str
    started_at: datetime
    ended_at: datetime | None = None


class Silence(Wire):
    """While following: no worker answers right now; the repair goes on when one does."""

    message: str
