"""A worker in one process, `daper repair …` in others: started, shown, decided, reported."""

import re
import signal
from pathlib import Path

import pytest

from tests.e2e.conftest import Shop
from tests.e2e.shell import read_line, until

BADGES = "ORD-002-HJG"
EGG = "ORD-004-RHG"


def test_one_shell_works_and_others_start_show_approve_some_and_report(shop: Shop) -> None:
    with shop.running("worker") as worker:
        read_line(worker.stderr)
        assert "Worker ready on: " in read_line(worker.stderr)
        before = shop.orders()

        started = shop.run("repair", "start", "--no-wait")
        repair_id = started.value("Workflow started with ID:")
        shop.waiting_plan(repair_id)
        plan = shop.run("repair", "show", repair_id, "--json").document()["plan"]
        named = ("--action", "a1", "--action", "a2")
        approved = shop.run("repair", "approve", repair_id, "--plan", plan["digest"], *named)
        followed = shop.run("repair", "show", repair_id, "--follow")
        reported = shop.run("repair", "report", repair_id)
        document = shop.run("repair", "report", repair_id, "--json").document()

        worker.send_signal(signal.SIGTERM)
        out, err = worker.communicate(timeout=60)

    assert (started.code, approved.code, followed.code, reported.code) == (0, 0, 0, 0)
    assert "Decided by Minerva (claimed)" in approved.out
    assert "a1, a2 approved" in approved.out
    assert "Workflow completed with result: REPORT-COMPLETED" in followed.out
    statuses = {outcome["action_id"]: outcome["status"] for outcome in document["outcomes"]}
    assert statuses == {"a1": "applied", "a2": "applied", "a3": "not-approved", "a4": "not-approved"}
    after = shop.orders()
    assert {each for each in before if before[each] != after[each]} == {"ORD-001-HJP", BADGES}
    assert (worker.returncode, out) == (0, "")
    assert err.endswith("worker stopped\n")
    written = Path(document["report"]["markdown_path"]).read_text("utf-8")
    assert _but_the_time(reported.out) == _but_the_time(written)


def _but_the_time(markdown: str) -> list[str]:
    """A report's lines, without those that say how long it took: what is written cannot count the writing."""
    return [line for line in markdown.split("\n") if not line.startswith(("| took |", "| durations |", "| ended |"))]


@pytest.mark.long
def test_a_refused_decision_says_why_and_the_plan_goes_on_waiting(open_shop: Shop) -> None:
    repair_id = open_shop.begin()
    digest = open_shop.waiting_plan(repair_id).digest

    def refused(*words: str) -> str:
        ran = open_shop.run("repair", "approve", repair_id, *words)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.count("\n") == 1
        return ran.err

    other = "0" * 64
    assert f"quotes plan '{other}', but plan '{digest}' is waiting" in refused("--plan", other)
    assert "113 to 553" in refused("--plan", digest, "--edit", "a2.quantity=600")
    assert "a2.order_id may not be changed" in refused("--plan", digest, "--edit", "a2.order_id=ORD-005-LLV")
    assert "the plan has no action 'a9'; it has: a1-a4" in refused("--plan", digest, "--action", "a9")
    assert "a3 would be approved and rejected" in refused("--plan", digest, "--action", "all", "--reject", "a3")
    assert "say in one text" in refused("--plan", digest, "--action", "all but a3", "--action", "a3")
    no_plan = open_shop.run("repair", "approve", repair_id)
    assert (no_plan.code, no_plan.out) == (2, "")
    assert "without a terminal, --plan DIGEST is needed" in no_plan.err

    within = open_shop.run("repair", "approve", repair_id, "--plan", digest, "--edit", "a2.quantity=250")
    followed = open_shop.run("repair", "show", repair_id, "--follow")

    assert "a2 approved; a2 with quantity=250" in within.out
    assert "current_stock 247 → 197" in followed.out


@pytest.mark.long
def test_a_decision_before_the_plan_and_a_second_one_are_refused_the_same_again_is_not(shop: Shop) -> None:
    with shop.worker_without_hands():
        early_id = shop.begin()
        early = shop.run("repair", "approve", early_id, "--plan", "0" * 64)
        assert (early.code, early.out) == (1, "")
        assert "no plan is waiting for a decision yet (phase INITIALIZING)" in early.err

        with shop.worker():
            digest = shop.waiting_plan(early_id).digest
        words = ("repair", "approve", early_id, "--plan", digest)
        first = shop.run(*words)
        again = shop.run(*words)
        other = shop.run(*words, "--as", "Gilderoy")

        assert (first.code, again.code) == (0, 0)
        assert again.out == f"Already recorded. {first.out}"
        assert (other.code, other.out) == (1, "")
        assert "already decided by Minerva (claimed) at " in other.err

        with shop.worker():
            ended = shop.run("repair", "show", early_id, "--follow")
        assert "Workflow completed with result: REPORT-COMPLETED" in ended.out
        late_again, late_other = shop.run(*words), shop.run(*words, "--as", "Gilderoy")
        assert (late_again.code, late_again.out) == (0, again.out)
        assert late_other.code == 1
        assert f"repair '{early_id}' ended as REPORT-COMPLETED" in late_other.err


