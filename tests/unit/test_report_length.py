"""A report is as long as what there is to say: what is the same of many stands once, and all of it on demand."""

from planned import findings_of, plan_of, proposed
from sized_repairs import ended_repair

from daper.adapters.reports.alike import ACTION_IDS, BECAME, EVERY_RECORD, RECORDS, together
from daper.adapters.reports.repair_report import repair_report
from daper.core.outcomes import ActionOutcome, OutcomeStatus, RepairResult
from daper.documents.blocks import Cell
from daper.documents.cells import cell, code, text
from daper.documents.markdown import to_markdown


def few_approved(orders: int) -> RepairResult:
    """Of so many orders with the same problem three actions were approved."""
    plan = plan_of(*map(proposed, range(1, orders + 1)))
    outcomes = [
        ActionOutcome(
            action_id=action.id,
            record_id=action.bound.record_id,
            tool=action.bound.tool,
            status=OutcomeStatus.NOT_APPROVED if place > 2 else OutcomeStatus.APPLIED,
            evidence=("not named in the decision",) if place > 2 else (),
        )
        for place, action in enumerate(plan.actions)
    ]
    return ended_repair(3).model_copy(
        update={
            "findings": tuple(findings_of(plan).values()),
            "plans": (plan,),
            "outcomes": tuple(outcomes),
            "verification": None,
        }
    )


def rows(report: str, title: str) -> list[str]:
    part = report.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    return [line for line in part.splitlines() if line.startswith("| ")][2:]


def test_b7_a_report_of_57_problems_of_which_3_were_approved_says_the_same_once() -> None:
    result = few_approved(57)

    short, whole = (to_markdown(repair_report(result, whole=each)) for each in (False, True))

    for title in ("What happened to each problem", "Actions"):
        assert len(rows(short, title)) == 4
        assert len(rows(whole, title)) == 57


def test_every_action_and_the_record_of_each_is_named_also_in_a_row_for_many() -> None:
    result = few_approved(57)
    short = "\n".join(rows(to_markdown(repair_report(result)), "Actions"))
    for action in result.plans[-1].actions:
        assert f"`{action.bound.record_id}`" in short


def a_row(number: int, *, became: str = "not-approved", why: str = "") -> tuple[Cell, ...]:
    fate = (*code(f"a{number}"), *text(" "), *code(became))
    return cell(code(f"a{number}")), cell(code(f"ORD-{number}")), cell(fate), cell(text(why))


def test_only_rows_that_are_the_same_but_for_what_is_their_own_are_one_and_stand_where_the_first_was() -> None:
    own = {0: ACTION_IDS, 1: EVERY_RECORD, 2: BECAME}
    alike = [a_row(number) for number in range(1, 13)]
    other = a_row(50, became="applied"), a_row(51, why="stale")

    made = together([other[0], *alike, other[1]], own)

    assert made[0] == other[0]
    assert made[2:] == [other[1]]
    [ids, records, fate, why] = made[1]
    assert ids == cell(code("a1-a12"))
    assert "".join(span.text for span in records.lines[0]) == ", ".join(f"ORD-{n}" for n in range(1, 13))
    assert "".join(span.text for span in fate.lines[0]) == "not-approved"
    assert why == Cell()
    assert together(alike, own, whole=True) == alike
    assert together(alike[:9], own) == alike[:9]


def test_a_column_of_many_records_names_the_first_and_counts_the_others() -> None:
    [[_, records, *_]] = together([a_row(n) for n in range(1, 58)], {0: ACTION_IDS, 1: RECORDS, 2: BECAME})
    [said] = ["".join(span.text for span in line) for line in records.lines]
    assert said == "57 records: ORD-1, ORD-2, ORD-3, ORD-4, ORD-5 and 52 more"
