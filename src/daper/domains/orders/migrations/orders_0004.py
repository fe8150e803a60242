"""What open orders take of each item, in a table that triggers keep: who comes later gets what earlier ones leave.

And an index of ids by how they look.
"""

from alembic import op

revision = "orders_0004"
down_revision = "orders_0003"
branch_labels = None
depends_on = None

_POSTGRESQL = (
    'CREATE TABLE daper_orders_claims (position BIGINT NOT NULL, item_id TEXT COLLATE "C" NOT NULL, at TEXT '
    'COLLATE "C" NOT NULL, order_id TEXT COLLATE "C", status TEXT, restocked INTEGER NOT NULL, claim NUMERIC '
    "NOT NULL)",
    "CREATE INDEX daper_orders_claims_by_item ON daper_orders_claims (item_id, at, order_id) INCLUDE (status, "
    "restocked, claim)",
    "CREATE INDEX daper_orders_claims_by_position ON daper_orders_claims (position)",
    "CREATE FUNCTION daper_orders_claims_put(place bigint, data json) RETURNS void LANGUAGE plpgsql SECURITY "
    "DEFINER SET search_path FROM CURRENT SET timezone = 'UTC' AS $body$ DECLARE doc json; moment text; BEGIN "
    "doc := CASE WHEN position('\\u0000' IN data::text) = 0 THEN data ELSE regexp_replace(data::text, "
    "'(?<!\\\\)((?:\\\\\\\\)*)\\\\u0000', '\\1', 'g')::json END; moment := '9999'; BEGIN IF json_typeof(doc -> "
    "'order_date') = 'string' AND doc ->> 'order_date' ~ '^[0-9]{4}-[0-9][0-9]-[0-9][0-9]' THEN moment := "
    "to_char((doc ->> 'order_date')::timestamptz, 'YYYY-MM-DD HH24:MI:SS.MS'); END IF; EXCEPTION WHEN OTHERS "
    "THEN NULL; END; BEGIN INSERT INTO daper_orders_claims (position, item_id, at, order_id, status, "
    "restocked, claim) SELECT place, line.item_id, moment, doc ->> 'order_id', doc ->> 'status', CASE WHEN "
    "json_typeof(doc -> 'restocks') = 'array' AND json_array_length(doc -> 'restocks') > 0 THEN 1 ELSE 0 END, "
    "greatest(0, greatest(0, line.needed - coalesce((SELECT sum(CASE WHEN json_typeof(v -> 'taken') = 'number' "
    "THEN (v ->> 'taken')::numeric ELSE (v ->> 'quantity')::numeric END) FROM json_array_elements(CASE WHEN "
    "json_typeof(doc -> 'restocks') = 'array' THEN doc -> 'restocks' ELSE '[]' END) r(v) WHERE json_typeof(v) "
    "= 'object' AND v ->> 'item_id' = line.item_id AND json_typeof(v -> 'quantity') = 'number' AND "
    "replace(replace(lower(trim(v ->> 'state')), '_', '-'), ' ', '-') IN ('delivered')), 0)) - "
    "coalesce((SELECT sum((v ->> 'quantity')::numeric) FROM json_array_elements(CASE WHEN json_typeof(doc -> "
    "'restocks') = 'array' THEN doc -> 'restocks' ELSE '[]' END) r(v) WHERE json_typeof(v) = 'object' AND v "
    "->> 'item_id' = line.item_id AND json_typeof(v -> 'quantity') = 'number' AND replace(replace(lower(trim(v "
    "->> 'state')), '_', '-'), ' ', '-') IN ('on-order', 'ordered')), 0)) FROM (SELECT v ->> 'item_id' AS "
    "item_id, sum((v ->> 'quantity')::numeric) AS needed FROM json_array_elements(CASE WHEN json_typeof(doc -> "
    "'items') = 'array' THEN doc -> 'items' ELSE '[]' END) l(v) WHERE json_typeof(v) = 'object' AND "
    "json_typeof(v -> 'item_id') = 'string' AND json_typeof(v -> 'quantity') = 'number' GROUP BY 1) line WHERE "
    "coalesce(replace(replace(lower(trim(doc ->> 'status')), '_', '-'), ' ', '-'), '') NOT IN ('canceled', "
    "'cancelled', 'closed', 'completed', 'delivered', 'refunded', 'returned', 'shipped'); EXCEPTION WHEN "
    "OTHERS THEN NULL; END; END $body$",
    "CREATE FUNCTION daper_orders_claims_keep() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET "
    "search_path FROM CURRENT AS $body$ BEGIN IF TG_OP <> 'INSERT' THEN DELETE FROM daper_orders_claims WHERE "
    "position = OLD.position; END IF; IF TG_OP <> 'DELETE' THEN PERFORM daper_orders_claims_put(NEW.position, "
    "NEW.data); END IF; RETURN NULL; END $body$",
    "CREATE TRIGGER daper_orders_claims_keep AFTER INSERT OR DELETE OR UPDATE OF data, position ON "
    "daper_orders FOR EACH ROW EXECUTE FUNCTION daper_orders_claims_keep()",
    "SELECT count(daper_orders_claims_put(position, data)) FROM daper_orders",
    "CREATE INDEX daper_inventory_by_look ON daper_inventory (lower(replace(replace(item_id, ' ', ''), '_', "
    "'-') COLLATE \"C\"))",
)
_SQLITE = (
    "CREATE TABLE daper_orders_claims (position INTEGER NOT NULL, item_id TEXT NOT NULL, at TEXT NOT NULL, "
    "order_id TEXT, status TEXT, restocked INTEGER NOT NULL, claim NUMERIC NOT NULL)",
    "CREATE INDEX daper_orders_claims_by_item ON daper_orders_claims (item_id, at, order_id, status, restocked, claim)",
    "CREATE INDEX daper_orders_claims_by_position ON daper_orders_claims (position)",
    "CREATE TRIGGER daper_orders_claims_insert AFTER INSERT ON daper_orders BEGIN INSERT INTO "
    "daper_orders_claims (position, item_id, at, order_id, status, restocked, claim) SELECT NEW.position, "
    "line.item_id, coalesce(strftime('%Y-%m-%d %H:%M:%f', CASE WHEN json_type(NEW.data, '$.order_date') = "
    "'text' THEN json_extract(NEW.data, '$.order_date') END), '9999'), json_extract(NEW.data, '$.order_id'), "
    "json_extract(NEW.data, '$.status'), json_type(NEW.data, '$.restocks') IS 'array' AND "
    "json_array_length(NEW.data, '$.restocks') > 0, max(0, max(0, line.needed - coalesce((SELECT sum(CASE WHEN "
    "json_type(value, '$.taken') IN ('integer', 'real') THEN json_extract(value, '$.taken') ELSE "
    "json_extract(value, '$.quantity') END) FROM json_each(NEW.data, '$.restocks') WHERE type = 'object' AND "
    "json_extract(value, '$.item_id') = line.item_id AND json_type(value, '$.quantity') IN ('integer', 'real') "
    "AND replace(replace(lower(trim(json_extract(value, '$.state'))), '_', '-'), ' ', '-') IN ('delivered')), "
    "0)) - coalesce((SELECT sum(json_extract(value, '$.quantity')) FROM json_each(NEW.data, '$.restocks') "
    "WHERE type = 'object' AND json_extract(value, '$.item_id') = line.item_id AND json_type(value, "
    "'$.quantity') IN ('integer', 'real') AND replace(replace(lower(trim(json_extract(value, '$.state'))), "
    "'_', '-'), ' ', '-') IN ('on-order', 'ordered')), 0)) FROM (SELECT  json_extract(value, '$.item_id') AS "
    "item_id, sum(json_extract(value, '$.quantity')) AS needed FROM json_each(NEW.data, '$.items') WHERE type "
    "= 'object' AND json_type(value, '$.item_id') = 'text' AND json_type(value, '$.quantity') IN ('integer', "
    "'real') GROUP BY 1) line WHERE coalesce(replace(replace(lower(trim(json_extract(NEW.data, '$.status'))), "
    "'_', '-'), ' ', '-'), '') NOT IN ('canceled', 'cancelled', 'closed', 'completed', 'delivered', "
    "'refunded', 'returned', 'shipped'); END",
    "CREATE TRIGGER daper_orders_claims_update AFTER UPDATE OF data, position ON daper_orders BEGIN DELETE "
    "FROM daper_orders_claims WHERE position = OLD.position; INSERT INTO daper_orders_claims (position, "
    "item_id, at, order_id, status, restocked, claim) SELECT NEW.position, line.item_id, "
    "coalesce(strftime('%Y-%m-%d %H:%M:%f', CASE WHEN json_type(NEW.data, '$.order_date') = 'text' THEN "
    "json_extract(NEW.data, '$.order_date') END), '9999'), json_extract(NEW.data, '$.order_id'), "
    "json_extract(NEW.data, '$.status'), json_type(NEW.data, '$.restocks') IS 'array' AND "
    "json_array_length(NEW.data, '$.restocks') > 0, max(0, max(0, line.needed - coalesce((SELECT sum(CASE WHEN "
    "json_type(value, '$.taken') IN ('integer', 'real') THEN json_extract(value, '$.taken') ELSE "
    "json_extract(value, '$.quantity') END) FROM json_each(NEW.data, '$.restocks') WHERE type = 'object' AND "
    "json_extract(value, '$.item_id') = line.item_id AND json_type(value, '$.quantity') IN ('integer', 'real') "
    "AND replace(replace(lower(trim(json_extract(value, '$.state'))), '_', '-'), ' ', '-') IN ('delivered')), "
    "0)) - coalesce((SELECT sum(json_extract(value, '$.quantity')) FROM json_each(NEW.data, '$.restocks') "
    "WHERE type = 'object' AND json_extract(value, '$.item_id') = line.item_id AND json_type(value, "
    "'$.quantity') IN ('integer', 'real') AND replace(replace(lower(trim(json_extract(value, '$.state'))), "
    "'_', '-'), ' ', '-') IN ('on-order', 'ordered')), 0)) FROM (SELECT  json_extract(value, '$.item_id') AS "
    "item_id, sum(json_extract(value, '$.quantity')) AS needed FROM json_each(NEW.data, '$.items') WHERE type "
    "= 'object' AND json_type(value, '$.item_id') = 'text' AND json_type(value, '$.quantity') IN ('integer', "
    "'real') GROUP BY 1) line WHERE coalesce(replace(replace(lower(trim(json_extract(NEW.data, '$.status'))), "
    "'_', '-'), ' ', '-'), '') NOT IN ('canceled', 'cancelled', 'closed', 'completed', 'delivered', "
    "'refunded', 'returned', 'shipped'); END",
    "CREATE TRIGGER daper_orders_claims_delete AFTER DELETE ON daper_orders BEGIN DELETE FROM "
    "daper_orders_claims WHERE position = OLD.position; END",
    "INSERT INTO daper_orders_claims (position, item_id, at, order_id, status, restocked, claim) SELECT "
    "o.position, line.item_id, coalesce(strftime('%Y-%m-%d %H:%M:%f', CASE WHEN json_type(o.data, "
    "'$.order_date') = 'text' THEN json_extract(o.data, '$.order_date') END), '9999'), json_extract(o.data, "
    "'$.order_id'), json_extract(o.data, '$.status'), json_type(o.data, '$.restocks') IS 'array' AND "
    "json_array_length(o.data, '$.restocks') > 0, max(0, max(0, line.needed - coalesce((SELECT sum(CASE WHEN "
    "json_type(value, '$.taken') IN ('integer', 'real') THEN json_extract(value, '$.taken') ELSE "
    "json_extract(value, '$.quantity') END) FROM json_each(o.data, '$.restocks') WHERE type = 'object' AND "
    "json_extract(value, '$.item_id') = line.item_id AND json_type(value, '$.quantity') IN ('integer', 'real') "
    "AND replace(replace(lower(trim(json_extract(value, '$.state'))), '_', '-'), ' ', '-') IN ('delivered')), "
    "0)) - coalesce((SELECT sum(json_extract(value, '$.quantity')) FROM json_each(o.data, '$.restocks') WHERE "
    "type = 'object' AND json_extract(value, '$.item_id') = line.item_id AND json_type(value, '$.quantity') IN "
    "('integer', 'real') AND replace(replace(lower(trim(json_extract(value, '$.state'))), '_', '-'), ' ', '-') "
    "IN ('on-order', 'ordered')), 0)) FROM (SELECT o.position AS position, json_extract(value, '$.item_id') AS "
    "item_id, sum(json_extract(value, '$.quantity')) AS needed FROM daper_orders o, json_each(o.data, "
    "'$.items') WHERE type = 'object' AND json_type(value, '$.item_id') = 'text' AND json_type(value, "
    "'$.quantity') IN ('integer', 'real') GROUP BY o.position, 2) line JOIN daper_orders o ON o.position = "
    "line.position WHERE coalesce(replace(replace(lower(trim(json_extract(o.data, '$.status'))), '_', '-'), ' "
    "', '-'), '') NOT IN ('canceled', 'cancelled', 'closed', 'completed', 'delivered', 'refunded', 'returned', "
    "'shipped')",
    "CREATE INDEX daper_inventory_by_look ON daper_inventory (lower(replace(replace(item_id, ' ', ''), '_', '-')))",
)


def upgrade() -> None:
    """Make them of all that is there."""
    db = op.get_bind()
    for statement in _POSTGRESQL if db.dialect.name == "postgresql" else _SQLITE:
        db.exec_driver_sql(statement)
