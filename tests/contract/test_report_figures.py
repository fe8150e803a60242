"""Figures of many reports come from a small row of each: what is new, written anew or gone is noticed."""

import shutil
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text

from daper.core.figures import quantile
from daper.core.ids import file_stem
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.core.usage import Spent, Usage
from daper.stores.sql.engine import Branch
from daper.stores.sql.sqlite_database import SqliteDatabase
from daper.stores.sql.state_schema import REPORT_FIGURES, STATE
from daper.stores.sql.upgrading import upgrade
from tests.contract.kept_state import KeptState
from tests.unit.sized_repairs import ended_repair

FIRST = date(2026, 3, 1)


def result(repair_id: str, *, day: int = 0, phase: Phase = Phase.REPORT_COMPLETED, cost: str = "0") -> RepairResult:
    ended = datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC) + timedelta(days=day)
    usage = Usage(total=Spent(calls=1, input_tokens=10, output_tokens=5, cost=Decimal(cost)))
    made = ended_repair(4)
    return made.model_copy(
        update={
            "repair_id": repair_id,
            "ended_at": ended,
            "phase": phase,
            "usage": usage,
            "durations": {"PENDING-APPROVAL": timedelta(seconds=60 + day)},
        }
    )


@pytest.fixture(autouse=True)
def looks_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daper.adapters.reports.figures._LOOK_AGAIN_S", 0.0)


async def test_reports_are_counted_by_day_and_summed_exactly(state: KeptState) -> None:
    reports, figures = state.place.reports(), state.place.report_figures()
    assert (await figures.since(FIRST)).days == ()
    for number, day in enumerate((0, 0, 2)):
        await reports.write(result(f"r{number}", day=day, cost="0.000000001"))
    await reports.write(result("r3", day=2, phase=Phase.REJECTED))

    found = await figures.since(FIRST)

    assert [(each.day, each.repairs) for each in found.days] == [(FIRST, 2), (FIRST + timedelta(days=2), 2)]
    assert found.total.cost == Decimal("0.000000003")
    assert found.total.tokens == 60
    assert found.total.problems == 4 * ended_repair(4).counts.problems
    assert found.phases == {"REPORT-COMPLETED": 3, "REJECTED": 1}
    assert (found.wait(0.5), found.wait(1.0)) == (60, 62)
    assert [each.repairs for each in (await figures.since(FIRST + timedelta(days=1))).days] == [2]
    assert (await figures.since(FIRST, domain="other")).days == ()


async def test_a_record_has_its_repairs_the_newest_first(state: KeptState) -> None:
    reports, figures = state.place.reports(), state.place.report_figures()
    for number in range(3):
        await reports.write(result(f"r{number}", day=number))
    record = result("r0").outcomes[0].record_id

    found = await figures.of_record(result("r0").domain, record, limit=2)

    assert [each.repair_id for each in found] == ["r2", "r1"]
    assert found[0].came_to == f"{result('r0').outcomes[0].tool} {result('r0').outcomes[0].status}"
    assert list(await figures.of_record("orders", "'; --", limit=5)) == []


async def test_a_report_that_is_written_anew_or_gone_changes_the_figures(state: KeptState) -> None:
    reports, figures = state.place.reports(), state.place.report_figures()
    await reports.write(result("r0"))
    await reports.write(result("r1"))
    assert (await figures.since(FIRST)).total.repairs == 2

    await reports.write(result("r0", phase=Phase.CANCELLED, day=1))
    if state.place.shared:
        state.change("DELETE FROM daper_reports WHERE repair_id = 'r1'")
    else:
        shutil.rmtree(state.place.home / "reports" / file_stem("r1"))

    found = await figures.since(FIRST)
    assert (found.total.repairs, found.phases) == (1, {"CANCELLED": 1})
    assert await figures.of_record("orders", result("r1").outcomes[0].record_id, limit=5) != ()


async def test_a_broken_report_is_left_out_and_read_once(state: KeptState, monkeypatch: pytest.MonkeyPatch) -> None:
    reports, figures = state.place.reports(), state.place.report_figures()
    await reports.write(result("r0"))
    await reports.write(result("r1"))
    if state.place.shared:
        state.change("UPDATE daper_reports SET result = '\\x00' WHERE repair_id = 'r1'")
    else:
        (state.place.home / "reports" / file_stem("r1") / "report.json").write_text("{")

    assert (await figures.since(FIRST)).total.repairs == 1
    monkeypatch.setattr(figures._source, "result_at", lambda place: pytest.fail(f"{place} was read again"))  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportPrivateUsage, reportUnknownLambdaType, reportUnknownArgumentType, reportUnknownMemberType]
    assert (await figures.since(FIRST)).total.repairs == 1
    assert state.count(REPORT_FIGURES) == 2


async def test_more_reports_than_there_is_time_for_are_counted_next_time(
    state: KeptState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daper.adapters.reports.figures._READ_FOR_S", -1.0)
    monkeypatch.setattr("daper.adapters.reports.figures._AT_ONCE", 2)
    reports, figures = state.place.reports(), state.place.report_figures()
    for number in range(3):
        await reports.write(result(f"r{number}"))

    first, second = await figures.since(FIRST), await figures.since(FIRST)

    assert [(each.total.repairs, each.left_out) for each in (first, second)] == [(2, 1), (3, 0)]


async def test_reports_of_an_earlier_version_are_counted_after_the_upgrade(file_state: KeptState) -> None:
    former = Branch(name="state", head="state_0001", scripts=STATE.scripts, create=STATE.create)
    file_state.path.parent.mkdir(parents=True)
    old = SqliteDatabase(file_state.path, [former], what="state")
    upgrade(old)
    with old.transaction() as db:
        db.execute(text("INSERT INTO daper_answers VALUES ('k', 'a', 'r0', 1)"))
    write = Path(file_state.place.home / "reports" / file_stem("r0"))
    write.mkdir(parents=True)
    (write / "report.json").write_text(result("r0").model_dump_json())

    assert (await file_state.place.report_figures().since(FIRST)).total.repairs == 1
    answer = await file_state.place.reports().answer("k")
    assert answer is not None
    assert answer.repair_id == "r0"


@pytest.mark.parametrize(("share", "found"), [(0.0, 1), (0.1, 1), (0.5, 5), (0.9, 9), (0.91, 10), (1.0, 10)])
def test_a_share_is_of_the_numbers_that_are_there(share: float, found: int) -> None:
    assert quantile(range(1, 11), share) == found
    assert quantile((), share) is None
