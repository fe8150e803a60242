"""The nouns of a repair, up to the decision: what was found, what is proposed, who decided."""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, JsonValue, StringConstraints

from daper.core.base import Wire
from daper.core.digests import canonical, digest
from daper.core.limits import Limit
from daper.core.partition import Partition

Confidence = Annotated[float, Field(ge=0, le=1)]
Line = Annotated[str, StringConstraints(max_length=200)]
Digest = Annotated[str, StringConstraints(max_length=200)]  # a mistyped one must be refused in words
ActionId = Annotated[str, StringConstraints(max_length=16)]
# A date a year from now can be told in every calendar.
LONGEST_SPAN = timedelta(days=366)
Span = Annotated[timedelta, Field(gt=timedelta(), le=LONGEST_SPAN)]

RULES = "rules"  # who found or proposed something, if no model did
DEFAULT_PROBLEMS = 50
MOST_PROBLEMS = 500


class Risk(StrEnum):
    """How much harm an action can do. A tool claims it; only the policy decides what follows."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def rank(self) -> int:
        """0 for low, 2 for high."""
        return list(Risk).index(self)


class Scope(Wire):
    """Which records one cycle looks at, and how many problems it takes on. `partition`: only those in this part."""

    record_ids: tuple[Line, ...] = Field(default=(), max_length=MOST_PROBLEMS)
    status: Line | None = None
    limit: int = Field(default=DEFAULT_PROBLEMS, ge=1, le=MOST_PROBLEMS)
    partition: Partition | None = None


class StoreInfo(Wire):
    """Which store answered: its id, where it is, and what its data says of itself."""

    store_id: str
    place: str
    as_of: datetime | None = None
    counterparty: str | None = None


class RecordHead(Wire):
    """A record in one line: id, whom or what it is about, status."""

    record_id: str
    title: str
    status: str


class Detection(Wire):
    """Whether there are problems at all, and how sure that is."""

    confidence_score: Confidence
    suspects: int
    scanned: int
    notes: str = ""


class Finding(Wire):
    """One problem with one record. The fingerprint covers its material facts: the same problem is recognised again.

    `seconded_by`: who else found it, and `seconded_confidence`: how sure the least sure of them is. `doubts`: why
    somebody who looked does not see it; a doubt removes nothing.
    """

    record_id: str
    kind: str
    issue: str
    evidence: tuple[str, ...] = ()
    confidence_score: Confidence = 1.0
    found_by: str = RULES
    seconded_by: tuple[str, ...] = ()
    seconded_confidence: Confidence = 1.0
    doubts: tuple[str, ...] = ()
    fingerprint: str

    @staticmethod
    def fingerprint_of(domain: str, record_id: str, kind: str, facts: dict[str, JsonValue]) -> str:
        """The fingerprint of a problem: material facts; never versions, dates, free text or what our tools write."""
        return digest(canonical({"domain": domain, "record": record_id, "kind": kind, "facts": facts}))[:32]


class Doubt(Wire):
    """Somebody who looked does not see what others found. `kind` "" means the record as a whole."""

    record_id: str
    kind: str = ""
    why: str
    by: str


class Change(Wire):
    """One field of one record, before and after."""

    record: str
    field: str
    before: str
    after: str


class Fallback(StrEnum):
    """What follows if an applied action does not help."""

    UNDO = "undo"
    HAND_OVER = "hand-over"


class Proposal(Wire):
    """What an agent proposes, before the guard has seen it. `seconded_by`: who else proposes the same."""

    record_id: str
    tool: str
    arguments: dict[str, JsonValue]
    answers: tuple[str, ...]
    confidence_score: Confidence = 1.0
    rationale: str = ""
    proposed_by: str = RULES
    seconded_by: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


class BoundAction(Wire):
    """Exactly what would run. Parsed from an action's canonical text, and from nothing else.

    `canary`: of those of its tool in the plan so many are tried first, one at a time; the others run once these helped.
    `alike`: what those have in common of which one speaks for the others, where that is not only their tool.
    """

    cycle_id: str
    round: int
    domain: str
    store_id: str
    tool: str
    record_id: str
    arguments: dict[str, JsonValue]
    reads: dict[str, str]
    editable: dict[str, Limit]
    risk: Risk
    spends: Annotated[Decimal, Field(ge=0)] | None = Decimal(0)
    settles_in: timedelta = timedelta()
    if_it_does_not_help: Fallback
    canary: Annotated[int, Field(ge=0)] = 0
    alike: str = ""

    @property
    def peers(self) -> tuple[str, str]:
        """The same for all actions of which one speaks for the others: what is seen of it holds for them too."""
        return self.tool, self.alike

    def to_text(self) -> str:
        """The canonical JSON text of this action. What came later and says nothing is not in it: digests stay."""
        silent = {name for name, value in (("canary", self.canary), ("alike", self.alike)) if not value}
        return canonical(self.model_dump(mode="json", exclude=silent))


class ProposedAction(Wire):
    """One action of a plan. `text` is what would run, `digest` is over that text; the rest explains it to a person.

    `instead_of` names an action of the same plan that answers the same problem: at most one of the two can be approved.
    `done_before`: what repairs did to its record earlier, each with its day.
    """

    id: str
    text: str
    digest: str
    preview: tuple[Change, ...] = ()
    confidence_score: Confidence = 1.0
    rationale: str = ""
    proposed_by: str = RULES
    seconded_by: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    instead_of: str = ""
    answers: tuple[str, ...] = ()
    done_before: tuple[str, ...] = ()

    @cached_property
    def bound(self) -> BoundAction:
        """What would run, parsed from the text that the digest covers."""
        return BoundAction.model_validate_json(self.text)


class BlockedProposal(Wire):
    """A proposal that the guard refused: shown with the reason, never run."""

    record_id: str
    tool: str
    arguments: dict[str, JsonValue]
    reason: str
    proposed_by: str = RULES


class SuppressedFinding(Wire):
    """A finding that is not planned for again, and why. `held_by`: the open repair whose plan it waits for, if one."""

    finding: Finding
    reason: str
    held_by: str = ""


class ForPerson(Wire):
    """A finding that no tool repairs: a person has to. `message`: what they may send, to be copied, if anything."""

    record_id: str
    kind: str
    fingerprint: str
    reason: str
    message: str = ""


class Plan(Wire):
    """The actions proposed in one round of a cycle. The digest covers everything that would run.

    `left_out` counts findings that are over the cap of the cycle; a later one takes them on. `baseline` has the
    fingerprints of all that was wrong with the plan's records when they were read for it.
    """

    round: int = 1
    actions: tuple[ProposedAction, ...] = ()
    overall_confidence_score: Confidence = 1.0
    additional_notes: str = ""
    suppressed: tuple[SuppressedFinding, ...] = ()
    blocked: tuple[BlockedProposal, ...] = ()
    for_person: tuple[ForPerson, ...] = ()
    left_out: int = 0
    baseline: tuple[str, ...] = ()
    digest: str = ""

    def action(self, action_id: str) -> ProposedAction | None:
        """The action with that short id, or None."""
        return next((action for action in self.actions if action.id == action_id), None)


class IdentityProof(StrEnum):
    """How a person's name became known."""

    OS_USER = "os-user"
    TOKEN = "token"  # noqa: S105 - a way of knowing somebody, no secret
    CLAIMED = "claimed"
    OIDC = "oidc"  # an identity provider says so
    PASSKEY = "passkey"  # signed for this very plan
    MAILBOX = "mailbox"  # by a link that only its mailbox was sent
    SIGNATURE = "signature"  # a program that signs what it sends with a secret of its own


