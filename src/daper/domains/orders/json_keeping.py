"""Orders kept in two JSON files, which a person can look at and edit."""

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from daper.core.models import Scope
from daper.core.text import folded, shown
from daper.domains.orders.book import PAGE, BookStore, Replacement
from daper.domains.orders.changes import SUMMARY, refresh_summary
from daper.domains.orders.counterparty import answers_in_play
from daper.domains.orders.fields import Number
from daper.domains.orders.shipped import DOCUMENTS
from daper.domains.orders.statuses import CLOSED, normal
from daper.domains.orders.world import (
    ORDERS,
    ORDERS_FILE,
    STOCK,
    STOCK_FILE,
    Raw,
    check_documents,
    current_version,
    find_order,
    find_stock,
    item_ids,
    queue_of,
    raw_orders,
    raw_stock,
    records_for,
)
from daper.ports import Record, RecordPage, Window, WindowView
from daper.ports.store import LedgerRow, Message, MessageNote, Noted, StoreAbout
from daper.stores import jsontext
from daper.stores.jsonfiles.documents import Documents
from daper.stores.jsonfiles.drafts import JsonChange, JsonRecords
from daper.stores.jsonfiles.store import JsonStore
from daper.stores.jsonfiles.whole import JsonWhole


class JsonBook:
    """The documents of one moment, or of a change."""

    def __init__(self, records: JsonRecords) -> None:
        self._records = records

    def about(self) -> StoreAbout:
        """What the store says of itself now."""
        return self._records.about()

    def order(self, order_id: str) -> Raw | None:
        """The row of an order itself."""
        return find_order(self._records.documents, order_id)

    def items(self, order_id: str) -> Collection[str] | None:
        """The items of an order."""
        raw = self.order(order_id)
        return None if raw is None else item_ids(raw)

    def stock(self, item_id: str) -> Raw | None:
        """The inventory row of an item itself."""
        return find_stock(self._records.documents, item_id)

    def records(self, orders: Iterable[Raw]) -> tuple[Record, ...]:
        """These orders, with the rows of their items."""
        return records_for(self._records.documents, orders, in_play=answers_in_play(self._records.about()))

    def sum_up(self) -> None:
        """Bring the summary in the file of the orders up to date."""
        refresh_summary(self._records.documents)


