"""All that a store holds, as another kind of store takes it in: records, and with them ledger and outbox."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from daper.ports.store import LedgerRow, Message, MessageNote, Noted, StoreAbout

RawRow = dict[str, object]
"""A record as it was written: decimals digit by digit, keys in their order."""


class StoreContents(Protocol):
    """What is in a store, at one moment. Iterators give it in pieces, so that no store need be held in memory."""

    def about(self) -> StoreAbout:
        """What the store says of itself."""
        ...

    def collections(self) -> Sequence[str]:
        """The collections of records by name, always in one order: `orders`, `inventory`."""
        ...

    def pages(self, collection: str) -> Iterator[list[RawRow]]:
        """The records of a collection in their order, some hundreds at a time."""
        ...

    def extras(self) -> Mapping[str, RawRow]:
        """By collection what stands around its records in a document, keys in their order; an empty list for them."""
        ...

    def ledger_rows(self) -> Iterator[LedgerRow]:
        """Every row of the ledger, each key once, in any order."""
        ...

    def messages(self) -> Iterator[Message]:
        """Every message of the outbox, in the order of sending."""
        ...

    def rows_of(self, keys: Collection[str]) -> Mapping[str, LedgerRow]:
        """The ledger rows of these keys, of some hundreds at most; those that there are."""
        ...

    def messages_of(self, keys: Collection[str]) -> Mapping[str, Sequence[Message]]:
        """The messages of these keys, of some hundreds at most, in the order of sending."""
        ...


class StoreIntake(StoreContents, Protocol):
    """A store that is being filled, in one change. As contents it is what it will hold when the change is over."""

    @property
    def former(self) -> StoreAbout | None:
        """What it said of itself before; None where there were no records."""
        ...

    @property
    def backup(self) -> str | None:
        """Where what was there is kept, once the change is over; None where nothing was."""
        ...

    def put_documents(self, about: StoreAbout, extras: Mapping[str, RawRow]) -> None:
        """Take all records away, and begin documents of this form. Of `about` the id and the place do not count."""
        ...

    def put_records(self, collection: str, rows: Sequence[RawRow]) -> None:
        """Add records behind those of the collection that were put before."""
        ...

    def put_ledger_row(self, row: LedgerRow) -> None:
        """Add a row, in the place of one of its key that is only `begun`. Raises ActionFailed for one that is final."""
        ...

    def put_message(self, message: Message) -> None:
        """Add a message, with the next number."""
        ...

    def note_message(self, note: MessageNote) -> Noted:
        """Note what became of a message that is there, if it is in an expected state."""
        ...


class WholeStore(Protocol):
    """A store whose contents can be read as a whole, and replaced as a whole. Its methods block."""

    @property
    def place(self) -> str:
        """Where it is, as messages name it."""
        ...

    @property
    def derived(self) -> Collection[str]:
        """Fields around the records that follow from them, and make no difference."""
        ...

    def contents(self) -> AbstractContextManager[StoreContents | None]:
        """What it holds, while nobody can change that, or as of one moment; None where there are no records."""
        ...

    def intake(self) -> AbstractContextManager[StoreIntake]:
        """Replace what it holds: all of it at the end of the block, or nothing if that raises.

        The store keeps its id, or gets one; its ledger and outbox are added to; what it held goes into a backup.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Copied:
    """What was copied: how many of what. `changed`: False where the very same was there already.

    `source` and `target` are places, `source_id` and `target_id` the ids of the stores there.
    """

    changed: bool
    source: str
    source_id: str
    target: str
    target_id: str
    counts: Mapping[str, int]
    backup: str | None = None


@runtime_checkable
class Copyable(Protocol):
    """A domain that can keep its records in several kinds of store."""

    @property
    def store_kinds(self) -> Sequence[str]:
        """The kinds that there are: `json`, `sqlite`."""
        ...

    @property
    def store_kind(self) -> str:
        """The one that it works on."""
        ...

    def stored_as(self, kind: str) -> WholeStore:
        """Its store of that kind, which need not be there. Raises SettingError for one that is not set up."""
        ...
