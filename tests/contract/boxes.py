"""Boxes with a number in them, in each kind of store, and a tool that adds to one: what the contract is tested on."""

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Connection, connect
from typing import Final, Generic, Protocol, TypeVar, cast

from pydantic import BaseModel, JsonValue
from sqlalchemy import insert, text

from daper.core.digests import content_version
from daper.core.limits import Between, Exactly
from daper.core.models import Change, Risk
from daper.core.outcomes import Effect, Holding, Postcondition
from daper.ports import Letter, Message, Record, Terms, ToolCall
from daper.ports.store import LedgerRow, RecordsT, Store, StoreAbout
from daper.stores.jsonfiles.documents import Documents
from daper.stores.jsonfiles.drafts import JsonRecords
from daper.stores.jsonfiles.store import JsonStore
from daper.stores.once import Deed, UndoableStoreTool
from daper.stores.sql.document_rows import DocumentRows
from daper.stores.sql.document_tables import Collection, create_collections
from daper.stores.sql.documents import DocumentStore
from daper.stores.sql.documents_whole import DocumentsWhole
from daper.stores.sql.engine import Branch, Database, create
from daper.stores.sql.postgresql_database import PostgresqlDatabase, disconnect
from daper.stores.sql.records_schema import RECORDS
from daper.stores.sql.sqlite import SqliteStore, records_of
from daper.stores.sql.sqlite_database import SqliteDatabase
from tests.postgresql import PostgresqlServer

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
FULL = 100
KINDS = ("json", "sqlite", "documents in sqlite", "documents in postgresql")


class AddArgs(BaseModel):
    box: str
    amount: int


class AddToBox(UndoableStoreTool[RecordsT], Generic[RecordsT]):
    """Adds to the number in a box, at most until it is full, and tells somebody."""

    name = "add_to_box"
    risk = Risk.LOW
    args = AddArgs
    full = FULL

    def __init__(
        self, store: Store[RecordsT], boxes: "Boxes[RecordsT]", *, clock: Callable[[], datetime] = lambda: NOON
    ) -> None:
        super().__init__(lambda: store, clock=clock)
        self.boxes = boxes
        self.before_change: Callable[[], None] = lambda: None
        self.after_change: Callable[[], object] = lambda: None
        self.word = ""
        self.wrote: Sequence[str] = ()

    def records(self, records: RecordsT, record_id: str) -> tuple[Record, ...]:
        return self.boxes.find(records, record_id)

    def terms(self, record_id: str, arguments: Mapping[str, JsonValue], records: Sequence[Record]) -> Terms:
        [box] = records
        held = cast("int", box.data["held"])
        if held >= self.full:
            return Terms(answers=frozenset({"low"}), limits={}, obstacle=f"box {record_id} is full")
        return Terms(
            answers=frozenset({"low"}),
            limits={"box": Exactly(value=record_id), "amount": Between(minimum=1, maximum=self.full - held)},
            reads={box.ref: box.version},
            preview=(Change(record=box.ref, field="held", before=str(held), after="more"),),
        )

    def act(self, records: RecordsT, call: ToolCall) -> Deed:
        self.before_change()
        deed = self._put(records, call.record_id, cast("int", call.arguments["amount"]), "more")
        self.after_change()
        return deed

    def take_back(self, records: RecordsT, call: ToolCall, done: Effect, originals: str) -> Deed:
        assert originals == "as it was"
        return self._put(records, call.record_id, -cast("int", call.arguments["amount"]), "less")

    def judge(self, call: ToolCall, effect: Effect, records: Sequence[Record]) -> Postcondition:
        held = records[0].data["held"] if records else None
        return Postcondition(holding=Holding.YES if held == effect.after["held"] else Holding.NO, evidence=f"{held}")

    def _put(self, records: RecordsT, box: str, amount: int, word: str) -> Deed:
        [record] = self.boxes.find(records, box)
        held = cast("int", record.data["held"])
        self.boxes.put(records, box, held + amount)
        letter = Letter(to="keeper", subject=f"{word} in {box}\nBcc: nobody", body=str(amount))
        return Deed(
            before={"held": held},
            after={"held": held + amount},
            wrote=self.wrote or [record.ref],
            evidence=[self.word or f"{held} became {held + amount}"],
            letters=[letter],
            originals="as it was",
        )


