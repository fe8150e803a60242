"""What goes into and out of the workflow and its activities: one model in, one model out."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import cast

from pydantic import Field, model_validator

from daper.core.base import Wire
from daper.core.digests import canonical, digest
from daper.core.models import (
    DEFAULT_PROBLEMS,
    Detection,
    Doubt,
    Finding,
    Person,
    Proposal,
    ProposedAction,
    RecordHead,
    Scope,
    Span,
    StoreInfo,
    SuppressedFinding,
)
from daper.core.outcomes import ActionOutcome, RepairResult, Report, ReportPaths
from daper.core.partition import Partition
from daper.core.people import SignalCallback, Targets
from daper.core.policy import APPROVAL_TIMEOUT, DECISION_VALID_FOR, Alone, ApprovalPolicy
from daper.core.usage import CallSpent, Role

MOST_PER_PAGE = 100
MOST_ROUNDS = 3


class OnOutage(StrEnum):
    """What a cycle does when a language model cannot be had, after all tries."""

    FAIL = "fail"
    RULES = "rules"


class RepairRequest(Wire):
    """What a repair is asked to do, and by whom. Names targets, never secrets.

    `may_act_alone`: set by a proactive agent for its own repairs, and by no door.
    `tell`: who is told of it, by the names that settings resolve; `callback`: a workflow that is told by signals.
    """

    requested_by: Person
    domain: str
    store_id: str
    activity_queue: str
    scope: Scope = Scope()
    auto_approve: bool = False
    dry_run: bool = False
    again: bool = False
    approval_timeout: Span = APPROVAL_TIMEOUT
    decision_valid_for: Span = DECISION_VALID_FOR
    policy: ApprovalPolicy = ApprovalPolicy()
    may_act_alone: bool = False
    indexed: bool = False
    tell: Targets = ()
    callback: SignalCallback | None = None


def asked_for(request: RepairRequest) -> str:
    """What makes two requests the same, as a digest: who asks, for what, of which store."""
    same = {"requested_by", "domain", "store_id", "scope", "auto_approve", "dry_run", "again"}
    asked = request.model_dump(mode="json", include=same)
    if request.scope.partition is None:
        del asked["scope"]["partition"]  # so that the digest is what it was before there were any
    return digest(canonical(asked))


class CycleRef(Wire):
    """Which cycle, on which store, and what "today" is in it."""

    repair_id: str
    cycle_id: str
    domain: str
    store_id: str
    today: datetime


class OpenCycleInput(Wire):
    """Asks a store who it is; `now` counts as today where the data does not say.

    `may_act_alone`: the worker is to say how far its own policy lets an agent act alone, as it is now. `partition`: in
    which part of the records the cycle looks.
    """

    domain: str
    store_id: str
    record_ids: tuple[str, ...] = ()
    partition: Partition | None = None
    may_act_alone: bool = False
    now: datetime


class OpenCycleResult(Wire):
    """The store that answered, today, and who thinks in each role: `rules`, or the name of a model.

    `missing`: named records that the store does not have. `alone`: what the worker's policy lets run alone, if it was
    asked; `alone_trouble`: why that cannot be known. `clock_ahead`: how far the worker's clock is ahead of Temporal's.
    """

    store: StoreInfo
    today: datetime
    open_records: int
    missing: tuple[str, ...] = ()
    thinkers: dict[Role, str] = Field(default_factory=dict[Role, str])
    on_outage: OnOutage = OnOutage.FAIL
    alone: Alone | None = None
    alone_trouble: str = ""
    clock_ahead: timedelta = timedelta()


class DetectInput(Wire):
    """Look for suspects: by rules within the whole scope; by a model among the named records.

    `again`: as in the claim; where there are too many suspects, what would be suppressed comes last.
    """

    cycle: CycleRef
    scope: Scope
    by_model: bool = False
    record_ids: tuple[str, ...] = ()
    again: bool = False


class DetectResult(Wire):
    """How sure detection is, and which records are suspect (at most the cap of a cycle).

    `left_out`: how many problems of other suspects another cycle takes on. By a model: how sure of each suspect, why,
    and what the answer took.
    """

    detection: Detection
    suspects: tuple[str, ...] = ()
    left_out: int = 0
    scores: dict[str, float] = Field(default_factory=dict)
    why: dict[str, str] = Field(default_factory=dict)
    spent: CallSpent | None = None


class DivideInput(Wire):
    """Divide records into batches for one role of a model: named ones, or a page of a scope."""

    cycle: CycleRef
    role: Role
    record_ids: tuple[str, ...] = ()
    scope: Scope | None = None
    page: str | None = None


class DivideResult(Wire):
    """The batches, and where the scope goes on (None: that was all)."""

    batches: tuple[tuple[str, ...], ...] = ()
    next_page: str | None = None


class AnalyzeInput(Wire):
    """Look closely at named records; in a later round only at the problems with these fingerprints.

    A model is told what is `known`: what the rules found.
    """

    cycle: CycleRef
    record_ids: tuple[str, ...]
    only: tuple[str, ...] = ()
    by_model: bool = False
    known: tuple[Finding, ...] = ()


class AnalyzeResult(Wire):
    """What is wrong with them; `left_out` counts findings beyond what one cycle can hold."""

    findings: tuple[Finding, ...] = ()
    heads: tuple[RecordHead, ...] = ()
    left_out: int = 0
    doubts: tuple[Doubt, ...] = ()
    spent: CallSpent | None = None


class RepairIds(Wire):
    """Some repairs."""

    repair_ids: tuple[str, ...] = ()


class ClaimInput(Wire):
    """Ask the memory which findings may be planned for; the others wait, were rejected, or were tried too often.

    Until `until`, or until it ends, nobody else is given what this cycle is. `again`: a person asks, whatever was
    rejected or tried; what another open plan holds is not given to that one either. `asked_again` are fingerprints that
    it was already given, and asks about anew.
    """

    cycle: CycleRef
    findings: tuple[Finding, ...]
    until: datetime
    again: bool = False
    asked_again: tuple[str, ...] = ()
    dry_run: bool = False


class ClaimResult(Wire):
    """Findings to plan for, and those that are suppressed, each with the reason."""

    fresh: tuple[Finding, ...] = ()
    suppressed: tuple[SuppressedFinding, ...] = ()


class Hold(Wire):
    """A record that an action would write, by its ref, as the plan saw it."""

    ref: str
    version: str = ""


class HoldInput(Wire):
    """Keep the records of a plan for it, until `until` or its end; `wanted` has those of each action, in order.

    A plan that saw another version of a record than is there now can change nothing, and keeps it from nobody.
    """

    cycle: CycleRef
    wanted: tuple[tuple[Hold, ...], ...]
    until: datetime
    dry_run: bool = False


class Held(Wire):
    """What another open plan holds: the place in `wanted`, the record, whose plan it is, and how long at most."""

    at: int
    ref: str
    repair_id: str
    until: datetime


class HoldResult(Wire):
    """The actions that may not be planned now; the records of all others are held."""

    refused: tuple[Held, ...] = ()


class ProposeInput(Wire):
    """Ask a model for actions on the records of these findings; `suppressed` ones are not to be acted on."""

    cycle: CycleRef
    findings: tuple[Finding, ...]
    suppressed: tuple[SuppressedFinding, ...] = ()


class Advice(Wire):
    """What a model would do about some findings, and of which records it would leave everything as it is."""

    proposals: tuple[Proposal, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    notes: tuple[str, ...] = ()
    spent: CallSpent | None = None


class PlanInput(Wire):
    """Propose actions for findings: what the rules propose, and what the advice of a model adds to that.

    `first_action` numbers them on from earlier rounds; `asked_before` has every fingerprint that the cycle knows. Until
    `until` the records of the plan are held for it; None: they are not. `again`: as in the claim.
    """

    cycle: CycleRef
    round: int
    first_action: int
    findings: tuple[Finding, ...]
    suppressed: tuple[SuppressedFinding, ...] = ()
    limit: int = DEFAULT_PROBLEMS
    left_out: int = 0
    asked_before: tuple[str, ...] = ()
    advice: Advice = Advice()
    until: datetime | None = None
    again: bool = False
    dry_run: bool = False


class ActionRef(Wire):
    """One approved action, on its way to the tool that runs it."""

    cycle: CycleRef
    action: ProposedAction
    approved_digest: str
    key: str
    expected: dict[str, str] = Field(default_factory=dict)
    valid_until: datetime | None = None


class DeliverInput(Wire):
    """Deliver one message of an action: the `number`th that its key, or the key of its undo, wrote to the outbox.

    `takes_back`: of an undo, the key of the effect; where no message of that has gone, none has to be cancelled.
    """

    cycle: CycleRef
    action_id: str
    key: str
    number: int
    takes_back: str = ""


class UndoInput(Wire):
    """Take back one applied effect: a delta, only where its records still have the versions that it left."""

    ref: ActionRef
    outcome: ActionOutcome


class SettleResult(Wire):
    """The recorded outcome of a key, or None: it never happened, and never will."""

    outcome: ActionOutcome | None = None


class Applied(Wire):
    """One action that took effect, with its outcome."""

    ref: ActionRef
    outcome: ActionOutcome


class VerifyInput(Wire):
    """Look again at every finding that an applied action answers.

    `known`: fingerprints of all that was wrong when the records were read for the plan; anything else is new.
    """

    cycle: CycleRef
    findings: tuple[Finding, ...]
    known: tuple[str, ...] = ()
    applied: tuple[Applied, ...]
    record_ids: tuple[str, ...]


class ConcludeInput(Wire):
    """Tell the memory what became of the findings of a cycle; whatever else it claimed is released.

    Of those on which an action took effect: `ineffective` ones were verified and are not gone, `repaired` ones are,
    and `unverified` are all others, also where somebody was asked. `unsettled`: nobody can tell whether it did.
    """

    cycle: CycleRef
    rejected: tuple[Finding, ...] = ()
    ineffective: tuple[Finding, ...] = ()
    unsettled: tuple[Finding, ...] = ()
    repaired: tuple[Finding, ...] = ()
    unverified: tuple[Finding, ...] = ()
    by: str = ""
    at: datetime


class ReportInput(Wire):
    """Everything that ended, to be written down; `told` are the words of a model for it, if one was asked."""

    result: RepairResult
    told: "Narrated | None" = None


class Narrated(Wire):
    """A model's words for what happened, and whose they are."""

    narrative: str
    by: str


class Published(Wire):
    """The report, and where it was written."""

    report: Report
    paths: ReportPaths


class PageArgs(Wire):
    """Which page of a plan to show."""

    page: int = Field(default=1, ge=1)
    size: int = Field(default=50, ge=1, le=MOST_PER_PAGE)


class Nudge(Wire):
    """A reason that goes with a signal.

    What is told of a repair is none: a callback that leads to a repair or an agent neither stops nor nudges it.
    """

    by: str = ""
    reason: str = ""

    @model_validator(mode="before")
    @classmethod
    def _refuse_a_message(cls, given: object) -> object:
        if isinstance(given, Mapping) and "event" in cast(Mapping[str, object], given):
            raise ValueError("this is what is told of a repair, and no reason to stop or to begin anything")
        return cast(object, given)
