"""A domain: its records, what can be wrong with them, and the tools that repair it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, JsonValue

from daper.core.limits import Limit
from daper.core.models import Change, Doubt, Finding, Proposal, RecordHead, Risk, Scope, StoreInfo
from daper.core.outcomes import Effect, Postcondition
from daper.core.usage import Spent


@dataclass(frozen=True, kw_only=True)
class Record:
    """One record as the domain read it. `ref` is unique in the store (`orders/ORD-1`), `version` follows its content.

    `data` is for the domain, the agents and nobody else; it never crosses Temporal. A store without versions gives "".
    """

    ref: str
    record_id: str
    version: str
    data: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class RecordPage:
    """Some records of a scope, and where to go on (None: that was all).

    `total`: of how many records the scope has a line to show, where the domain knows without looking at them all.
    """

    records: tuple[Record, ...]
    next_page: str | None = None
    total: int | None = None


@dataclass(frozen=True, kw_only=True)
class Window:
    """Which records in a scope somebody wants to see: `most` of them, in the order of the store.

    behind the record `after`, or end in front of `before`; an id that is not there bounds nothing. `skip`: so many are
    left out first. `counted`: whether somebody asks how many there are in all, which takes longer of many.
    """

    most: int
    search: str = ""
    only_open: bool = False
    after: str = ""
    before: str = ""
    skip: int = 0
    counted: bool = True


@dataclass(frozen=True, kw_only=True)
class WindowView:
    """What is to be seen in a window: its records, and whatever is needed to judge them.

    `total`: how many there are in all windows, where that was asked, else 0; `earlier`, `later`: whether there are some
    in front, and behind.
    """

    records: tuple[Record, ...]
    total: int
    earlier: bool
    later: bool


@dataclass(frozen=True, kw_only=True)
class ProposalSet:
    """What an agent proposes, and the findings that no tool fits: fingerprint → why a person has to.

    `messages`: of those some, with what a person may send instead, to be copied. `doubts`: records of which it holds
    that nothing should be done. `spent`: what it took of a language model.
    """

    proposals: tuple[Proposal, ...] = ()
    for_person: Mapping[str, str] = field(default_factory=dict[str, str])
    messages: Mapping[str, str] = field(default_factory=dict[str, str])
    doubts: tuple[Doubt, ...] = ()
    notes: str = ""
    spent: Spent = field(default_factory=Spent)


@dataclass(frozen=True, kw_only=True)
class Guide:
    """What a language model is told of a domain: what it is about, the kinds of problem, what each tool does."""

    about: str
    kinds: Mapping[str, str]
    tools: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Terms:
    """On what terms a proposal may run, from one snapshot of the records.

    `answers`: the kinds of finding that this tool repairs, whatever a proposal claims; `findings`: exactly which ones,
    by fingerprint, where a call with these arguments repairs only some of that kind. `limits`: what each argument may
    be, from record fields, settings and allow-lists; an argument without a limit is refused. `reads`: the version of
    every record the action depends on. `preview`: what would change. `spends`: money; None where nobody can say, which
    no grant by policy covers. `obstacle`: why the tool does not fit the record at all, as it is now; then there are no
    limits. `alike`: what it has in common with those for which a canary speaks, as their cause; "" for all of the tool.
    """

    answers: frozenset[str]
    findings: frozenset[str] | None = None
    limits: Mapping[str, Limit]
    reads: Mapping[str, str] = field(default_factory=dict[str, str])
    preview: tuple[Change, ...] = ()
    spends: Decimal | None = Decimal(0)
    obstacle: str = ""
    alike: str = ""


@dataclass(frozen=True, kw_only=True)
class ToolCall:
    """One approved action as its tool gets it.

    `expected` gives, for every record the plan read, the version it must still have; `today` is the cycle's date, by
    which rules judge; `at` the time of the act itself, once it has begun.
    After `valid_until`, by `daper.clock.agreed_now`, the approval has lapsed: the tool says `lapsed`, for good. That is
    Temporal's clock; this machine's may be off.
    """

    key: str
    record_id: str
    arguments: Mapping[str, JsonValue]
    expected: Mapping[str, str]
    today: datetime
    valid_until: datetime | None = None
    at: datetime | None = None

    @property
    def acted_at(self) -> datetime:
        """When it happens: what is written of it bears this time."""
        return self.at or self.today


class RepairTool(Protocol):
    """One way to repair a record. Applying twice with one key changes things once."""

    @property
    def name(self) -> str:
        """What it is called in plans: a verb and a noun."""
        ...

    @property
    def risk(self) -> Risk:
        """How much harm it can do, by its own account."""
        ...

    @property
    def args(self) -> type[BaseModel]:
        """The model of its arguments."""
        ...

    @property
    def settling(self) -> timedelta:
        """How long its effect takes to show; the postcondition is checked after that."""
        ...

    async def apply(self, call: ToolCall) -> Effect:
        """Do it, or say why not: `applied`, `already-applied`, `stale`, `blocked`, `lapsed`, `failed`.

        Whatever it says is its last word on that key: a later attempt says the same. Compares every expected version
        and re-checks its limits inside its transaction. Raises a DaperError when it could not even try; whoever calls
        then settles the key before recording a failure.
        """
        ...

    async def holds(self, call: ToolCall, effect: Effect) -> Postcondition:
        """Whether the effect is there, on freshly read records."""
        ...


@runtime_checkable
class Undoable(Protocol):
    """A tool that can take its effect back."""

    async def undo(self, call: ToolCall, effect: Effect, *, key: str) -> Effect:
        """Take back, as a delta, only where every written record still has the version that `effect` left.

        `undone`, or `undo-blocked` with the reason. Idempotent by `key`.
        """
        ...


@runtime_checkable
class Settleable(Protocol):
    """A tool that can tell, for good, whether the effect of a key happened."""

    async def settle(self, key: str) -> Effect | None:
        """The recorded effect; or None, after making sure that a late attempt with this key changes nothing."""
        ...


@dataclass(frozen=True, kw_only=True)
class PlanCaps:
    """The most that one plan may do with a tool. None: no cap of its own.

    `actions`: so many; `money`: they spend so much together, and one of which nobody can say what it spends is over
    that. `canary`: so many are tried first, one at a time and each verified; the others run only once these helped.
    Where the terms of some are alike in something else too, so many of each such sort. What is tried first of different
    tools or sorts is tried side by side.
    """

    actions: int | None = None
    money: Decimal | None = None
    canary: int = 0


@runtime_checkable
class Capped(Protocol):
    """A tool of which one plan does no more than so much."""

    @property
    def caps(self) -> PlanCaps:
        """The most of it in one plan."""
        ...


class Domain(Protocol):
    """A world of records: what is in it, what can be wrong, what can be done about it."""

    @property
    def name(self) -> str:
        """Its name, as in `--domain`."""
        ...

    @property
    def tools(self) -> Mapping[str, RepairTool]:
        """Its repair tools by name."""
        ...

    async def store(self) -> StoreInfo:
        """Which store answers, and what its data says of itself."""
        ...

    async def scan(self, scope: Scope, page: str | None = None) -> RecordPage:
        """Some records in scope, with whatever is needed to judge them.

        A domain need not know of partitions: what is of another part is dropped, and leaving it out only saves reading.
        """
        ...

    async def context(self, record_ids: Sequence[str]) -> tuple[Record, ...]:
        """The named records, and of the others only what judging them needs. Unknown ids are left out."""
        ...

    async def count_open(self, scope: Scope) -> int:
        """How many records in scope are not closed."""
        ...

    def head(self, record: Record) -> RecordHead | None:
        """The record in one line, or None for a record that is only context."""
        ...

    def detect(self, records: Sequence[Record], today: datetime) -> tuple[Finding, ...]:
        """What the rules find wrong with these records. Pure."""
        ...

    def propose(self, findings: Sequence[Finding], records: Sequence[Record]) -> ProposalSet:
        """What the rules propose, in the order in which actions on one record must run. Pure."""
        ...

    def terms(self, proposal: Proposal, records: Sequence[Record]) -> Terms:
        """On what terms a proposal with a known tool could run, all from one snapshot. Pure; never raises."""
        ...


@runtime_checkable
class OpenScan(Protocol):
    """A domain that can leave out of a scan what nothing can be wrong with, without reading it."""

    async def scan_open(self, scope: Scope, page: str | None = None) -> RecordPage:
        """As `scan`, without records of which the rules find nothing whatever they hold: closed ones.

        `total`, where it is known, is of all records in scope.
        """
        ...


@runtime_checkable
class Chaining(Protocol):
    """A domain that can tell what an action would change once others have run before it."""

    def previews(self, proposals: Sequence[Proposal], records: Sequence[Record]) -> Sequence[tuple[Change, ...]]:
        """What each of these, which all fit, would change where those before it have run. Pure."""
        ...


@runtime_checkable
class Browsable(Protocol):
    """A domain that shows any of its records, or finds those with a text, without reading all the others."""

    async def browse(self, scope: Scope, window: Window) -> WindowView:
        """What is to be seen of the records with the scope's status; it names no records, and no part."""
        ...