def test_one_command_approves_some_and_rejects_others(open_shop: Shop) -> None:
    repair_id = open_shop.begin()
    digest = open_shop.waiting_plan(repair_id).digest
    blank = open_shop.run("repair", "approve", repair_id, "--plan", digest, "--reject", "[]")
    assert (blank.code, blank.out) == (2, "")
    assert "--reject '[]' names nothing" in blank.err

    words = ("--action", "all but a2, a3", "--reject", "tool:order_inventory")
    approved = open_shop.run("repair", "approve", repair_id, "--plan", digest, *words)
    followed = open_shop.run("repair", "show", repair_id, "--follow", "--json").document()

    assert (approved.code, approved.err) == (0, "")
    assert ": a1, a4 approved; a2 rejected" in approved.out
    statuses = {outcome["action_id"]: outcome["status"] for outcome in followed["outcomes"]}
    assert statuses == {"a1": "applied", "a2": "rejected", "a3": "not-approved", "a4": "applied"}


def test_a_rejected_repair_changes_nothing_and_ends(open_shop: Shop) -> None:
    repair_id = open_shop.begin()
    before = open_shop.orders()
    digest = open_shop.waiting_plan(repair_id).digest

    rejected = open_shop.run("repair", "reject", repair_id, "--plan", digest, "--comment", "not today", "--json")
    shown = open_shop.run("repair", "show", repair_id, "--follow")

    assert rejected.code == 0
    assert set(rejected.document()["recorded"]["decision"]["verdicts"].values()) == {"reject"}
    assert "Workflow completed with result: REJECTED" in shown.out
    assert "“not today”" in shown.out
    assert shown.code == 0
    assert open_shop.orders() == before


@pytest.mark.long
def test_a_stopped_repair_is_cancelled_and_listed_as_such(open_shop: Shop) -> None:
    repair_id = open_shop.begin()
    open_shop.waiting_plan(repair_id)
    with open_shop.terminal("repair", "show", repair_id, "--follow") as terminal:
        terminal.expect("Approve all of it?")

        stopped = open_shop.run("repair", "stop", repair_id, "--reason", "the shop is closed")

        assert stopped.code == 0
        terminal.expect("Workflow completed with result: CANCELLED")  # though nobody answered its question
        assert terminal.end() == 0
    again = open_shop.run("repair", "stop", repair_id)
    listed = open_shop.run("repair", "list", "--json").document()["repairs"]

    assert "stopped by Minerva: the shop is closed" in terminal.shown
    assert (again.code, again.out) == (1, "")
    assert "is already over" in again.err
    assert [line["phase"] for line in listed if line["repair_id"] == repair_id] == ["CANCELLED"]


def test_on_a_terminal_start_asks_and_y_approves(open_shop: Shop) -> None:
    with open_shop.terminal("repair", "start") as terminal:
        terminal.expect("Approve all of it?")
        terminal.type("y\n")

        assert terminal.end() == 0

    assert terminal.shown.count("Decided by Minerva (claimed)") == 1
    assert terminal.shown.index("Decided by") < terminal.shown.index("Current repair status: APPROVED")
    assert "Workflow completed with result: REPORT-COMPLETED" in terminal.shown


@pytest.mark.long
def test_ctrl_c_stops_following_and_approve_on_a_terminal_quotes_what_it_shows(open_shop: Shop) -> None:
    with open_shop.terminal("repair", "start") as terminal:
        terminal.expect("Approve all of it?")
        terminal.type("\x03")
        assert terminal.end() == 130
    repair_id = re.search(r"Workflow started with ID: (\S+)", terminal.shown)
    assert repair_id
    assert f"the repair goes on: daper repair show {repair_id[1]} --follow" in terminal.shown

    with open_shop.terminal("repair", "approve", repair_id[1], "--action", "a3", "--reject", "a1-a2") as terminal:
        terminal.expect("Approve a3 and reject a1, a2?")
        assert "(Ronald Bilius Weasley)" in terminal.shown
        terminal.type("y\n")
        assert terminal.end() == 0
    assert ": a3 approved; a1, a2 rejected" in terminal.shown


@pytest.mark.long
def test_without_a_terminal_start_stops_where_the_plan_waits_and_a_second_one_leaves_it_alone(open_shop: Shop) -> None:
    first = open_shop.run("repair", "start")
    repair_id = first.value("Workflow started with ID:")
    second = open_shop.run("repair", "start")
    shown = open_shop.run("repair", "show", second.value("Workflow started with ID:"))
    third = open_shop.run("repair", "start", "--again", "--json")
    named = open_shop.run("repair", "start", "--record", BADGES, "--json")

    assert (first.code, first.err) == (0, "")
    digest = first.value("Repair planning is complete. Plan")
    assert f"  daper repair approve {repair_id} --plan {digest}" in first.out.splitlines()
    assert "\x1b" not in first.out
    assert "Workflow completed with result: NO-REPAIR-NEEDED" in second.out
    assert second.out.count("left alone:") == 4
    assert repair_id in second.out
    assert [line for line in shown.out.splitlines() if "left alone:" in line] == [
        line for line in second.out.splitlines() if "left alone:" in line
    ]
    for ended in (third, named):  # also who asks again: what waits there is decided there
        assert (ended.code, ended.document()["phase"]) == (0, "NO-REPAIR-NEEDED")
        assert f"waits for a decision in {repair_id}" in ended.document()["reason"]
    assert named.document()["reason"] == f"{BADGES} waits for a decision in {repair_id}"


