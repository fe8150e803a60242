"""Whatever commands and workers make under DAPER_HOME, nobody else can read."""

import os
import stat
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.e2e.conftest import Shop
from tests.e2e.shell import Shell, finish, read_line


@pytest.fixture
def usual_mask() -> Generator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def open_to_others(home: Path) -> dict[str, str]:
    found = {path: stat.S_IMODE(path.lstat().st_mode) for path in (home, *home.rglob("*")) if not path.is_symlink()}
    return {str(path): f"{mode:o}" for path, mode in found.items() if mode & 0o077}


@pytest.mark.long
def test_a14_what_a_worker_and_commands_make_is_private(shop: Shop, usual_mask: None) -> None:
    shop.run("mcp", "token", "add", "Luna")
    with shop.running("worker") as worker:
        assert read_line(worker.stderr).startswith("Client connection")
        read_line(worker.stderr)
        ran = shop.run("repair", "start", "--auto-approve")

    assert "actions took effect" in ran.out, ran.err
    names = {path.name for path in shop.home.rglob("*")}
    assert {"orders.json", "daper.db", "report.json", "mcp-tokens.json", "ledger"} <= names
    assert open_to_others(shop.home) == {}


@pytest.mark.long
def test_a14_a_report_that_a_person_names_is_as_other_files_of_theirs(open_shop: Shop, usual_mask: None) -> None:
    ran = open_shop.run("repair", "start", "--auto-approve")
    repair_id = ran.value("started with ID: ")

    with open_shop.running("repair", "report", repair_id, "--output", "report.md") as process:
        saved = finish(process)

    assert saved.code in (0, 3), saved.err
    assert stat.S_IMODE((open_shop.cwd / "report.md").stat().st_mode) == 0o644


@pytest.mark.long
def test_a14_what_daper_up_keeps_is_private(shell: Shell, usual_mask: None) -> None:
    with shell.running("up") as up:
        while not read_line(up.stdout).startswith("Worker ready"):
            assert up.poll() is None
        left = open_to_others(shell.home)
        names = {path.name for path in shell.home.rglob("*")}
        up.terminate()
        up.wait(60)

    assert {"temporal.db", "server.json", "temporal.log", "up.lock"} <= names
    assert left == {}
