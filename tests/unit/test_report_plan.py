"""The plan report, and what becomes of problems in numbers."""

import pytest
from report_tables import rows_of
from sized_repairs import a_plan, ended_repair, waiting_repair

from daper.adapters.reports.fates import Fate, chart
from daper.adapters.reports.plan_report import plan_report
from daper.adapters.reports.repair_report import repair_report
from daper.core.outcomes import OutcomeStatus, RepairResult, VerificationStatus
from daper.core.phases import Phase
from daper.core.report import left_for_person
from daper.core.views import RepairView, view_plan, whole_plans
from daper.documents.markdown import to_markdown


def waiting(view: RepairView) -> str:
    assert view.plan is not None
    return to_markdown(plan_report(view, [view.plan]))


def test_a_waiting_plan_says_what_until_when_and_by_which_digest() -> None:
    view = waiting_repair(13, hostile=False)
    assert view.plan is not None
    text = waiting(view)

    assert text.startswith(
        "# Repair plan `repair-Minerva-8329a845-39fc-4d75-a766-a8c05a415c56`\n\n"
        "**Summary:** 13 problems found, 10 actions proposed; 2 left for a person; 1 left alone."
        " Nothing is done before somebody decides.\n\n"
        "**Phase:** `PENDING-APPROVAL` (the plan waits for a decision)\n\n"
        "| fact | value |\n"
        "| --- | --- |\n"
        "| requested by | Minerva McGonagall (os-user) |\n"
        "| domain | `orders` |\n"
        "| started | 2026-03-01 09:00:12 UTC |\n"
        f"| plan | `{view.plan.digest}` |\n"
        "| actions | 10 |\n"
        "| spends in all | 510.00 |\n"
        "| overall confidence | 0.8 |\n"
        "| decide until | 2026-03-01 21:00:12 UTC |\n"
        "| notes | Two suppliers are closed until Monday. |\n"
        "| not acted on | 3 problems, left alone or for a person |\n\n"
        "## What was found\n\n"
        "| fact | value |\n"
        "| --- | --- |\n"
        "| records looked through | 26 |\n"
        "| suspect | 13 (0.97 sure) |\n"
        "| problems | 13 |\n\n"
        "## What is proposed\n\n"
    )


def test_d4_each_action_is_told_with_all_that_would_run_and_what_follows() -> None:
    assert rows_of(waiting(waiting_repair(6, hostile=False)), "What is proposed")[0] == (
        "| `a1` | `ORD-001-HJP` | Harry James Potter | `order_inventory` | medium | 0.9 | rules"
        " | The payment of 1.52 by Harry James Potter has not come in."
        " | The order cannot go on before the customer sees to the payment."
        " | customer\\_name: `Harry James Potter`; order\\_id: `ORD-001-HJP`; quantity: `200` (may be 113 to 553)"
        " | orders/ORD-001-HJP status: `pending-payment` → `on-hold`;"
        " inventory/STP-001 current\\_stock: `247` → `447 when delivered` | 170.00 | it is undone |"
    )


def test_d4_an_argument_is_not_cut_and_none_is_left_out() -> None:
    view = waiting_repair(1, hostile=False)
    assert view.plan is not None
    [action] = view.plan.actions
    arguments = {f"line_{number}": f"{'x' * 480}-{number}" for number in range(30)}
    plan = view.plan.model_copy(update={"actions": (action.model_copy(update={"arguments": arguments}),)})

    [row] = rows_of(to_markdown(plan_report(view, [plan])), "What is proposed")

    assert all(f"{'x' * 480}-{number}`" in row for number in range(30))


def test_what_is_kept_back_is_in_the_plan_with_the_reason() -> None:
    text = waiting(waiting_repair(13, hostile=False))

    assert rows_of(text, "Left for a person") == [
        "| `ORD-013-HJP` | `totals-mismatch` | lines, tax and total do not add up; no tool repairs that |"
    ]
    assert len(rows_of(text, "Blocked proposals")) == 1
    assert rows_of(text, "Suppressed problems")[0].endswith("kept back until 2026-03-29 |")


def test_the_commands_to_decide_run_as_they_stand() -> None:
    view = waiting_repair(6).model_copy(update={"repair_id": "x; rm -rf ~ #"})
    assert view.plan is not None
    text = waiting(view)

    approve, digest = "daper repair approve 'x; rm -rf ~ #'", view.plan.digest
    assert text.endswith(
        f"- `{approve} --plan {digest}`\n"
        f"- `daper repair reject 'x; rm -rf ~ #' --plan {digest}`\n"
        f"- `{approve} --plan {digest} --action a1 --action a2`\n"
        f"- `{approve} --plan {digest} --edit a1.quantity=VALUE`\n"
    )


def test_the_plan_of_an_ended_repair_says_how_it_was_decided_and_no_longer_how_to() -> None:
    result = ended_repair(6, hostile=False)

    text = to_markdown(plan_report(result, whole_plans(result)))

    assert "Decided by Minerva McGonagall (os-user) on 2026-03-01 09:40:12 UTC through `cli`" in text
    assert "| `a5` | rejected | - | - |" in rows_of(text, "How it was decided")
    assert "How to decide" not in text
    assert "Nothing is done before" not in text
    assert "The payment of 1.52 by Harry James Potter has not come in." in rows_of(text, "What is proposed")[0]