@pytest.mark.parametrize(
    ("words", "phase", "code"),
    [
        (("--auto-approve",), "REPORT-COMPLETED", 0),
        pytest.param(("--dry-run",), "PLAN-ONLY", 0, marks=pytest.mark.long),
        pytest.param(("--status", "completed"), "NO-REPAIR-NEEDED", 0, marks=pytest.mark.long),
        (("--record", "ORD-404-XXX"), "REPAIR-FAILED", 3),
        (("--record", BADGES, "--auto-approve"), "REPORT-COMPLETED", 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),  # pyright: ignore[reportUnknownArgumentType]
)
def test_start_ends_in_every_last_phase(open_shop: Shop, words: tuple[str, ...], phase: str, code: int) -> None:
    """S8, D21: whatever the end is called, the command line sees it; the others end in the tests around."""
    ran = open_shop.run("repair", "start", *words)

    told = [line.rpartition(": ")[2] for line in ran.out.splitlines() if line.startswith("Current repair status: ")]
    assert (ran.code, ran.err) == (code, "")
    assert told[-1] == phase
    assert len(set(told)) == len(told)
    assert f"Workflow completed with result: {phase}" in ran.out
    assert ("ORD-404-XXX" in ran.value("Reason:")) if code else ("Reason:" not in ran.out)
    assert ran.out.count("confidence score") == {"--dry-run": 4, "--auto-approve": 4, "--record": 1 - code // 3}.get(
        words[0], 0
    )


@pytest.mark.long
def test_what_is_named_begins_at_once_and_what_another_plan_has_is_told_with_its_repair(open_shop: Shop) -> None:
    first = open_shop.run("repair", "start", "--record", BADGES, "--json").document()["repair_id"]
    beside = open_shop.run("repair", "start", "--record", EGG, "--now", "--json").document()
    again = open_shop.run("repair", "start", "--record", BADGES)
    stopped = open_shop.run("repair", "stop", first)
    while open_shop.run("repair", "show", first, "--json").document()["phase"] != "CANCELLED":
        pass
    anew = open_shop.run("repair", "start", "--record", BADGES, "--auto-approve")

    assert (beside["phase"], [each["record_id"] for each in beside["plan"]["actions"]]) == ("PENDING-APPROVAL", [EGG])
    assert (again.code, again.err) == (0, "")
    assert "Workflow completed with result: NO-REPAIR-NEEDED" in again.out
    assert f"left alone: waits for a decision in {first}, until " in again.out
    assert f"Reason: {BADGES} waits for a decision in {first}" in again.out
    assert stopped.code == 0
    assert "Workflow completed with result: REPORT-COMPLETED" in anew.out


@pytest.mark.long
def test_a_plan_nobody_answers_expires_and_the_question_with_it(open_shop: Shop) -> None:
    """D6, D21."""
    with open_shop.terminal("repair", "start", "--approval-timeout", "1s") as terminal:
        terminal.expect("Approve all of it?")
        terminal.expect("Workflow completed with result: APPROVAL-EXPIRED")
        assert terminal.end() == 3

    assert "nobody decided within 0:00:01" in terminal.shown
    assert "Decided by" not in terminal.shown


def test_b7_what_waits_for_me_is_what_i_may_decide_here(open_shop: Shop) -> None:
    plan = open_shop.waiting_plan(repair_id := open_shop.begin())

    def listed() -> list[dict[str, object]]:
        repairs: list[dict[str, object]] = open_shop.run("repair", "list", "--waiting", "--json").document()["repairs"]
        return repairs

    [line] = until(listed, what="Temporal's list")  # it lags behind
    said = (line["repair_id"], line["actions"], line["spends"], line["kept_from"])
    assert said == (repair_id, len(plan.actions), plan.spends, "")
    with open_shop.terminal("repair", "list", "--waiting") as terminal:
        terminal.expect(
            f"1 plan waits for Minerva: {len(plan.actions)} actions; spends {plan.spends} in all; the first"
        )
        terminal.expect("PENDING-APPROVAL")
        assert terminal.end() == 0

    (open_shop.home / "policy.toml").write_text('[people]\npasskey_from = "low"\n', encoding="utf-8")
    assert listed() == []
    [line] = open_shop.run("repair", "list", "--phase", "PENDING-APPROVAL", "--json").document()["repairs"]
    assert line["kept_from"] == "all of it is approved by a passkey alone: decide at the console"
    with open_shop.terminal("repair", "list", "--waiting") as terminal:
        terminal.expect("No plan waits for Minerva.")
        terminal.expect("1 more plan waits, which Minerva cannot decide here (all of it is approved by a passkey alone")
        assert terminal.end() == 0
