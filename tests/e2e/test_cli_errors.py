"""What goes wrong is one line on stderr, without a traceback, and an exit code."""

import re
import socket
import subprocess
from collections.abc import Generator
from contextlib import ExitStack

import pytest

from tests.e2e.conftest import Shop
from tests.e2e.shell import DAPER, Ran, Shell, finish, read_line

WRONG_ID = "repair-Minerva-none-of-that-id"
ON_A_REPAIR = [("show",), ("show", "--follow"), ("approve", "--plan", "0" * 64), ("stop",), ("report",)]


@pytest.fixture
def dead_address() -> Generator[str]:
    """Where nothing answers, and nobody else comes to listen."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


def check_one_line(ran: Ran, *, code: int, says: str) -> None:
    """One line on stderr, and nothing else."""
    assert (ran.code, ran.out) == (code, "")
    assert re.fullmatch(r"daper: .+\n", ran.err), ran.err
    assert says in ran.err


@pytest.mark.parametrize("words", ON_A_REPAIR, ids=" ".join)
def test_a_wrong_id_is_one_line(shop: Shop, words: tuple[str, ...]) -> None:
    ran = shop.run("repair", words[0], WRONG_ID, *words[1:])

    check_one_line(ran, code=1, says=f"there is no repair '{WRONG_ID}'; see: daper repair list")


@pytest.mark.parametrize(
    "words",
    [("repair", "start"), ("repair", "stop", WRONG_ID), ("repair", "show", WRONG_ID), ("worker",)],
    ids=" ".join,
)
def test_a_stopped_server_is_one_line(shell: Shell, dead_address: str, words: tuple[str, ...]) -> None:
    ran = shell.run(*words, extra={"TEMPORAL_ADDRESS": dead_address})

    check_one_line(
        ran, code=1, says=f"Temporal at '{dead_address}' (configured), namespace 'default' cannot be reached"
    )


@pytest.mark.long
def test_without_a_worker_start_says_so_and_the_id_under_which_it_goes_on(shop: Shop) -> None:
    repair_id = shop.begin()
    lines = [
        ("repair", "start"),
        ("repair", "start", "--json"),
        ("repair", "show", repair_id, "--follow"),
        ("repair", "approve", repair_id, "--plan", "0" * 64),
    ]
    with ExitStack() as stack:  # side by side: each waits some seconds for an answer
        running = [stack.enter_context(shop.running(*words)) for words in lines]
        ended = [finish(process) for process in running]

    started, as_json, shown, approved = ended
    goes_on = "The repair is started, and goes on then: daper repair show repair-Minerva-"
    assert started.code == 1
    assert re.fullmatch(
        r"daper: no worker answered on queue '\S+'; start one: daper up, or daper worker\. .+\n", started.err
    )
    assert f"daper repair show {started.value('Workflow started with ID:')} --follow" in started.err
    check_one_line(as_json, code=1, says=goes_on)
    check_one_line(shown, code=1, says="; start one: daper up, or daper worker")
    check_one_line(approved, code=1, says="; start one: daper up, or daper worker")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TEMPORAL_TLS", "maybe"),
        ("DAPER_APPROVAL_TIMEOUT", "soon"),
        ("USER_NAME", "x\u202ey"),
    ],
)
def test_a_wrong_setting_is_one_line_with_its_name_and_value(shell: Shell, name: str, value: str) -> None:
    ran = shell.run("repair", "start", extra={"TEMPORAL_ADDRESS": "127.0.0.1:1"} | {name: value})

    check_one_line(ran, code=2, says=ascii(value))


def test_doctor_shows_what_is_configured_even_when_it_is_wrong(shell: Shell) -> None:
    ran = shell.run("doctor", extra={"TEMPORAL_TLS": "maybe", "TEMPORAL_API_KEY": "hush"})

    assert (ran.code, ran.err) == (1, "")
    assert "TEMPORAL_TLS\tmaybe\tenvironment\t" in ran.out
    assert "TEMPORAL_API_KEY\t(set)\tenvironment\t" in ran.out
    assert "hush" not in ran.out
    assert "MISSING settings: TEMPORAL_TLS is 'maybe'; it must be true or false" in ran.out


def test_doctor_finds_all_well_with_a_worker_and_names_what_is_missing_without(shop: Shop) -> None:
    missing = shop.run("doctor", "--json")
    with shop.worker():
        well = shop.run("doctor", "--json")

    assert (missing.code, well.code) == (1, 0)
    assert [check["ok"] for check in missing.document()["checks"]].count(False) == 2
    assert "none; start one: daper up, or daper worker" in missing.out
    assert all(check["ok"] for check in well.document()["checks"])
    assert well.document()["warnings"] == []


@pytest.mark.long
def test_broken_orders_are_named_with_line_and_column(open_shop: Shop) -> None:
    path = open_shop.home / "data/orders/orders.json"
    open_shop.run("records", "list")
    path.write_text('{"orders": [\n  {"order_id": }\n]}', "utf-8")

    listed = open_shop.run("records", "list")
    started = open_shop.run("repair", "start")

    assert path.read_text("utf-8") == '{"orders": [\n  {"order_id": }\n]}'
    check_one_line(listed, code=1, says=f"{path}")
    assert "line 2, column 16" in listed.err
    told = started.err + started.out
    assert f"{path}" in told
    assert "line 2, column 16" in told
    assert started.code in (1, 3)


@pytest.mark.long
def test_output_that_is_closed_or_full_or_cannot_say_it_is_no_traceback(shell: Shell) -> None:
    shell.run("records", "list")

    def through(line: str) -> "subprocess.CompletedProcess[str]":
        script = f'set -o pipefail; "$0" {line}'
        return subprocess.run(
            ["/bin/bash", "-c", script, DAPER],
            env=shell.variables({"PYTHONIOENCODING": "ascii"}),
            cwd=shell.cwd,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    closed, full, gone = through("records list >&-"), through("--help > /dev/full"), through("records list | true")
    ascii_only = through("records show ORD-004-RHG")

    assert [closed.stderr, gone.stderr, ascii_only.stderr] == ["", "", ""]
    assert full.stderr == "daper: [Errno 28] No space left on device\n"
    assert (closed.returncode, full.returncode, ascii_only.returncode) == (0, 1, 0)
    assert gone.returncode in (0, 141)  # whoever is first


@pytest.mark.long
def test_a17_a_worker_without_the_records_is_told_of_by_every_command_that_waits(shop: Shop) -> None:
    with shop.worker_without_hands():
        left = shop.run("repair", "start", "--no-wait")
        as_json = shop.run("repair", "start", "--no-wait", "--json").document()
        shown = shop.run("repair", "show", left.value("started with ID:"))
        # What nobody can end here is of a person of its own.
        agent = shop.run("proactive", "start", extra={"USER_NAME": "Pomona"})
        schedule = shop.run("schedule", "create", "--paused", extra={"USER_NAME": "Pomona"})
        doctor = shop.run("doctor")

    queue, place = f"{as_json['queue']}--{as_json['store_id']}", f"{shop.home}/data/orders"
    for ran in (left, shown, agent, schedule):
        assert ran.code == 0, ran.err
        assert f"no worker answered on queue '{queue}', which is for the records in {place}; " in ran.out
        assert "start one where they are, with their DAPER_HOME and settings: daper worker" in ran.out
    assert f"no worker answered on queue '{queue}'" in as_json["lacking"]
    assert f"MISSING worker on {queue}: none; start one: daper up, or daper worker" in doctor.out


@pytest.mark.long
def test_a17_who_follows_is_told_while_nothing_happens(shop: Shop) -> None:
    with shop.worker_without_hands(), shop.running("repair", "start") as process:
        lines = iter(lambda: read_line(process.stdout), "")
        told = next(line for line in lines if line.startswith("…"))

    assert "--" in told
    assert f"which is for the records in {shop.home}/data/orders; start one where they are" in told


def test_b7_an_ended_repair_is_found_in_short_and_told_without_a_server(open_shop: Shop, dead_address: str) -> None:
    repair_id = open_shop.run("repair", "start", "--auto-approve").value("Workflow started with ID:")
    short, away = repair_id[-36:-28], {"TEMPORAL_ADDRESS": dead_address}

    here = open_shop.run("repair", "show", short)
    listed, ended, waiting = (
        open_shop.run("repair", "list", "--json", *words).document()["repairs"]
        for words in ((), ("--phase", "ended", "--domain", "orders", "--who", "minerva"), ("--waiting",))
    )
    shown, report, known = (
        open_shop.run("repair", *words, extra=away)
        for words in (("show", short), ("report", short), ("list", "--json"))
    )
    stop = open_shop.run("repair", "stop", short, extra=away)
    nobody_knows = open_shop.run("repair", "list", "--waiting", extra=away)

    assert (here.code, here.out.splitlines()[0]) == (0, f"{repair_id}: REPORT-COMPLETED")
    assert shown.out.splitlines()[1:] == here.out.splitlines()
    assert shown.out.startswith(f"From the report that is kept: Temporal at '{dead_address}'")
    assert f"# Repair report `{repair_id}`" in report.out
    for repairs in (listed, ended, known.document()["repairs"]):
        [line] = [each for each in repairs if each["repair_id"] == repair_id]
        assert (line["domain"], line["problems"], line["actions"], line["done"]) == ("orders", 4, 4, 4)
    assert repair_id not in {each["repair_id"] for each in waiting}
    check_one_line(nobody_knows, code=1, says="; what has ended is listed without it: daper repair list --phase ended")
    assert (stop.code, "cannot be reached" in stop.err) == (1, True)
