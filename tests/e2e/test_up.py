"""`daper up`: real servers on files, other shells with nothing configured, and every way in which it may end."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from daper.adapters.temporal.embedded import embedded_server
from daper.adapters.temporal.program import find_temporal
from daper.adapters.temporal.server_file import announce
from daper.core.measures import ACTIONS, DECISIONS, PHASES
from tests.e2e.conftest import Beside
from tests.e2e.shell import GENEROUS, Shell, finish, read_line, until
from tests.e2e.temporal_ui import TemporalUi, to_paste
from tests.e2e.worker_told import ask, of, port_in, samples

# What is past its retention is deleted; so is what an operator deletes, and the server need not wait for that.
FORGETS_AT_ONCE = (
    *("--dynamic-config-value", 'history.transferProcessorUpdateAckInterval="100ms"'),
    *("--dynamic-config-value", 'history.visibilityProcessorUpdateAckInterval="100ms"'),
)


@dataclass(frozen=True)
class Server:
    """What `server.json` says."""

    address: str
    pid: int
    ui_url: str
    db: str


def server_of(shell: Shell) -> Server | None:
    try:
        return Server(**json.loads((shell.home / "server.json").read_text("utf-8")))
    except FileNotFoundError:
        return None


def living(shell: Shell) -> Server:
    return until(lambda: server_of(shell), what="server.json")


def holders(shell: Shell) -> set[int]:
    """The processes that have this home's database open."""
    found: set[int] = set()
    for path in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(path) == str(shell.home / "temporal.db"):
                found.add(int(path.parts[2]))
        except OSError:
            continue
    return found


@contextmanager
def up(shell: Shell, *arguments: str, printed: list[str] | None = None) -> Generator["subprocess.Popen[str]"]:
    """A `daper up` whose worker is ready, and what it `printed` until then."""
    with shell.running("up", *arguments) as process:
        lines = [] if printed is None else printed
        while "In another shell" not in "".join(lines[-1:]):
            lines.append(read_line(process.stdout))
            assert lines[-1], f"up ended: {lines} {process.stderr.read() if process.stderr else ''}"
        yield process


@pytest.fixture(autouse=True)
def nothing_is_left(shell: Shell) -> Generator[None]:
    """Ends what a test's kills left behind, by the pid that holds the test's own file."""
    yield
    for pid in holders(shell):
        os.kill(pid, signal.SIGKILL)


def ended(pid: int) -> Callable[[], bool]:
    return lambda: not Path(f"/proc/{pid}").exists() or "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()


def waiting(shell: Shell) -> tuple[str, str]:
    """A repair that waits for its decision: its id, and the digest of its plan."""
    started = shell.run("repair", "start", "--json").document()
    return started["repair_id"], started["plan"]["digest"]


@pytest.mark.long
def test_a_second_shell_with_nothing_configured_starts_decides_lists_and_reads_the_report(shell: Shell) -> None:
    printed = list[str]()
    with up(shell, printed=printed):
        port = port_in("".join(printed))
        assert port is not None, printed
        started = shell.run("repair", "start")
        repair_id = started.value("started with ID: ")
        link = started.value("Temporal UI: ")
        digest = started.value("--plan ").split()[-1]
        approved = shell.run("repair", "approve", repair_id, "--plan", digest)
        shell.run("repair", "show", repair_id, "--follow")
        listed, report = shell.run("repair", "list"), shell.run("repair", "report", repair_id)
        server = living(shell)
        ready, metrics = ask(port, "/ready"), ask(port, "/metrics").text

    assert ready.document() == {"ready": True}
    assert of(samples(metrics, PHASES.name), domain="orders", phase="REPORT-COMPLETED") == 1
    assert of(samples(metrics, f"{DECISIONS.name}_count"), door="cli", by="person", answer="approve") == 1
    assert of(samples(metrics, ACTIONS.name), outcome="applied") == 4
    assert "temporal_activity_execution_latency_seconds_bucket{" in metrics
    # No label has a value that grows with the work.
    assert not [each for each in (repair_id, "ORD-", "Minerva") if each in metrics]
    assert approved.code == 0, approved.err
    assert "(embedded server of daper up)" in started.out
    assert link == f"{server.ui_url}/namespaces/default/workflows/{repair_id}"
    assert f"{repair_id}\tREPORT-COMPLETED" in listed.out
    assert "4 of 4 proposed actions took effect" in report.out


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_each_signal_ends_worker_server_and_announcement(shell: Shell, number: signal.Signals) -> None:
    with up(shell) as process:
        server = living(shell)

        process.send_signal(number)
        ran = finish(process)

    assert ran.code == 0, ran.err
    assert ran.err.endswith("worker stopped\n")
    assert ended(server.pid)()
    assert not holders(shell)
    assert server_of(shell) is None


