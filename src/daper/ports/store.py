"""What keeps records, and beside them what happened: the contract between the once-only kernel and a store."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol, TypeVar, cast, runtime_checkable

from pydantic import Field, model_validator

from daper.core.base import Wire
from daper.core.facts import ToldFact
from daper.core.models import StoreInfo
from daper.core.moments import Moment
from daper.core.outbox import MessageState
from daper.core.outcomes import Effect

OWN: Final = "own"
"""The data set of records that a person brought."""


class StoreAbout(Wire):
    """What a store says of itself: its id, for good; of its data the name, the "today", who answers in play; where.

    `folder` is where the store last found itself. Only that tells a copy, which has the same id, from the original.
    """

    store_id: str = ""
    dataset: str
    as_of: Moment | None = None
    counterparty: str | None = None
    folder: str = ""


class LedgerRow(Wire):
    """What happened for one key, for good. A tombstone: nothing happened, and nothing may any more.

    `begun` is the one kind that is not for good: an outside system was about to be asked, and nobody has noted yet what
    became of it. `originals`: what undoing gives back, as the tool wrote it down before its effect. `told`: no tool did
    it, but somebody said that it has happened.
    """

    key: str
    kind: Literal["effect", "tombstone", "undo", "begun"]
    tool: str = ""
    record_id: str = ""
    at: datetime
    effect: Effect
    originals: str = ""
    told: ToldFact | None = None


class Message(Wire):
    """One message that an effect wrote, as it lies in the outbox. `sequence`: the how manieth it is, from 1 on.

    `number`: the how manieth of its key; it follows from the order of sending, and is not written down. What became of
    it: `state`, since `noted_at`, with the reason in `note`; `tries`: how often a courier was asked in vain.
    """

    key: str
    to: str
    subject: str
    body: str
    record_id: str
    at: datetime
    simulated: bool = False
    sequence: int = 0
    number: int = Field(default=0, exclude=True)
    state: MessageState = MessageState.WRITTEN
    note: str = ""
    noted_at: datetime | None = None
    tries: int = 0

    @model_validator(mode="before")
    @classmethod
    def _simulated_once(cls, given: object) -> object:
        """Those of before there were states: what the other side only played along with never left."""
        if isinstance(given, dict) and "state" not in given:
            found = cast("dict[str, object]", given)
            if found.get("simulated") is True:
                return {**found, "state": MessageState.SIMULATED}
        return cast("object", given)

    @property
    def id(self) -> str:
        """The one id of the message, in every attempt to send it."""
        return f"{self.key}-{self.number}"

    @property
    def fate(self) -> tuple[MessageState, str, datetime | None, int]:
        """What was noted of it last."""
        return self.state, self.note, self.noted_at, self.tries


FATE: Final = frozenset({"state", "note", "noted_at", "tries"})
"""The fields of a message that say what became of it."""


@dataclass(frozen=True, kw_only=True)
class MessageNote:
    """What became of a message, to be noted where it still is in one of the states `expected`.

    `seen`: the message as it was looked at; where anything else was noted of it since, this is not noted. `tried`: a
    courier was asked in vain.
    """

    key: str
    number: int
    expected: frozenset[MessageState]
    state: MessageState
    note: str
    at: datetime
    tried: bool = False
    seen: Message | None = None

    def fits(self, message: Message) -> bool:
        """Whether it may be noted of the message as it is now."""
        if message.state not in self.expected:
            return False
        return self.seen is None or message.fate == self.seen.fate

    def on(self, message: Message) -> Message:
        """The message with it."""
        fate = {"state": self.state, "note": self.note, "noted_at": self.at, "tries": message.tries + self.tried}
        return message.model_copy(update=fate)


@dataclass(frozen=True, kw_only=True)
class Noted:
    """A message as it is now, and whether the note made it so."""

    message: Message
    changed: bool


@dataclass(frozen=True, kw_only=True)
class Letter:
    """What a tool wants to be sent beside its effect, in text that hides nothing.

    Only the body may have lines: a line break in the others would be a header. `held`: why it is not sent by itself,
    but only where a person says so.
    """

    to: str
    subject: str
    body: str
    held: str = ""


RecordsT = TypeVar("RecordsT")
RecordsT_co = TypeVar("RecordsT_co", covariant=True)


class Ledger(Protocol):
    """The rows of one change: all of it happens at the end of the change, or nothing."""

    def row(self, key: str) -> LedgerRow | None:
        """The row of a key: written by this change, or before."""
        ...

    def write_row(self, row: LedgerRow) -> None:
        """Record what happened for a key. Raises ActionFailed for a key that has a row, unless that is `begun`."""
        ...


class Outbox(Protocol):
    """The messages of one change."""

    def send(self, message: Message) -> None:
        """Put a message into the outbox, under the next number of the sending order."""
        ...


class StoreChange(Ledger, Outbox, Protocol[RecordsT_co]):
    """A change of records, ledger and outbox in the making: all of it happens at its end, or nothing."""

    @property
    def records(self) -> RecordsT_co:
        """The records as this change sees them, in the store's own form; what a tool does to them belongs to it."""
        ...

    def version(self, ref: str) -> str | None:
        """The version that a record has now, this change included; None for one that is not there."""
        ...


@runtime_checkable
class MessageStore(Protocol):
    """A store whose outbox can be delivered: each message has a state. Methods block, and raise what a store raises."""

    def outbox(self) -> Sequence[Message]:
        """Every message, in the order of sending."""
        ...

    def messages_of(self, key: str) -> Sequence[Message]:
        """Those that one effect, or its undo, wrote; in the order of sending."""
        ...

    def note_message(self, note: MessageNote) -> Noted:
        """Note what became of a message, if it is still in an expected state. Raises NotFound for one that is none."""
        ...


class Store(Protocol[RecordsT_co]):
    """Records that change together with their ledger and outbox.

    Its methods block. They raise StoreBusy (somebody holds the records), StoreChanged (edited under a change),
    StoreDamaged (not what it must be) and StoreError (the disk or the server refuses).
    """

    def info(self) -> StoreInfo:
        """Which store this is; two places never have one id."""
        ...

    def change(self) -> AbstractContextManager[StoreChange[RecordsT_co]]:
        """A change: all of it at the end of the block, or nothing if that raises. Others wait meanwhile."""
        ...

    def reading(self) -> AbstractContextManager[RecordsT_co]:
        """The records as they are together at one moment; not to be changed."""
        ...