KeptT = TypeVar("KeptT", contravariant=True)


class Boxes(Protocol[KeptT]):
    """How boxes lie in one kind of store."""

    def find(self, records: KeptT, box: str) -> tuple[Record, ...]:
        """The box, if it is there."""
        ...

    def put(self, records: KeptT, box: str, held: int) -> None:
        """Change what it holds, within a change."""
        ...


class JsonBoxes:
    """In a JSON document."""

    def find(self, records: JsonRecords, box: str) -> tuple[Record, ...]:
        row = _rows(records.documents).get(box)
        if row is None:
            return ()
        return (Record(ref=f"boxes/{box}", record_id=box, version=content_version(row), data=row),)

    def put(self, records: JsonRecords, box: str, held: int) -> None:
        _rows(records.documents)[box]["held"] = held


class SqliteBoxes:
    """In a table."""

    def find(self, records: Connection, box: str) -> tuple[Record, ...]:
        return records_of(records, "boxes", "id", [box])

    def put(self, records: Connection, box: str, held: int) -> None:
        records.execute("UPDATE boxes SET held = ? WHERE id = ?", (held, box))


class DocumentBoxes:
    """In a table of documents."""

    def find(self, records: DocumentRows, box: str) -> tuple[Record, ...]:
        row = records.one("boxes", box)
        if row is None:
            return ()
        return (Record(ref=f"boxes/{box}", record_id=box, version=row.version, data=row.raw),)

    def put(self, records: DocumentRows, box: str, held: int) -> None:
        records.find("boxes", [box])[box].raw["held"] = held


@dataclass(frozen=True, kw_only=True)
class Shelf(Generic[RecordsT]):
    """A store of boxes in a folder, the tool on it, and a stranger who changes boxes with tools of their own."""

    kind: str
    folder: Path
    store: Store[RecordsT]
    tool: AddToBox[RecordsT]
    edit: Callable[[str, int | None], None]
    outbox: Callable[[], tuple[Message, ...]]

    def held(self, box: str = "A") -> int | None:
        """What is in a box; None for one that is gone."""
        with self.store.reading() as records:
            found = self.tool.boxes.find(records, box)
        return cast("int", found[0].data["held"]) if found else None

    def version(self, box: str = "A") -> str:
        """The version of a box; empty for one that is gone."""
        with self.store.change() as change:
            return change.version(f"boxes/{box}") or ""

    def call(
        self, key: str = "k1", box: str = "A", amount: int = 5, *, valid_until: datetime | None = None
    ) -> ToolCall:
        """A call as a plan that was made now would have it."""
        return ToolCall(
            key=key,
            record_id=box,
            arguments={"box": box, "amount": amount},
            expected={f"boxes/{box}": self.version(box)},
            today=NOON,
            valid_until=valid_until,
        )


AnyShelf = Shelf[JsonRecords] | Shelf[Connection] | Shelf[DocumentRows]


@contextmanager
def shelf(
    kind: str, folder: Path, boxes: Mapping[str, int], *, server: Callable[[], PostgresqlServer]
) -> Generator[AnyShelf]:
    """A shelf of that kind; the boxes are put there if it is new. `server`: where it is, if it needs one and is new."""
    if kind == "json":
        yield json_shelf(folder, boxes)
    elif kind == "sqlite":
        yield sqlite_shelf(folder, boxes)
    elif kind == "documents in sqlite":
        yield document_shelf(kind, folder, boxes, SqliteDatabase(folder / "boxes.db", BRANCHES, what="the boxes"))
    else:
        address = folder / "address"
        if not address.exists():
            folder.mkdir(parents=True, exist_ok=True)
            address.write_text(server().empty(), encoding="utf-8")
        database = PostgresqlDatabase(address.read_text(encoding="utf-8"), BRANCHES)
        if boxes:
            upgrade_at_once(database)
        yield document_shelf(kind, folder, boxes, database)
        disconnect()


