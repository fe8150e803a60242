"""What there is to know of many reports without reading them: a row of numbers for each, and of which records it is."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "state_0002"
down_revision = "state_0001"
branch_labels = None
depends_on = None

_WORDS = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_COUNTED = (
    "problems", "repaired", "requested", "undone", "for_person", "approved", "rejected", "expired", "tokens",
    "cost_nano",
)  # fmt: skip


def upgrade() -> None:
    """Make them, empty: whoever looks first counts the reports that are there."""
    op.create_table(
        "daper_report_figures",
        sa.Column("place", _WORDS, primary_key=True),
        *(sa.Column(name, _WORDS, nullable=False) for name in ("stamp", "repair_id", "domain", "phase", "ended")),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in _COUNTED),
        sa.Column("waited", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index("daper_report_figures_by_age", "daper_report_figures", ["ended"])
    op.create_table(
        "daper_report_records",
        *(sa.Column(name, _WORDS, primary_key=True) for name in ("domain", "record_id", "repair_id")),
        sa.Column("came_to", _WORDS, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("daper_report_records_of_repair", "daper_report_records", ["repair_id"])
