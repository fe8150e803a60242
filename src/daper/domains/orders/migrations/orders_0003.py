"""A text in an order's id or name is found by its trigrams; what no database can judge, by an index of its own.

SQLite has the words in a table of their own for it, kept by triggers.
"""

from alembic import op
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

revision = "orders_0003"
down_revision = "orders_0002"
branch_labels = None
depends_on = None

_POSTGRESQL_PLAIN = (
    "(order_id IS NULL OR length(order_id) <= 80 AND order_id COLLATE \"C\" !~ '[^ -~]')"
    " AND (customer_name IS NULL OR length(customer_name) <= 80 AND customer_name COLLATE \"C\" !~ '[^ -~]')"
)
_POSTGRESQL = (
    "CREATE OR REPLACE FUNCTION daper_trigrams(given text) RETURNS text[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL"
    " SAFE AS 'DECLARE found text[] := ''{}''; BEGIN FOR place IN 1..length(given) - 2 LOOP"
    " found[place] := substr(given, place, 3); END LOOP; RETURN found; END'",
    "CREATE INDEX daper_orders_odd ON daper_orders (order_id, customer_name, position)"
    f" WHERE NOT ({_POSTGRESQL_PLAIN})",
    "CREATE INDEX daper_orders_trigrams ON daper_orders USING gin (daper_trigrams("
    "lower((coalesce(order_id, '') || chr(10) || coalesce(customer_name, '')) COLLATE \"C\")))"
    f" WHERE {_POSTGRESQL_PLAIN}",
    "ANALYZE daper_orders",
)
_SQLITE_PLAIN = " AND ".join(
    f"({name} IS NULL OR length({name}) <= 80"
    f" AND length(CAST({name} AS BLOB)) = length({name}) AND {name} NOT GLOB '*[^ -~]*')"
    for name in ("order_id", "customer_name")
)
_PUT = (
    "DELETE FROM daper_orders_words WHERE order_id = NEW.order_id; INSERT INTO daper_orders_words"
    " (position, order_id, customer_name) VALUES (NEW.position, NEW.order_id, NEW.customer_name); END"
)
_SQLITE = (
    "DROP INDEX daper_orders_words",
    "CREATE TABLE daper_orders_words (position INTEGER PRIMARY KEY, order_id TEXT, customer_name TEXT,"
    f" plain INTEGER NOT NULL GENERATED ALWAYS AS ({_SQLITE_PLAIN}) STORED)",
    "CREATE INDEX daper_orders_words_by_id ON daper_orders_words (order_id)",
    "CREATE INDEX daper_orders_odd ON daper_orders_words (position) WHERE NOT plain",
    "CREATE TRIGGER daper_orders_words_insert AFTER INSERT ON daper_orders BEGIN"  # noqa: S608 - names of ours
    f" DELETE FROM daper_orders_words WHERE position = NEW.position; {_PUT}",
    "CREATE TRIGGER daper_orders_words_update AFTER UPDATE OF data, position ON daper_orders"  # noqa: S608 - names of ours
    " WHEN NEW.position IS NOT OLD.position OR NEW.order_id IS NOT OLD.order_id"
    " OR NEW.customer_name IS NOT OLD.customer_name BEGIN"
    f" DELETE FROM daper_orders_words WHERE position IN (OLD.position, NEW.position); {_PUT}",
    "CREATE TRIGGER daper_orders_words_delete AFTER DELETE ON daper_orders BEGIN"
    " DELETE FROM daper_orders_words WHERE position = OLD.position; END",
    "INSERT INTO daper_orders_words (position, order_id, customer_name)"
    " SELECT position, order_id, customer_name FROM daper_orders ORDER BY position",
)
_TRIGRAMS = (
    "CREATE VIRTUAL TABLE daper_orders_trigrams USING fts5(order_id, customer_name, content='daper_orders_plain',"
    " content_rowid='position', columnsize=0, tokenize='trigram')"
)
_TRIGRAMS_KEPT = (
    "CREATE VIEW daper_orders_plain AS SELECT position, order_id, customer_name FROM daper_orders_words WHERE plain",
    "CREATE TRIGGER daper_orders_words_trigrams_insert AFTER INSERT ON daper_orders_words WHEN NEW.plain BEGIN"
    " INSERT INTO daper_orders_trigrams (rowid, order_id, customer_name)"
    " VALUES (NEW.position, NEW.order_id, NEW.customer_name); END",
    "CREATE TRIGGER daper_orders_words_trigrams_delete AFTER DELETE ON daper_orders_words WHEN OLD.plain BEGIN"
    " INSERT INTO daper_orders_trigrams (daper_orders_trigrams, rowid, order_id, customer_name)"
    " VALUES ('delete', OLD.position, OLD.order_id, OLD.customer_name); END",
    "INSERT INTO daper_orders_trigrams (daper_orders_trigrams) VALUES ('rebuild')",
)


def upgrade() -> None:
    """Make them of all that is there."""
    db = op.get_bind()
    postgresql = db.dialect.name == "postgresql"
    for statement in _POSTGRESQL if postgresql else _SQLITE:
        db.exec_driver_sql(statement)
    if not postgresql and _has_trigrams(db):
        for statement in _TRIGRAMS_KEPT:
            db.exec_driver_sql(statement)


def _has_trigrams(db: Connection) -> bool:
    """Whether this SQLite can make them."""
    try:
        db.exec_driver_sql(_TRIGRAMS)
    except OperationalError as error:
        if any(each in str(error.orig) for each in ("no such module", "error in tokenizer constructor")):
            return False
        raise
    return True
