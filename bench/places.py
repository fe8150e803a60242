"""Where orders are kept while something is measured: in JSON files, in a SQLite file, on a PostgreSQL server.

The server is one of our own on 127.0.0.1 which waits for the disk before it says that something is done.
"""

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.postgresql import PostgresqlServer, postgresql_server

from bench.big_shop import ABOUT, BigShop
from daper.domains.orders.domain import OrdersDomain, open_domain
from daper.domains.orders.json_keeping import JsonKeeping
from daper.domains.orders.sql_keeping import BRANCHES, SqlKeeping, in_file, on_server
from daper.stores.sql.postgresql_database import PostgresqlDatabase, disconnect
from daper.stores.sql.state_schema import STATE
from daper.stores.sql.upgrading import upgrade

JSON, SQLITE, POSTGRESQL = STORES = ("json", "sqlite", "postgresql")
NAMES: Final = {JSON: "JSON files", SQLITE: "SQLite", POSTGRESQL: "PostgreSQL"}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A home, and the database beside it where the store is on a server."""

    store: str
    home: Path
    url: str = field(default="", repr=False)

    @property
    def environ(self) -> dict[str, str]:
        """What a person sets to have the orders there; on a server, daper's own state is there as well."""
        named = {"DAPER_DATABASE_URL": self.url} if self.url else {}
        return {"DAPER_ORDERS_STORE": self.store, **named}

    @property
    def folder(self) -> Path:
        """Of the orders."""
        return self.home / "data" / "orders"

    @property
    def file(self) -> Path:
        """Of SQLite."""
        return self.folder / "orders.db"

    def domain(self) -> OrdersDomain:
        """The orders that are there."""
        options = {"approvers": "ministry@example.org", "dataset": "hogwarts", "store": self.store}
        return open_domain(self.folder, {**options, "database_url": self.url})

    def install(self, shop: BigShop) -> None:
        """Put a shop there, a row at a time where the store is a database."""
        keeping = self._keeping()
        if isinstance(keeping, JsonKeeping):
            keeping.install(shop.texts(), about=ABOUT)
        else:
            keeping.tables.install(shop.rows(), about=ABOUT)

    def install_texts(self, texts: Mapping[str, str]) -> None:
        """Put the orders and the inventory of two JSON documents there."""
        self._keeping().install(texts, about=ABOUT)

    def _keeping(self) -> JsonKeeping | SqlKeeping:
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.store == JSON:
            return JsonKeeping(self.folder)
        if self.store == SQLITE:
            return in_file(self.file)
        upgrade(PostgresqlDatabase(self.url, (*BRANCHES, STATE)))
        return on_server(self.url)


class Places:
    """New places, as many as wanted."""

    def __init__(self, root: Path, server: PostgresqlServer | None) -> None:
        self._root = root
        self._server = server
        self._made = 0

    def new(self, store: str) -> Place:
        """A place with nothing in it."""
        self._made += 1
        url = self._server.empty() if self._server is not None and store == POSTGRESQL else ""
        return Place(store=store, home=self._root / f"{store}-{self._made}", url=url)


@contextmanager
def open_places(root: Path, stores: Iterable[str]) -> Generator[Places]:
    """Places in these stores; a server runs until the end of the block, if one is needed."""
    if POSTGRESQL not in stores:
        yield Places(root, None)
        return
    with postgresql_server(durable=True) as server:
        try:
            yield Places(root, server)
        finally:
            disconnect()
