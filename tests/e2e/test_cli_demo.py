"""`daper demo` through its real process."""

import re
import signal
from pathlib import Path

import pytest

from tests.e2e.shell import Shell, processes_with, read_line, until

PHASES = [
    "INITIALIZING",
    "DETECTING-PROBLEMS",
    "ANALYZING-PROBLEMS",
    "PLANNING-REPAIR",
    "PENDING-APPROVAL",
    "APPROVED",
    "PENDING-REPAIR",
    "VERIFYING-REPAIR",
    "PENDING-REPORT",
    "REPORT-COMPLETED",
]
# All of it wrong, or somebody else's: the demo is about none of it.
STRANGE = {
    "TEMPORAL_TLS": "maybe",
    "TEMPORAL_ADDRESS": "temporal.example:7233",
    "TEMPORAL_NAMESPACE": "nowhere",
    "TEMPORAL_API_KEY": "a-secret",
    "TEMPORAL_PROFILE": "none-of-that-name",
    "TEMPORAL_CONFIG_FILE": "/nowhere/temporal.toml",
    "TEMPORAL_TASK_QUEUE": "x" * 300,
    "DAPER_HOME": "/nowhere/at/all",
    "DAPER_DOMAIN": "NO DOMAIN",
    "DAPER_APPROVAL_TIMEOUT": "soon",
}


def server_of(shown: str) -> str:
    """How the demo's own server is recognised among all processes."""
    port = re.search(r"Client connection: \[127\.0\.0\.1:(\d+)\]", shown)
    assert port, shown
    return f"--port {port[1]} "


def home_of(shell: Shell) -> Path | None:
    """The demo's folder, if it left one."""
    return next(shell.temporary.glob("daper-demo-*"), None)


def check_told(lines: list[str]) -> None:
    """Each phase once, in order, and the decision right after the plan."""
    told = [line.rpartition(": ")[2] for line in lines if line.startswith("Current repair status: ")]
    decided = next(number for number, line in enumerate(lines) if line.startswith("Decided by policy auto-approve"))
    assert told == PHASES
    assert lines[decided + 1] == "Current repair status: APPROVED"
    assert lines[decided - 1].strip().startswith("- if it does not help")


@pytest.mark.long
def test_without_a_terminal_the_demo_approves_by_itself_and_says_so_whatever_is_configured(shell: Shell) -> None:
    shell.variables()
    (shell.cwd / ".env").write_bytes(b"TEMPORAL_TLS=perhaps\nDAPER_HOME=\xff\xfe\n=\n")

    ran = shell.run("demo", extra=STRANGE)

    assert (ran.code, ran.err) == (0, "")
    assert "so the demo approves by itself" in ran.out
    assert ran.out.count("confidence score") == 4
    assert "4 problems found, 4 of 4 proposed actions took effect" in ran.out
    assert Path(ran.value("Report:")).is_file()
    assert "Minerva's Repair Workflow started with ID: repair-Minerva-" in ran.out
    assert "\x1b" not in ran.out
    check_told(ran.out.splitlines())
    assert not processes_with(server_of(ran.out))


def test_the_demo_as_json_is_one_document_with_the_whole_repair(shell: Shell) -> None:
    ran = shell.run("demo", "--auto-approve", "--json")

    document = ran.document()
    assert (ran.code, ran.err) == (0, "")
    wanted = {"phase", "findings", "plan", "decisions", "outcomes", "verification", "report", "counts"}
    assert wanted <= document.keys()
    assert document["phase"] == "REPORT-COMPLETED"
    assert [len(document[key]) for key in ("findings", "decisions", "outcomes")] == [4, 1, 4]
    for outcome in document["outcomes"]:
        assert {"record_id", "tool", "status", "arguments", "before", "after"} <= outcome.keys()
        assert outcome["status"] == "applied"
        assert outcome["before"] != outcome["after"]
    assert all(Path(document["report"][path]).is_file() for path in ("json_path", "markdown_path"))
    assert document["counts"] | {"repaired": 2, "requested": 2, "applied": 4} == document["counts"]


