"""`daper domain`: a file that declares a domain, looked over and put to use by somebody at a shell."""

import json
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from tests.declared_cases import CASES
from tests.declared_shop import FILE, Payments, make_payments
from tests.declared_tools import http_file
from tests.e2e.shell import Shell


@pytest.fixture
def payments(tmp_path: Path) -> Payments:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    return make_payments(create_engine(url), url, tmp_path / "daper" / "domains")


@pytest.fixture
def shell(tmp_path: Path, payments: Payments) -> Shell:
    return Shell(root=tmp_path, env={"PAYMENTS_URL": payments.url})


def test_a_file_is_looked_over_put_to_use_and_keeps_nothing_else_from_working(shell: Shell, payments: Payments) -> None:
    checked = shell.run("domain", "check", "payments")
    assert checked.code == 0, checked.err + checked.out
    for line in (
        "rule passing-failure: 1 of the first 3 records",
        "there is no ledger yet: daper domain init payments",
    ):
        assert line in checked.out
    assert payments.row(7)["attempts"] == 1, "a look has changed something"
    assert "made daper_ledger" in shell.run("domain", "init", "payments").out
    assert "is there already" in shell.run("domain", "init", "payments").out
    listed = shell.run("records", "list", "--domain", "payments")
    assert "passing-failure" in listed.out
    assert "luna@" not in listed.out + shell.run("records", "show", "7", "--domain", "payments").out

    payments.file.write_text(FILE.replace("attempts + 1", "attemps + 1"), encoding="utf-8")
    faulty = shell.run("domain", "check", "payments", "--json")
    [fault] = json.loads(faulty.out)["faults"]
    assert (faulty.code, fault["line"]) == (1, FILE[: FILE.index("attempts + 1")].count("\n") + 1)

    payments.file.write_text(FILE.replace("[records]", "[recrods]"), encoding="utf-8")
    seen = shell.run("domain", "list")
    assert seen.code == 1
    assert "orders: installed" in seen.out
    assert "'recrods' is no key here; did you mean 'records'?" in seen.out
    assert shell.run("records", "list").code == 0
    (payments.folder / "Lite2.toml").write_text(FILE, encoding="utf-8")
    (payments.folder / "notes.toml.txt").write_text(FILE, encoding="utf-8")
    seen = shell.run("domain", "list")
    assert seen.out.count("passed over: a file of a domain is called NAME.toml") == 2


def test_a_variable_that_is_not_set_is_named(shell: Shell) -> None:
    alone = Shell(root=shell.root)
    for words in (("domain", "check", "payments"), ("records", "list", "--domain", "payments")):
        ran = alone.run(*words)
        assert ran.code == 1
        assert "PAYMENTS_URL is not set" in ran.out + ran.err


def test_what_a_tool_asks_and_runs_is_shown_and_no_secret(shell: Shell, payments: Payments) -> None:
    payments.file.write_text(http_file("http://127.0.0.1:9"), encoding="utf-8")
    seen = shell.run("domain", "show", "payments")
    assert seen.code == 0, seen.err
    for line in (
        "  asks: POST http://127.0.0.1:9/payments/{id}/retry?order={order_id}",
        '  sends: {"amount":"{amount}"',
        "  settled by: http://127.0.0.1:9/requests/{key}",
        "  runs: UPDATE payments SET status = 'closed: done', note = :reason",
        "  shows before: SELECT id, 'status' AS what",
        "  undone by: UPDATE payments SET status = 'failed'",
    ):
        assert line in seen.out, seen.out
    assert "hogwarts" not in seen.out, "what a header has may be a password"


def test_a_file_is_shown_as_it_is_understood(shell: Shell, payments: Payments) -> None:
    seen = shell.run("domain", "show", "payments")
    assert seen.code == 0, seen.err
    for line in (
        "records: 3, where p.status IN ('failed', 'processing')",
        "rule passing-failure: 1 of the first 3 records",
        "  in SQL: SELECT p.id FROM payments p JOIN",
        "  fix: none, a person looks at it",
        "  sets in payments: status = 'queued', attempts = attempts + 1, failure_code = NULL",
        "  argument reason: a sentence of 200 characters at most",
        "hidden from models and reports: email",
    ):
        assert line in seen.out
    document = shell.run("domain", "show", "payments", "--json").document()
    assert [(rule["kind"], rule["count"]) for rule in document["rules"]] == [
        ("passing-failure", 1), ("order-gone", 1), ("hanging", 1),
    ]  # fmt: skip
    assert document["tools"][1]["fixes"] == ["order-gone"]
    payments.run("ALTER TABLE payments RENAME TO moved")
    away = shell.run("domain", "show", "payments")
    assert (away.code, "not counted: " in away.out) == (0, True)


def test_cases_are_tried_with_no_database_at_hand(shell: Shell, payments: Payments) -> None:
    alone = Shell(root=shell.root)
    payments.file.write_text(FILE + CASES, encoding="utf-8")
    tried = alone.run("domain", "test", "payments")
    assert (tried.code, "4 cases: 4 as expected" in tried.out) == (0, True), tried.out
    payments.file.write_text(FILE + CASES.replace("finds = []", 'finds = ["order-gone", "hanging"]'), encoding="utf-8")
    amiss = alone.run("domain", "test", str(payments.file))
    assert amiss.code == 1
    assert "hanging was expected, and not found" in amiss.out
    assert "4 cases: 3 as expected, 1 not" in amiss.out
    line = (FILE + CASES[: CASES.index('[[case]]\nname  = "a payment')]).count("\n") + 1
    assert f"payments.toml:{line}:" in amiss.out
    payments.file.write_text(FILE.replace("r.failure_code in", "r.failure_cod in") + CASES, encoding="utf-8")
    faulty = alone.run("domain", "test", "payments", "--json")
    [fault] = faulty.document()["faults"]
    assert (faulty.code, fault["fault"]) == (1, "there is no column 'failure_cod'; did you mean 'failure_code'?")