@runtime_checkable
class SelfChecking(Protocol):
    """A domain that can tell what is wrong with files of a person's own that it works with."""

    def faults(self) -> Sequence[str]:
        """What cannot be used, each in a sentence that names the file and the way out; blocks."""
        ...


@runtime_checkable
class Tallied(Protocol):
    """A domain that counts its records by status without reading them."""

    async def statuses(self) -> Mapping[str, int]:
        """How many records there are of each status."""
        ...


@runtime_checkable
class Examined(Protocol):
    """A domain that can tell beforehand what would go wrong in a repair."""

    async def lacks(self) -> Sequence[str]:
        """What is missing, each in a sentence with the way out; nothing is changed. Raises StoreUnavailable."""
        ...


@runtime_checkable
class Chronicled(Protocol):
    """A domain that knows what repairs did to its records earlier."""

    async def done_before(self, record_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """For each of these records of which anything is known: what was done, each with its day, the oldest first."""
        ...


@runtime_checkable
class Briefing(Protocol):
    """A domain that tells a language model more than its bare records; without it, those and the tools' words do."""

    def guide(self) -> Guide:
        """What a language model has to know of this domain, whatever the records."""
        ...

    def brief(self, records: Sequence[Record]) -> Mapping[str, Mapping[str, object]]:
        """Each record with what belongs to it, and nothing else, by its id, as short as judging it allows. Pure."""
        ...