class Confirmation(StrEnum):
    """How a decision came from the person it names: nobody at a door can make it more than it is."""

    DIRECT = "direct"  # at a door of our own
    FORM = "form"  # by a form that a chat client showed, with what it is about
    UNCONFIRMED = "unconfirmed"  # a chat client says so


class Person(Wire):
    """A named person, and how the name became known."""

    kind: Literal["person"] = "person"
    name: Line = Field(min_length=1)
    how: IdentityProof = IdentityProof.CLAIMED


class PolicyGrant(Wire):
    """A decision by policy: which rule, and who asked for it."""

    kind: Literal["policy"] = "policy"
    rule: str
    requested_by: Person


By = Annotated[Person | PolicyGrant, Field(discriminator="kind")]


class Verdict(StrEnum):
    """What was decided on one action. An unnamed action is not approved, which is no rejection."""

    APPROVE = "approve"
    REJECT = "reject"


class Decision(Wire):
    """An answer to one plan, quoted by its digest."""

    plan_digest: Digest
    verdicts: dict[ActionId, Verdict] = Field(max_length=MOST_PROBLEMS)
    edits: dict[ActionId, dict[Line, JsonValue]] = Field(default_factory=dict, max_length=MOST_PROBLEMS)
    by: By
    door: Line = ""
    confirmed: Confirmation = Confirmation.DIRECT
    comment: str = Field(default="", max_length=2000)


class RecordedDecision(Wire):
    """A decision that was accepted: when, and the digest of each action that will run."""

    decision: Decision
    decided_at: datetime
    will_run: dict[str, str]
