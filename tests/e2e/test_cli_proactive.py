"""A worker beside, and `daper proactive …` in processes of their own: started, seen, nudged, stopped."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.e2e.conftest import Shop
from tests.e2e.shell import until

AGENT = "always-be-repairin-for-Minerva"


# Any: a document of whatever shape the command prints.
def status_when(shop: Shop, wanted: Mapping[str, object]) -> dict[str, Any]:
    """The first JSON status that has these values."""

    def look() -> dict[str, Any] | None:
        found = shop.run("proactive", "status", "--json").document()
        return found if wanted.items() <= found.items() else None

    return until(look, what=f"an agent with {dict(wanted)}")


@pytest.mark.long
def test_an_agent_is_started_seen_approved_nudged_and_stopped(open_shop: Shop) -> None:
    started = open_shop.run("proactive", "start", "--interval", "90m")
    again = open_shop.run("proactive", "start", "--json")
    assert (started.code, again.code) == (0, 0)
    assert started.value("Proactive agent started with ID:") == AGENT
    assert again.document()["agent_id"] == AGENT
    assert again.document()["already_running"] is True
    assert again.document()["store_id"] in started.out

    waiting = status_when(open_shop, {"phase": "PENDING-APPROVAL"})
    repair_id, digest = waiting["repair_id"], waiting["repair"]["plan"]["digest"]
    shown = open_shop.run("proactive", "status")
    assert shown.code == 0
    assert f"{AGENT}: PENDING-APPROVAL" in shown.out
    assert f"Current repair: {repair_id}: PENDING-APPROVAL" in shown.out
    assert f"daper repair approve {repair_id} --plan {digest}" in shown.out
    assert "90m after each the next one; a plan waits for 20h" in shown.out

    approved = open_shop.run("repair", "approve", repair_id, "--plan", digest, "--action", "a2")
    assert approved.code == 0
    between = status_when(open_shop, {"phase": "WAITING-FOR-NEXT-CYCLE"})
    assert between["repair_id"] is None
    assert between["next_cycle_at"] is not None
    shown = open_shop.run("proactive", "status")
    assert "Next cycle: " in shown.out
    assert f"{repair_id}: REPORT-COMPLETED: 4 problems, 1 repaired" in shown.out

    asked = open_shop.run("proactive", "check-now", "--reason", "new stock came")
    assert (asked.code, asked.out) == (0, f"asked to check now: {AGENT}; see: daper proactive status\n")
    second = status_when(open_shop, {"phase": "PENDING-APPROVAL", "cycles": 2})
    assert second["repair_id"] != repair_id
    assert second["repair"]["plan"]["total_actions"] == 3, "what was not approved is asked for again"

    stopped = open_shop.run("proactive", "stop", "--reason", "the holidays")
    assert stopped.code == 0
    ended = status_when(open_shop, {"phase": "STOPPED"})
    assert [each["phase"] for each in ended["results"]] == ["CANCELLED", "REPORT-COMPLETED"]
    assert ended["results"][0]["asked"] == "Minerva: new stock came"
    report = open_shop.run("repair", "show", second["repair_id"])
    assert "stopped by Minerva: the holidays" in report.out

    late = open_shop.run("proactive", "check-now")
    assert (late.code, late.out) == (1, "")
    assert late.err == (f"daper: proactive agent '{AGENT}' is not running any more; start one: daper proactive start\n")


@pytest.mark.long
def test_an_agent_that_is_not_there_or_has_no_worker_is_one_line_with_the_way_out(shop: Shop) -> None:
    luna = {"USER_NAME": "Luna [bold]"}
    for verb in ("status", "check-now", "stop"):
        ran = shop.run("proactive", verb, extra=luna)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err == (
            "daper: there is no proactive agent 'always-be-repairin-for-Luna-bold'; start one: daper proactive start\n"
        )
    for interval in ("0s", "400d"):
        wrong = shop.run("proactive", "start", "--interval", interval, extra=luna)
        assert (wrong.code, wrong.out) == (2, "")
        assert wrong.err.startswith("daper: interval is ")

    assert shop.run("proactive", "start", extra=luna).code == 0

    silent = shop.run("proactive", "status", extra=luna)
    assert (silent.code, silent.out) == (1, "")
    assert "no worker answered on queue" in silent.err
    twin = shop.run("proactive", "start", extra={"USER_NAME": "Luna bold"})
    assert twin.code == 1
    assert "is the proactive agent of 'Luna [bold]' for 'orders'" in twin.err
    with shop.worker():
        assert shop.run("proactive", "stop", extra=luna).code == 0
        until(lambda: "STOPPED" in shop.run("proactive", "status", extra=luna).out, what="the end")