class JsonKeeping:
    """The orders in a folder: `orders.json`, `inventory.json`, and beside them what happened."""

    def __init__(self, folder: Path) -> None:
        self.files = JsonStore(folder, documents=DOCUMENTS, versions=current_version)
        self.store = BookStore(self.files, JsonBook)
        self._checked: Documents | None = None
        # Replaced as a whole: safe from many threads.
        self._queued: tuple[Documents, Mapping[str, Mapping[str, Number]]] | None = None

    def install(self, texts: Mapping[str, str], *, about: StoreAbout) -> bool:
        """Bring the orders of a new store."""
        return self.files.install(texts, about=about)

    def replace(self, contents: Mapping[str, bytes], *, about: StoreAbout, only: Collection[str] | None) -> Replacement:
        """Replace both files; the backup is a folder."""
        done = self.files.replace(contents, about=about, only=only)
        return Replacement(changed=done.changed, backup=None if done.backup is None else str(done.backup))

    def deeds(self, record_ids: Collection[str]) -> dict[str, list[LedgerRow]]:
        """The ledger is gone through: its files are by key."""
        with self.files.alone():
            return _deeds(self.files.draft(), record_ids)

    @contextmanager
    def known(self) -> Generator["JsonKnown"]:
        """Both files as they are, and the ledger."""
        with self.files.alone():
            yield JsonKnown(self.files.documents(), self.files.draft())

    @contextmanager
    def merging(self) -> Generator["JsonMerging"]:
        """Rows are changed in their places; the backup is a folder."""
        with self.files.alone():
            draft = self.files.draft()
            merging = JsonMerging(self.files.documents(), draft)
            yield merging
            if merging.touched:
                refresh_summary(merging.documents)
                texts = {name: jsontext.dump(document) for name, document in merging.documents.items()}
                done = self.files.put(texts, about=self.files.known(), beside=draft)
                merging.backup = None if done.backup is None else str(done.backup)

    def holds(self, contents: Mapping[str, bytes], *, about: StoreAbout) -> bool:
        """Whether these very records are there; layout does not count."""
        return self.files.holds(contents, about=about)

    def dataset(self) -> str | None:
        """Which data set the records are of."""
        return self.files.dataset()

    def refuse_copy(self) -> None:
        """Raises StoreDamaged for a copy of a folder that is still there."""
        self.files.about()

    def adopt(self) -> None:
        """Give a copied folder an id of its own."""
        self.files.adopt()

    def recover(self, *, keep_edited: bool) -> str:
        """Get past a half-done change that met an edited file: keep the edit, or finish the change over it."""
        return self.files.recover(keep_edited=keep_edited)

    def outbox(self) -> tuple[Message, ...]:
        """Every message, in the order of sending."""
        return self.files.outbox()

    def messages_of(self, key: str) -> tuple[Message, ...]:
        """Those that one effect, or its undo, wrote."""
        return self.files.messages_of(key)

    def note_message(self, note: MessageNote) -> Noted:
        """Note what became of one, if it is still in an expected state."""
        return self.files.note_message(note)

    def databases(self) -> tuple[()]:
        """None: it is in files."""
        return ()

    def as_whole(self) -> JsonWhole:
        """Both files, with what happened beside them."""
        return JsonWhole(
            self.files, lists={ORDERS: ORDERS_FILE, STOCK: STOCK_FILE}, derived=SUMMARY, finish=refresh_summary
        )

    def scan(self, scope: Scope, after: int, *, only_open: bool) -> RecordPage:
        """The orders behind that place in the file. Raises StoreDamaged for a row that cannot be parsed."""
        documents = self._read()
        orders = _in_scope(documents, scope)
        end = after + PAGE
        return RecordPage(
            records=self._records(documents, orders[after:end]),
            next_page=str(end) if end < len(orders) else None,
            total=len(orders),
        )

    def browse(self, scope: Scope, window: Window) -> WindowView:
        """Some orders by their place in the file, of those with the status, the text and so on."""
        documents = self._read()
        orders = [raw for raw in _in_scope(documents, scope) if _is_seen(raw, window)]
        place = {str(raw["order_id"]): at for at, raw in enumerate(orders)}
        start, end = place.get(window.after, -1) + 1 + window.skip, place.get(window.before)
        if end is None:
            end = min(start + window.most, len(orders))
        else:
            start = max(0, end - window.most)
        return WindowView(
            records=self._records(documents, orders[start:end]),
            total=len(orders),
            earlier=start > 0,
            later=end < len(orders),
        )

    def context(self, order_ids: Collection[str]) -> tuple[Record, ...]:
        """The named orders, with the rows of their items."""
        documents, wanted = self._read(), frozenset(order_ids)
        return self._records(documents, [raw for raw in raw_orders(documents) if raw["order_id"] in wanted])

    def count_open(self, scope: Scope) -> int:
        """How many orders in scope are not closed."""
        return sum(normal(str(raw.get("status") or "")) not in CLOSED for raw in _in_scope(self._read(), scope))

    def _records(self, documents: Documents, orders: Iterable[Raw]) -> tuple[Record, ...]:
        known = self._queued
        if known is None or known[0] is not documents:
            known = self._queued = (documents, queue_of(documents))
        return records_for(documents, orders, ahead=known[1], in_play=self._in_play())

    def _in_play(self) -> bool:
        return answers_in_play(self.files.about())

    def _read(self) -> Documents:
        documents = self.files.read()
        # The store gives out the same documents until a file changes: what was checked once needs no second check.
        if documents is not self._checked:
            check_documents(documents)
            self._checked = documents
        return documents


