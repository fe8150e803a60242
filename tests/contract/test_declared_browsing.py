"""Any of the records of a declared domain are shown, and found by a text, without reading the others."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from daper.core.models import Scope
from daper.domains.declared import browsing
from daper.domains.declared.binding import Declared
from daper.ports import Browsable, Window
from daper.service.records import RecordsService
from daper.service.selection import RecordFilter
from daper.stores.rows.engine import disconnect
from tests.declared_shop import FILE, KINDS, Payments, payments_in

NOW = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.fixture(params=KINDS)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Payments]:
    made = payments_in(request.param, tmp_path, request)
    yield made
    made.engine.dispose()
    disconnect()


def more(engine: Engine, *, last: int) -> None:
    """So many payments, and orders of a few names."""
    with engine.begin() as db:
        if engine.dialect.name == "mysql":  # which else gives up after 1000, without a word
            db.execute(text(f"SET SESSION max_recursive_iterations = {last}"))
        db.execute(text("INSERT INTO orders VALUES ('Ärger-50%', 1, 'open'), ('a_b', 1, 'open')"))
        db.execute(
            text(
                "INSERT INTO payments (id, order_id, status, failure_code, amount, currency, attempts, failed_at) "
                "WITH RECURSIVE n(x) AS (SELECT 100 UNION ALL SELECT x + 1 FROM n WHERE x < :last) "
                "SELECT x, CASE x % 3 WHEN 0 THEN 'O1' WHEN 1 THEN 'a_b' ELSE 'Ärger-50%' END, 'failed', 'timeout', "
                "2.00, 'EUR', 1, '2026-11-20 10:00:00' FROM n"
            ),
            {"last": last},
        )


async def ids(domain: Browsable, window: Window, scope: Scope | None = None) -> list[str]:
    return [record.record_id for record in (await domain.browse(scope or Scope(), window)).records]


async def test_pages_go_on_from_any_record_and_back(shop: Payments) -> None:
    more(shop.engine, last=106)
    domain = shop.domain()
    first = await domain.browse(Scope(), Window(most=3))
    assert (first.total, first.earlier, first.later) == (10, False, True)
    assert await ids(domain, Window(most=3)) == ["7", "8", "9"]
    assert await ids(domain, Window(most=3, after="9")) == ["100", "101", "102"]
    assert await ids(domain, Window(most=3, before="102")) == ["9", "100", "101"]
    assert await ids(domain, Window(most=9, skip=8)) == ["105", "106"]
    assert await ids(domain, Window(most=2, after="8", skip=2)) == ["101", "102"]
    assert await ids(domain, Window(most=2, skip=50)) == []
    last = await domain.browse(Scope(), Window(most=3, after="103"))
    assert (last.earlier, last.later) == (True, False)
    front = await domain.browse(Scope(), Window(most=3, before="9"))
    assert (front.earlier, front.later) == (False, True)
    assert await ids(domain, Window(most=2, after="no such payment")) == ["7", "8"]
    uncounted = await domain.browse(Scope(), Window(most=3, counted=False))
    assert (uncounted.total, uncounted.later, len(uncounted.records)) == (0, True, 3)


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("o1, ", ["7", "102", "105"]),
        ("ÄRGER", ["101", "104"]),
        ("50%", ["101", "104"]),
        ("a_b", ["100", "103", "106"]),
        ("_", ["100", "103", "106"]),
        ("105", ["105"]),
        ("luna", []),
        ("\0", []),
        ("'; DROP TABLE payments --", []),
    ],
)
async def test_a_text_is_found_whatever_its_case_and_never_a_pattern(
    shop: Payments, search: str, found: list[str]
) -> None:
    more(shop.engine, last=106)
    domain = shop.domain()
    view = await domain.browse(Scope(), Window(most=50, search=search))
    assert [record.record_id for record in view.records] == found
    assert view.total == len(found)
    assert await ids(domain, Window(most=1, search=search)) == found[:1]


@pytest.mark.parametrize("few", [20, *(pytest.param(few, marks=pytest.mark.long) for few in (1000, 0))])
async def test_a_page_of_what_is_found_is_the_same_whether_it_is_counted_or_not(
    shop: Payments, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browsing, "FEW", few)
    more(shop.engine, last=160)
    domain = shop.domain()
    for skip in (0, 3, 500):
        for after, before in (("", ""), ("107", ""), ("", "140"), ("107", "140"), ("160", ""), ("gone", "")):
            for search, status in (("ärger", None), ("o1", "failed"), ("no such text", None)):
                window = Window(most=5, search=search, after=after, before=before, skip=skip)
                counted = await domain.browse(Scope(status=status), window)
                other = await domain.browse(Scope(status=status), dataclasses.replace(window, counted=False))
                told = [[each.record_id for each in view.records] for view in (counted, other)]
                assert told[0] == told[1], window
                assert (counted.earlier, counted.later) == (other.earlier, other.later), window
                assert counted.total == {"ärger": 20, "o1": 21}.get(search, 0)


@pytest.mark.parametrize("few", [1000, 20, 19])
async def test_a_text_that_few_rows_have_is_looked_for_in_each_row_once(
    shop: Payments, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browsing, "FEW", few)
    more(shop.engine, last=160)
    domain = shop.domain()
    seen: list[str] = []

    def noted(*told: Any) -> None:
        seen.append(str(told[2]))

    event.listen(Engine, "before_cursor_execute", noted)
    try:
        view = await domain.browse(Scope(), Window(most=5, search="ärger", skip=3))
    finally:
        event.remove(Engine, "before_cursor_execute", noted)
    assert ([each.record_id for each in view.records], view.total) == (["110", "113", "116", "119", "122"], 20)
    looking = [each for each in seen if "instr(" in each or "position(" in each]
    assert len([each for each in looking if " IN (" not in each.replace("status IN (", "")]) == (1 if few >= 20 else 4)


async def test_what_is_hidden_is_not_searched_and_a_status_is_kept_to(shop: Payments) -> None:
    shop.file.write_text(FILE.replace('"{order_id}, ', '"{order_id} {email} '), encoding="utf-8")
    domain = shop.domain()
    assert await ids(domain, Window(most=9, search="luna")) == []
    assert await ids(domain, Window(most=9, search="(hidden)")) == ["7", "8", "9"]
    assert await ids(domain, Window(most=9), Scope(status=" Processing")) == ["9"]
    assert await ids(domain, Window(most=9, search="o2"), Scope(status="failed")) == ["8"]


@pytest.mark.parametrize("many", [3_000, pytest.param(200_000, marks=pytest.mark.long)])
async def test_a_page_of_many_reads_a_page(shop: Payments, monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    last, middle = 100 + many, many // 2
    more(shop.engine, last=last)
    domain = shop.domain()
    read: list[int] = []
    whole = Declared.read

    def counting(self: Declared, view: object, rows: tuple[object, ...]) -> object:
        read.append(len(rows))
        return whole(self, view, rows)  # pyright: ignore[reportArgumentType] - as it was given

    monkeypatch.setattr(Declared, "read", counting)
    service = RecordsService(domains={"payments": domain})
    page = await service.page("payments", Scope(), Window(most=50, after=str(middle)), now=NOW)
    assert [page.records[0].head.record_id, page.records[-1].head.record_id] == [str(middle + 1), str(middle + 50)]
    assert (page.total, page.before, page.after) == (many + 4, str(middle + 1), str(middle + 50))
    listed = await service.list("payments", Scope(), now=NOW, first=many - 6, most=5)
    assert [line.head.record_id for line in listed.records] == [str(each) for each in range(last - 9, last - 4)]
    found = await service.list("payments", Scope(), now=NOW, most=5, wanted=RecordFilter(search="ärger"))
    assert (len(found.records), found.total >= many // 3) == (5, True)
    assert sum(read) <= 60, read
