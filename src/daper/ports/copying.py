"""All that a store holds, as another kind of store takes it in: records, and with them ledger and outbox."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from daper.ports.store import LedgerRow, Message

RawRow = dict[str, object]
"""A record as it was written: decimals digit by digit, keys in their order."""


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """What the data of a store says of itself: its name, its "today", who answers in play."""

    name: str
    as_of: datetime | None = None
    counterparty: str | None = None


class StoreContents(Protocol):
    """What is in a store, at one moment. Iterators give it in pieces, so that no store need be held in memory."""

    def data_set(self) -> DataSet:
        """What the data says of itself."""
        ...

    def collections(self) -> Sequence[str]:
        """The collections of records by name, always in one order: `orders`, `inventory`."""
        ...

    def pages(self, collection: str) -> Iterator[list[RawRow]]:
        """The records of a collection in their order, some hundreds at a time."""
        ...

    def extras(self) -> Mapping[str, Mapping[str, object]]:
        """By collection the document around it, keys in their order; an empty list stands for the records."""
        ...

    def ledger_rows(self) -> Iterator[LedgerRow]:
        """Every row of the ledger, each key once, in any order."""
        ...

    def messages(self) -> Iterator[Message]:
        """Every message of the outbox, in the order of sending."""
        ...


class StoreIntake(StoreContents, Protocol):
    """A store that is being filled, in one change. As contents it is what it will hold when the change is over."""

    @property
    def backup(self) -> str | None:
        """Where what was there is kept, once the change is over; None where nothing was, or need be."""
        ...

    def put_documents(self, data_set: DataSet, extras: Mapping[str, Mapping[str, object]]) -> None:
        """Take all records away, and begin documents of this form."""
        ...

    def put_records(self, collection: str, rows: Sequence[RawRow]) -> None:
        """Add records behind those of the collection that were put before."""
        ...

    def put_ledger_rows(self, rows: Iterable[LedgerRow]) -> None:
        """Add rows; what the ledger has already stays, but for a `begun` row, in whose place the new one comes.

        Raises StoreError for a key of which the ledger says something else for good.
        """
        ...

    def put_messages(self, messages: Iterable[Message]) -> None:
        """Add messages in this order, each with the next number; none of a key that had messages before the change."""
        ...


class CopiedStore(Protocol):
    """A store whose contents can be read as a whole, and replaced as a whole. Its methods block."""

    @property
    def place(self) -> str:
        """Where it is, as messages name it."""
        ...

    def store_id(self) -> str | None:
        """The id of the store that is there; None where there is none yet."""
        ...

    def contents(self) -> AbstractContextManager[StoreContents | None]:
        """What it holds, while nobody can change that, or as of one moment; None where there are no records."""
        ...

    def intake(self, *, keep: bool) -> AbstractContextManager[StoreIntake]:
        """Replace what it holds: all of it at the end of the block, or nothing if that raises.

        The store keeps its id, or gets one; its ledger and outbox are added to. `keep`: what it holds goes into a
        backup first.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Copied:
    """What was copied: how many of what. `changed`: False where the very same was there already."""

    changed: bool
    source: str
    target: str
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

    def stored_as(self, kind: str) -> CopiedStore:
        """Its store of that kind, which need not be there. Raises SettingError for one that is not set up."""
        ...
