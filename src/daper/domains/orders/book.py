"""Orders and inventory rows as a store has them at one moment, or within a change, whatever store it is."""

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from daper.core.models import Scope, StoreInfo
from daper.domains.orders.world import Raw
from daper.ports import Record, RecordPage, Window, WindowView
from daper.ports.copying import WholeStore
from daper.ports.store import LedgerRow, Message, MessageNote, Noted, Store, StoreAbout, StoreChange

if TYPE_CHECKING:
    from daper.stores.sql.engine import Database

PAGE: Final = 500

T = TypeVar("T")


class Book(Protocol):
    """Rows are the raw ones: within a change they are changed in place, and belong to it."""

    def about(self) -> StoreAbout:
        """What the store says of itself."""
        ...

    def order(self, order_id: str) -> Raw | None:
        """The row of an order, or None."""
        ...

    def items(self, order_id: str) -> Collection[str] | None:
        """The items of an order, without holding it for a change; None where it is not there."""
        ...

    def stock(self, item_id: str) -> Raw | None:
        """The inventory row of an item, or None."""
        ...

    def records(self, orders: Iterable[Raw]) -> tuple[Record, ...]:
        """These orders as records, with the inventory rows of their items."""
        ...

    def sum_up(self) -> None:
        """Bring the figures of all orders up to date, where the store has some beside them."""
        ...


class BookStore(Generic[T]):
    """A store whose records are read and changed as a book."""

    def __init__(self, store: Store[T], book_of: Callable[[T], Book]) -> None:
        self._store = store
        self._book_of = book_of

    def info(self) -> StoreInfo:
        """Which store this is."""
        return self._store.info()

    @contextmanager
    def change(self) -> Generator["BookChange"]:
        """As of a store."""
        with self._store.change() as change:
            yield BookChange(change, self._book_of(change.records))

    @contextmanager
    def reading(self) -> Generator[Book]:
        """As of a store."""
        with self._store.reading() as records:
            yield self._book_of(records)


class BookChange:
    """A change in the making, seen as a book."""

    def __init__(self, change: StoreChange[object], book: Book) -> None:
        self._change = change
        self._book = book

    @property
    def records(self) -> Book:
        """The orders and the inventory as this change sees them."""
        return self._book

    def version(self, ref: str) -> str | None:
        """The version that a record has now, this change included; None for one that is not there."""
        return self._change.version(ref)

    def row(self, key: str) -> LedgerRow | None:
        """The ledger row of a key."""
        return self._change.row(key)

    def write_row(self, row: LedgerRow) -> None:
        """Record what happened for a key."""
        self._change.write_row(row)

    def send(self, message: Message) -> None:
        """Put a message into the outbox."""
        self._change.send(message)


@dataclass(frozen=True, kw_only=True)
class Replacement:
    """Whether all records were replaced, and where what was there before is kept, if anything was."""

    changed: bool
    backup: str | None


class Known(Protocol):
    """What a store has at one moment, and what its ledger knows of it."""

    def count(self, collection: str) -> int:
        """How many rows there are in a collection."""
        ...

    def rows(self, collection: str, ids: Collection[str]) -> Mapping[str, Raw]:
        """The rows with these ids, those that there are; not to be changed."""
        ...

    def deeds(self, record_ids: Collection[str]) -> Mapping[str, Sequence[LedgerRow]]:
        """The rows of the ledger that are about these orders."""
        ...


class KnownShop(Known, Protocol):
    """The same, all of which can be gone through."""

    def open_orders(self) -> Iterator[Sequence[Raw]]:
        """The orders that are not closed, a page at a time; not to be changed."""
        ...

    def touch(self) -> None:
        """Say that somebody still looks: a database cuts off who falls silent for long."""
        ...


class Merging(Known, Protocol):
    """A store that is brought up to date, in one change; nobody else changes it meanwhile."""

    def put(self, collection: str, changed: Mapping[str, Raw], fresh: Sequence[Raw]) -> None:
        """These rows in the place of those with their ids, and those others behind all."""
        ...

    def put_extra(self, collection: str, extra: Raw) -> None:
        """What stands around the rows of a collection, field by field."""
        ...

    @property
    def backup(self) -> str | None:
        """Where what was changed is kept, once the change is over; None where nothing was."""
        ...


class Keeping(Protocol):
    """How a shop's orders are kept. Methods block, and raise what those of a store do."""

    @property
    def store(self) -> Store[Book]:
        """For what is done to single orders."""
        ...

    def install(self, texts: Mapping[str, str], *, about: StoreAbout) -> bool:
        """Bring the orders of a new store; False, and nothing done, if it is one already."""
        ...

    def replace(self, contents: Mapping[str, bytes], *, about: StoreAbout, only: Collection[str] | None) -> Replacement:
        """Replace all records by those of these documents; id, ledger and outbox stay, and a backup.

        `only`: the data sets that may be replaced. Raises UserError for records of another data set.
        """
        ...

    def deeds(self, record_ids: Collection[str]) -> Mapping[str, Sequence[LedgerRow]]:
        """The rows of the ledger that are about these orders, without a look at the orders."""
        ...

    def known(self) -> AbstractContextManager[KnownShop]:
        """What is there, to be looked at."""
        ...

    def merging(self) -> AbstractContextManager[Merging]:
        """Bring rows up to date: all of it at the end of the block, or nothing if that raises."""
        ...

    def holds(self, contents: Mapping[str, bytes], *, about: StoreAbout) -> bool:
        """Whether these very records are there, and the store says the same of them."""
        ...

    def dataset(self) -> str | None:
        """Which data set the records are of; None where there are none."""
        ...

    def refuse_copy(self) -> None:
        """Raises StoreDamaged for a copy of a store that is still there."""
        ...

    def adopt(self) -> None:
        """Give a copy an id of its own."""
        ...

    def recover(self, *, keep_edited: bool) -> str:
        """Get past a change that was left half done, and say how."""
        ...

    def outbox(self) -> tuple[Message, ...]:
        """Every message, in the order of sending."""
        ...

    def messages_of(self, key: str) -> tuple[Message, ...]:
        """Those that one effect, or its undo, wrote."""
        ...

    def note_message(self, note: MessageNote) -> Noted:
        """Note what became of one, if it is still in an expected state. Raises NotFound."""
        ...

    def databases(self) -> "Sequence[Database]":
        """Those that it is in; none is opened."""
        ...

    def as_whole(self) -> WholeStore:
        """All that is kept, to be copied into another kind of store, or from one."""
        ...

    def scan(self, scope: Scope, after: int, *, only_open: bool) -> RecordPage:
        """At most 500 orders in scope behind that place, with the rows of their items; `only_open`: no closed ones."""
        ...

    def browse(self, scope: Scope, window: Window) -> WindowView:
        """The orders that are to be seen in a window, with the rows of their items."""
        ...

    def context(self, order_ids: Collection[str]) -> tuple[Record, ...]:
        """The named orders, with the rows of their items."""
        ...

    def count_open(self, scope: Scope) -> int:
        """How many orders in scope are not closed."""
        ...