@pytest.mark.long
def test_a_second_up_says_who_holds_the_home_and_where_its_server_is(shell: Shell) -> None:
    with up(shell) as first:
        second = shell.run("up")
        server = living(shell)

        assert holders(shell) == {server.pid}

    assert second.code == 1
    assert f"(process {first.pid} since " in second.err
    assert f"Temporal at {server.address}; its UI at {server.ui_url}" in second.err
    assert second.err.count("\n") == 1


@pytest.mark.long
def test_what_waits_for_a_decision_still_waits_after_a_restart_and_the_address_is_the_same(shell: Shell) -> None:
    with up(shell) as process:
        repair_id, digest = waiting(shell)
        before = living(shell)
        process.send_signal(signal.SIGTERM)
        finish(process)

    with up(shell):
        after = living(shell)
        approved = shell.run("repair", "approve", repair_id, "--plan", digest)
        shown = shell.run("repair", "show", repair_id, "--follow")

    assert (after.address, after.ui_url) == (before.address, before.ui_url)
    assert approved.code == 0, approved.err
    assert "4 of 4 proposed actions took effect" in shown.out


@pytest.mark.long
def test_a_server_that_outlived_its_up_is_taken_over_and_ended_with_the_next(shell: Shell) -> None:
    with up(shell) as process:
        before = living(shell)
        process.kill()
        process.wait()

    assert holders(shell) == {before.pid}
    with up(shell) as process:
        assert living(shell) == before
        assert holders(shell) == {before.pid}
        process.send_signal(signal.SIGTERM)
        finish(process)

    assert not holders(shell)


@pytest.mark.long
def test_a_server_that_dies_is_started_again_at_the_same_address_and_the_repair_goes_on(shell: Shell) -> None:
    with up(shell) as process:
        repair_id, digest = waiting(shell)
        before = living(shell)

        os.kill(before.pid, signal.SIGKILL)
        after = until(lambda: now if (now := living(shell)).pid != before.pid else None, what="a new server")
        approved = shell.run("repair", "approve", repair_id, "--plan", digest)
        shown = shell.run("repair", "show", repair_id, "--follow")

        assert holders(shell) == {after.pid}
        assert process.poll() is None

    assert (after.address, after.ui_url, after.db) == (before.address, before.ui_url, before.db)
    assert approved.code == 0, approved.err
    assert "4 of 4 proposed actions took effect" in shown.out


@pytest.mark.long
def test_a_port_of_the_last_time_that_somebody_has_now_is_replaced(shell: Shell) -> None:
    with up(shell) as process:
        before = living(shell)
        process.send_signal(signal.SIGTERM)
        finish(process)

    with socket.create_server(("127.0.0.1", int(before.address.rpartition(":")[2]))), up(shell):
        after = living(shell)
        listed = shell.run("repair", "list")

    assert after.address != before.address
    assert after.ui_url == before.ui_url
    assert listed.code == 0, listed.err


