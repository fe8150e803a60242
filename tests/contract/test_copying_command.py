"""`daper records copy` as a person runs it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from daper.entrypoints.cli.app import run
from tests.postgresql import PASSWORD, PostgresqlServer

Says = Callable[..., tuple[int, str]]


@pytest.fixture
def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Says:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DAPER_HOME", str(tmp_path / "home"))

    def said(*words: str) -> tuple[int, str]:
        code = run([*words])
        shown = capsys.readouterr()
        assert PASSWORD not in shown.out + shown.err
        return code, shown.out + shown.err

    return said


def test_records_go_to_sqlite_and_back_and_it_says_what_to_do_next(
    says: Says, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "home" / "data" / "orders"
    says("records", "list")
    there = (folder / "orders.json").read_bytes()

    code, said = says("records", "copy", "--to", "sqlite")

    assert code == 0
    assert (
        f"copied from {str(folder)!r} to the orders {str(folder / 'orders.db')!r}, and looked over: 6 orders, " in said
    )
    assert "0 in the ledger, 0 in the outbox" in said
    assert "set DAPER_ORDERS_STORE=sqlite for every worker and command" in said
    assert "decide or stop them before you change over" in said
    assert "has the very same already; nothing was done" in says("records", "copy", "--to", "sqlite")[1]
    assert (folder / "orders.json").read_bytes() == there

    monkeypatch.setenv("DAPER_ORDERS_STORE", "sqlite")
    assert "orders.db" in says("records", "list")[1]
    code, said = says("records", "copy", "--to", "json", "--json")
    assert json.loads(said)["changed"] is False


def test_what_is_in_the_way_or_makes_no_sense_is_refused_in_a_line(says: Says, monkeypatch: pytest.MonkeyPatch) -> None:
    says("records", "list")
    for words, code, why in (
        (("--to", "json"), 1, "name two kinds of store"),
        (("--to", "mysql"), 1, "there are: json, sqlite, postgresql"),
        (("--to", "postgresql"), 2, "there is no DAPER_DATABASE_URL"),
        (("--to", "json", "--from", "sqlite"), 1, "there are no records in"),
    ):
        assert says("records", "copy", *words)[0] == code
        found = says("records", "copy", *words)[1]
        assert why in found
        assert found.count("\n") == 1
    says("records", "copy", "--to", "sqlite")
    monkeypatch.setenv("DAPER_ORDERS_DATASET", "trouble")
    says("records", "reset", "--yes")
    code, said = says("records", "copy", "--to", "sqlite")
    assert (code, "(data set 'hogwarts'); nothing was copied. Say --yes" in said) == (1, True)
    code, said = says("records", "copy", "--to", "sqlite", "--yes")
    assert code == 0
    assert "what was there before: backup 1 in the table daper_backup of" in said


def test_records_go_to_postgresql_once_its_tables_are_made(
    says: Says, postgresql: PostgresqlServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    says("records", "list")
    monkeypatch.setenv("DAPER_DATABASE_URL", postgresql.empty())
    monkeypatch.setenv("DAPER_ORDERS_STORE", "json")
    code, said = says("records", "copy", "--to", "postgresql")
    assert (code, "has none of daper's tables yet; whoever may make tables there runs: daper db upgrade" in said) == (
        1,
        True,
    )

    assert says("db", "upgrade")[0] == 0
    code, said = says("records", "copy", "--to", "postgresql")
    assert code == 0
    assert "6 orders" in said
    monkeypatch.delenv("DAPER_ORDERS_STORE")
    assert "the database 'empty_" in says("records", "list")[1]
