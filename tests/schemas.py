"""All that makes up the schema of a database, to be compared: by migrations and made at once, it must be the same."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, Row, text

_SQLITE: Final = ("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'",)
_POSTGRESQL: Final = (
    "SELECT table_name, column_name, ordinal_position, data_type, character_maximum_length, is_nullable,"
    " column_default, identity_generation, generation_expression, collation_name"
    " FROM information_schema.columns WHERE table_schema = current_schema()",
    "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()",
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = current_schema()::regnamespace",
    "SELECT sequence_name, data_type, start_value, increment FROM information_schema.sequences"
    " WHERE sequence_schema = current_schema()",
    "SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = current_schema()::regnamespace",
)


def schema_of(db: Connection) -> list[list[Row[tuple[object, ...]]]]:
    """Tables, columns, indexes, constraints, sequences, triggers and functions, and the rows of daper_counter."""
    questions: Sequence[str] = _SQLITE if db.dialect.name == "sqlite" else _POSTGRESQL
    return [
        sorted(db.execute(text(question)).all(), key=repr)
        for question in (*questions, "SELECT last FROM daper_counter")
    ]