class JsonKnown:
    """The documents of a store that nobody changes meanwhile."""

    def __init__(self, documents: Documents, draft: JsonChange) -> None:
        check_documents(documents)
        self.documents = {name: dict(document) for name, document in documents.items()}
        self._lists = {ORDERS: raw_orders(documents), STOCK: raw_stock(documents)}
        self._keys = {ORDERS: "order_id", STOCK: "item_id"}
        self._places = {
            name: {str(row[self._keys[name]]): place for place, row in enumerate(rows)}
            for name, rows in self._lists.items()
        }
        self._draft = draft
        self._deeds: dict[str, list[LedgerRow]] | None = None

    def count(self, collection: str) -> int:
        """How many rows there are."""
        return len(self._lists[collection])

    def rows(self, collection: str, ids: Collection[str]) -> dict[str, Raw]:
        """By their ids."""
        places = self._places[collection]
        return {each: self._lists[collection][places[each]] for each in ids if each in places}

    def open_orders(self) -> Iterator[Sequence[Raw]]:
        """In the order of the file."""
        rows = [raw for raw in self._lists[ORDERS] if normal(str(raw.get("status") or "")) not in CLOSED]
        yield from (rows[start : start + PAGE] for start in range(0, len(rows), PAGE))

    def touch(self) -> None:
        """Nobody cuts off who holds files."""

    def deeds(self, record_ids: Collection[str]) -> dict[str, list[LedgerRow]]:
        """The ledger is read once, as a whole: its files are by key."""
        if self._deeds is None:
            self._deeds = _deeds(self._draft, None)
        return {each: self._deeds[each] for each in record_ids if each in self._deeds}


class JsonMerging(JsonKnown):
    """Documents that are brought up to date; nothing is written before the end."""

    def __init__(self, documents: Documents, draft: JsonChange) -> None:
        super().__init__(documents, draft)
        self.touched = False
        self.backup: str | None = None

    def put(self, collection: str, changed: Mapping[str, Raw], fresh: Sequence[Raw]) -> None:
        """In the list itself."""
        rows, places = self._lists[collection], self._places[collection]
        for each, raw in changed.items():
            rows[places[each]] = raw
        for raw in fresh:
            places[str(raw[self._keys[collection]])] = len(rows)
            rows.append(raw)
        self.touched = self.touched or bool(changed or fresh)

    def put_extra(self, collection: str, extra: Raw) -> None:
        """The summary follows from the rows, and is no field of its own."""
        document = self.documents[ORDERS_FILE if collection == ORDERS else STOCK_FILE]
        for name, value in extra.items():
            if name != collection and not (name == SUMMARY and isinstance(document.get(name), dict)):
                self.touched = self.touched or document.get(name, _NOTHING) != value
                document[name] = value


_NOTHING = object()


def _deeds(draft: JsonChange, record_ids: Collection[str] | None) -> dict[str, list[LedgerRow]]:
    """By record what the ledger has of it; of these records, or of all."""
    found: dict[str, list[LedgerRow]] = {}
    for key in draft.keys():  # noqa: SIM118 - no mapping
        row = draft.row(key)
        if row is not None and row.record_id and (record_ids is None or row.record_id in record_ids):
            found.setdefault(row.record_id, []).append(row)
    return found


def _is_seen(raw: Raw, window: Window) -> bool:
    if window.only_open and normal(str(raw.get("status") or "")) in CLOSED:
        return False
    texts = (str(raw["order_id"]), shown(raw.get("customer_name") or ""))
    return not window.search or any(folded(window.search) in folded(text) for text in texts)


def _in_scope(documents: Documents, scope: Scope) -> list[Raw]:
    orders = raw_orders(documents)
    if scope.record_ids:
        wanted = set(scope.record_ids)
        orders = [raw for raw in orders if raw["order_id"] in wanted]
    if scope.status is not None:
        status = normal(scope.status)
        orders = [raw for raw in orders if normal(str(raw.get("status") or "")) == status]
    if (part := scope.partition) is not None:
        orders = [raw for raw in orders if part.holds(str(raw["order_id"]))]
    return orders
