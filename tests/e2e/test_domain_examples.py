"""The demo and the evaluation of the shipped domains in a file, as somebody without anything set up runs them."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.shell import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(root=tmp_path)


@pytest.mark.parametrize(
    ("name", "query", "rows", "said"),
    [
        (
            "payments",
            "SELECT id, status FROM payments WHERE id IN (7, 8, 9) ORDER BY id",
            [(7, "queued"), (8, "closed"), (9, "processing")],
            "1 verified as repaired; 2 waiting for somebody else",
        ),
        (
            "jobs",
            "SELECT id, status FROM procrastinate_jobs WHERE id IN (1, 2, 4) ORDER BY id",
            [(1, "todo"), (2, "cancelled"), (4, "doing")],
            "2 verified as repaired; 1 waiting for somebody else",
        ),
    ],
)
def test_the_demo_repairs_rows_of_a_database(
    shell: Shell, name: str, query: str, rows: list[tuple[int, str]], said: str
) -> None:
    ran = shell.run("demo", "--domain", name)
    assert ran.code in {0, 3}, ran.err
    assert f"3 of 3 proposed actions took effect; {said}" in ran.out
    assert "hogwarts.example" not in ran.out
    [home] = shell.temporary.glob("daper-demo-*")
    with closing(sqlite3.connect(home / f"{name}.db")) as db:
        assert db.execute(query).fetchall() == rows
        assert db.execute("SELECT count(*) FROM daper_ledger").fetchone() == (3,)


def test_the_evaluation_of_a_shipped_file_needs_no_database(shell: Shell) -> None:
    ran = shell.run("eval", "--domain", "jobs", "--json")
    assert ran.code == 0, ran.err
    overall = ran.document()["product"]["overall"]
    assert (overall["cases"], overall["passed"]["share"], overall["false_repairs"]) == (7, 1.0, 0)


def test_a_domain_that_is_not_there_is_named(shell: Shell) -> None:
    refused = shell.run("demo", "--domain", "payment")
    assert (refused.code, "must be one of: orders, payments, jobs, temporal" in refused.err) == (2, True)
