"""`daper repair report` in every format, of an ended repair and of one that waits, and what can go wrong with it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Shop
from tests.e2e.shell import DAPER, Ran, Shell

WITHOUT_TYPST = (
    "import sys; sys.modules['typst'] = None; from daper.entrypoints.cli.app import main; sys.argv[0] = 'daper'; main()"
)


def refused(ran: Ran, *, code: int = 1) -> str:
    """The one line that a command said instead of doing something."""
    assert (ran.code, ran.out) == (code, "")
    assert re.fullmatch(r"daper: .+\n", ran.err), ran.err
    return ran.err


@pytest.mark.long
def test_s5_the_report_of_an_ended_repair_comes_in_every_format_wherever_the_worker_keeps_it(open_shop: Shop) -> None:
    started = open_shop.run("repair", "start", "--auto-approve")
    repair_id, here = started.value("Workflow started with ID:"), started.value("Report: ")
    Path(here).parent.rename(open_shop.root / "another machine")
    words = ("repair", "report", repair_id)

    shown = open_shop.run("repair", "show", repair_id)
    printed = open_shop.run(*words)
    as_html = open_shop.run(*words, "--format", "html")
    document = open_shop.run(*words, "--json").document()
    into_a_pipe = piped(open_shop, [DAPER, *words, "--format", "pdf"])
    into_a_file = open_shop.run(*words, "--output", "report.PDF")
    without_typst = piped(open_shop, [sys.executable, "-c", WITHOUT_TYPST, *words, "--output", "other.pdf"])

    assert printed.out.startswith(f"# Repair report `{repair_id}`\n")
    assert as_html.out.startswith("<!DOCTYPE html>\n")
    assert (document["repair_id"], document["ended"]) == (repair_id, True)
    assert into_a_pipe.stdout.startswith(b"%PDF-1.7")
    assert into_a_file.out == "Report written: report.PDF\n"
    assert (open_shop.cwd / "report.PDF").read_bytes() == into_a_pipe.stdout
    for text in (printed.out, as_html.out):
        assert "Hermione Jean Granger" in text
        assert str(open_shop.home / "reports") not in text

    fetch = f"daper repair report {repair_id} --output report.md"
    assert shown.value("Report: ") == f"on the machine of the worker that wrote it; to have it here: {fetch}"
    assert (document["report"]["json_path"], document["report"]["markdown_path"]) == (None, None)

    assert without_typst.returncode == 2
    assert without_typst.stderr.decode() == (
        "daper: a PDF needs the extra 'pdf', which is not installed: pip install 'daper[pdf]'; or take --format html\n"
    )
    assert not (open_shop.cwd / "other.pdf").exists()


def piped(shop: Shop, command: list[str]) -> "subprocess.CompletedProcess[bytes]":
    """A command whose output is no text."""
    return subprocess.run(command, capture_output=True, env=shop.variables(), cwd=shop.cwd, check=False)


@pytest.mark.long
def test_d4_the_plan_of_a_waiting_repair_can_be_handed_to_somebody(open_shop: Shop) -> None:
    repair_id = open_shop.begin()
    digest = open_shop.waiting_plan(repair_id).digest
    words = ("repair", "report", repair_id)

    told = refused(open_shop.run(*words))
    full = refused(open_shop.run(*words, "--plan", "--output", "/dev/full"))
    planned = open_shop.run(*words, "--plan")
    open_shop.run("repair", "reject", repair_id, "--plan", digest, "--comment", "not today")
    open_shop.run("repair", "show", repair_id, "--follow")
    afterwards = open_shop.run(*words, "--plan")

    assert f"repair '{repair_id}' has not ended" in told
    assert f"daper repair report {repair_id} --plan" in told
    assert "cannot be written to '/dev/full': the disk is full (No space left on device); name another file" in full
    assert (planned.code, planned.err) == (0, "")
    assert f"daper repair approve {repair_id} --plan {digest}" in planned.out
    assert "300 of S.P.E.W. Badge Set (STP-ORG-001) are needed, 187 are available." in planned.out
    assert "Comment: not today" in afterwards.out
    assert "How to decide" not in afterwards.out


@pytest.mark.long
def test_a_repair_without_a_plan_says_whether_there_will_be_one(shop: Shop) -> None:
    with shop.worker_without_hands():
        early = shop.begin()
        not_yet = refused(shop.run("repair", "report", early, "--plan"))
        with shop.worker():
            failed = shop.run("repair", "start", "--record", "ORD-404-XXX").value("Workflow started with ID:")
            never = refused(shop.run("repair", "report", failed, "--plan"))

    assert (
        f"repair '{early}' has no plan yet (phase INITIALIZING); follow it: daper repair show {early} --fol" in not_yet
    )
    assert f"ended as REPAIR-FAILED without a plan; see: daper repair report {failed}" in never


@pytest.mark.long
def test_a_pdf_is_not_written_to_a_terminal(shell: Shell) -> None:
    with shell.terminal("repair", "report", "any", "--format", "pdf") as terminal:
        assert terminal.end() == 2

    assert "a PDF is nothing for a terminal; name a file for it: --output report.pdf" in terminal.shown
