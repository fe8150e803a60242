"""The nouns of a repair, from the decision on: what ran, whether it helped, what is left."""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from pydantic import Field, JsonValue

from daper.core.base import Wire
from daper.core.models import (
    Confidence,
    Detection,
    Finding,
    Plan,
    RecordedDecision,
    RecordHead,
    StoreInfo,
)
from daper.core.outbox import MessageOutcome
from daper.core.phases import Phase, PhaseEntry
from daper.core.usage import Role, Usage


class OutcomeStatus(StrEnum):
    """What became of one proposed action."""

    APPLIED = "applied"
    ALREADY_APPLIED = "already-applied"
    NOT_APPROVED = "not-approved"
    REJECTED = "rejected"
    SKIPPED = "skipped"
    STALE = "stale"
    BLOCKED = "blocked"
    LAPSED = "lapsed"
    FAILED = "failed"
    UNDONE = "undone"
    UNDO_BLOCKED = "undo-blocked"
    UNKNOWN = "unknown"

    @property
    def took_effect(self) -> bool:
        """Whether the effect is in the records (or was, before it was undone)."""
        return self in {
            OutcomeStatus.APPLIED,
            OutcomeStatus.ALREADY_APPLIED,
            OutcomeStatus.UNDONE,
            OutcomeStatus.UNDO_BLOCKED,
        }


class Effect(Wire):
    """What a tool's ledger says of one key. `wrote` gives the version each written record was left with.

    `at`: when it took effect; it stays whatever is tried again later. Effects of before say nothing of it.
    `messages`: how many it wrote into the outbox, to be sent. Simulated ones, and those of before, do not count.
    """

    status: OutcomeStatus
    before: dict[str, JsonValue] = Field(default_factory=dict)
    after: dict[str, JsonValue] = Field(default_factory=dict)
    wrote: dict[str, str] = Field(default_factory=dict)
    evidence: tuple[str, ...] = ()
    simulated: bool = False
    at: datetime | None = None
    messages: int = 0


class ActionOutcome(Wire):
    """What became of one proposed action, with the evidence.

    `messages`: how many it wrote into the outbox, to be sent; `undo_messages`: how many its undo wrote.
    """

    action_id: str
    record_id: str
    tool: str
    status: OutcomeStatus
    arguments: dict[str, JsonValue] = Field(default_factory=dict)
    before: dict[str, JsonValue] = Field(default_factory=dict)
    after: dict[str, JsonValue] = Field(default_factory=dict)
    wrote: dict[str, str] = Field(default_factory=dict)
    evidence: tuple[str, ...] = ()
    simulated: bool = False
    key: str = ""
    digest: str = ""
    at: datetime | None = None
    messages: int = 0
    undo_messages: int = 0


class Holding(StrEnum):
    """Whether a tool's postcondition holds.

    `waiting`: for somebody who was asked. `untold`: it would, and nobody was: the message was not sent, as far as
    anybody knows.
    """

    YES = "yes"
    WAITING = "waiting"
    UNTOLD = "untold"
    NO = "no"
    UNKNOWN = "unknown"


class Postcondition(Wire):
    """A tool's own word on whether its effect is there, read freshly."""

    holding: Holding
    evidence: str


class VerificationStatus(StrEnum):
    """Whether a problem is gone.

    `waiting-on-other`: somebody was asked. `waiting-on-person`: nobody was, for the message was not sent, or may not
    have been; a person here has to see to it.
    """

    RESOLVED = "resolved"
    WAITING_ON_OTHER = "waiting-on-other"
    WAITING_ON_PERSON = "waiting-on-person"
    STILL_OPEN = "still-open"
    WORSE = "worse"
    NOT_VERIFIABLE = "not-verifiable"


class VerifiedFinding(Wire):
    """One finding that an applied action answers, looked at again afterwards."""

    fingerprint: str
    record_id: str
    kind: str
    action_id: str
    status: VerificationStatus
    evidence: str


class Verification(Wire):
    """Every finding that an applied action answers, and the records as they are now."""

    findings: tuple[VerifiedFinding, ...] = ()
    heads: tuple[RecordHead, ...] = ()


class ReportPaths(Wire):
    """Where a report was written, on the machine of the worker that wrote it.

    `kept_in`: the database that has it instead, as messages name it; there are no files then, and no paths.
    """

    json_path: str
    markdown_path: str
    kept_in: str = ""


class RecordReport(Wire):
    """One record: status before and after, and what is still outstanding."""

    record_id: str
    title: str
    status_before: str
    status_after: str
    outstanding: tuple[str, ...] = ()


class Counts(Wire):
    """A repair in numbers, all counted by code."""

    problems: int = 0
    suppressed: int = 0
    proposed: int = 0
    applied: int = 0
    repaired: int = 0
    requested: int = 0
    undone: int = 0
    for_person: int = 0
    by_status: dict[str, int] = Field(default_factory=dict)


class Report(Wire):
    """The summary of an ended cycle and, per record, what was and what is left.

    `narrative`: the same in the words of a language model, if one was asked; `summary` and all numbers are by code.
    """

    summary: str
    records: tuple[RecordReport, ...] = ()
    left_for_person: tuple[str, ...] = ()
    repairs_sufficient_confidence_score: Confidence = 1.0
    tokens: int = 0
    cost: Decimal = Decimal(0)
    narrative: str = ""
    narrated_by: str = ""


class RepairResult(Wire):
    """The result of an ended cycle: everything that was found, planned, decided, done and verified.

    `thinkers`: who played each role, `rules` or the name of a model; `usage`: what the models took. `troubles` leave
    something to a person; `notices` tell what went otherwise than it was set up, and was coped with. `asked`: what the
    repair was asked for, as a digest; empty from a release that did not say. `partition`: the part of all records in
    which it looked, as `1/4`; empty where it looked in all. `timeline`: every phase before the last one, in order;
    empty from a release that did not say. `messages`: what became of those that it wrote, to be sent.
    """

    repair_id: str
    cycle_id: str
    user: str
    domain: str
    store: StoreInfo | None = None
    phase: Phase
    reason: str = ""
    started_at: datetime
    ended_at: datetime
    durations: dict[str, timedelta] = Field(default_factory=dict)
    today: datetime | None = None
    detection: Detection | None = None
    findings: tuple[Finding, ...] = ()
    heads: tuple[RecordHead, ...] = ()
    plans: tuple[Plan, ...] = ()
    decisions: tuple[RecordedDecision, ...] = ()
    outcomes: tuple[ActionOutcome, ...] = ()
    verification: Verification | None = None
    report: Report | None = None
    paths: ReportPaths | None = None
    counts: Counts = Counts()
    troubles: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    usage: Usage = Usage()
    thinkers: dict[Role, str] = Field(default_factory=dict[Role, str])
    asked: str = ""
    partition: str = ""
    timeline: tuple[PhaseEntry, ...] = ()
    messages: tuple[MessageOutcome, ...] = ()

    @property
    def needs_person(self) -> bool:
        """Whether a person has something left to do."""
        return self.phase in {Phase.REPAIR_FAILED, Phase.APPROVAL_EXPIRED} or bool(
            self.report and self.report.left_for_person
        )
