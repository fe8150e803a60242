"""The tables of what daper keeps beside records and Temporal: memory, spending, answers, tokens, reports and more."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Dialect,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)

from daper.stores.sql.engine import Branch


class Words(TypeDecorator[str]):
    """Any text, compared character by character; also with the one that PostgreSQL cannot keep."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """As PostgreSQL compares texts of one length in every language: as bytes."""
        return Text(collation="C") if dialect.name == "postgresql" else Text()

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """NUL as ESC 0; so that all stay apart, ESC as ESC 1."""
        if value is None or dialect.name != "postgresql" or ("\0" not in value and "\x1b" not in value):
            return value
        return value.replace("\x1b", "\x1b1").replace("\0", "\x1b0")

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """What was bound."""
        if value is None or dialect.name != "postgresql" or "\x1b" not in value:
            return value
        return value.replace("\x1b0", "\0").replace("\x1b1", "\x1b")


METADATA: Final = MetaData()


def _number() -> Column[int]:
    """Grows in the order of writing."""
    return Column("sequence", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True)


def _finding() -> tuple[Column[str], ...]:
    return tuple(
        Column(name, Words, primary_key=True) for name in ("store_id", "domain", "record_id", "kind", "fingerprint")
    )


CLAIMS: Final = Table(
    "daper_claims",
    METADATA,
    *_finding(),
    Column("repair_id", Words, primary_key=True),
    # What a repair was told of a finding: no reason means that it plans for it; else the reason it was suppressed for,
    # and the open repair that holds it, if that is the reason.
    Column("cycle_id", Words, nullable=False),
    Column("until", Words, nullable=False),  # a moment, as `time_text` writes it; so are all
    Column("reason", Words),
    Column("held_by", Words, nullable=False, server_default=""),
    Index("daper_claims_of_repair", "store_id", "repair_id"),
    sqlite_with_rowid=False,
)
REJECTIONS: Final = Table(
    "daper_rejections",
    METADATA,
    *_finding(),
    Column("repair_id", Words, nullable=False),
    Column("decided_by", Words, nullable=False),
    Column("at", Words, nullable=False),
    sqlite_with_rowid=False,
)
TRIES: Final = Table(
    "daper_tries",
    METADATA,
    *_finding(),
    Column("repair_id", Words, nullable=False),
    Column("cycle_id", Words, primary_key=True),
    Column("at", Words, nullable=False),
    Column("came_to", Words, nullable=False, server_default="no-help"),
    sqlite_with_rowid=False,
)
UNSETTLED: Final = Table(
    "daper_unsettled",
    METADATA,
    *_finding(),
    Column("repair_id", Words, primary_key=True),
    Column("at", Words, nullable=False),
    sqlite_with_rowid=False,
)
HOLDS: Final = Table(
    "daper_holds",
    METADATA,
    *(Column(name, Words, primary_key=True) for name in ("store_id", "domain", "ref", "repair_id")),
    Column("version", Words, nullable=False),
    Column("until", Words, nullable=False),
    Index("daper_holds_of_repair", "store_id", "repair_id"),
    sqlite_with_rowid=False,
)
CALLS: Final = Table(
    "daper_calls",
    METADATA,
    _number(),
    Column("call_id", Words, nullable=False, unique=True),
    Column("cycle_id", Words, nullable=False),
    Column("role", Words, nullable=False),
    Column("model", Words, nullable=False),
    Column("record_ids", Words, nullable=False),  # JSON
    Column("state", String(16), CheckConstraint("state IN ('reserved', 'settled', 'released')"), nullable=False),
    Column("reserved_input", BigInteger, nullable=False),
    Column("reserved_output", BigInteger, nullable=False),
    # Money is text, so that it stays exact. What was taken is empty until the call is settled.
    Column("reserved_cost", Words),
    Column("taken_calls", BigInteger),
    Column("taken_input", BigInteger),
    Column("taken_output", BigInteger),
    Column("taken_cost", Words),
    Column("taken_unpriced", BigInteger),
    Column("taken_uncertain", BigInteger),
    Column("at", Words, nullable=False),
    Index("daper_calls_of_cycle", "cycle_id", "sequence"),
    Index("daper_calls_by_age", "at"),
    Index(
        "daper_calls_under_way",
        "at",
        sqlite_where=text("state = 'reserved'"),
        postgresql_where=text("state = 'reserved'"),
    ),
    sqlite_autoincrement=True,
)
ANSWERS: Final = Table(
    "daper_answers",
    METADATA,
    Column("asked_id", Words, primary_key=True),
    Column("asked", Words, nullable=False),
    Column("repair_id", Words, nullable=False),
    Column("begun", Integer, nullable=False),  # 1: it is known to have
    sqlite_with_rowid=False,
)
TOKENS: Final = Table(
    "daper_tokens",
    METADATA,
    Column("name", Words, primary_key=True),
    Column("grant", Words, nullable=False),  # JSON of a TokenGrant, with the hash of the token
    Column("at", Words, nullable=False),
)
FACTS: Final = Table(
    "daper_facts",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)
"""What there is once: the key of forms, and that there were tokens."""

REPORTS: Final = Table(
    "daper_reports",
    METADATA,
    Column("repair_id", Words, primary_key=True),
    Column("written", Words, nullable=False),
    Column("result", LargeBinary, nullable=False),  # JSON of a RepairResult, compressed
    Index("daper_reports_by_age", "written"),
)
COUNTED: Final = (
    "problems", "repaired", "requested", "undone", "for_person", "approved", "rejected", "expired", "tokens",
    "cost_nano",
)  # fmt: skip
"""The numbers of a report that are added up; money in billionths of a US dollar."""

REPORT_FIGURES: Final = Table(
    "daper_report_figures",
    METADATA,
    Column("place", Words, primary_key=True),  # of the report: the name of its folder, or its repair
    Column("stamp", Words, nullable=False),  # when the report was written, as it was counted
    Column("repair_id", Words, nullable=False),
    Column("domain", Words, nullable=False),
    Column("phase", Words, nullable=False),  # empty for a report that cannot be read
    Column("ended", Words, nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in COUNTED),
    Column("waited", BigInteger),  # seconds
    Index("daper_report_figures_by_age", "ended"),
    sqlite_with_rowid=False,
)
"""A row for each report that was counted, wherever it is: rows here may go, and come again."""

REPORT_RECORDS: Final = Table(
    "daper_report_records",
    METADATA,
    *(Column(name, Words, primary_key=True) for name in ("domain", "record_id", "repair_id")),
    Column("came_to", Words, nullable=False),
    Index("daper_report_records_of_repair", "repair_id"),
    sqlite_with_rowid=False,
)
TRANSCRIPTS: Final = Table(
    "daper_transcripts",
    METADATA,
    Column("repair_id", Words, primary_key=True),
    Column("call", Words, primary_key=True),  # the name of its file
    Column("written", Words, nullable=False),
    Column("document", LargeBinary, nullable=False),  # JSON, compressed
    Index("daper_transcripts_by_age", "written"),
)


def time_text(at: datetime) -> str:
    """UTC, always of one length, so that texts compare as times do; a time without a zone counts as UTC."""
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="microseconds")


def _create(db: Connection) -> None:
    METADATA.create_all(db)


STATE: Final = Branch(
    name="state",
    head="state_0002",
    scripts=Path(__file__).parent / "migrations" / "state",
    create=_create,
    tables=frozenset(METADATA.tables),
)
