"""`daper demo --data trouble` through its real process: each order ends as is written beside the data."""

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.shell import Ran, Shell
from tests.trouble import (
    TROUBLE,
    check_lines,
    check_markdown,
    check_pipe,
    check_terminal,
    expectations,
    order_texts,
    shipped_orders,
)

EXPECTED = expectations()
BY_ID = pytest.mark.parametrize("order_id", EXPECTED.orders)


@dataclass(frozen=True)
class Demo:
    """One demo that ended: what it printed as JSON, and the folder that it left."""

    ran: Ran
    home: Path

    # Any: the document of the command.
    @property
    def document(self) -> Any:
        return self.ran.document()

    def about(self, part: str, order_id: str) -> list[Any]:
        return [each for each in self.document[part] if each["record_id"] == order_id]

    def records(self, folder: str) -> list[Any]:
        found = (self.home / "data" / "orders" / folder).glob("*.json")
        return [json.loads(path.read_text("utf-8")) for path in sorted(found)]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    shell = Shell(root=tmp_path_factory.mktemp("trouble"))
    ran = shell.run("demo", "--data", TROUBLE, "--auto-approve", "--json")
    return Demo(ran=ran, home=next(shell.temporary.glob("daper-demo-*")))


@pytest.mark.long
def test_the_whole_of_it_comes_to_the_numbers_that_are_expected(demo: Demo) -> None:
    assert (demo.ran.code, demo.ran.err) == (3, "")
    assert demo.document["phase"] == "REPORT-COMPLETED"
    assert demo.document["today"].startswith("2025-11-01")
    assert demo.document["counts"] == demo.document["counts"] | EXPECTED.counts


@BY_ID
def test_each_order_has_its_findings_actions_outcomes_and_verification(demo: Demo, order_id: str) -> None:
    order = EXPECTED.orders[order_id]
    assert [finding["kind"] for finding in demo.about("findings", order_id)] == order.finds
    planned = [each for each in demo.document["plan"]["actions"] if each["record_id"] == order_id]
    assert [(each["tool"], each["confidence_score"]) for each in planned] == [
        (action.tool, action.confidence) for action in order.actions
    ]
    for each, action in zip(planned, order.actions, strict=True):
        assert each["arguments"] == each["arguments"] | action.arguments
        assert each["proposed_by"] == "rules"
    outcomes = {each["action_id"]: each for each in demo.about("outcomes", order_id)}
    assert [outcomes[each["id"]]["status"] for each in planned] == [action.outcome for action in order.actions]
    assert all(outcomes[each["id"]]["arguments"] == each["arguments"] for each in planned)
    verified = [each for each in demo.document["verification"]["findings"] if each["record_id"] == order_id]
    assert {each["kind"]: each["status"] for each in verified} == {
        kind: status for action in order.actions for kind, status in action.verified.items()
    }


@BY_ID
def test_what_is_left_to_a_person_is_what_is_expected(demo: Demo, order_id: str) -> None:
    left = [line for line in demo.document["report"]["left_for_person"] if line.startswith(f"{order_id}: ")]
    assert len(left) == len(EXPECTED.orders[order_id].for_person)
    for kind, words in EXPECTED.orders[order_id].for_person:
        assert [line for line in left if line.startswith(f"{order_id}: {kind}") and words in line], (words, left)


def test_orders_that_nothing_was_done_to_are_as_they_were_byte_for_byte_and_the_others_have_their_status(
    demo: Demo,
) -> None:
    text = (demo.home / "data" / "orders" / "orders.json").read_text("utf-8")
    before, after = shipped_orders(), order_texts(text)
    assert after.keys() == before.keys()
    assert {order_id for order_id in after if after[order_id] == before[order_id]} == EXPECTED.untouched
    statuses = {order["order_id"]: order["status"] for order in json.loads(text)["orders"]}
    for order_id, order in EXPECTED.orders.items():
        assert order.status is None or statuses[order_id] == order.status


def test_there_is_no_effect_and_no_message_but_those_of_the_plan(demo: Demo) -> None:
    """D13."""
    planned = [(order_id, action) for order_id, action in EXPECTED.planned if action.outcome == "applied"]
    effects = [row for row in demo.records("ledger") if row["kind"] == "effect"]
    assert Counter((row["record_id"], row["tool"]) for row in effects) == Counter(
        (order_id, action.tool) for order_id, action in planned
    )
    refused = [row for row in demo.records("ledger") if row["kind"] != "effect"]
    assert [(row["record_id"], row["effect"]["status"]) for row in refused] in (
        [("", "blocked")],
        [("ORD-107-GWY", "blocked")],
    )
    assert Counter((message["record_id"], message["to"]) for message in demo.records("outbox")) == Counter(
        (order_id, action.to) for order_id, action in planned if action.to
    )
    assert demo.document["decisions"][0]["decision"]["by"]["kind"] == "policy"


@pytest.mark.long
def test_the_story_in_a_pipe_shows_every_trick_as_text(shell: Shell) -> None:
    """D13."""
    ran = shell.run("demo", "--data", TROUBLE)

    assert (ran.code, ran.err) == (3, "")
    check_pipe(ran.out)
    check_lines(ran.out)
    for text in (
        "[bold red]LORD VOLDEMORT",
        "<U+001B>[2J",
        "<U+202E>",
        "<U+000A>Current repair",
    ):
        assert text in ran.out
    assert re.findall(r"^Current repair status: (\S+)$", ran.out, re.MULTILINE)[-1] == "REPORT-COMPLETED"
    check_markdown(Path(ran.value("Report:")).read_text("utf-8"))


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.long
def test_the_story_on_a_terminal_shows_every_trick_as_text(shell: Shell, columns: int) -> None:
    """D13."""
    with shell.terminal("demo", "--data", TROUBLE, extra={"COLUMNS": str(columns)}) as terminal:
        terminal.expect("Approve all of it?")
        check_terminal(terminal.shown)
        terminal.type("y\n")
        assert terminal.end() == 3

    check_terminal(terminal.shown)
    check_lines(terminal.shown)
    assert terminal.shown.count("Approve all of it?") == 1
    assert "Decided by Minerva (claimed)" in terminal.shown
    assert "13 things are left for a person" in " ".join(terminal.shown.split())


def test_a_data_set_that_is_not_shipped_is_refused_in_one_line_that_names_those_that_are(shell: Shell) -> None:
    ran = shell.run("demo", "--data", "nonsense")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "daper: there is no data set 'nonsense'; shipped are: hogwarts, trouble\n"
