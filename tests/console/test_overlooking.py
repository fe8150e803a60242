"""Records, figures, agents and settings as pages: full, empty and broken, and none of them runs what a record says."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from playwright.async_api import Browser
from starlette.requests import Request

from daper.bootstrap import open_domains
from daper.clock import utc_now
from daper.core.access import Access
from daper.core.errors import AccessRefused, Unreachable
from daper.core.figures import DayFigures, Figures
from daper.core.models import IdentityProof, Person
from daper.domains.orders import shipped
from daper.entrypoints.web.charts import Series, bar_chart, nice_top
from daper.entrypoints.web.pages import agents
from daper.entrypoints.web.visitors import Visitor
from daper.service.overview import money, overview, waits_of
from daper.service.records import RecordsService
from daper.settings import Settings
from tests.console.axe import objections
from tests.console.desk import HERE, Desk
from tests.console.in_process import browsing
from tests.console.test_look import DESK, PHONE
from tests.unit.sized_repairs import ended_repair

HOSTILE = "<script>document.title='ran'</script>\u202e[x](javascript:y)" + "w" * 200


EVERY = ("/records", "/records?search=nobody", "/records/ORD-001-HJP", "/agents", "/overview?days=90", "/settings")


class Away:
    """Services of a Temporal that does not answer."""

    def __getattr__(self, name: str) -> Any:
        async def refuse(*_: object, **__: object) -> None:
            raise Unreachable("Temporal does not answer; start it: daper up")

        return refuse


def look_at(desk: Desk, services: object = None) -> Desk:
    """The same console with the records of its home, and these services."""
    away = SimpleNamespace(repairs=Away(), proactive=Away(), schedules=Away(), board=None)
    records = RecordsService(domains=only_orders(desk.settings))
    served = cast("Any", services or away)
    served.records = records
    desk.console = replace(desk.console, services=served)
    desk.app.state.console = desk.console
    return desk


def only_orders(settings: Settings) -> dict[str, Any]:
    return {"orders": open_domains(settings)["orders"]}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return look_at(Desk(tmp_path / "home"))


def change_orders(desk: Desk, **fields: object) -> None:
    """Change the first order, as a person does in an editor."""
    folder = desk.settings.home / "data" / "orders"
    given = json.loads(shipped.texts("hogwarts")["orders.json"])
    given["orders"][0] |= fields
    (folder / "orders.json").write_text(json.dumps(given))


async def page(desk: Desk, path: str, *, status: int = 200) -> str:
    async with desk.browser() as browser:
        answer = await browser.get(path)
    assert answer.status_code == status, answer.text
    return answer.text


async def test_records_are_found_by_text_problem_and_status(desk: Desk) -> None:
    everything = await page(desk, "/records")
    assert "6 records." in everything
    assert "ORD-006-DLM" in everything
    found = await page(desk, "/records?search=potter")
    assert "1 record like that" in found
    assert "ORD-001-HJP" in found
    assert "ORD-002-HJG" not in found
    assert "4 records like that" in await page(desk, "/records?problem=any")
    assert "ORD-003-RBW" in await page(desk, "/records?problem=payment-denied")
    assert "No record is like that" in await page(desk, "/records?search=nobody")
    assert "No record is like that" in await page(desk, "/records?status=lost")


async def test_pages_of_records_go_on_by_their_ids(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daper.entrypoints.web.pages.records._ON_A_PAGE", 2)
    first = await page(desk, "/records?search=ORD")
    assert 'href="/records?search=ORD&amp;after=ORD-002-HJG"' in first
    second = await page(desk, "/records?search=ORD&after=ORD-002-HJG")
    assert "ORD-003-RBW" in second
    assert 'href="/records?search=ORD&amp;before=ORD-003-RBW"' in second
    back = await page(desk, "/records?search=ORD&before=ORD-003-RBW")
    assert "ORD-001-HJP" in back
    assert "ORD-003-RBW</a>" not in back


async def test_from_a_record_one_comes_back_to_those_of_its_domain(desk: Desk) -> None:
    shown = await page(desk, "/records/ORD-005-LLV?domain=orders")
    assert '<a href="/records?domain=orders">Records</a>' in shown
    assert '<a href="/records">Records</a>' in await page(desk, "/records/ORD-005-LLV")
    found = await page(desk, "/records?domain=orders&search=potter")
    assert '<a class="button" href="/records?domain=orders">All records</a>' in found


async def test_what_a_record_says_is_text_and_nothing_in_it_is_hidden(desk: Desk) -> None:
    await page(desk, "/records")
    change_orders(desk, customer_name=HOSTILE, notes=HOSTILE)
    for path in ("/records", "/records/ORD-001-HJP", f"/records?search={HOSTILE}"):
        shown = await page(desk, path)
        assert "<script>document" not in shown
        assert "javascript:y)" not in shown.replace("[x](javascript:y)", "")
        assert "\u202e" not in shown.replace(f'value="{HOSTILE}"', "").partition("<table")[2]
    assert "&lt;U+202E&gt;" in await page(desk, "/records/ORD-001-HJP")


async def test_a_record_shows_its_problems_and_its_repairs(desk: Desk) -> None:
    result = ended_repair(3)
    record = result.outcomes[0].record_id
    await desk.settings.state.reports().write(result.model_copy(update={"domain": "orders"}))
    await page(desk, "/records")
    change_orders(desk, order_id=record)
    shown = await page(desk, f"/records/{record}")
    assert "payment-pending" in shown
    assert f'href="/repairs/{result.repair_id}"' in shown
    assert f"{result.outcomes[0].tool} {result.outcomes[0].status}" in shown
    other = await page(desk, "/records/ORD-005-LLV")
    assert "The rules find nothing wrong with it" in other
    assert "No repair that ended was about it" in other


async def test_what_is_not_there_or_cannot_be_asked_is_said(desk: Desk) -> None:
    missing = await page(desk, "/records/ORD-001-HJQ", status=404)
    assert "did you mean &#39;ORD-001-HJP&#39;" in missing
    await page(desk, "/records?domain=nowhere", status=404)
    await page(desk, f"/records?search={'x' * 501}", status=400)
    await page(desk, "/records?status=a%00b%0Ac")
    await page(desk, "/records?search=%00&after=%00")


async def test_a_damaged_store_is_told_on_its_page_and_in_the_overview(desk: Desk) -> None:
    await page(desk, "/records")
    (desk.settings.home / "data" / "orders" / "orders.json").write_text("{")
    assert "orders.json" in await page(desk, "/records", status=500)
    told = await page(desk, "/overview")
    assert "trouble" in told
    assert "orders.json" in told


async def test_the_overview_adds_up_what_the_reports_say_and_draws_it(desk: Desk) -> None:
    result, reports = ended_repair(6), desk.settings.state.reports()
    for number in range(2):
        ended = utc_now() - timedelta(days=number)
        fresh = {"repair_id": f"r{number}", "ended_at": ended, "started_at": ended}
        await reports.write(result.model_copy(update=fresh))
    shown = await page(desk, "/overview")
    assert f"<dt>problems found</dt><dd>{2 * result.counts.problems}</dd>" in shown
    assert 'role="img" aria-label="Problems found and repaired: found' in shown
    assert "<script>" not in shown
    assert "No repair ended in these days" not in shown
    assert "REPORT-COMPLETED" in shown
    await page(desk, "/overview?days=31337")


async def test_a_chart_that_is_alone_is_no_larger_than_beside_another(browser: Browser, desk: Desk) -> None:
    ended = {"ended_at": utc_now(), "started_at": utc_now()}
    undecided = ended_repair(6).model_copy(update={**ended, "decisions": (), "outcomes": ()})
    await desk.settings.state.reports().write(undecided)
    async with browsing(browser, desk.app, **DESK) as context:
        tab = await context.new_page()
        await tab.goto(f"{HERE}/overview")
        charts = tab.locator("svg.chart:not(.swatch)")
        assert await charts.count() == 1
        box = await charts.first.bounding_box()
    assert box is not None
    assert 300 < box["width"] < 600


async def test_an_overview_of_nothing_and_one_of_state_that_is_broken_both_come(desk: Desk) -> None:
    assert "No repair ended in these days" in await page(desk, "/overview")
    await desk.settings.state.reports().write(ended_repair(1))
    (desk.settings.home / "daper.db").write_bytes(b"no database" * 100)
    fresh = look_at(Desk(desk.settings.home))
    shown = await page(fresh, "/overview")
    assert "daper.db" in shown
    assert 'role="alert"' in shown


async def test_without_temporal_the_agents_say_why_and_the_page_stands(desk: Desk) -> None:
    shown = await page(desk, "/agents?record=ORD-1%3Cb%3E")
    assert shown.count("Temporal does not answer") == 3
    assert "ORD-1&lt;b&gt;</textarea>" in shown
    assert "Temporal does not answer" in await page(desk, "/overview")


async def test_whoever_may_only_read_sees_no_button_and_can_do_nothing(tmp_path: Path) -> None:
    plain = Desk(tmp_path / "home")
    token = plain.tokens.add("Luna", (Access.READ,))
    desk = look_at(Desk(tmp_path / "home"))
    async with desk.browser() as luna:
        await luna.sign_in(token)
        shown = await luna.get("/agents")
        assert shown.status_code == 200
        assert 'action="/agents/' not in shown.text
        for path in ("/agents/repairs", "/agents/proactive", "/agents/proactive/stop", "/agents/schedules/delete"):
            assert (await luna.post(path, {"name": "x"})).status_code == 403
    reader = Visitor(
        person=Person(name="Luna", how=IdentityProof.TOKEN), access=frozenset({Access.READ}), signed_in=True
    )
    for deed in (agents.start_repair, agents.start_agent, agents.steer_agent, agents.steer_schedule):
        with pytest.raises(AccessRefused):
            await deed(Request({"type": "http", "app": desk.app, "state": {"visitor": reader}}))


@pytest.mark.parametrize(
    "path",
    ["/agents/repairs", "/agents/proactive", "/agents/proactive/check", "/agents/schedules/pause"],
)
async def test_looking_at_the_address_of_a_form_changes_nothing(desk: Desk, path: str) -> None:
    async with desk.browser() as browser:
        assert (await browser.get(path)).status_code == 405


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"limit": "0"}, "limit: Input should be greater than or equal to 1"),
        ({"limit": "many"}, "limit must be a whole number"),
        ({"limit": "9" * 30}, "limit must be a whole number"),
        ({"partition": "5/4"}, "5/4"),
        ({"records": "a\nb", "partition": "1/2"}, "part"),
        ({"records": "\n".join(f"r{number}" for number in range(501))}, "record ids"),
    ],
)
async def test_a_form_that_asks_for_what_cannot_be_is_told_so(desk: Desk, given: dict[str, str], said: str) -> None:
    async with desk.browser() as browser:
        key = await browser.form_key("/agents") if "csrf" in (await browser.get("/agents")).text else ""
        answer = await browser.post("/agents/repairs", {"csrf": key, **given})
    assert answer.status_code == 400, answer.text
    assert said in answer.text


async def test_settings_show_what_is_configured_and_no_secret(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_KEY", "sk-a-key-of-somebody")
    monkeypatch.setenv("DAPER_DATABASE_URL", "postgresql://x:a-password@127.0.0.1:1/y")
    desk.settings.state.tokens()
    shown = await page(desk, "/settings")
    assert "sk-a-key" not in shown
    assert "a-password" not in shown
    assert "(set)" in shown
    assert "The proactive agent does nothing alone" in shown
    assert 'hx-get="/settings/checks"' in shown


def test_a_chart_is_as_tall_as_its_greatest_number_and_says_what_it_shows() -> None:
    drawn = str(bar_chart("<b>", ["<i>", "b"], [Series(name="x", look="c1", values=[0, 7])]))
    assert 'aria-label="&lt;b&gt;"' in drawn
    assert "<i>" not in drawn
    assert drawn.count("<rect") == 1
    assert ">10<" in drawn
    assert "style" not in drawn
    stacked = str(bar_chart("s", ["a"], [Series(name=n, look=n, values=[60]) for n in ("c1", "c2")], stacked=True))
    assert ">200<" in stacked


@pytest.mark.parametrize(("most", "top"), [(0, 1), (1, 1), (0.012, 0.02), (7, 10), (10, 10), (11, 20), (201, 500)])
def test_an_axis_ends_at_a_round_number(most: float, top: float) -> None:
    assert nice_top(most) == pytest.approx(top)


async def test_every_stretch_of_time_is_there_also_an_empty_one() -> None:
    now = datetime(2026, 3, 31, 12, tzinfo=UTC)
    kept = SimpleNamespace(since=_since(Figures(days=(DayFigures(day=now.date(), repairs=2, problems=3),))))
    by_days = {days: await overview(cast("Any", kept), now=now, days=days) for days in (30, 90, 365)}
    assert [len(found.stretches) for found in by_days.values()] == [30, 14, 12]
    assert all(found.stretches[-1].figures.problems == 3 for found in by_days.values())
    assert waits_of([1, 60, 61, 10**6]) == (
        ("≤1m", 2), ("≤10m", 1), ("≤1h", 0), ("≤4h", 0), ("≤1d", 0), ("later", 1),
    )  # fmt: skip
    assert money(DayFigures(day=now.date()).cost) == "$0.00"


def _since(figures: Figures) -> Any:
    async def since(*_: object) -> Figures:
        return figures

    return since


@pytest.mark.long
@pytest.mark.parametrize(("theme", "size"), [("light", PHONE), ("dark", DESK)], ids=["phone, light", "desk, dark"])
async def test_nothing_is_to_be_said_against_these_pages_whatever_a_record_says(
    browser: Browser, desk: Desk, theme: str, size: dict[str, Any]
) -> None:
    await page(desk, "/records")
    change_orders(desk, customer_name=HOSTILE, notes=HOSTILE, status=HOSTILE[:80])
    ended = {"ended_at": utc_now(), "started_at": utc_now(), "domain": "orders"}
    await desk.settings.state.reports().write(ended_repair(40).model_copy(update=ended))
    async with browsing(browser, desk.app, color_scheme=theme, **size) as context:
        for path in EVERY:
            tab = await context.new_page()
            refused: list[str] = []
            tab.on("console", lambda message, refused=refused: refused.append(message.text))
            await tab.goto(HERE + path)
            assert await objections(tab) == [], path
            assert refused == []
            assert await tab.title() != "ran"
            await tab.close()