def test_a_port_that_was_asked_for_and_is_in_use_is_refused_by_name(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        ran = shell.run("up", "--port", str(port))

    assert ran.code == 1
    assert ran.err.splitlines()[-1] == (
        f"daper: port {port} of 127.0.0.1 is in use by another program; end that one, or choose another port"
    )
    assert not holders(shell)


def test_up_beside_a_configured_temporal_is_a_contradiction(shell: Shell) -> None:
    ran = shell.run("up", extra={"TEMPORAL_ADDRESS": "temporal.example:7233"})

    assert ran.code == 2
    assert "Temporal is configured at 'temporal.example:7233'" in ran.err
    assert "daper worker" in ran.err


def test_a_file_that_is_no_database_is_reported_with_the_servers_own_words(shell: Shell) -> None:
    shell.home.mkdir(parents=True)
    (shell.home / "temporal.db").write_text("no database at all, and long enough to be looked at" * 100)

    ran = shell.run("up")

    assert ran.code == 1
    last = ran.err.splitlines()[-1]
    assert re.search(r"the embedded Temporal on '.*temporal\.db' does not come up; the end of '.*temporal\.log'", last)
    assert "not a database" in last
    assert server_of(shell) is None


@pytest.mark.long
def test_the_link_leads_to_the_run_in_the_ui_and_its_json_decides_there(shell: Shell) -> None:
    with up(shell):
        started = shell.run("repair", "start")
        repair_id = started.value("started with ID: ")
        ui = TemporalUi(started.value("Temporal UI: "))
        details = ui.current_details()

        outcome = ui.send_update("decide", to_paste(details).replace("YOUR NAME", "Minerva McGonagall"))
        again = ui.send_update("decide", to_paste(details).replace("YOUR NAME", "Draco"))
        shown = shell.run("repair", "show", repair_id, "--follow")

    assert "**PENDING-APPROVAL**" in details
    assert "ORD-002-HJG" in details
    assert "success" in outcome
    assert "already decided" in again["failure"]["message"]
    assert "4 of 4 proposed actions took effect" in shown.out
    assert "Minerva McGonagall" in shown.out


@pytest.mark.long
def test_repairs_are_kept_for_thirty_days_and_listed_by_phase(shell: Shell) -> None:
    with up(shell):
        address = living(shell).address
        described = temporal("operator", "namespace", "describe", "--namespace", "default", at=address)
        attributes = temporal("operator", "search-attribute", "list", at=address)

    assert described["config"]["workflowExecutionRetentionTtl"] == f"{30 * 24 * 3600}s"
    assert attributes["customAttributes"] == {
        "DaperPhase": "INDEXED_VALUE_TYPE_KEYWORD",
        "DaperUser": "INDEXED_VALUE_TYPE_KEYWORD",
    }


@pytest.mark.long
def test_a_repair_that_temporal_no_longer_keeps_is_read_from_its_report(shell: Shell, beside: Beside) -> None:
    log_file = shell.root / "temporal.log"
    with beside.inside(lambda: embedded_server(log_file=log_file, extra_args=FORGETS_AT_ONCE)) as server:
        shell.home.mkdir()
        announce(shell.home, server)
        with shell.running("worker") as worker:
            while "Worker ready" not in (line := read_line(worker.stderr)):
                assert line, "the worker ended"
            repair_id = shell.run("repair", "start", "--auto-approve", "--json").document()["repair_id"]
            temporal("workflow", "delete", "--yes", "--workflow-id", repair_id, at=server.address)
            until(lambda: gone(repair_id, at=server.address), what="the end of a history")

            shown, report = shell.run("repair", "show", repair_id), shell.run("repair", "report", repair_id)
            listed = shell.run("repair", "list")
            unknown = shell.run("repair", "show", f"{repair_id}0")

    assert shown.code == report.code == listed.code == 0, (shown.err, report.err, listed.err)
    assert f"{repair_id}: REPORT-COMPLETED" in shown.out
    assert "4 of 4 proposed actions took effect" in report.out
    assert f"{repair_id}\tREPORT-COMPLETED" in listed.out
    assert unknown.code == 1


@pytest.mark.long
def test_an_ended_repair_is_shown_and_reported_while_no_worker_is_there(shell: Shell) -> None:
    with up(shell) as process:
        repair_id = shell.run("repair", "start", "--auto-approve", "--json").document()["repair_id"]
        process.kill()
        process.wait()

        shown, report = shell.run("repair", "show", repair_id), shell.run("repair", "report", repair_id)

    assert shown.code == report.code == 0, (shown.err, report.err)
    assert f"{repair_id}: REPORT-COMPLETED" in shown.out


# Any: whatever document the program prints.
def temporal(*arguments: str, at: str) -> Any:
    """What Temporal's own command line says of a server, as an operator would ask it."""
    command = [str(find_temporal()), *arguments, "--address", at, "--output", "json"]
    ran = subprocess.run(command, capture_output=True, check=False, text=True, timeout=GENEROUS)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout) if ran.stdout.strip() else None


def gone(repair_id: str, *, at: str) -> bool:
    command = [str(find_temporal()), "workflow", "describe", "--workflow-id", repair_id, "--address", at]
    return b"not found" in subprocess.run(command, capture_output=True, check=False, timeout=GENEROUS).stderr


@pytest.mark.long
def test_a_home_that_was_saved_is_brought_back_with_the_repair_that_waits(shell: Shell) -> None:
    with up(shell) as process:
        repair_id, digest = waiting(shell)
        process.send_signal(signal.SIGTERM)
        finish(process)
    saved = shell.root / "saved"
    shutil.copytree(shell.home, saved)
    shutil.rmtree(shell.home)
    shutil.copytree(saved, shell.home)

    with up(shell):
        approved = shell.run("repair", "approve", repair_id, "--plan", digest)
        shown = shell.run("repair", "show", repair_id, "--follow")

    assert approved.code == 0, approved.err
    assert "4 of 4 proposed actions took effect" in shown.out


@pytest.mark.long
def test_told_to_stop_twice_it_ends_at_once_and_its_server_too(shell: Shell) -> None:
    with up(shell) as process:
        server = living(shell)
        os.kill(server.pid, signal.SIGSTOP)  # so that the first wish takes its time
        process.send_signal(signal.SIGINT)
        until(lambda: process.stderr and "again to end at once" in read_line(process.stderr), what="the first answer")
        until(lambda: process.send_signal(signal.SIGINT) or process.poll() is not None, what="the end")
        ran = finish(process)

    assert ran.code == 130
    assert "worker ended at once" in ran.err
    assert ended(server.pid)()
    assert server_of(shell) is None
