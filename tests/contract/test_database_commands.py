"""`daper db`, and what `daper doctor` says of the database: on a real server, and without its password anywhere."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from daper.entrypoints.cli.app import run
from daper.stores.sql.postgresql_database import PostgresqlDatabase
from daper.stores.sql.records_schema import RECORDS
from tests.postgresql import PASSWORD, PostgresqlServer

ALL = "orders_0004, records_0002, state_0002, visitors_0001"
Says = Callable[..., tuple[int, str]]


@pytest.fixture
def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Says:
    """Runs a command with a database, and gives its exit code and all that it said, in which no password is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DAPER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")

    def said(url: str, *words: str) -> tuple[int, str]:
        monkeypatch.setenv("DAPER_DATABASE_URL", url)
        code = run([*words])
        shown = capsys.readouterr()
        for each in [
            shown.out,
            shown.err,
            *(each.read_text("latin-1") for each in tmp_path.rglob("*") if each.is_file()),
        ]:
            assert PASSWORD not in each
        return code, shown.out + shown.err

    return said


def test_upgrade_makes_the_tables_once_and_status_names_all(postgresql: PostgresqlServer, says: Says) -> None:
    url = postgresql.empty()
    named = f"the database {url.rpartition('/')[2]!r} on 127.0.0.1:{postgresql.port}"

    assert says(url, "db", "status") == (
        1,
        f"{named}: PostgreSQL 18.4, with no tables of daper's\n"
        f"{named} has none of daper's tables yet; whoever may make tables there runs: daper db upgrade\n",
    )
    assert says(url, "db", "upgrade") == (
        0,
        f"{named}: done: state_0001, state_0002, visitors_0001, records_0001, records_0002, orders_0001,"
        f" orders_0002, orders_0003, orders_0004; it has {ALL}\n",
    )
    assert says(url, "db", "upgrade") == (0, f"{named}: nothing to do; it has {ALL}\n")
    assert says(url, "db", "status") == (
        0,
        f"{named}: PostgreSQL 18.4, with {ALL}; this version works with it\n",
    )


def test_both_say_the_same_in_json(postgresql: PostgresqlServer, says: Says) -> None:
    url = postgresql.empty()

    code, before = says(url, "db", "status", "--json")
    assert code == 1
    (found,) = json.loads(before)["databases"]
    assert (found["condition"], found["usable"], found["revisions"], found["wanted"]) == (
        "none",
        False,
        [],
        ALL.split(", "),
    )
    (done,) = json.loads(says(url, "db", "upgrade", "--json")[1])["databases"]
    assert (done["before"], done["ran"], done["revisions"]) == (
        [],
        [
            "state_0001",
            "state_0002",
            "visitors_0001",
            "records_0001",
            "records_0002",
            "orders_0001",
            "orders_0002",
            "orders_0003",
            "orders_0004",
        ],
        ALL.split(", "),
    )
    (found,) = json.loads(says(url, "db", "status", "--json")[1])["databases"]
    assert (found["kind"], found["version"], found["condition"]) == ("PostgreSQL", "PostgreSQL 18.4", "ready")


def test_one_of_a_newer_daper_is_refused_by_both(postgresql: PostgresqlServer, says: Says) -> None:
    url = postgresql.empty()
    says(url, "db", "upgrade")
    with PostgresqlDatabase(url, (RECORDS,)).transaction() as db:
        db.execute(text("UPDATE daper_schema SET version_num = 'records_0003' WHERE version_num = 'records_0002'"))

    for command in ("upgrade", "status"):
        code, said = says(url, "db", command)
        assert code == 1
        assert "has revision records_0003: a newer daper wrote it; use that one" in said


def test_without_a_database_both_say_where_all_is(says: Says, tmp_path: Path) -> None:
    for command in ("upgrade", "status"):
        code, said = says("", "db", command)
        assert (code, said.startswith(f"All is in files under {tmp_path / 'home'}")) == (0, True)


def test_doctor_names_the_database_and_what_it_lacks(postgresql: PostgresqlServer, says: Says) -> None:
    url = postgresql.empty()
    named = f"the database {url.rpartition('/')[2]!r} on 127.0.0.1:{postgresql.port}"

    assert (
        f"MISSING database: {named}: PostgreSQL 18.4, with no tables of daper's. {named} has none of"
        in says(url, "doctor")[1]
    )
    says(url, "db", "upgrade")
    document = json.loads(says(url, "doctor", "--json")[1])
    (check,) = [each for each in document["checks"] if each["name"] == "database"]
    assert check["what"] == f"{named}: PostgreSQL 18.4, with {ALL}; this version works with it"
    (setting,) = [each for each in document["settings"] if each["name"] == "DAPER_DATABASE_URL"]
    assert setting["value"] == f"postgresql://***@127.0.0.1:{postgresql.port}/{url.rpartition('/')[2]}"


def test_doctor_tells_a_server_that_is_away_one_that_lets_nobody_in_and_one_that_is_read_only(
    postgresql: PostgresqlServer, says: Says
) -> None:
    url = postgresql.empty()
    says(url, "db", "upgrade")
    name = url.rpartition("/")[2]

    said = says(f"postgresql://daper:{PASSWORD}@127.0.0.1:1/shop", "doctor")[1]
    assert "MISSING database: the database 'shop' on 127.0.0.1:1 cannot be used now: " in said
    said = says(url.replace(f":{PASSWORD}@", ":wrong@"), "doctor")[1]
    assert f"MISSING database: the database {name!r} on 127.0.0.1:{postgresql.port} lets nobody in: " in said
    assert "mend DAPER_DATABASE_URL, or the rights there" in said
    said = says(postgresql.url("nothing_there"), "doctor")[1]
    assert "lets nobody in: " in said
    assert 'database "nothing_there" does not exist' in said
    said = says(f"{url}?conect_timeout=3", "doctor")[1]
    assert "mend DAPER_DATABASE_URL" in said
    assert "conect_timeout" in said
    said = says(f"{url}?options=-cdefault_transaction_read_only%3Don", "doctor")[1]
    assert "can only be read now; make it writable" in said


def test_whoever_lacks_a_right_is_told_which(postgresql: PostgresqlServer, says: Says) -> None:
    url = postgresql.empty()
    says(url, "db", "upgrade")
    with PostgresqlDatabase(url, (RECORDS,)).transaction() as db:
        db.execute(text("DROP ROLE IF EXISTS reader"))
        db.execute(text(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'"))
        db.execute(text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader"))

    code, said = says(url.replace("postgres:", "reader:", 1), "db", "status")

    assert code == 1
    assert "does not let this user change daper_answers; whoever owns it grants SELECT, INSERT, UPDATE, DELETE" in said
