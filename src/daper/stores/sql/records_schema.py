"""The tables beside records in any database: what a store says of itself, the ledger and the outbox."""

from pathlib import Path
from typing import Final

from sqlalchemy import BigInteger, Column, Connection, Identity, Index, Integer, MetaData, String, Table, Text, insert

from daper.stores.sql.engine import Branch

METADATA: Final = MetaData()

STORES: Final = Table(
    "daper_store",
    METADATA,
    Column("name", String(64), primary_key=True),  # of the domain
    Column("store_id", String(64), nullable=False),
    Column("about", Text, nullable=False),  # JSON: what its data says of itself
)
LEDGER: Final = Table(
    "daper_ledger",
    METADATA,
    Column("store", String(64), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("record_id", Text, nullable=False),
    Column("row", Text, nullable=False),  # JSON of a LedgerRow
    Index("daper_ledger_by_record", "store", "record_id"),
)
OUTBOX: Final = Table(
    "daper_outbox",
    METADATA,
    # A number is never given out again, and grows in the order of sending.
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True),
    Column("store", String(64), nullable=False),
    Column("key", Text, nullable=False),
    Column("message", Text, nullable=False),  # JSON of a Message, without what became of it
    Column("state", String(16), nullable=False, server_default="written"),
    Column("note", Text, nullable=False, server_default=""),
    Column("noted_at", Text, nullable=True),
    Column("tries", Integer, nullable=False, server_default="0"),
    Index("daper_outbox_by_store", "store", "sequence"),
    Index("daper_outbox_by_key", "store", "key"),
    sqlite_autoincrement=True,
)
BACKUP: Final = Table(
    "daper_backup",
    METADATA,
    Column("store", String(64), primary_key=True),
    Column("number", Integer, primary_key=True),  # of the backup
    Column("collection", String(64), primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("at", Text, nullable=False),
    Column("data", Text, nullable=False),
)
"""Records as they were before all were replaced."""

FRAMES: Final = Table(
    "daper_frame",
    METADATA,
    Column("store", String(64), primary_key=True),
    Column("collection", String(64), primary_key=True),
    Column("frame", Text, nullable=False),  # JSON
)
"""What stood around the records in the document that they came from, so that they can go back into one."""

COUNTER: Final = Table("daper_counter", METADATA, Column("last", BigInteger, nullable=False))
"""The last version that was given to a record, where the database has no sequences."""

SEQUENCE: Final = "daper_versions"
"""Where versions of records come from, where it has."""


def _create(db: Connection) -> None:
    METADATA.create_all(db)
    if db.dialect.name == "postgresql":
        db.exec_driver_sql(f"CREATE SEQUENCE {SEQUENCE}")
    db.execute(insert(COUNTER).values(last=0))


RECORDS: Final = Branch(
    name="records",
    head="records_0002",
    scripts=Path(__file__).parent / "migrations" / "records",
    create=_create,
    tables=frozenset(METADATA.tables),
)