def json_shelf(folder: Path, boxes: Mapping[str, int]) -> Shelf[JsonRecords]:
    """A shelf in a JSON document."""
    file = folder / "boxes.json"
    store = JsonStore(folder, documents=("boxes",), versions=_version)
    rows = {box: {"id": box, "held": held} for box, held in boxes.items()}
    store.install({"boxes": json.dumps({"boxes": rows})}, about=StoreAbout(dataset="boxes"))

    def edit(box: str, held: int | None) -> None:
        document = json.loads(file.read_text(encoding="utf-8"))
        if held is None:
            document["boxes"].pop(box, None)
        else:
            document["boxes"][box] = {"id": box, "held": held}
        fresh = file.with_name("edited")
        fresh.write_text(json.dumps(document), encoding="utf-8")
        fresh.replace(file)

    return Shelf(
        kind="json", folder=folder, store=store, tool=AddToBox(store, JsonBoxes()), edit=edit, outbox=store.outbox
    )


def sqlite_shelf(folder: Path, boxes: Mapping[str, int]) -> Shelf[Connection]:
    """A shelf in a table."""
    file = folder / "boxes.db"
    table = "CREATE TABLE IF NOT EXISTS boxes (id TEXT PRIMARY KEY, held INTEGER NOT NULL)"
    new = not file.exists()
    store = SqliteStore(file, tables={"boxes": "id"}, schema=[table])

    def edit(box: str, held: int | None) -> None:
        with closing(connect(file)) as db, db:
            db.execute("DELETE FROM boxes WHERE id = ?", (box,))
            if held is not None:
                db.execute("INSERT INTO boxes VALUES (?, ?)", (box, held))

    if new:
        store.info()
        for box, held in boxes.items():
            edit(box, held)
    return Shelf(
        kind="sqlite", folder=folder, store=store, tool=AddToBox(store, SqliteBoxes()), edit=edit, outbox=store.outbox
    )


COLLECTION: Final = Collection(name="boxes", key="id", document="boxes.json")
BRANCHES: Final = (
    RECORDS,
    Branch(
        name="boxes",
        head="boxes_0001",
        scripts=Path("none"),
        create=lambda db: create_collections(db, [COLLECTION]),
    ),
)


def upgrade_at_once(database: Database) -> None:
    """Make the tables of a new database."""
    with database.migrating() as db:
        create(db, database.branches)


def document_shelf(kind: str, folder: Path, boxes: Mapping[str, int], database: Database) -> Shelf[DocumentRows]:
    """A shelf in a table of documents."""
    store = DocumentStore(database, name="boxes", collections=[COLLECTION])
    rows = [{"id": box, "held": held} for box, held in boxes.items()]
    if rows:
        store.install({"boxes": rows}, about=StoreAbout(dataset="boxes"))

    def edit(box: str, held: int | None) -> None:
        """As a person does it, with a tool that knows nothing of versions."""
        data = json.dumps({"id": box, "held": held})
        with database.transaction() as db:
            if held is None:
                db.execute(text("DELETE FROM daper_boxes WHERE id = :box"), {"box": box})
            elif db.execute(text("SELECT 1 FROM daper_boxes WHERE id = :box"), {"box": box}).first():
                cast_to = "CAST(:data AS JSON)" if database.dialect == "postgresql" else ":data"
                db.execute(
                    text(f"UPDATE daper_boxes SET data = {cast_to} WHERE id = :box"),  # noqa: S608
                    {"box": box, "data": data},
                )
            else:
                db.execute(insert(COLLECTION.table).values(data=data))

    return Shelf(
        kind=kind, folder=folder, store=store, tool=AddToBox(store, DocumentBoxes()), edit=edit, outbox=store.outbox
    )


def ledger_of(store: DocumentStore) -> list[LedgerRow]:
    """All that a store recorded."""
    with DocumentsWhole(store).contents() as found:
        assert found is not None
        return list(found.ledger_rows())


def _rows(documents: Documents) -> dict[str, dict[str, object]]:
    return cast("dict[str, dict[str, object]]", documents["boxes"]["boxes"])


def _version(documents: Documents, ref: str) -> str | None:
    kind, _, box = ref.partition("/")
    row = _rows(documents).get(box) if kind == "boxes" else None
    return None if row is None else content_version(row)
