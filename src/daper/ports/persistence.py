"""What is kept beside Temporal: reports, the memory, what models took, and what was said to them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Protocol

from pydantic import JsonValue

from daper.core.access import Access, TokenGrant
from daper.core.figures import Figures, RecordRepair
from daper.core.messages import ClaimInput, ClaimResult, ConcludeInput, CycleRef, HoldInput, HoldResult
from daper.core.outcomes import RepairResult, ReportPaths
from daper.core.usage import CallSpent, Role, Spent, Usage


@dataclass(frozen=True, kw_only=True)
class KeptAnswer:
    """Which repair answers what was asked under an id; `asked`: what for, as a digest.

    `begun`: that repair is known to have begun; else it waited, and may never have.
    """

    asked_id: str
    asked: str
    repair_id: str
    begun: bool


class Reports(Protocol):
    """Where reports are kept; and, for good, which repair answers what was asked under an id."""

    async def write(self, result: RepairResult) -> ReportPaths:
        """Write the report of an ended cycle. Writing it twice leaves one."""
        ...

    async def read(self, repair_id: str) -> RepairResult | None:
        """The result as it was written, or None."""
        ...

    async def newest(self, limit: int) -> Sequence[RepairResult]:
        """The results that were written last, the newest first; what cannot be read is left out."""
        ...

    async def ids(self, said: str) -> Sequence[str]:
        """The ids of the repairs with a report that a text may mean: whole, or in short."""
        ...

    async def keep(self, answer: KeptAnswer) -> None:
        """Remember it, also when its report is deleted. What has begun stays as it was. Raises a StoreError."""
        ...

    async def answer(self, asked_id: str) -> KeptAnswer | None:
        """What was kept for an id, or what its report says; None where neither is there. Raises a StoreError."""
        ...


class ReportFigures(Protocol):
    """What there is to know of many reports without reading each. What is new to it is read first, as far as time goes.

    Each may raise a StoreError.
    """

    async def since(self, day: date, *, domain: str = "") -> Figures:
        """The repairs that ended on that day (UTC) or later; `domain`: only that one's."""
        ...

    async def of_record(self, domain: str, record_id: str, *, limit: int) -> Sequence[RecordRepair]:
        """The repairs in which a record was, the newest first."""
        ...


class Memory(Protocol):
    """What all agents remember of a problem, by domain, record and kind, and the fingerprint of its facts."""

    async def claim(self, request: ClaimInput) -> ClaimResult:
        """Which findings may be planned for now; they are marked as waiting for this repair's decision. Idempotent."""
        ...

    async def hold(self, request: HoldInput) -> HoldResult:
        """Which actions may be planned now; what they would write is held for this repair. Idempotent."""
        ...

    async def let_go(self, cycle: CycleRef, fingerprints: Collection[str]) -> None:
        """This repair plans nothing for these findings of its own: others may. Idempotent."""
        ...

    async def holders(
        self, cycle: CycleRef, *, record_ids: Collection[str] = (), refs: Collection[str] = ()
    ) -> tuple[str, ...]:
        """Other repairs that hold findings of these records, or these records."""
        ...

    async def release(self, cycle: CycleRef, repair_ids: Collection[str]) -> None:
        """What these repairs hold in the cycle's store is free: they have ended, and did not say so. Idempotent."""
        ...

    async def conclude(self, request: ConcludeInput) -> None:
        """What became of them. Idempotent by cycle."""
        ...

    async def records_replaced(self, *, store_id: str, domain: str) -> None:
        """A person replaced all records: that a problem is there again says nothing of its repairs any more."""
        ...

    async def fact_told(self, *, store_id: str, domain: str, record_id: str, kinds: Collection[str]) -> None:
        """Who was asked about these kinds of problem of a record has answered: that they were asked counts no more."""
        ...


@dataclass(frozen=True, kw_only=True)
class Caps:
    """What one cycle may spend on language models; `cost` in US dollars. None: no cap."""

    tokens: int | None = None
    cost: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """The most that one call can take, set aside before it is made. `cost` None: nobody knows its price."""

    call_id: str
    cycle_id: str
    call: CallSpent
    model: str
    cost: Decimal | None


class Spending(Protocol):
    """What cycles spend on language models: kept across retries, restarts and processes."""

    async def reserve(self, reservation: Reservation, caps: Caps) -> None:
        """Set aside the most that a call can take. Raises SpendingCapReached, and sets nothing aside, past a cap.

        What was set aside and neither settled nor released counts in full: nobody knows what it took. It is over once
        it is older than any call takes, and goes on to count so.
        """
        ...

    async def settle(self, call_id: str, spent: Spent) -> None:
        """What the call took, in place of what was set aside. Idempotent."""
        ...

    async def release(self, call_id: str) -> None:
        """The call took nothing: whoever was asked refused it. Idempotent."""
        ...

    async def of_cycle(self, cycle_id: str) -> Usage:
        """What a cycle has spent so far; nothing for an unknown one."""
        ...


@dataclass(frozen=True, kw_only=True)
class Transcript:
    """One call of a language model: what was sent, and what came back. `answer` "" and `error` if nothing did."""

    call_id: str
    repair_id: str
    cycle_id: str
    role: Role
    model: str
    record_ids: tuple[str, ...]
    began: datetime
    took: timedelta
    prompt_digest: str
    sent: JsonValue
    answer: JsonValue
    error: str
    spent: Spent


class Transcripts(Protocol):
    """Where each call of a language model is written down, for whoever wants to check it."""

    async def write(self, entry: "Transcript") -> None:
        """Keep one call. Never raises for a full disk or a broken folder: an audit trail must not stop a repair."""
        ...


class KeptTranscripts(Transcripts, Protocol):
    """The same, for whoever checks it."""

    async def names(self, repair_id: str) -> tuple[str, ...]:
        """What is kept of a repair, in the order of the calls. Raises a StoreError."""
        ...

    async def read(self, repair_id: str, name: str) -> bytes | None:
        """One of these, a document as JSON; None where there is none. Raises a StoreError."""
        ...


class Tokens(Protocol):
    """The access tokens of a server for several people: whose each is, and what it allows. Methods block.

    Each may raise a StoreError.
    """

    @property
    def in_use(self) -> bool:
        """Whether there are, or were, tokens: then nobody comes in without one, also after the last was removed."""
        ...

    def grants(self) -> tuple[TokenGrant, ...]:
        """All of them."""
        ...

    def find(self, token: str) -> TokenGrant | None:
        """The grant of a token, or None. A change counts at once."""
        ...

    def add(self, name: str, scopes: Collection[Access]) -> str:
        """Make a token for a person; it is told this once. Raises UserError where the name has one."""
        ...

    def remove(self, name: str) -> None:
        """Take a person's token away. Raises NotFound."""
        ...
