"""What a store says of itself, ledger, outbox, backups, and where versions of records come from."""

import sqlalchemy as sa
from alembic import op

revision = "records_0001"
down_revision = None
branch_labels = ("records",)
depends_on = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "daper_store",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("store_id", sa.String(64), nullable=False),
        sa.Column("about", sa.Text, nullable=False),
    )
    op.create_table(
        "daper_ledger",
        sa.Column("store", sa.String(64), primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("record_id", sa.Text, nullable=False),
        sa.Column("row", sa.Text, nullable=False),
    )
    op.create_index("daper_ledger_by_record", "daper_ledger", ["store", "record_id"])
    op.create_table(
        "daper_outbox",
        sa.Column(
            "sequence", sa.BigInteger().with_variant(sa.Integer, "sqlite"), sa.Identity(always=False), primary_key=True
        ),
        sa.Column("store", sa.String(64), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("daper_outbox_by_store", "daper_outbox", ["store", "sequence"])
    op.create_table(
        "daper_backup",
        sa.Column("store", sa.String(64), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("collection", sa.String(64), primary_key=True),
        sa.Column("position", sa.BigInteger, primary_key=True),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
    )
    op.create_table(
        "daper_frame",
        sa.Column("store", sa.String(64), primary_key=True),
        sa.Column("collection", sa.String(64), primary_key=True),
        sa.Column("frame", sa.Text, nullable=False),
    )
    counter = op.create_table("daper_counter", sa.Column("last", sa.BigInteger, nullable=False))
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE SEQUENCE daper_versions")
    op.bulk_insert(counter, [{"last": 0}])
