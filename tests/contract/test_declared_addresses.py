"""A database that cannot be used: each reason has words and a way out of its own, and none tells a password."""

import asyncio
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import Connection, text

from daper.core.errors import DaperError, SettingError, StoreError, StoreUnavailable
from daper.domains.declared.domain import DeclaredDomain
from daper.stores.rows.address import database_address
from daper.stores.rows.engine import RowsDatabase, disconnect
from tests import mariadb as mariadb_of
from tests import postgresql as postgresql_of
from tests.declared_shop import FILE, database_in

SECRETS = (postgresql_of.PASSWORD, mariadb_of.PASSWORD, "pa-55", "0-tto", "hid-den")


@dataclass(frozen=True)
class Server:
    """A database on a server of its own, and roles that may do little."""

    url: str
    port: str

    @property
    def name(self) -> str:
        """Of the database."""
        return self.url.rpartition("/")[2]

    def by(self, user: str) -> str:
        """The address by another role."""
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{user}@{rest.rpartition('@')[2]}"


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    engine, url = database_in(request.param, tmp_path, request)
    name, poor = url.rpartition("/")[2], f"poor_{os.getpid()}"
    postgres = request.param == "postgresql"
    statements = [
        "CREATE TABLE nobodys (a INTEGER)",
        f"CREATE USER {poor}_in WITH PASSWORD 'pa-55'" if postgres else f"CREATE USER {poor}_in IDENTIFIED BY 'pa-55'",
        f"CREATE USER {poor}_out WITH PASSWORD 'pa-55'"
        if postgres
        else f"CREATE USER {poor}_out IDENTIFIED BY 'pa-55'",
        *(
            (f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC", f"GRANT CONNECT ON DATABASE {name} TO {poor}_in")
            if postgres
            else (f"GRANT CREATE ON {name}.* TO {poor}_in",)
        ),
    ]
    for statement in statements:
        with engine.begin() as db:
            db.execute(text(statement))
    yield Server(url, url.rpartition("/")[0].rpartition(":")[2])
    disconnect()
    with engine.begin() as db:
        if postgres:
            db.execute(text(f"REVOKE CONNECT ON DATABASE {name} FROM {poor}_in"))
        for each in ("in", "out"):
            db.execute(text(f"DROP USER {poor}_{each}"))
    engine.dispose()


def refused(url: str, sql: str = "SELECT 1") -> DaperError:
    """What is said where a statement cannot be asked of the database at that address."""
    database = RowsDatabase(database_address(url, variable="SHOP_URL"), timeout=timedelta(seconds=2))
    with pytest.raises(DaperError) as told, database.reading() as db:
        db.execute(text(sql))
    assert not any(each in str(told.value) for each in SECRETS), told.value
    return told.value


Wrong = Callable[[Server], str]
ADDRESSES: dict[str, tuple[Wrong, str]] = {
    "nobody listens": (
        lambda server: server.url.replace(f":{server.port}/", ":1/"),
        "nobody answers there (Connection refused): see that it runs, or mend the host and the port in SHOP_URL",
    ),
    "no such host": (
        lambda server: server.url.replace("127.0.0.1", "nowhere.invalid"),
        "no host has that name (Name or service not known): mend the host in SHOP_URL",
    ),
    "no such database": (
        lambda server: f"{server.url}_not",
        "that server has no such database: make it there, or mend its name in SHOP_URL",
    ),
    "another password": (
        lambda server: server.by(f"poor_{os.getpid()}_in:hid-den"),
        "the server does not let the user in: mend the user or the password in SHOP_URL",
    ),
    "no password": (
        lambda server: server.by(f"poor_{os.getpid()}_in"),
        "the server does not let the user in: mend the user or the password in SHOP_URL",
    ),
    "another user": (
        lambda server: server.by("nobody:hid-den"),
        "the server does not let the user in: mend the user or the password in SHOP_URL",
    ),
    "a user of other databases": (
        lambda server: server.by(f"poor_{os.getpid()}_out:pa-55"),
        "the user may not use that database: let it (GRANT), or mend the user or the database in SHOP_URL",
    ),
    "an option that is none": (
        lambda server: f"{server.url}?hosst=x",
        "'hosst' behind the ? is no option of the driver: take it out of SHOP_URL, or mend it there",
    ),
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_an_address_that_leads_nowhere_says_which_part_is_to_be_mended(server: Server, name: str) -> None:
    wrong, said = ADDRESSES[name]
    error = refused(wrong(server))
    assert isinstance(error, StoreUnavailable), "somebody may mend it there, and what waits goes on"
    assert said in str(error), error
    assert str(error).endswith("start daper again") is ("SHOP_URL" in said)
    assert "bring it back" not in str(error)


def test_a_file_of_a_certificate_that_is_missing_is_no_database_that_is_missing(server: Server) -> None:
    option = "sslmode=verify-full&sslrootcert=/not/there.pem" if "postgres" in server.url else "ssl_ca=/not/there.pem"
    error = refused(f"{server.url}?{option}")
    assert isinstance(error, StoreUnavailable)
    assert "mend the options behind the ? in SHOP_URL" in str(error)
    assert "no such database" not in str(error)


def test_a_table_that_a_role_may_not_read_is_told_with_who_can_mend_that(server: Server) -> None:
    error = refused(server.by(f"poor_{os.getpid()}_in:pa-55"), "SELECT a FROM nobodys")
    assert type(error) is StoreError
    assert "denied" in str(error)
    assert str(error).endswith("let the user of SHOP_URL do that (GRANT)")


def _asked_too_late(server: postgresql_of.PostgresqlServer, db: Connection) -> None:
    server.kill()
    db.execute(text("SELECT 1"))


def test_a_server_that_ended_is_to_be_brought_back() -> None:
    with postgresql_of.postgresql_server() as own:
        url = own.empty()
        database = RowsDatabase(database_address(url, variable="SHOP_URL"), timeout=timedelta(seconds=2))
        with pytest.raises(StoreUnavailable, match=r"bring it back \(SHOP_URL\)"), database.reading() as db:
            _asked_too_late(own, db)
        own.start()
    disconnect()


FILES: dict[str, tuple[str, str]] = {
    "none": ("none.db", "there is no such file: bring it back, or mend the path in SHOP_URL"),
    "no folder": ("no/none.db", "there is no folder"),
    "a folder": ("folder", "it is a folder, and no file: mend the path in SHOP_URL"),
    "a text": ("text", "it is no file of SQLite: mend the path in SHOP_URL"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_database_says_why(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("Luna, 12.50\n" * 100, encoding="utf-8")
    path, said = FILES[name]
    error = refused(f"sqlite:///{tmp_path / path}", "SELECT * FROM sqlite_master")
    assert isinstance(error, StoreError)
    assert said in str(error), error
    assert "start daper again" in str(error)


def test_a_path_from_the_folder_where_daper_runs_is_told_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert f"there is no file {tmp_path / 'none.db'}: " in str(refused("sqlite:///none.db"))


def test_what_stands_before_a_host_by_mistake_is_never_told() -> None:
    for kind in ("postgresql", "mysql"):
        with pytest.raises(SettingError, match="within a user or a password @ is written %40") as told:
            database_address(f"{kind}://reader:hid-den@0-tto@db.example/shop", variable="SHOP_URL")
        assert not any(each in str(told.value) for each in SECRETS)
        right = database_address(f"{kind}://reader:{quote('hid-den@0-tto')}@db.example/shop", variable="SHOP_URL")
        assert right.named == "the database 'shop' on db.example"


def test_a_repair_is_told_the_same_of_a_domain(server: Server, tmp_path: Path) -> None:
    (tmp_path / "payments.toml").write_text(FILE, encoding="utf-8")
    domain = DeclaredDomain(tmp_path / "payments.toml", variables={"PAYMENTS_URL": f"{server.url}_not"}.get)
    with pytest.raises(StoreUnavailable, match="make it there, or mend its name in PAYMENTS_URL"):
        asyncio.run(domain.context(["7"]))
