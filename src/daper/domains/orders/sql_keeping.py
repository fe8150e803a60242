"""Orders kept in tables of SQLite or PostgreSQL: an effect costs the same whether there are ten or a million."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from daper.core.errors import SettingError
from daper.core.models import Scope
from daper.domains.orders.book import PAGE, BookStore, Replacement
from daper.domains.orders.claims import TABLE as CLAIMS_TABLE
from daper.domains.orders.claims import Queue, create_claims, near_rows
from daper.domains.orders.counterparty import answers_in_play
from daper.domains.orders.fields import Number
from daper.domains.orders.statuses import CLOSED, normal
from daper.domains.orders.world import (
    ORDERS_FILE,
    STOCK_FILE,
    OrderRecord,
    Raw,
    check_documents,
    item_ids,
    order_ref,
    raw_orders,
    raw_stock,
    stock_ref,
)
from daper.ports import Record, RecordPage, Window, WindowView
from daper.ports.store import LedgerRow, Message, MessageNote, Noted, StoreAbout
from daper.stores import jsontext
from daper.stores.jsonfiles.documents import Documents
from daper.stores.sql.document_rows import DocumentRows, Row, Where
from daper.stores.sql.document_search import Bounds
from daper.stores.sql.document_tables import Collection as Table
from daper.stores.sql.document_tables import create_collections
from daper.stores.sql.document_words import create_words
from daper.stores.sql.documents import DocumentStore
from daper.stores.sql.documents_merge import (
    KnownDocuments,
    MergingDocuments,
    known_documents,
    merging_documents,
)
from daper.stores.sql.documents_whole import DocumentsWhole
from daper.stores.sql.engine import Branch, Database
from daper.stores.sql.records_schema import BACKUP, RECORDS
from daper.stores.sql.sqlite_database import SqliteDatabase

ORDERS: Final = Table(
    name="orders", key="order_id", document=ORDERS_FILE, searched=("status",), words=("customer_name",)
)
STOCK: Final = Table(name="inventory", key="item_id", document=STOCK_FILE)


def _create(db: Connection) -> None:
    create_collections(db, (ORDERS, STOCK))
    create_words(db, ORDERS)
    create_claims(db)


BRANCHES: Final = (
    RECORDS,
    Branch(
        name="orders",
        head="orders_0004",
        scripts=Path(__file__).parent / "migrations",
        create=_create,
        tables=frozenset({ORDERS.table_name, STOCK.table_name, CLAIMS_TABLE}),
    ),
)
"""The tables that a database of orders has."""


def in_file(path: Path) -> "SqlKeeping":
    """The orders in a SQLite file, which the first use makes."""
    return SqlKeeping(SqliteDatabase(path, BRANCHES, what="the orders"))


def on_server(url: str) -> "SqlKeeping":
    """The orders on a PostgreSQL server. Raises SettingError where the address is none, or its driver is missing."""
    try:
        from daper.stores.sql.postgresql_database import PostgresqlDatabase
    except ImportError as error:
        raise SettingError(f"PostgreSQL needs its driver: pip install 'daper[postgresql]' ({error})") from error
    return SqlKeeping(PostgresqlDatabase(url, BRANCHES))


class SqlBook:
    """The rows of one moment, or of a change."""

    def __init__(self, rows: DocumentRows) -> None:
        self._rows = rows

    def about(self) -> StoreAbout:
        """What the store says of itself."""
        return self._rows.about()

    def order(self, order_id: str) -> Raw | None:
        """The row of an order itself."""
        return self._raw(ORDERS, order_id)

    def items(self, order_id: str) -> Collection[str] | None:
        """The items of an order; whoever changes it then finds whether it is still so."""
        row = self._rows.find(ORDERS.name, [order_id]).get(order_id)
        return None if row is None else item_ids(row.raw)

    def stock(self, item_id: str) -> Raw | None:
        """The inventory row of an item itself."""
        return self._raw(STOCK, item_id)

    def records(self, orders: Iterable[Raw]) -> tuple[Record, ...]:
        """These orders, with the rows of their items."""
        found = self._rows.find(ORDERS.name, [str(raw["order_id"]) for raw in orders])
        return records_of(self._rows, found.values())

    def sum_up(self) -> None:
        """Nothing: a database adds up by itself."""

    def _raw(self, table: Table, record_id: str) -> Raw | None:
        row = self._rows.one(table.name, record_id)
        return None if row is None else row.raw


class KnownOrders(KnownDocuments):
    """The orders and the inventory as one transaction sees them."""

    def open_orders(self) -> Iterator[Sequence[Raw]]:
        """By the index of their statuses."""
        after, where = 0, _where(self._rows, Scope(), only_open=True)
        while page := self._rows.page(ORDERS.name, after=after, limit=PAGE, where=where):
            after = page[-1].position
            yield [row.raw for row in page]


class SqlKeeping:
    """The orders in a database."""

    def __init__(self, database: Database) -> None:
        self.tables = DocumentStore(database, name="orders", collections=(ORDERS, STOCK))
        self.store = BookStore(self.tables, SqlBook)
        # Of the last look through all orders: who gets what is found once, and not again for each page.
        self._queue = Queue()

    def install(self, texts: Mapping[str, str], *, about: StoreAbout) -> bool:
        """Bring the orders of a new store."""
        if self.tables.dataset() is not None:
            return False
        return self.tables.install(_rows_in({name: text.encode() for name, text in texts.items()}), about=about)

    def replace(self, contents: Mapping[str, bytes], *, about: StoreAbout, only: Collection[str] | None) -> Replacement:
        """Replace all rows; the backup is in a table beside them."""
        done = self.tables.replace(_rows_in(contents), about=about, only=only)
        where = f"backup {done.number} in the table {BACKUP.name} of {self.tables.database.named}"
        return Replacement(changed=done.changed, backup=None if done.number is None else where)

    def deeds(self, record_ids: Collection[str]) -> Mapping[str, Sequence[LedgerRow]]:
        """By the index of the ledger."""
        with known_documents(self.tables, KnownDocuments) as known:
            return known.deeds(record_ids)

    def known(self) -> AbstractContextManager[KnownOrders]:
        """The tables as of one moment."""
        return known_documents(self.tables, KnownOrders)

    def merging(self) -> AbstractContextManager[MergingDocuments]:
        """In one transaction; a row that stays the same keeps its version."""
        return merging_documents(self.tables)

    def holds(self, contents: Mapping[str, bytes], *, about: StoreAbout) -> bool:
        """Whether these very records are there."""
        return self.tables.holds(_rows_in(contents), about=about)

    def dataset(self) -> str | None:
        """Which data set the records are of."""
        return self.tables.dataset()

    def refuse_copy(self) -> None:
        """Raises StoreDamaged for a copy of a database that may still be there."""
        self.tables.refuse_copy()

    def adopt(self) -> None:
        """Give a copied database an id of its own."""
        self.tables.adopt()

    def recover(self, *, keep_edited: bool) -> str:
        """A database leaves nothing half done."""
        return f"nothing is half done in {self.tables.database.named}"

    def outbox(self) -> tuple[Message, ...]:
        """Every message, in the order of sending."""
        return self.tables.outbox()

    def messages_of(self, key: str) -> tuple[Message, ...]:
        """Those that one effect, or its undo, wrote."""
        return self.tables.messages_of(key)

    def note_message(self, note: MessageNote) -> Noted:
        """Note what became of one, if it is still in an expected state."""
        return self.tables.note_message(note)

    def databases(self) -> tuple[Database, ...]:
        """The one that it is in."""
        return (self.tables.database,)

    def as_whole(self) -> DocumentsWhole:
        """Both tables, with what happened beside them."""
        return DocumentsWhole(self.tables)

    def scan(self, scope: Scope, after: int, *, only_open: bool) -> RecordPage:
        """The orders behind that place in the table: those with a status in scope are found by its index."""
        queue = self._queue if after else Queue()
        self._queue = queue
        with self.tables.reading() as rows:
            if scope.record_ids:
                return self._named(rows, scope)
            where = _where(rows, scope, only_open=only_open)
            found = rows.page(ORDERS.name, after=after, limit=PAGE + 1, where=where)
            page, shared = found[:PAGE], scope.partition is not None
            return RecordPage(
                records=records_of(rows, _in_part(page, scope), queue),
                next_page=str(page[-1].position) if len(found) > PAGE else None,
                # A database cannot tell which part an order is in: how many there are in it shows at the end.
                total=None if after or shared else rows.count(ORDERS.name, where=_where(rows, scope, only_open=False)),
            )

    def browse(self, scope: Scope, window: Window) -> WindowView:
        """Some orders by their place in the table; those with a text by its index."""
        with self.tables.reading() as rows:
            where = _where(rows, scope, only_open=window.only_open)
            here = rows.find(ORDERS.name, filter(None, (window.after, window.before)))
            after, before = (here[each].position if each in here else None for each in (window.after, window.before))
            bounds = Bounds(limit=window.most + 1, after=after, before=before, skip=window.skip)
            if window.search:
                found = rows.search(ORDERS.name, window.search, bounds, where=where)
                page, total = rows.at(ORDERS.name, found.positions), found.total
            else:
                page = rows.window(ORDERS.name, bounds, where=where)
                total = rows.count(ORDERS.name, where=where) if window.counted else 0
            more = len(page) > window.most
            page = (page[1:] if bounds.backwards else page[:-1]) if more else page
            return WindowView(
                records=records_of(rows, page),
                total=total,
                earlier=more if bounds.backwards else bool(after or window.skip),
                later=True if bounds.backwards else more,
            )

    def context(self, order_ids: Collection[str]) -> tuple[Record, ...]:
        """The named orders, with the rows of their items."""
        with self.tables.reading() as rows:
            return records_of(rows, rows.find(ORDERS.name, order_ids).values())

    def count_open(self, scope: Scope) -> int:
        """How many orders in scope are not closed; without looking at each, but where a part of them is asked for."""
        with self.tables.reading() as rows:
            if scope.record_ids:
                return sum(not _is_closed(row.raw.get("status")) for row in self._in_scope(rows, scope))
            where = _where(rows, scope, only_open=True)
            if scope.partition is None:
                return rows.count(ORDERS.name, where=where)
            counted, after = 0, 0
            while page := rows.page(ORDERS.name, after=after, limit=PAGE, where=where):
                counted, after = counted + len(_in_part(page, scope)), page[-1].position
            return counted

    def _named(self, rows: DocumentRows, scope: Scope) -> RecordPage:
        found = self._in_scope(rows, scope)
        return RecordPage(records=records_of(rows, found), total=len(found))

    def _in_scope(self, rows: DocumentRows, scope: Scope) -> list[Row]:
        found = rows.find(ORDERS.name, scope.record_ids).values()
        wanted = [row for row in found if scope.status is None or _is(scope.status)(row.raw.get("status"))]
        return _in_part(wanted, scope)


def _in_part(rows: Iterable[Row], scope: Scope) -> list[Row]:
    part = scope.partition
    return [row for row in rows if part is None or part.holds(str(row.raw["order_id"]))]


def records_of(rows: DocumentRows, orders: Iterable[Row], queue: Queue | None = None) -> tuple[Record, ...]:
    """These orders as records, with the inventory rows of their items, each in the order of its table."""
    found = [*orders]
    stock = rows.find(STOCK.name, {item for row in found for item in item_ids(row.raw)})
    missing = {item for row in found for item in item_ids(row.raw)} - stock.keys()
    if missing:
        stock |= near_rows(rows, missing)
    ahead = (queue or Queue()).ahead(rows, found, stock)
    in_play = answers_in_play(rows.about())
    return (
        *(_order(str(row.raw["order_id"]), row, ahead.get(row.position, {}), in_play=in_play) for row in found),
        *(_record(stock_ref(item_id), item_id, row) for item_id, row in stock.items()),
    )


def _order(order_id: str, row: Row, ahead: Mapping[str, Number], *, in_play: bool) -> OrderRecord:
    return OrderRecord(
        ref=order_ref(order_id), record_id=order_id, version=row.version, data=row.raw, ahead=ahead, in_play=in_play
    )


def _record(ref: str, record_id: str, row: Row) -> Record:
    return Record(ref=ref, record_id=record_id, version=row.version, data=row.raw)


def _rows_in(contents: Mapping[str, bytes]) -> dict[str, list[Raw]]:
    documents: Documents = {name: jsontext.parse(text, path=Path(name)) for name, text in contents.items()}
    check_documents(documents)
    return {ORDERS.name: raw_orders(documents), STOCK.name: raw_stock(documents)}


def _where(rows: DocumentRows, scope: Scope, *, only_open: bool) -> Where | None:
    """The statuses that are looked for, as they are spelled there; None for all."""
    if scope.status is None and not only_open:
        return None
    there = rows.values(ORDERS.name, "status")
    if scope.status is not None:
        there = tuple(filter(_is(scope.status), there))
    return {"status": [each for each in there if not (only_open and _is_closed(each))]}


def _is(status: str) -> Callable[[object], bool]:
    wanted = normal(status)
    return lambda found: normal(str(found or "")) == wanted


def _is_closed(status: object) -> bool:
    return normal(str(status or "")) in CLOSED
