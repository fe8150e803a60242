"""The console as processes: the command, beside `daper up`, and as where the demo is decided."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

import httpx
import pytest

from tests.console.forms import form_of
from tests.e2e.shell import GENEROUS, Shell, finish, read_line, until
from tests.e2e.test_up import living, nothing_is_left, up, waiting

__all__ = ["nothing_is_left"]  # what a test's kills left behind

OLD = "This may be old."
WITHOUT_JINJA = "import sys; sys.modules['jinja2'] = None; from daper.entrypoints.cli.app import main; main()"


def shown(url: str) -> httpx.Response:
    """A page, as somebody at this machine gets it."""
    return httpx.get(url, timeout=GENEROUS)


def address_in(printed: str) -> str:
    """Where the console is, in what a command printed."""
    found = re.search(r"(http://127\.0\.0\.1:\d+)", printed.partition("Console: ")[2] or printed)
    assert found, printed
    return found[1]


@contextmanager
def console(shell: Shell, *options: str, port: str = "0") -> Generator[tuple[str, "subprocess.Popen[str]"]]:
    """`daper console`, on a free port if none is asked for: where it is, and its process."""
    with shell.running("console", "--port", port, *options) as process:
        first = read_line(process.stderr)
        assert first.startswith("Console: http://"), first + (process.stderr.read() if process.stderr else "")
        yield address_in(first), process


@pytest.mark.long
def test_up_serves_the_console_and_tells_where(shell: Shell) -> None:
    printed = list[str]()
    with up(shell, printed=printed):
        told = next(line for line in printed if line.startswith("Console: "))
        repair_id, _ = waiting(shell)
        page = shown(address_in(told))
        with console(shell) as (url, process):
            beside = shown(url)
            listed, figures = shown(f"{url}/api/v1/repairs"), shown(f"{url}/metrics")
            process.send_signal(signal.SIGTERM)
            ran = finish(process)

    assert told.endswith(" (for this machine alone, nobody signs in)\n")
    assert repair_id in page.text
    assert repair_id in [each["repair_id"] for each in listed.json()["repairs"]]
    assert re.search(r'daper_api_request_seconds_count{operation="list_repairs",status="200"} 1', figures.text)
    assert repair_id in beside.text
    assert (ran.code, ran.out, ran.err) == (128 + signal.SIGTERM, "", "")


@pytest.mark.long
def test_a_port_that_was_asked_for_the_console_and_is_in_use_is_refused(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = shell.run("up", "--console-port", str(port))

    assert refused.code == 1
    assert refused.err.splitlines()[-1] == (
        f"daper: cannot listen on '127.0.0.1', port {port}: Address already in use; take another --port"
    )


@pytest.mark.long
def test_up_serves_no_console_where_nobody_wants_one_or_could_come(shell: Shell) -> None:
    told = list[str]()
    with up(shell, "--no-console", printed=told) as process:
        process.send_signal(signal.SIGTERM)
        finish(process)
    elsewhere = Shell(root=shell.root, env={"DAPER_CONSOLE_URL": "https://daper.example.org"})
    refused = list[str]()
    with up(elsewhere, printed=refused):
        worked = shell.run("repair", "start", "--auto-approve")

    assert not [line for line in told if "Console" in line]
    line = next(line for line in refused if line.startswith("Console: "))
    assert line.startswith("Console: not served. ")
    assert "daper mcp token add" in line
    assert worked.code == 0


@pytest.mark.long
def test_the_console_goes_on_when_temporal_was_away(shell: Shell) -> None:
    with up(shell) as process, console(shell) as (url, _):
        repair_id, digest = waiting(shell)
        before = living(shell)
        assert repair_id in shown(url).text

        os.kill(process.pid, signal.SIGSTOP)  # so that nobody starts the server again
        os.kill(before.pid, signal.SIGKILL)
        away = until(lambda: page if OLD in (page := shown(url)).text else None, what="the loss of Temporal")
        os.kill(process.pid, signal.SIGCONT)
        until(lambda: living(shell).pid != before.pid, what="a new server")
        back = until(lambda: page if OLD not in (page := shown(url)).text else None, what="Temporal again")
        approved = shell.run("repair", "approve", repair_id, "--plan", digest)
        shell.run("repair", "show", repair_id, "--follow")
        page = shown(f"{url}/repairs/{repair_id}")

    assert repair_id in away.text, "what was known of it is gone"
    assert repair_id in back.text
    assert approved.code == 0, approved.err
    assert "REPORT-COMPLETED" in page.text


@pytest.mark.long
def test_without_its_extra_the_console_says_what_to_install(shell: Shell) -> None:
    for command in ("console", "demo --console"):
        ran = subprocess.run(
            [sys.executable, "-c", WITHOUT_JINJA, *command.split()],
            capture_output=True,
            text=True,
            env=shell.variables(),
            cwd=shell.cwd,
            check=False,
        )

        assert ran.returncode == 1
        assert ran.stderr.splitlines()[-1].startswith(
            "daper: daper console needs the extra console: pip install 'daper[console]' ("
        )


@pytest.mark.long
def test_the_plan_of_the_demo_is_decided_in_the_console(shell: Shell) -> None:
    opened = shell.root / "opened"
    browser = shell.root / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)
    with shell.running("demo", "--console", extra={"BROWSER": str(browser)}) as process:
        lines = list[str]()
        while "Decide in the console: " not in "".join(lines[-1:]):
            lines.append(read_line(process.stdout))
            assert lines[-1], f"it ended: {lines} {process.stderr.read() if process.stderr else ''}"
        link = lines[-1].partition(": ")[2].strip()
        decide(link)
        ran = finish(process)

    assert opened.read_text("utf-8").strip() == link
    assert ran.code == 0, ran.err
    assert "Decided by Minerva" in ran.out
    assert "4 of 4 proposed actions took effect" in ran.out


def decide(link: str) -> None:
    """Approve all of a plan in its form, as a browser without JavaScript sends it."""
    with httpx.Client(timeout=GENEROUS, follow_redirects=True) as client:
        page = client.get(link)
        where, fields = form_of(page.text, "decision")
        answer = client.post(page.url.join(where), data={**fields, "do": "approve-all"})
    assert answer.status_code == 200, answer.text
