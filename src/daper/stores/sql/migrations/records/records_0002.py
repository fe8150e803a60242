"""What became of each message of the outbox. Those that lie there were only written; simulated ones never leave."""

import sqlalchemy as sa
from alembic import op

revision = "records_0002"
down_revision = "records_0001"
branch_labels = None
depends_on = None

# Within a text every quote is escaped: only the field itself has it like this. The wildcard stands for a colon.
_SIMULATED = """UPDATE daper_outbox SET state = 'simulated' WHERE message LIKE '%"simulated"_true%'"""


def upgrade() -> None:
    """Add it to every message; in SQLite the table is made anew, as one that is made at once is."""
    if op.get_bind().dialect.name == "postgresql":
        op.add_column("daper_outbox", sa.Column("state", sa.String(16), nullable=False, server_default="written"))
        op.add_column("daper_outbox", sa.Column("note", sa.Text, nullable=False, server_default=""))
        op.add_column("daper_outbox", sa.Column("noted_at", sa.Text, nullable=True))
        op.add_column("daper_outbox", sa.Column("tries", sa.Integer, nullable=False, server_default="0"))
    else:
        op.drop_index("daper_outbox_by_store", "daper_outbox")
        op.rename_table("daper_outbox", "daper_outbox_0001")
        op.create_table(
            "daper_outbox",
            sa.Column("sequence", sa.Integer, primary_key=True),
            sa.Column("store", sa.String(64), nullable=False),
            sa.Column("key", sa.Text, nullable=False),
            sa.Column("message", sa.Text, nullable=False),
            sa.Column("state", sa.String(16), nullable=False, server_default="written"),
            sa.Column("note", sa.Text, nullable=False, server_default=""),
            sa.Column("noted_at", sa.Text, nullable=True),
            sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
            sqlite_autoincrement=True,
        )
        op.execute(
            "INSERT INTO daper_outbox (sequence, store, key, message) "
            "SELECT sequence, store, key, message FROM daper_outbox_0001"
        )
        op.drop_table("daper_outbox_0001")
        op.create_index("daper_outbox_by_store", "daper_outbox", ["store", "sequence"])
    op.create_index("daper_outbox_by_key", "daper_outbox", ["store", "key"])
    op.execute(_SIMULATED)
