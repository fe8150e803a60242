"""Orders are found by a text in their id or their customer's name: a field of it, and an index of both."""

from alembic import op

revision = "orders_0002"
down_revision = "orders_0001"
branch_labels = None
depends_on = None

_SQLITE = "substr(json_extract(data, '$.\"customer_name\"'), 1, 300)) VIRTUAL"
_POSTGRESQL = (
    "substr(CASE WHEN position('\\u0000' IN data::text) = 0 THEN data ->> 'customer_name' ELSE"
    " regexp_replace(data::text, '(?<!\\\\)((?:\\\\\\\\)*)\\\\u0000', '\\1', 'g')::json ->> 'customer_name' END,"
    " 1, 300)) STORED"
)


def upgrade() -> None:
    """Add them; on a server each row is written anew."""
    db = op.get_bind()
    made = _POSTGRESQL if db.dialect.name == "postgresql" else _SQLITE
    db.exec_driver_sql(f"ALTER TABLE daper_orders ADD COLUMN customer_name TEXT GENERATED ALWAYS AS ({made}")
    db.exec_driver_sql("CREATE INDEX daper_orders_words ON daper_orders (order_id, customer_name, position)")
