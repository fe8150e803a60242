"""The words of records, kept so that a text in them is found at once, by whatever tool they are written.

A row is plain where its id and its words are shown as they are: short, of ASCII, with nothing hidden. Those a database
can judge, by their trigrams. All others are few, found by an index of their own, and judged by us.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from daper.stores.sql.document_tables import Collection

TRIGRAMS: Final = "daper_trigrams"
LONGEST_PLAIN: Final = 80  # what is longer is shown cut
_MEMORY: Final = "16MB"  # of trigrams that are sorted before they are written, where many come at once
_FUNCTION: Final = (
    f"CREATE OR REPLACE FUNCTION {TRIGRAMS}(given text) RETURNS text[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE"
    " AS 'DECLARE found text[] := ''{}''; BEGIN FOR place IN 1..length(given) - 2 LOOP"
    " found[place] := substr(given, place, 3); END LOOP; RETURN found; END'"
)
_WITHOUT: Final = ("no such module", "error in tokenizer constructor")  # what SQLite says where it has no trigrams


def create_words(db: Connection, collection: Collection) -> None:
    """Make what finds a text in the words of this collection, whose table is there."""
    if db.dialect.name == "postgresql":
        db.exec_driver_sql(_FUNCTION)
        for statement in _postgresql(collection):
            db.exec_driver_sql(statement)
        return
    for statement in (*_words_table(collection), *_kept_by(collection)):
        db.exec_driver_sql(statement)
    if _make_trigrams(db, collection):
        for statement in _trigrams_kept_by(collection):
            db.exec_driver_sql(statement)


@contextmanager
def many_at_once(db: Connection, collections: Sequence[Collection]) -> Generator[None]:
    """Within the block all rows are brought anew, and no text is looked for: the words are sorted in once, at its end.

    Where it raises, the transaction is to be rolled back.
    """
    searched = [collection for collection in collections if collection.words]
    with _sorted_later(db, searched) if db.dialect.name == "postgresql" else _without_triggers(db, searched):
        yield


@contextmanager
def _sorted_later(db: Connection, collections: Sequence[Collection]) -> Generator[None]:
    settings = text("SELECT set_config('work_mem', :much, true), set_config('gin_pending_list_limit', :much, true)")
    db.execute(settings, {"much": _MEMORY})
    yield
    for collection in collections:  # of somebody else's index it is done with the next row, or by the server in time
        db.execute(_CLEANED, {"index": collection.trigrams})
        db.exec_driver_sql(f"ANALYZE {collection.table_name}")  # else the server would rather read all rows


@contextmanager
def _without_triggers(db: Connection, collections: Sequence[Collection]) -> Generator[None]:
    with_trigrams = [collection for collection in collections if has_trigrams(db, collection)]
    for collection in collections:
        for name in db.execute(_TRIGGERS, {"like": f"{collection.words_name}!_%"}).scalars().all():
            db.exec_driver_sql(f"DROP TRIGGER {name}")
    yield
    for collection in collections:
        for statement in (*_filled(collection), *_kept_by(collection)):
            db.exec_driver_sql(statement)
    for collection in with_trigrams:
        for statement in (_rebuilt(collection), *_trigrams_kept_by(collection)):
            db.exec_driver_sql(statement)


def has_trigrams(db: Connection, collection: Collection) -> bool:
    """Whether SQLite, where this file was made, knew trigrams."""
    return db.execute(_IS_THERE, {"name": collection.trigrams}).first() is not None


def plain(collection: Collection, *, postgresql: bool) -> str:
    """The condition for a plain row, as PostgreSQL's indexes have it, or SQLite's table of words."""
    return " AND ".join(
        f"({name} IS NULL OR length({name}) <= {LONGEST_PLAIN} AND {name} COLLATE \"C\" !~ '[^ -~]')"
        if postgresql
        # In SQLite a text ends, for whoever counts or compares it, at the character 0.
        else f"({name} IS NULL OR length({name}) <= {LONGEST_PLAIN}"
        f" AND length(CAST({name} AS BLOB)) = length({name}) AND {name} NOT GLOB '*[^ -~]*')"
        for name in _fields(collection)
    )


def joined(collection: Collection) -> str:
    """All words of a plain row as PostgreSQL looks through them: no text that is looked for goes on over their ends."""
    words = " || chr(10) || ".join(f"coalesce({name}, '')" for name in _fields(collection))
    return f'lower(({words}) COLLATE "C")'


def _fields(collection: Collection) -> tuple[str, ...]:
    return (collection.key, *collection.words)


def _postgresql(collection: Collection) -> Iterator[str]:
    judged, fields = plain(collection, postgresql=True), ", ".join(_fields(collection))
    yield f"CREATE INDEX {collection.words_name} ON {collection.table_name} ({fields}, position)"
    yield f"CREATE INDEX {collection.odd} ON {collection.table_name} ({fields}, position) WHERE NOT ({judged})"
    yield (
        f"CREATE INDEX {collection.trigrams} ON {collection.table_name}"
        f" USING gin ({TRIGRAMS}({joined(collection)})) WHERE {judged}"
    )


def _words_table(collection: Collection) -> Iterator[str]:
    """A table that is small enough to be gone through: SQLite would take each word out of its document anew."""
    words, fields = collection.words_name, _fields(collection)
    yield (
        f"CREATE TABLE {words} (position INTEGER PRIMARY KEY, {', '.join(f'{name} TEXT' for name in fields)},"
        f" plain INTEGER NOT NULL GENERATED ALWAYS AS ({plain(collection, postgresql=False)}) STORED)"
    )
    yield f"CREATE INDEX {words}_by_id ON {words} ({collection.key})"
    yield f"CREATE INDEX {collection.odd} ON {words} (position) WHERE NOT plain"


def _kept_by(collection: Collection) -> Iterator[str]:
    """Triggers; a row that another one replaced by its id went without a word."""
    table, words, fields = collection.table_name, collection.words_name, _fields(collection)
    changed = " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in ("position", *fields))
    new = ", ".join(f"NEW.{name}" for name in ("position", *fields))
    same, put = f"DELETE FROM {words} WHERE {collection.key} = NEW.{collection.key}", f"INSERT INTO {words}"  # noqa: S608 - names of ours
    put = f"{put} (position, {', '.join(fields)}) VALUES ({new})"
    yield (
        f"CREATE TRIGGER {words}_insert AFTER INSERT ON {table} BEGIN"  # noqa: S608 - names of ours
        f" DELETE FROM {words} WHERE position = NEW.position; {same}; {put}; END"
    )
    yield (
        f"CREATE TRIGGER {words}_update AFTER UPDATE OF data, position ON {table} WHEN {changed} BEGIN"  # noqa: S608 - names of ours
        f" DELETE FROM {words} WHERE position IN (OLD.position, NEW.position); {same}; {put}; END"
    )
    yield (
        f"CREATE TRIGGER {words}_delete AFTER DELETE ON {table} BEGIN"  # noqa: S608 - names of ours
        f" DELETE FROM {words} WHERE position = OLD.position; END"
    )


def _make_trigrams(db: Connection, collection: Collection) -> bool:
    """Whether this SQLite has them; without, the table of words is gone through."""
    fields = ", ".join(_fields(collection))
    try:
        db.exec_driver_sql(
            f"CREATE VIRTUAL TABLE {collection.trigrams} USING fts5({fields}, content='{collection.plain}',"
            " content_rowid='position', columnsize=0, tokenize='trigram')"
        )
    except OperationalError as error:
        if any(each in str(error.orig) for each in _WITHOUT):
            return False
        raise
    db.exec_driver_sql(
        f"CREATE VIEW {collection.plain} AS SELECT position, {fields} FROM {collection.words_name} WHERE plain"  # noqa: S608 - names of ours
    )
    return True


def _trigrams_kept_by(collection: Collection) -> Iterator[str]:
    words, found, fields = collection.words_name, collection.trigrams, _fields(collection)
    new, old = (", ".join(f"{of}.{name}" for name in ("position", *fields)) for of in ("NEW", "OLD"))
    yield (
        f"CREATE TRIGGER {words}_trigrams_insert AFTER INSERT ON {words} WHEN NEW.plain BEGIN"  # noqa: S608 - names of ours
        f" INSERT INTO {found} (rowid, {', '.join(fields)}) VALUES ({new}); END"
    )
    yield (
        f"CREATE TRIGGER {words}_trigrams_delete AFTER DELETE ON {words} WHEN OLD.plain BEGIN"  # noqa: S608 - names of ours
        f" INSERT INTO {found} ({found}, rowid, {', '.join(fields)}) VALUES ('delete', {old}); END"
    )


def _filled(collection: Collection) -> Iterator[str]:
    words, fields = collection.words_name, ", ".join(("position", *_fields(collection)))
    yield f"DELETE FROM {words}"  # noqa: S608 - names of ours
    yield f"INSERT INTO {words} ({fields}) SELECT {fields} FROM {collection.table_name} ORDER BY position"  # noqa: S608 - names of ours


def _rebuilt(collection: Collection) -> str:
    return f"INSERT INTO {collection.trigrams} ({collection.trigrams}) VALUES ('rebuild')"  # noqa: S608 - names of ours


_TRIGGERS: Final = text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE :like ESCAPE '!'")
_IS_THERE: Final = text("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = :name")
_CLEANED: Final = text(
    "SELECT gin_clean_pending_list(oid) FROM pg_class"
    " WHERE oid = to_regclass(:index) AND pg_has_role(relowner, 'USAGE')"
)
