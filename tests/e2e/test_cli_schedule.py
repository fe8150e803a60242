"""`daper schedule …` in processes of their own, with a worker beside: made, seen, steered, changed, deleted."""

from typing import Any

import pytest

from tests.e2e.conftest import Shop
from tests.e2e.shell import until

MINE = "repair-schedule-Minerva"


# Any: a document of whatever shape the command prints.
def described(shop: Shop) -> dict[str, Any]:
    return shop.run("schedule", "describe", "--json").document()


@pytest.mark.long
def test_a_schedule_is_made_seen_run_approved_paused_changed_and_deleted(open_shop: Shop) -> None:
    cron = ("--cron", "0 7 * * 1-5", "--time-zone", "Europe/London")
    made = open_shop.run("schedule", "create", *cron, "--note", "before lessons", "--paused")
    assert made.code == 0
    assert made.value("Schedule created with ID:") == MINE
    assert "Starts a repair of orders for Minerva: Monday to Friday at 07:00 Europe/London" in made.out
    assert "A plan waits 12 hours for a decision; while a run is open, the next ones are skipped" in made.out
    assert f"Paused; no run begins before: daper schedule resume {MINE}" in made.out
    assert "Note: before lessons" in made.out

    resumed = open_shop.run("schedule", "resume", "--reason", "term began")
    assert (resumed.code, resumed.out.startswith(f"resumed: {MINE}; ")) == (0, True)
    shown = open_shop.run("schedule", "describe", MINE)
    assert shown.code == 0
    assert "Note: resumed by Minerva: term began" in shown.out
    assert shown.out.count(":00 Europe/London (") == 5
    assert "0 runs since " in shown.out

    triggered = open_shop.run("schedule", "trigger")
    assert triggered.code == 0
    repair_id = triggered.out.partition("started: ")[2].partition(";")[0]
    plan = open_shop.waiting_plan(repair_id)
    skipped = open_shop.run("schedule", "trigger")
    assert (skipped.code, f"skipped, because a run of {MINE} is open: {repair_id};" in skipped.out) == (0, True)
    shown = open_shop.run("schedule", "describe")
    assert f" UTC {repair_id}: PENDING-APPROVAL: daper repair show {repair_id}\n" in shown.out
    assert "1 run since " in shown.out
    assert "; 1 skipped while another was open, 0 missed while Temporal was away" in shown.out
    assert open_shop.run("repair", "approve", repair_id, "--plan", plan.digest).code == 0
    until(lambda: described(open_shop)["runs"][0]["phase"] == "REPORT-COMPLETED", what="the end of the run")

    assert open_shop.run("schedule", "pause", "--reason", "the holidays").code == 0
    changed = open_shop.run("schedule", "upsert", "--every", "6h", "--dry-run", "--status", "pending-payment")
    assert changed.value("Schedule changed, with ID:") == MINE
    document = described(open_shop)
    assert (document["words"], document["dry_run"], document["scope"]["status"]) == (
        "every 6 hours (UTC)",
        True,
        "pending-payment",
    )
    assert (document["paused"], document["next_runs"]) == (True, [])
    assert document["note"] == "paused by Minerva: the holidays"

    line = f"{MINE}\tMinerva\torders\tevery 6 hours (UTC)\t\tyes\n"
    until(lambda: line in open_shop.run("schedule", "list").out, what="the changed schedule in the list")
    listed = open_shop.run("schedule", "list", "--json").document()["schedules"]
    assert [each["schedule_id"] for each in listed].count(MINE) == 1

    gone = open_shop.run("schedule", "delete")
    assert (gone.code, gone.out) == (0, f"deleted: {MINE} (every 6 hours (UTC))\n")


def test_a_schedule_that_is_not_there_is_one_line_with_the_way_out(shop: Shop) -> None:
    for verb in ("describe", "delete"):
        ran = shop.run("schedule", verb, "nightly")
        assert (ran.code, ran.out) == (1, "")
        assert ran.err == "daper: there is no schedule 'nightly'; see: daper schedule list\n"
