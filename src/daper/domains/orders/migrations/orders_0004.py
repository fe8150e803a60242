"""What open orders take of each item, in a table that triggers keep: who comes later gets what earlier ones leave."""

from alembic import op

from daper.domains.orders.claims import create_claims

revision = "orders_0004"
down_revision = "orders_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them of all that is there."""
    create_claims(op.get_bind())
