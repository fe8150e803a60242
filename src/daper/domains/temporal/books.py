"""Where what was done to workflows is noted: a file of the home, or tables of the database that all is in."""

from pathlib import Path
from typing import Final

from daper.core.errors import SettingError
from daper.ports.store import OWN, StoreAbout
from daper.stores.sql.documents import DocumentStore
from daper.stores.sql.engine import Database
from daper.stores.sql.records_schema import RECORDS
from daper.stores.sql.sqlite_database import SqliteDatabase

_NAME: Final = "temporal"


def open_books(folder: Path, database_url: str) -> DocumentStore:
    """The ledger and nothing else; no file is touched. Raises SettingError for an address that is none."""
    return DocumentStore(_database(folder, database_url), name=_NAME, collections=())


def begin(books: DocumentStore) -> None:
    """Make it ready, if it is new."""
    if books.dataset() is None:
        books.install({}, about=StoreAbout(dataset=OWN))


def _database(folder: Path, url: str) -> Database:
    if not url:
        return SqliteDatabase(folder / "ledger.db", (RECORDS,), what="the ledger of workflows")
    try:
        from daper.stores.sql.postgresql_database import PostgresqlDatabase
    except ImportError as error:
        raise SettingError(f"PostgreSQL needs its driver: pip install 'daper[postgresql]' ({error})") from error
    return PostgresqlDatabase(url, (RECORDS,))
