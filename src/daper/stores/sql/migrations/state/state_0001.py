"""Memory, spending, answers, tokens, the key of forms, reports and transcripts."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "state_0001"
down_revision = None
branch_labels = ("state",)
depends_on = None

_WORDS = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_FINDING = ("store_id", "domain", "record_id", "kind", "fingerprint")


def _key(*names: str) -> "tuple[sa.Column[Any], ...]":
    return tuple(sa.Column(name, _WORDS, primary_key=True) for name in names)


def _words(*names: str, nullable: bool = False) -> "tuple[sa.Column[Any], ...]":
    return tuple(sa.Column(name, _WORDS, nullable=nullable) for name in names)


def _make(name: str, *columns: "sa.Column[Any]") -> None:
    op.create_table(name, *columns, sqlite_with_rowid=False)


def upgrade() -> None:
    """Make them."""
    _memory()
    _spending()
    _make(
        "daper_answers",
        *_key("asked_id"),
        *_words("asked", "repair_id"),
        sa.Column("begun", sa.Integer, nullable=False),
    )
    op.create_table("daper_tokens", *_key("name"), *_words("grant", "at"))
    op.create_table(
        "daper_facts",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "daper_reports", *_key("repair_id"), *_words("written"), sa.Column("result", sa.LargeBinary, nullable=False)
    )
    op.create_index("daper_reports_by_age", "daper_reports", ["written"])
    op.create_table(
        "daper_transcripts",
        *_key("repair_id", "call"),
        *_words("written"),
        sa.Column("document", sa.LargeBinary, nullable=False),
    )
    op.create_index("daper_transcripts_by_age", "daper_transcripts", ["written"])


def _memory() -> None:
    _make(
        "daper_claims",
        *_key(*_FINDING, "repair_id"),
        *_words("cycle_id", "until"),
        *_words("reason", nullable=True),
        sa.Column("held_by", _WORDS, nullable=False, server_default=""),
    )
    op.create_index("daper_claims_of_repair", "daper_claims", ["store_id", "repair_id"])
    _make("daper_rejections", *_key(*_FINDING), *_words("repair_id", "decided_by", "at"))
    _make(
        "daper_tries",
        *_key(*_FINDING),
        *_words("repair_id"),
        *_key("cycle_id"),
        *_words("at"),
        sa.Column("came_to", _WORDS, nullable=False, server_default="no-help"),
    )
    _make("daper_unsettled", *_key(*_FINDING, "repair_id"), *_words("at"))
    _make("daper_holds", *_key("store_id", "domain", "ref", "repair_id"), *_words("version", "until"))
    op.create_index("daper_holds_of_repair", "daper_holds", ["store_id", "repair_id"])


def _spending() -> None:
    op.create_table(
        "daper_calls",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer, "sqlite"), sa.Identity(), primary_key=True),
        sa.Column("call_id", _WORDS, nullable=False, unique=True),
        *_words("cycle_id", "role", "model", "record_ids"),
        sa.Column(
            "state", sa.String(16), sa.CheckConstraint("state IN ('reserved', 'settled', 'released')"), nullable=False
        ),
        sa.Column("reserved_input", sa.BigInteger, nullable=False),
        sa.Column("reserved_output", sa.BigInteger, nullable=False),
        *_words("reserved_cost", nullable=True),
        *(sa.Column(name, sa.BigInteger) for name in ("taken_calls", "taken_input", "taken_output")),
        *_words("taken_cost", nullable=True),
        *(sa.Column(name, sa.BigInteger) for name in ("taken_unpriced", "taken_uncertain")),
        *_words("at"),
        sqlite_autoincrement=True,
    )
    op.create_index("daper_calls_of_cycle", "daper_calls", ["cycle_id", "sequence"])
    op.create_index("daper_calls_by_age", "daper_calls", ["at"])
    under_way = sa.text("state = 'reserved'")
    op.create_index("daper_calls_under_way", "daper_calls", ["at"], sqlite_where=under_way, postgresql_where=under_way)
