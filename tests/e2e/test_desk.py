"""The domain of the docs as a person meets it: through a worker and the command line."""

import sqlite3
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Shop
from tests.e2e.shell import read_line

STRANGERS = Path(__file__).parents[1] / "strangers"


@pytest.fixture
def desk(shop: Shop) -> Generator[Shop]:
    """A desk whose table is made, with a worker of its own process."""
    known = replace(shop, env={**shop.env, "DAPER_DOMAIN": "desk", "PYTHONPATH": str(STRANGERS)})
    assert known.run("records", "list").code == 0
    with known.running("worker") as worker:
        while "Worker ready on: " not in read_line(worker.stderr):
            pass
        yield known


def write(desk: Shop, *statements: str) -> None:
    """What a person does to the tickets with a tool of their own."""
    with closing(sqlite3.connect(desk.home / "data" / "desk" / "desk.db")) as db, db:
        for statement in statements:
            db.execute(statement)


def tickets(desk: Shop) -> dict[str, str]:
    """The status of each ticket."""
    with closing(sqlite3.connect(desk.home / "data" / "desk" / "desk.db")) as db:
        return dict(db.execute("SELECT id, status FROM tickets").fetchall())


def waiting(desk: Shop) -> tuple[str, Any]:
    """A repair that waits for a decision, and its plan."""
    repair_id = desk.run("repair", "start", "--no-wait").value("Workflow started with ID:")
    desk.waiting_plan(repair_id)
    return repair_id, desk.run("repair", "show", repair_id, "--json").document()["plan"]


def decided(desk: Shop, repair_id: str, plan: Any, *actions: str) -> Any:
    """The report after some actions were approved, or all."""
    named = [word for action in actions for word in ("--action", action)]
    assert desk.run("repair", "approve", repair_id, "--plan", plan["digest"], *named).code == 0
    assert desk.run("repair", "show", repair_id, "--follow").code in (0, 3)
    return desk.run("repair", "report", repair_id, "--json").document()


def outcomes(report: Any) -> dict[str, str]:
    """What became of the action on each record."""
    return {outcome["record_id"]: outcome["status"] for outcome in report["outcomes"]}


def verified(report: Any) -> dict[str, str]:
    """What was seen afterwards on each record."""
    return {finding["record_id"]: finding["status"] for finding in report["verification"]["findings"]}


@pytest.mark.long
def test_some_of_a_plan_is_approved_one_is_stale_and_who_was_asked_is_waited_for(desk: Shop) -> None:
    write(
        desk,
        "INSERT INTO tickets VALUES ('T1', 'ann@desk.example', 'closed', 'customer')",
        "INSERT INTO tickets VALUES ('T2', 'bob@desk.example', 'waiting', 'us')",
        "INSERT INTO tickets VALUES ('T3', 'cid@desk.example', 'closed', 'customer')",
        "INSERT INTO tickets VALUES ('T4', 'dot@desk.example', 'closed', 'customer')",
        "INSERT INTO tickets VALUES ('T5', 'eve@desk.example', 'open', 'customer')",
    )
    repair_id, plan = waiting(desk)
    assert {action["record_id"]: action["tool"] for action in plan["actions"]} == {
        "T1": "reopen_ticket",
        "T2": "remind_customer",
        "T3": "reopen_ticket",
        "T4": "reopen_ticket",
    }
    write(desk, "UPDATE tickets SET customer = 'cid@elsewhere.example' WHERE id = 'T3'")
    some = [action["id"] for action in plan["actions"] if action["record_id"] != "T4"]
    report = decided(desk, repair_id, plan, *some)

    assert outcomes(report) == {"T1": "applied", "T2": "applied", "T3": "stale", "T4": "not-approved"}
    assert verified(report) == {"T1": "resolved", "T2": "waiting-on-person"}  # nothing sends its message
    assert tickets(desk) == {"T1": "open", "T2": "reminded", "T3": "closed", "T4": "closed", "T5": "open"}
    with closing(sqlite3.connect(desk.home / "data" / "desk" / "desk.db")) as db:
        [(message,)] = db.execute("SELECT message FROM daper_outbox").fetchall()
    assert '"to":"bob@desk.example"' in message


@pytest.mark.long
def test_a_ticket_that_closes_again_is_given_back_what_it_had(desk: Shop) -> None:
    write(
        desk,
        "INSERT INTO tickets VALUES ('T1', 'ann@desk.example', 'closed', 'customer')",
        "CREATE TRIGGER closes AFTER UPDATE ON tickets WHEN NEW.status = 'open' BEGIN"
        " UPDATE tickets SET status = 'locked' WHERE id = NEW.id; END",
    )
    repair_id, plan = waiting(desk)
    report = decided(desk, repair_id, plan)

    assert outcomes(report) == {"T1": "undone"}
    assert verified(report) == {"T1": "still-open"}
    assert tickets(desk) == {"T1": "closed"}
