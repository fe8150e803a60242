"""A database as somebody else might have it: a record shop, with a table for each kind of trouble that names make."""

from typing import Final

from sqlalchemy import Engine, text

EVERYWHERE: Final = (
    'CREATE TABLE "Artist" ("ArtistId" INTEGER PRIMARY KEY, "Name" VARCHAR(120))',
    'CREATE TABLE "Customer" ("CustomerId" INTEGER PRIMARY KEY, "FirstName" VARCHAR(40), "LastName" VARCHAR(20),'
    ' "Email" VARCHAR(60), "Phone" VARCHAR(24), "PostalCode" VARCHAR(10), "State" VARCHAR(40), "Company" VARCHAR(80))',
    'CREATE TABLE "Order Details" ("OrderID" INTEGER, "ProductID" INTEGER, "Unit Price" NUMERIC(10, 2), status TEXT,'
    ' PRIMARY KEY ("OrderID", "ProductID"))',
    'CREATE TABLE "Order" ("Order ID" INTEGER PRIMARY KEY, "Ship Status" VARCHAR(20) NOT NULL, "Order:Date" DATE,'
    ' "Freight" NUMERIC(10, 2), "in" INTEGER, "100%" INTEGER, "Größe" INTEGER, "ShipAddress" VARCHAR(60))',
    "CREATE TABLE payments (id INTEGER PRIMARY KEY, order_id INTEGER, status VARCHAR(20), amount DECIMAL(12, 2),"
    " failed_at TIMESTAMP, is_test BOOLEAN, email VARCHAR(60), api_token VARCHAR(60), attempts INTEGER)",
    "CREATE TABLE nothing_yet (code VARCHAR(20) PRIMARY KEY, state VARCHAR(20))",
    "CREATE TABLE numbered (id VARCHAR(40) NOT NULL, uid VARCHAR(20) NOT NULL UNIQUE, state INTEGER,"
    " PRIMARY KEY (id, uid))",
    "CREATE TABLE loose (a INTEGER, b INTEGER)",
    """CREATE TABLE "x'); DROP TABLE payments; --" (id INTEGER PRIMARY KEY, "say ""it"" now" VARCHAR(20))""",
    """CREATE VIEW failing AS SELECT id, status, amount FROM payments WHERE status = 'failed'""",
    """INSERT INTO "Artist" VALUES (1, 'Weird Sisters'), (2, 'Celestina Warbeck')""",
    """INSERT INTO "Customer" VALUES (1, 'Luna', 'Lovegood', 'luna@hogwarts.example', '7', 'X', 'Devon', NULL)""",
    """INSERT INTO "Order Details" VALUES (1, 1, 2.50, 'short'), (1, 2, 3.00, 'ok'), (2, 1, 2.50, 'ok')""",
    """INSERT INTO "Order" VALUES (1, 'It''s lost', '2026-11-01', 3.20, 1, 2, 3, 'Tower'),"""
    """ (2, 'shipped', '2026-11-02', 1.00, 1, 2, 3, 'Tower'), (3, 'a, b', NULL, 1.00, 1, 2, 3, NULL)""",
    "INSERT INTO payments VALUES"
    " (1, 1, 'failed', 12.50, '2026-11-20 10:00:00', FALSE, 'luna@hogwarts.example', 't', 1),"
    " (2, 1, 'paid', 3.00, NULL, TRUE, NULL, NULL, 0), (3, 2, 'paid', 4.00, NULL, FALSE, NULL, NULL, 0),"
    " (4, 2, 'stuck', 4.00, NULL, FALSE, NULL, NULL, 0)",
    "INSERT INTO numbered VALUES ('a', 'u1', 9), ('a', 'u2', 1)",
    "INSERT INTO loose VALUES (1, 1), (2, 1)",
    """INSERT INTO "x'); DROP TABLE payments; --" VALUES (1, 'hm')""",
)
POSTGRESQL_ALONE: Final = (
    "CREATE SCHEMA billing",
    "CREATE TYPE billing.mood AS ENUM ('fine', 'lost', 'asked')",
    "CREATE TABLE billing.invoices (id UUID PRIMARY KEY, state billing.mood, photo BYTEA, host INET, tags TEXT[],"
    " more JSONB, span INTERVAL, holder_name TEXT)",
    "INSERT INTO billing.invoices VALUES"
    " (gen_random_uuid(), 'lost', '\\x00', '127.0.0.1', '{a}', '{}', '1 day', 'Luna')",
    "CREATE TABLE private (id INTEGER PRIMARY KEY, state TEXT)",
)


def make_stranger(engine: Engine) -> None:
    """The tables, in an empty database."""
    more = POSTGRESQL_ALONE if engine.dialect.name == "postgresql" else ()
    with engine.begin() as db:
        for statement in (*EVERYWHERE, *more):
            db.execute(text(statement.replace(":", r"\:")))
