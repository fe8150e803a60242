"""The Protocols that the cycle is built on: a domain of records and its tools, the agents, the memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, JsonValue

from daper.core.limits import Limit
from daper.core.messages import ClaimInput, ClaimResult, ConcludeInput
from daper.core.models import Change, Finding, Proposal, RecordHead, Risk, Scope, StoreInfo
from daper.core.outcomes import Effect, Postcondition, RepairResult, Report, ReportPaths


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
class ProposalSet:
    """What an agent proposes, and the findings that no tool fits: fingerprint → why a person has to."""

    proposals: tuple[Proposal, ...] = ()
    for_person: Mapping[str, str] = field(default_factory=dict[str, str])
    notes: str = ""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """On what terms a proposal may run, from one snapshot of the records.

    `answers`: the kinds of finding that this tool repairs, whatever a proposal claims. `limits`: what each argument may
    be, from record fields, settings and allow-lists; an argument without a limit is refused. `reads`: the version of
    every record the action depends on. `preview`: what would change. `spends`: money; None where nobody can say, which
    no grant by policy covers.
    """

    answers: frozenset[str]
    limits: Mapping[str, Limit]
    reads: Mapping[str, str] = field(default_factory=dict[str, str])
    preview: tuple[Change, ...] = ()
    spends: Decimal | None = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class ToolCall:
    """One approved action as its tool gets it.

    `expected` gives, for every record the plan read, the version it must still have; `today` is the cycle's date.
    After `valid_until`, by the wall clock, the approval has lapsed: the tool says `lapsed`, for good.
    """

    key: str
    record_id: str
    arguments: Mapping[str, JsonValue]
    expected: Mapping[str, str]
    today: datetime
    valid_until: datetime | None = None


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
        """Some records in scope, with whatever is needed to judge them."""
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


@dataclass(frozen=True, kw_only=True)
class Replaced:
    """What became of replacing all records: whether anything changed, and where a backup of what was there is."""

    store: StoreInfo
    changed: bool
    backup: str | None = None


@runtime_checkable
class Resettable(Protocol):
    """A domain whose shipped data can be restored."""

    async def reset(self, *, replace_own: bool = False) -> Replaced:
        """Restore the shipped data; the effect ledger is kept, and a backup.

        Raises UserError, and does nothing, when the records are a person's own and may not be replaced.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class ImportNote:
    """What is said of one place in a file that is to be imported; `record` is the id of the record, if it has one."""

    file: str
    place: str
    message: str
    record: str = ""


@dataclass(frozen=True, kw_only=True)
class ImportDraft:
    """What an import would bring. With faults nothing can be imported.

    `counts`: how many of what. `findings`: what the rules find wrong with the records. `same`: the store has these very
    records already. `replaces_own`: those that are there are a person's own. `contents` is for the domain alone.
    """

    faults: tuple[ImportNote, ...] = ()
    warnings: tuple[ImportNote, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    findings: tuple[Finding, ...] = ()
    same: bool = False
    replaces_own: bool = False
    contents: Mapping[str, bytes] = field(default_factory=dict[str, bytes])


@runtime_checkable
class Importable(Protocol):
    """A domain whose records can be replaced by those in a person's files."""

    @property
    def import_files(self) -> tuple[str, ...]:
        """What each file has to hold, in the order in which they are given."""
        ...

    async def holds_own(self) -> bool:
        """Whether the records that are there are a person's own."""
        ...

    async def read_import(self, files: Sequence[Path], *, now: datetime) -> ImportDraft:
        """Look the files over, and change nothing. What is wrong with them is told in the draft, and raises nothing."""
        ...

    async def import_records(self, draft: ImportDraft, *, replace_own: bool = False) -> Replaced:
        """Replace all records by those of a draft without faults; the effect ledger is kept, and a backup.

        Raises UserError, and does nothing, for a draft with faults, and when the records that are there are a person's
        own and may not be replaced.
        """
        ...


@runtime_checkable
class Recoverable(Protocol):
    """A domain whose store can refuse an interrupted change because a file was edited since."""

    async def recover(self, *, keep_edited: bool) -> str:
        """Drop the change and keep the edited file, or save the edited file beside and finish the change."""
        ...


@runtime_checkable
class Adoptable(Protocol):
    """A domain whose store can be a copy of another one, and then needs an id of its own."""

    async def adopt(self) -> StoreInfo:
        """Give a copied store an id of its own; one that is no copy keeps its id."""
        ...


class Agents(Protocol):
    """The thinking of one cycle. Rules and language models are two implementations."""

    async def detect(self, domain: Domain, records: Sequence[Record], today: datetime) -> Mapping[str, float]:
        """The suspects among these records: record id → how sure that something is wrong, 0..1."""
        ...

    async def analyze(self, domain: Domain, records: Sequence[Record], today: datetime) -> tuple[Finding, ...]:
        """What is wrong with these records."""
        ...

    async def plan(self, domain: Domain, findings: Sequence[Finding], records: Sequence[Record]) -> ProposalSet:
        """What to do about the findings."""
        ...

    async def report(self, result: RepairResult) -> Report:
        """The report of an ended cycle: sentences may be the agent's, numbers are the result's."""
        ...


class Reports(Protocol):
    """Where reports are kept."""

    async def write(self, result: RepairResult) -> ReportPaths:
        """Write the report of an ended cycle. Writing it twice leaves one."""
        ...

    async def read(self, repair_id: str) -> RepairResult | None:
        """The result as it was written, or None."""
        ...

    async def newest(self, limit: int) -> Sequence[RepairResult]:
        """The results that were written last, the newest first; what cannot be read is left out."""
        ...


class Memory(Protocol):
    """What all agents remember of a problem, by domain, record and kind, and the fingerprint of its facts."""

    async def claim(self, request: ClaimInput) -> ClaimResult:
        """Which findings may be planned for now; they are marked as waiting for this repair's decision. Idempotent."""
        ...

    async def conclude(self, request: ConcludeInput) -> None:
        """What became of them. Idempotent by cycle."""
        ...
