"""The boxes that writers write into: documents in a database of daper, or rows of a table that a file declares."""

from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol, cast

from sqlalchemy import Connection, create_engine, text

from daper.domains.declared.domain import DeclaredDomain
from daper.ports import Settleable, ToolCall
from daper.ports.domain import RepairTool
from daper.ports.store import LedgerRow, StoreAbout
from daper.stores.rows.address import database_address
from daper.stores.rows.engine import disconnect as disconnect_rows
from daper.stores.sql.document_rows import DocumentRows
from daper.stores.sql.documents import DocumentStore
from daper.stores.sql.engine import Database
from daper.stores.sql.postgresql_database import PostgresqlDatabase, disconnect
from daper.stores.sql.sqlite_database import SqliteDatabase
from tests.contract.boxes import BRANCHES, COLLECTION, NOON, AddToBox, DocumentBoxes, ledger_of, upgrade_at_once

BOXES: Final = tuple("ABCDEF")
START: Final = 10
_DECLARED: Final = "declared:"
_ENOUGH: Final = 1_000_000_000


class BoxTool(RepairTool, Settleable, Protocol):
    """It adds to boxes that hold as much as anybody wants."""


class BoxPlace(Protocol):
    """Where some boxes are."""

    @property
    def tool(self) -> BoxTool:
        """What adds to them."""
        ...

    def begin(self) -> None:
        """Make them, where there are none."""
        ...

    def version(self, box: str) -> str:
        """The version of a box now."""
        ...

    def held(self, box: str) -> int | None:
        """What is in a box."""
        ...

    def ledger(self) -> Sequence[LedgerRow]:
        """All that the ledger says."""
        ...

    def sent(self) -> Counter[str] | None:
        """How many messages were sent by which key; None where none is ever sent."""
        ...


def boxes_at(address: str) -> BoxPlace:
    """The boxes there: of a server where it is an address of one, else in a file."""
    if not address.startswith(_DECLARED):
        return DocumentPlace(address)
    folder, _, url = address.removeprefix(_DECLARED).partition("|")
    return DeclaredPlace(Path(folder), url)


def declared_at(folder: Path, url: str) -> str:
    """The address of boxes in a database, of which a file in that folder says what they are."""
    return f"{_DECLARED}{folder}|{url}"


def leave_databases() -> None:
    """Close the connections of this process."""
    disconnect()
    disconnect_rows()


def call_of(key: str, box: str, amount: int, version: str) -> ToolCall:
    """So much more in a box, as it was read."""
    return ToolCall(
        key=key,
        record_id=box,
        arguments={"box": box, "amount": amount},
        expected={f"boxes/{box}": version},
        today=NOON,
    )


def database_at(address: str) -> Database:
    """A server's where it is an address of one, else a file."""
    if "://" in address:
        return PostgresqlDatabase(address, BRANCHES)
    return SqliteDatabase(Path(address), BRANCHES, what="the boxes")


class DocumentPlace:
    """Boxes as documents, with an outbox."""

    def __init__(self, address: str) -> None:
        self.store = DocumentStore(database_at(address), name="boxes", collections=[COLLECTION])
        self.tool: AddToBox[DocumentRows] = AddToBox(self.store, DocumentBoxes())
        self.tool.full = _ENOUGH
        self._on_server = "://" in address

    def begin(self) -> None:
        """Their tables, and each with the same in it."""
        if self._on_server:
            upgrade_at_once(self.store.database)
        self.store.install({"boxes": [{"id": box, "held": START} for box in BOXES]}, about=StoreAbout(dataset="boxes"))

    def version(self, box: str) -> str:
        """By the table's trigger."""
        with self.store.reading() as records:
            found = records.one("boxes", box)
        assert found is not None
        return found.version

    def held(self, box: str) -> int | None:
        """As the document says."""
        with self.store.reading() as records:
            found = records.one("boxes", box)
        return cast("int", found.raw["held"]) if found else None

    def ledger(self) -> Sequence[LedgerRow]:
        """As the store has it."""
        return ledger_of(self.store)

    def sent(self) -> Counter[str] | None:
        """From the outbox."""
        return Counter(message.key for message in self.store.outbox())


class DeclaredPlace:
    """Boxes as rows of somebody's own table, and a file that says what may be done to them."""

    FILE: Final = """
[domain]
name = "boxes"
about = "Boxes with a number in them."
database = "env:BOXES_URL"
timeout = "30s"
[records]
sql = "SELECT id, held FROM boxes"
key = "id"
[[rule]]
kind = "low"
when = "r.held < 1000000000"
issue = "There is room in it."
fix = "add_to_box"
[[tool]]
name = "add_to_box"
does = "Adds to the box."
risk = "low"
table = "boxes"
set = { held = "held + :amount", last = ":box" }
args.box = { one_of = ["A", "B", "C", "D", "E", "F"] }
args.amount = { between = [1, 1000] }
"""

    def __init__(self, folder: Path, url: str) -> None:
        self._file = folder / "boxes.toml"
        self._url = url
        self._domain = DeclaredDomain(self._file, variables={"BOXES_URL": url}.get)

    @property
    def tool(self) -> BoxTool:
        """As the file says."""
        return self._domain.now().tools["add_to_box"]

    def begin(self) -> None:
        """The file, its table, and the ledger beside it."""
        self._file.write_text(self.FILE, encoding="utf-8")
        with self._connected() as db:
            db.execute(text("CREATE TABLE boxes (id VARCHAR(10) PRIMARY KEY, held INTEGER NOT NULL, last VARCHAR(10))"))
            for box in BOXES:
                db.execute(text("INSERT INTO boxes VALUES (:box, :held, NULL)"), {"box": box, "held": START})
        self._domain.now().store.init()

    def version(self, box: str) -> str:
        """By the content of the row."""
        now = self._domain.now()
        with now.store.reading() as view:
            [record] = now.read(view, view.named([box]))
        return record.version

    def held(self, box: str) -> int | None:
        """As the table has it."""
        with self._connected() as db:
            return db.execute(text("SELECT held FROM boxes WHERE id = :box"), {"box": box}).scalar()

    def ledger(self) -> Sequence[LedgerRow]:
        """As the table beside has it."""
        with self._connected() as db:
            written = db.execute(text("SELECT written FROM daper_ledger")).scalars().all()
        return [LedgerRow.model_validate_json(each) for each in written]

    def sent(self) -> Counter[str] | None:
        """It writes to nobody."""
        return None

    @contextmanager
    def _connected(self) -> Generator[Connection]:
        engine = create_engine(database_address(self._url, variable="BOXES_URL").url)
        try:
            with engine.begin() as db:
                yield db
        finally:
            engine.dispose()