@pytest.mark.long
def test_the_demo_on_sqlite_repairs_the_same_records_in_a_database(shell: Shell) -> None:
    ran = shell.run("demo", "--auto-approve", "--json", "--store", "sqlite")

    assert (ran.code, ran.err) == (0, "")
    assert ran.document()["counts"]["applied"] == 4
    home = home_of(shell)
    assert home is not None
    kept = {path.name for path in (home / "data" / "orders").iterdir()}
    assert "orders.db" in kept
    assert not any(name.endswith(".json") for name in kept)
    assert shell.run("demo", "--store", "postgresql").code == 2


@pytest.mark.long
def test_on_a_terminal_the_demo_asks_and_y_approves_but_not_what_was_typed_before(shell: Shell) -> None:
    with shell.terminal("demo") as terminal:
        terminal.expect("Client connection")
        terminal.type("y\n")
        terminal.expect("Approve all of it?")
        assert "APPROVED" not in terminal.shown
        terminal.type("what\n")
        terminal.expect("'what' names no actions")
        terminal.type("y\n")

        assert terminal.end() == 0

    assert terminal.shown.count("Approve all of it?") == 2
    assert "Decided by Minerva (claimed)" in terminal.shown
    assert "4 of 4 proposed actions took effect" in terminal.shown
    assert not processes_with(server_of(terminal.shown))


@pytest.mark.parametrize(
    ("typed", "said"),
    [("n\n", "Workflow completed with result: REJECTED"), ("\n", "Left open")],
    ids=["n", "empty"],
)
@pytest.mark.long
def test_what_is_not_approved_on_the_demo_s_terminal_changes_nothing(shell: Shell, typed: str, said: str) -> None:
    with shell.terminal("demo") as terminal:
        terminal.expect("Approve all of it?")
        terminal.type(typed)

        assert terminal.end() == 0

    assert said in terminal.shown
    assert "took effect" not in terminal.shown.replace("0 of 4 proposed actions took effect", "")
    assert not processes_with(server_of(terminal.shown))


@pytest.mark.long
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (None, 130)], ids=["SIGTERM", "Ctrl-C"])
def test_a_demo_that_is_ended_while_it_asks_leaves_nothing_behind(
    shell: Shell, number: signal.Signals | None, code: int
) -> None:
    with shell.terminal("demo") as terminal:
        terminal.expect("Approve all of it?")
        if number is None:
            terminal.type("\x03")
        else:
            terminal.process.send_signal(number)

        assert terminal.end() == code

    assert "Traceback" not in terminal.shown
    assert not processes_with(server_of(terminal.shown))
    assert home_of(shell) is None


@pytest.mark.long
def test_a_demo_that_is_ended_in_the_middle_leaves_nothing_running(shell: Shell) -> None:
    with shell.running("demo") as process:
        first = read_line(process.stdout)
        process.send_signal(signal.SIGINT)

        out, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "Traceback" not in out + err
    assert "The demo ended early" in err
    assert not processes_with(server_of(first))


@pytest.mark.long
def test_a_demo_whose_reader_leaves_ends_quietly_and_leaves_nothing_running(shell: Shell) -> None:
    with shell.running("demo") as process:
        first = read_line(process.stdout)
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()

        code, err = process.wait(60), process.stderr.read()

    assert code == 141
    assert err == "The demo ended early: its server is stopped, its records are deleted.\n"
    assert not processes_with(server_of(first))


@pytest.mark.long
def test_a_demo_that_is_killed_outright_takes_its_server_along(shell: Shell) -> None:
    with shell.running("demo") as process:
        first = read_line(process.stdout)

    until(lambda: not processes_with(server_of(first)), what="the end of the demo's server")


@pytest.mark.long
def test_a_demo_of_records_that_are_not_shipped_is_one_line_and_leaves_nothing(shell: Shell) -> None:
    ran = shell.run("demo", "--data", "nope")

    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "daper: there is no data set 'nope'; shipped are: hogwarts, trouble\n"
    assert home_of(shell) is None