def test_a_decided_plan_of_an_open_repair_says_how_it_was_decided() -> None:
    decision = ended_repair(6).decisions[0]
    view = waiting_repair(6).model_copy(update={"decision": decision, "phase": Phase.PENDING_REPAIR, "decide_by": None})

    text = waiting(view)

    assert "`PENDING-REPAIR` (what was approved is being done)" in text
    assert "## How it was decided" in text
    assert "## How to decide" not in text


def test_each_round_is_told_under_its_number() -> None:
    view = waiting_repair(6, hostile=False)
    first, second = (view_plan(a_plan(6, hostile=False).model_copy(update={"round": n}), size=50) for n in (1, 2))

    text = to_markdown(plan_report(view, [first, second]))

    assert "## What is proposed, round 1\n" in text
    assert "## What is proposed, round 2\n" in text


def test_what_is_over_the_cap_is_said() -> None:
    view = waiting_repair(1)
    assert view.plan is not None

    text = to_markdown(plan_report(view, [view.plan.model_copy(update={"left_out": 7})]))

    assert "1 problems found, 1 actions proposed; 7 over the cap of one repair." in text
    assert "7 more problems are over the cap of one repair; another one takes them on" in text


def test_each_problem_has_one_fate_and_all_of_them_are_counted() -> None:
    bars = chart(ended_repair(60))

    assert bars is not None
    assert dict(bars.bars) == {
        Fate.REPAIRED: 15,
        Fate.REQUESTED: 10,
        Fate.NOT_HELPED: 5,
        Fate.NOT_APPROVED: 9,
        Fate.FOR_PERSON: 17,
        Fate.LEFT_ALONE: 4,
    }
    assert sum(number for _, number in bars.bars) == 60


@pytest.mark.parametrize(
    ("statuses", "fate"),
    [
        ((VerificationStatus.RESOLVED, VerificationStatus.RESOLVED), Fate.REPAIRED),
        ((VerificationStatus.RESOLVED, VerificationStatus.WAITING_ON_OTHER), Fate.REQUESTED),
        ((VerificationStatus.STILL_OPEN, VerificationStatus.RESOLVED), Fate.NOT_HELPED),
        ((VerificationStatus.NOT_VERIFIABLE, VerificationStatus.WAITING_ON_OTHER), Fate.NOT_HELPED),
    ],
)
def test_a_problem_with_two_actions_is_repaired_when_both_say_so(
    statuses: tuple[VerificationStatus, ...], fate: Fate
) -> None:
    result = ended_repair(1)
    assert result.verification is not None
    [seen] = result.verification.findings
    both = tuple(seen.model_copy(update={"status": status}) for status in statuses)

    assert (
        only_fate(result.model_copy(update={"verification": result.verification.model_copy(update={"findings": both})}))
        == fate
    )


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        (None, Fate.NOT_DONE),
        (OutcomeStatus.SKIPPED, Fate.NOT_DONE),
        (OutcomeStatus.NOT_APPROVED, Fate.NOT_APPROVED),
        (OutcomeStatus.REJECTED, Fate.NOT_APPROVED),
        (OutcomeStatus.FAILED, Fate.FOR_PERSON),
        (OutcomeStatus.UNKNOWN, Fate.FOR_PERSON),
        (OutcomeStatus.APPLIED, Fate.NOT_HELPED),
    ],
)
def test_without_verification_the_outcome_decides_and_an_effect_alone_is_no_repair(
    status: OutcomeStatus | None, fate: Fate
) -> None:
    result = ended_repair(1).model_copy(update={"verification": None})
    outcomes = tuple(each.model_copy(update={"status": status}) for each in result.outcomes) if status else ()

    assert only_fate(result.model_copy(update={"outcomes": outcomes})) == fate


def only_fate(result: RepairResult) -> str:
    bars = chart(result)
    assert bars is not None
    [(fate, _)] = bars.bars
    return fate


def test_a_repair_that_found_nothing_has_no_chart() -> None:
    assert chart(ended_repair(1).model_copy(update={"findings": (), "plans": (), "verification": None})) is None


def test_only_the_words_that_occur_are_explained() -> None:
    result = ended_repair(1)

    rows = rows_of(to_markdown(repair_report(result)), "What the words mean")

    assert [row.split(" | ")[0] for row in rows] == [
        "| `applied`",
        "| `waiting-on-other`",
        "| `os-user`",
        "| `simulated`",
    ]


@pytest.mark.parametrize("status", [OutcomeStatus.UNDO_BLOCKED, OutcomeStatus.UNDONE])
def test_of_what_did_not_help_a_person_is_told_what_its_undo_saw(status: OutcomeStatus) -> None:
    result = ended_repair(1)
    [done] = result.outcomes
    evidence = ("activity reserve is going on", "workflows/order-1/settings/reserve is gone since the repair wrote it")
    outcomes = (done.model_copy(update={"status": status, "evidence": evidence}),)

    [line] = [
        each for each in left_for_person(result.model_copy(update={"outcomes": outcomes})) if "did not help" in each
    ]
    assert line.endswith(evidence[1])
    assert evidence[0] not in line
