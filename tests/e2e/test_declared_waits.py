"""A repair of a declared domain that waits for a variable: what is said of it, and how it goes on."""

import subprocess

import pytest
from sqlalchemy import create_engine

from tests.declared_shop import FILE, Payments, make_payments
from tests.e2e.shell import Shell, read_line, until


@pytest.fixture
def payments(shell: Shell) -> Payments:
    url = f"sqlite:///{shell.root / 'shop.db'}"
    made = make_payments(create_engine(url), url, shell.home / "domains")
    made.domain().now().store.init()
    return made


def _begun(process: "subprocess.Popen[str]") -> None:
    line = ""
    while "In another shell" not in line:
        line = read_line(process.stdout)
        assert line, process.stderr.read() if process.stderr else ""


def _ended(process: "subprocess.Popen[str]") -> str:
    process.terminate()
    return process.communicate(timeout=60)[1]


def _shown(shell: Shell, repair: str, said: str) -> str:
    def look() -> str | None:
        shown = shell.run("repair", "show", repair).out
        return shown if said in shown else None

    return until(look, what=said)


def _started(shell: Shell, **known: str) -> str:
    started = shell.run("repair", "start", "--domain", "payments", "--no-wait", "--json", extra=known)
    assert started.code == 0, started.err
    return str(started.document()["repair_id"])


MISSING = (
    "is not set; it must have the URL of the database of 'payments'; set it where daper up or daper worker runs, "
    "in the environment or in .env, and start that again: what runs takes no new variable"
)


@pytest.mark.long
def test_a_worker_that_began_without_a_variable_is_told_of_as_what_is_lacking(shell: Shell, payments: Payments) -> None:
    with shell.running("up", "--no-console") as up:
        _begun(up)
        repair = _started(shell, PAYMENTS_URL=payments.url)
        _shown(shell, repair, f"PAYMENTS_URL {MISSING}")
        assert f"PAYMENTS_URL {MISSING}" in _ended(up)
    with shell.running("up", "--no-console", extra={"PAYMENTS_URL": payments.url}) as up:
        _begun(up)
        _shown(shell, repair, "PENDING-APPROVAL")
        _ended(up)


@pytest.mark.long
def test_a_variable_that_a_changed_file_names_is_waited_for_in_one_line_of_the_log(
    shell: Shell, payments: Payments
) -> None:
    with shell.running("up", "--no-console", extra={"PAYMENTS_URL": payments.url}) as up:
        _begun(up)
        payments.file.write_text(FILE.replace("env:PAYMENTS_URL", "env:OTHER_URL"), encoding="utf-8")
        repair = _started(shell, OTHER_URL=payments.url)
        waits = _shown(shell, repair, "it waits: ")
        assert f"OTHER_URL {MISSING}. The repair goes on by itself after that, unless it is stopped" in waits
        logged = _ended(up)
    assert "Traceback" not in logged
    of_activities = [line for line in logged.splitlines() if "temporalio.activity" in line]
    assert of_activities
    assert len(of_activities) == len({line.partition(" WARNING ")[2] for line in of_activities}), logged
    assert all(repair in line and f"OTHER_URL {MISSING}" in line for line in of_activities), logged
    with shell.running("up", "--no-console", extra={"OTHER_URL": payments.url}) as up:
        _begun(up)
        _shown(shell, repair, "PENDING-APPROVAL")
        _ended(up)
