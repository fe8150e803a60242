"""`daper demo --domain temporal`: workflows that are really stuck, found and repaired, as somebody sees it."""

from pathlib import Path

import pytest

from tests.e2e.shell import Shell, processes_with
from tests.e2e.test_cli_demo import home_of, server_of

KINDS = {
    "parcel-1": "activity-retrying",
    "parcel-2": "activity-retrying",
    "parcel-3": "activity-retrying",
    "parcel-4": "paused-and-forgotten",
    "parcel-5": "failed",
    "parcel-6": "too-long",
    "parcel-7": "task-failing",
    "parcel-8": "timed-out",
}
RESOLVED = {"parcel-1", "parcel-2", "parcel-4", "parcel-5", "parcel-6", "parcel-8"}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(root=tmp_path, env={"USER_NAME": "Minerva"})


def test_stuck_workflows_are_found_and_repaired_where_that_helps_and_told_of_where_not(shell: Shell) -> None:
    ran = shell.run("demo", "--domain", "temporal", "--json")

    assert (ran.code, ran.err) == (3, "")
    document = ran.document()
    assert document["phase"] == "REPORT-COMPLETED"
    assert {each["record_id"]: each["kind"] for each in document["findings"]} == KINDS
    seen = {each["record_id"]: each["status"] for each in document["verification"]["findings"]}
    resolved = {record for record, status in seen.items() if status == "resolved"}
    assert resolved == RESOLVED
    assert {seen.get("parcel-3"), seen.get("parcel-7")} == {"still-open", None}, "what they fail by is still there"


@pytest.mark.long
def test_on_a_terminal_the_demo_of_workflows_tells_its_story_asks_and_repairs(shell: Shell) -> None:
    with shell.terminal("demo", "--domain", "temporal") as terminal:
        terminal.expect("Approve all of it?")
        assert "An owl post has sent eight parcels" in terminal.shown
        terminal.type("y\n")

        assert terminal.end() == 3

    assert "Decided by Minerva (claimed)" in terminal.shown
    assert "Traceback" not in terminal.shown
    assert not processes_with(server_of(terminal.shown))


@pytest.mark.long
def test_a_demo_of_workflows_that_is_ended_while_it_asks_leaves_nothing_behind(shell: Shell) -> None:
    with shell.terminal("demo", "--domain", "temporal") as terminal:
        terminal.expect("Approve all of it?")
        terminal.type("\x03")

        assert terminal.end() == 130

    assert "Traceback" not in terminal.shown
    assert not processes_with(server_of(terminal.shown))
    assert home_of(shell) is None
